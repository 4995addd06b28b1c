#include "actors/unknown_board.hpp"

#include <fmt/format.h>

namespace continuo::actors {

bool unknown_board::note(const std::string& receiver, const std::string& type, const message_id& id,
                         const error& why) {
  const std::lock_guard lock{mutex_};
  ++counts_[receiver];
  auto entry = reasons_.find({receiver, type});
  const auto fresh = entry == reasons_.end();
  if (fresh && reasons_.size() == types_max) {
    return false;
  }
  if (fresh) {
    entry =
        reasons_
            .try_emplace({receiver, type}, fmt::format("waits until {} runs in a program that knows it: {}",
                                                       receiver, why.message))
            .first;
  }
  if (of_.size() < names_max) {
    of_.try_emplace(id, &entry->second);
  }
  return fresh;
}

std::optional<std::string> unknown_board::reason_of(const message_id& id) const {
  const std::lock_guard lock{mutex_};
  const auto found = of_.find(id);
  return found == of_.end() ? std::nullopt : std::optional{*found->second};
}

std::uint64_t unknown_board::count_of(const std::string& receiver) const {
  const std::lock_guard lock{mutex_};
  const auto found = counts_.find(receiver);
  return found == counts_.end() ? 0 : found->second;
}

} // namespace continuo::actors
