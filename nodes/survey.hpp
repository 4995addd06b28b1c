#pragma once

#include "actors/core.hpp"

#include <continuo/context.hpp>
#include <continuo/result.hpp>
#include <continuo/status.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace continuo::nodes {

/// Commands that this node's instances have sent to one service and that have no outcome yet.
struct open_commands {
  std::uint64_t count = 0;
  time_point oldest{}; ///< when the first of them was sent
};

/// What the records of a node's store add up to.
struct survey {
  time_point at{};
  std::map<std::string, open_commands> commands; ///< by service, whatever node it runs on
  std::map<std::pair<std::string, instance_status>, std::uint64_t> instances; ///< by type; sagas and keyed
  std::map<std::string, std::uint64_t> parked; ///< commands that wait for a person, by service
  std::uint64_t dead_letters = 0;
};

/// Reads all records, once: a few microseconds each. Any thread; blocks. `errc::unavailable` once `ending` is
/// set, at once.
result<survey> make_survey(const actors::core& shared, const std::atomic<bool>& ending);

/// Makes surveys, and gives the last one again for at least `age_min` and ten times as long as it took to
/// make: however often it is asked, counting takes at most a tenth of one thread. Any thread; who comes while
/// a survey is made waits for it.
class surveyor {
public:
  static constexpr std::chrono::milliseconds age_min{500};

  /// As `make_survey`; what it gives was true within the time above.
  result<std::shared_ptr<const survey>> latest(const actors::core& shared, const std::atomic<bool>& ending);

private:
  std::mutex mutex_;
  std::shared_ptr<const survey> last_;
  std::chrono::steady_clock::time_point good_until_;
};

} // namespace continuo::nodes
