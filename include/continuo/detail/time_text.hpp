#pragma once

#include <continuo/detail/shape.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Durations and times as text: `1500ms`, `2024-05-01T12:00:00.250000000Z`.
namespace continuo::detail {

template <class Duration>
constexpr period period_of() {
  return {Duration::period::num, Duration::period::den};
}

/// The unit that counts such periods: ns, us, ms, s, min, h, d, w; empty where there is none.
std::string_view unit_of(period counted);

/// The count with its unit; the bare count where the period has no unit.
std::string duration_text(std::int64_t count, period counted);
std::string duration_text(double count, period counted);

/// Reads an integer with any unit; nothing where the text is no duration or not a whole, representable
/// number of periods.
std::optional<std::int64_t> read_duration(std::string_view text, period counted);

/// The same for durations that count in floating point.
std::optional<double> read_fractional_duration(std::string_view text, period counted);

/// The time in UTC as RFC 3339 says, with nine digits of a second where it is not a whole one. Empty where
/// the period has no unit, or the year is not one of 0 to 9999.
std::string time_text(std::int64_t count, period counted);

/// The same for people, who are shown the milliseconds, always, and nothing finer.
std::string shown_time(std::chrono::system_clock::time_point at);

/// Whether the time stands for never. Also one that was cut as it was shown.
constexpr bool is_never(std::chrono::system_clock::time_point at) {
  return at >= std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::time_point::max());
}

/// Reads RFC 3339 with any offset and up to nine digits of a second; nothing where the text is no such time
/// or not a whole, representable number of periods.
std::optional<std::int64_t> read_time(std::string_view text, period counted);

} // namespace continuo::detail
