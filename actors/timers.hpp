#pragma once

#include "actors/core.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

// When is a timer due?
//
// - In the boot of the machine that set it, when its boot time comes. No jump of the wall clock moves it.
// - In any other boot, when the wall clock says so. Boot time has begun anew, and nobody knows for how long
//   the machine was off: the wall clock is all there is.
// - One that was set for a time of the wall clock is due when the wall clock says so, in every boot.
//
// The wall clock is asked anew at each look, and there is no minute without one. A clock that is wrong when
// the node starts and set right later (a machine without a battery, the network's time) thus moves what waits
// for it, forth and back: nothing waits for years, and nothing stays due that is not. What has fired by then
// has fired, though, so in the first minute of a boot the wall clock is not believed yet. That costs an
// overdue timer a minute after a reboot, and nothing after the restart of a process.
//
// What no rule mends: a timer that was set while the clock was wrong and is due in a later boot falls due by
// that wrong time; and a clock that is set ahead, later than a minute after the boot, is believed.
namespace continuo::actors {

/// A timer that is set somewhere in the node. Small: a million of them are held in memory.
template <class Time>
struct armed_timer {
  Time due;
  message_id id;
  std::uint32_t type = 0; ///< index into `timers_state::types`
  std::string key;
};

struct timers_state {
  // Heaps, the nearest first: a timer is in one of them.
  std::vector<armed_timer<engine::boot_time>> by_boot_time;
  std::vector<armed_timer<time_point>> by_wall_clock;
  std::unordered_map<message_id, bool> known; ///< armed; true: fired, and not yet disarmed
  std::vector<std::string> types;
  std::size_t stale = 0;     ///< entries of the heaps that are disarmed
  std::size_t fired = 0;     ///< and not yet disarmed
  std::uint64_t wake_up = 0; ///< the number of the last one sent; the others count no more
  bool is_armed = false;     ///< that one is under way
  engine::boot_time wakes;   ///< when it is due
  bool is_open = false;      ///< the node has recovered; until then none fires
  static inline const char* name = "continuo.timers";
};

/// The actor that knows when each timer is due. It wakes itself for the nearest, sends what is due to its
/// instance, and has at most `limits::timers_at_once` of them on their way. What is durable of a timer stands
/// in its instance's record: here it may be forgotten, or fire twice, without harm.
caf::behavior timers_actor(caf::stateful_actor<timers_state>* self, std::shared_ptr<core> shared);

} // namespace continuo::actors
