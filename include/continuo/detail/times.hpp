#pragma once

#include <continuo/detail/language.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <limits>

/// Arithmetic for times and durations that come from outside. They may be as far away as their types can say:
/// `max()` stands for "never". Plain `+`, `-` and conversions wrap around there, so that what should never
/// happen happens at once; these stay at the end of the range. Whatever meets such a time or duration uses
/// them.
namespace continuo::detail {

/// The duration in another unit, cut towards zero; the longest, or the most negative, that `To` has where it
/// is beyond it.
template <class To, class Rep, class Period>
constexpr To saturated(std::chrono::duration<Rep, Period> time) {
  using factor = std::ratio_divide<Period, typename To::period>;
  using limits = std::numeric_limits<typename To::rep>;
  static_assert(std::integral<typename To::rep>, "continuo: only what counts in integers is saturated");
  if constexpr (std::integral<Rep>) {
    __extension__ using wide = __int128; // holds the product of two counts of 64 bits
    const auto count = static_cast<wide>(time.count()) * factor::num / factor::den;
    return count > static_cast<wide>(limits::max())   ? To::max()
           : count < static_cast<wide>(limits::min()) ? To::min()
                                                      : To{static_cast<typename To::rep>(count)};
  } else {
    const auto count = static_cast<long double>(time.count()) * factor::num / factor::den;
    return !(count < static_cast<long double>(limits::max()))   ? To::max() // nor is NaN
           : !(count > static_cast<long double>(limits::min())) ? To::min()
                                                                : To{static_cast<typename To::rep>(count)};
  }
}

/// The sum of two counts.
constexpr std::int64_t saturated_sum(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  return !__builtin_add_overflow(a, b, &sum) ? sum
         : b > 0                             ? std::numeric_limits<std::int64_t>::max()
                                             : std::numeric_limits<std::int64_t>::min();
}

/// `to - from`.
constexpr std::int64_t saturated_difference(std::int64_t from, std::int64_t to) {
  std::int64_t difference = 0;
  return !__builtin_sub_overflow(to, from, &difference) ? difference
         : to > from                                    ? std::numeric_limits<std::int64_t>::max()
                                                        : std::numeric_limits<std::int64_t>::min();
}

/// The time that comes `wait` after `at`.
template <class Clock, class Duration, class Rep, class Period>
constexpr std::chrono::time_point<Clock, Duration> later(std::chrono::time_point<Clock, Duration> at,
                                                         std::chrono::duration<Rep, Period> wait) {
  return std::chrono::time_point<Clock, Duration>{
      Duration{saturated_sum(at.time_since_epoch().count(), saturated<Duration>(wait).count())}};
}

/// How long it is from one time to another of the same clock; negative where `to` comes first.
template <class Clock, class Duration>
constexpr Duration between(std::chrono::time_point<Clock, Duration> from,
                           std::chrono::time_point<Clock, Duration> to) {
  return Duration{saturated_difference(from.time_since_epoch().count(), to.time_since_epoch().count())};
}

/// A parameter that takes a duration of any unit, so that `hours::max()` is as long as
/// `nanoseconds::max()`: 292 years, which is never.
class any_duration {
public:
  template <class Rep, class Period>
  constexpr any_duration(std::chrono::duration<Rep, Period> time) // implicit: it is a parameter
      : time_(saturated<std::chrono::nanoseconds>(time)) {}

  constexpr operator std::chrono::nanoseconds() const { return time_; }

private:
  std::chrono::nanoseconds time_;
};

} // namespace continuo::detail
