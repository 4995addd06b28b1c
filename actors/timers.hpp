#pragma once

#include "actors/core.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <map>
#include <memory>
#include <queue>
#include <unordered_map>
#include <vector>

namespace continuo::actors {

/// A timer that is set somewhere in the node. Small: a million of them are held in memory.
struct armed_timer {
  std::int64_t due_ns = 0; ///< by the boot time of this boot
  message_id id;
  std::uint32_t type = 0; ///< index into `timers_state::types`
  std::string key;
};

struct timers_state {
  std::vector<armed_timer> heap;              ///< the nearest first
  std::unordered_map<message_id, bool> known; ///< armed; true: fired, and not yet disarmed
  std::vector<std::string> types;
  std::size_t stale = 0;        ///< entries of the heap that are disarmed
  std::size_t fired = 0;        ///< and not yet disarmed
  std::int64_t wakes_at_ns = 0; ///< 0: no wake-up is under way
  bool is_open = false;         ///< the node has recovered; until then none fires
  static inline const char* name = "continuo.timers";
};

/// The actor that knows when each timer is due. It wakes itself for the nearest, sends what is due to its
/// instance, and has at most `limits::timers_at_once` of them on their way. What is durable of a timer stands
/// in its instance's record: here it may be forgotten, or fire twice, without harm.
caf::behavior timers_actor(caf::stateful_actor<timers_state>* self, std::shared_ptr<core> shared);

} // namespace continuo::actors
