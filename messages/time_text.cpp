#include <continuo/detail/time_text.hpp>

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>

namespace continuo::detail {

namespace {

// Two counts of 64 bits and their periods multiply to no more than this holds.
__extension__ using wide = __int128;

struct named_unit {
  std::string_view name;
  period counted;
};

constexpr std::array units{
    named_unit{"ns", {1, 1'000'000'000}}, named_unit{"us", {1, 1'000'000}},
    named_unit{"ms", {1, 1'000}},         named_unit{"s", {1, 1}},
    named_unit{"min", {60, 1}},           named_unit{"h", {3'600, 1}},
    named_unit{"d", {86'400, 1}},         named_unit{"w", {604'800, 1}},
};

const period* find_unit(std::string_view name) {
  for (const auto& unit : units) {
    if (unit.name == name) {
      return &unit.counted;
    }
  }
  return nullptr;
}

// The unit's periods are at most 604,800 and those of a type with a unit the same, so nothing here overflows;
// a period without one is written as a bare number and does not come here.
std::optional<std::int64_t> convert(wide count, period from, period to) {
  const wide numerator = count * from.numerator * to.denominator;
  const wide denominator = wide{from.denominator} * to.numerator;
  if (numerator % denominator != 0) {
    return std::nullopt;
  }
  const wide converted = numerator / denominator;
  if (converted < std::numeric_limits<std::int64_t>::min() ||
      converted > std::numeric_limits<std::int64_t>::max()) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(converted);
}

// Written as its count: the same on every machine only while this holds.
static_assert(std::ratio_equal_v<std::chrono::system_clock::period, std::nano>,
              "continuo: this standard library's system clock does not count nanoseconds");

constexpr std::int64_t nanoseconds_a_second = 1'000'000'000;

// Reads one part of a date after another; `failed` sticks.
struct time_parser {
  std::string_view rest;
  bool failed = false;

  int digits(std::size_t count) {
    int value = 0;
    for (std::size_t read = 0; read < count; ++read) {
      if (rest.empty() || rest.front() < '0' || rest.front() > '9') {
        failed = true;
        return 0;
      }
      value = value * 10 + (rest.front() - '0');
      rest.remove_prefix(1);
    }
    return value;
  }

  bool accept(std::string_view any_of) {
    if (rest.empty() || any_of.find(rest.front()) == std::string_view::npos) {
      return false;
    }
    rest.remove_prefix(1);
    return true;
  }

  void expect(std::string_view any_of) { failed = failed || !accept(any_of); }

  // The digits after the point, as nanoseconds.
  std::int64_t fraction() {
    if (!accept(".")) {
      return 0;
    }
    std::int64_t value = 0;
    std::int64_t unit = nanoseconds_a_second;
    while (unit > 1 && !rest.empty() && rest.front() >= '0' && rest.front() <= '9') {
      unit /= 10;
      value += unit * digits(1);
    }
    failed = failed || unit == nanoseconds_a_second;
    return value;
  }

  // Seconds to the east of UTC.
  std::int64_t offset() {
    if (accept("Zz")) {
      return 0;
    }
    const bool west = !rest.empty() && rest.front() == '-';
    expect("+-");
    const int hours = digits(2);
    expect(":");
    const int minutes = digits(2);
    failed = failed || hours > 23 || minutes > 59;
    const std::int64_t seconds = std::int64_t{hours} * 3'600 + std::int64_t{minutes} * 60;
    return west ? -seconds : seconds;
  }
};

} // namespace

std::string_view unit_of(period counted) {
  for (const auto& unit : units) {
    if (unit.counted == counted) {
      return unit.name;
    }
  }
  return {};
}

std::string duration_text(std::int64_t count, period counted) {
  return fmt::format("{}{}", count, unit_of(counted));
}

std::string duration_text(double count, period counted) {
  char digits[64];
  const auto end = std::to_chars(digits, digits + sizeof(digits), count).ptr;
  return std::string{digits, end}.append(unit_of(counted));
}

std::optional<std::int64_t> read_duration(std::string_view text, period counted) {
  std::int64_t count = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), count);
  const auto* unit = find_unit(text.substr(static_cast<std::size_t>(end - text.data())));
  if (failed != std::errc{} || unit == nullptr) {
    return std::nullopt;
  }
  return convert(count, *unit, counted);
}

std::optional<double> read_fractional_duration(std::string_view text, period counted) {
  double count = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), count);
  const auto* unit = find_unit(text.substr(static_cast<std::size_t>(end - text.data())));
  if (failed != std::errc{} || unit == nullptr || !std::isfinite(count)) {
    return std::nullopt;
  }
  if (*unit == counted) {
    return count; // exactly as it was written
  }
  return count * static_cast<double>(unit->numerator) / static_cast<double>(unit->denominator) *
         static_cast<double>(counted.denominator) / static_cast<double>(counted.numerator);
}

namespace {

/// To the second. Empty where the year is not one of 0 to 9999.
std::string date_and_time(wide whole) {
  using namespace std::chrono;
  constexpr auto first = sys_days{year{0} / 1 / 1}.time_since_epoch() / seconds{1};
  constexpr auto last = sys_days{year{10'000} / 1 / 1}.time_since_epoch() / seconds{1} - 1;
  if (whole < first || whole > last) {
    return {};
  }
  const sys_seconds at{seconds{static_cast<std::int64_t>(whole)}};
  const auto midnight = floor<days>(at);
  const year_month_day date{midnight};
  const hh_mm_ss time{at - midnight};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count());
}

} // namespace

std::string time_text(std::int64_t count, period counted) {
  if (unit_of(counted).empty()) {
    return {};
  }
  const wide total = wide{count} * counted.numerator;
  wide whole = total / counted.denominator;
  wide part = total % counted.denominator;
  if (part < 0) {
    part += counted.denominator;
    --whole;
  }
  auto text = date_and_time(whole);
  if (!text.empty() && part != 0) {
    text +=
        fmt::format(".{:09}", static_cast<std::int64_t>(part * (nanoseconds_a_second / counted.denominator)));
  }
  return text.empty() ? text : text + "Z";
}

std::string shown_time(std::chrono::system_clock::time_point at) {
  const auto second = std::chrono::floor<std::chrono::seconds>(at);
  const auto part = std::chrono::floor<std::chrono::milliseconds>(at) - second;
  return fmt::format("{}.{:03}Z", date_and_time(second.time_since_epoch().count()), part.count());
}

std::optional<std::int64_t> read_time(std::string_view text, period counted) {
  using namespace std::chrono;
  if (unit_of(counted).empty()) {
    return std::nullopt;
  }
  time_parser parser{text};
  const year_month_day date{[&] {
    const year y{parser.digits(4)};
    parser.expect("-");
    const month m{static_cast<unsigned>(parser.digits(2))};
    parser.expect("-");
    return y / m / day{static_cast<unsigned>(parser.digits(2))};
  }()};
  parser.expect("Tt");
  const std::int64_t hour = parser.digits(2);
  parser.expect(":");
  const std::int64_t minute = parser.digits(2);
  parser.expect(":");
  const std::int64_t second = parser.digits(2);
  const auto fraction = parser.fraction();
  const auto offset = parser.offset();
  if (parser.failed || !parser.rest.empty() || !date.ok() || hour > 23 || minute > 59 || second > 59) {
    return std::nullopt;
  }
  const auto whole =
      sys_days{date}.time_since_epoch() / seconds{1} + hour * 3'600 + minute * 60 + second - offset;
  return convert(wide{whole} * nanoseconds_a_second + fraction, {1, nanoseconds_a_second}, counted);
}

} // namespace continuo::detail
