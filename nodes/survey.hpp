#pragma once

#include "actors/core.hpp"

#include <continuo/context.hpp>
#include <continuo/result.hpp>
#include <continuo/status.hpp>

#include <atomic>
#include <cstdint>
#include <map>
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
  std::uint64_t dead_letters = 0;
};

/// Reads all records, once: a few microseconds each. Any thread; blocks. `errc::unavailable` once `ending` is
/// set, at once.
result<survey> make_survey(const actors::core& shared, const std::atomic<bool>& ending);

} // namespace continuo::nodes
