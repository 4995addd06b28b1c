#pragma once

#include <continuo/context.hpp>
#include <continuo/detail/times.hpp>
#include <continuo/fields.hpp>

#include <chrono>
#include <compare>
#include <cstdint>

/// When things happen. There are two clocks, and a time of one says nothing about a time of the other:
/// `time_point` is the wall clock, which people set and which may jump, and `boot_time` counts from the start
/// of the machine. They have types that do not mix.
namespace continuo::engine {

using detail::between;
using detail::later;
using detail::saturated;

/// CLOCK_BOOTTIME: it never jumps, and goes on while the machine sleeps. Means nothing in another boot.
struct boot_time {
  std::chrono::nanoseconds since_boot{0};

  friend constexpr auto operator<=>(const boot_time&, const boot_time&) = default;
  CONTINUO_FIELDS(boot_time, since_boot)
};

/// As for the wall clock.
constexpr boot_time later(boot_time at, detail::any_duration wait) {
  const std::chrono::nanoseconds time = wait;
  return {std::chrono::nanoseconds{detail::saturated_sum(at.since_boot.count(), time.count())}};
}

constexpr std::chrono::nanoseconds between(boot_time from, boot_time to) {
  return std::chrono::nanoseconds{
      detail::saturated_difference(from.since_boot.count(), to.since_boot.count())};
}

/// The present, as the node's clock tells it. A test decides what it is.
struct moment {
  time_point wall;        ///< the wall clock
  boot_time up;           ///< for how long the machine has been up
  std::uint64_t boot = 1; ///< which boot of the machine; never 0
};

} // namespace continuo::engine
