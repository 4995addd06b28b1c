#pragma once

#include "engine/service_pause.hpp"

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace continuo::actors {

/// What operators said last of stateless services, as far as it is durable here: one entry for each service
/// of which anything was ever said. Any thread.
class pause_board {
public:
  void set(engine::service_pause said) {
    const std::lock_guard lock{mutex_};
    auto service = said.service;
    said_.insert_or_assign(std::move(service), std::move(said));
  }

  /// The last word; nothing where nobody said any.
  std::optional<engine::service_pause> last_of(std::string_view service) const {
    const std::lock_guard lock{mutex_};
    const auto found = said_.find(service);
    return found == said_.end() ? std::nullopt : std::optional{found->second};
  }

  /// The last word if that is that the service is paused.
  std::optional<engine::service_pause> pause_of(std::string_view service) const {
    auto said = last_of(service);
    return said && said->paused ? std::move(said) : std::nullopt;
  }

  std::vector<engine::service_pause> all() const {
    const std::lock_guard lock{mutex_};
    std::vector<engine::service_pause> words;
    for (const auto& [service, said] : said_) {
      words.push_back(said);
    }
    return words;
  }

private:
  mutable std::mutex mutex_; // guards what follows
  std::map<std::string, engine::service_pause, std::less<>> said_;
};

} // namespace continuo::actors
