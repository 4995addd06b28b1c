#include "engine/time_zone.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace continuo::engine {

namespace {

using std::chrono::seconds;
using std::chrono::sys_days;

constexpr std::size_t header_bytes = 44;

std::uint32_t count_at(std::string_view bytes, std::size_t at) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    number = number << 8 | static_cast<unsigned char>(bytes[at + i]);
  }
  return number;
}

std::int64_t time_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::int64_t>(std::uint64_t{count_at(bytes, at)} << 32 | count_at(bytes, at + 4));
}

/// The counts in a header, in the order in which they stand there.
struct counts {
  std::uint64_t utc_marks, standard_marks, leaps, times, types, characters;

  std::uint64_t block_bytes(std::uint64_t time_bytes) const {
    return times * (time_bytes + 1) + types * 6 + characters + leaps * (time_bytes + 4) + standard_marks +
           utc_marks;
  }
};

std::optional<counts> read_header(std::string_view file, std::size_t at) {
  if (file.size() < at + header_bytes || file.substr(at, 4) != "TZif" || file[at + 4] < '2') {
    return std::nullopt;
  }
  const auto nth = [&](std::size_t n) { return std::uint64_t{count_at(file, at + 20 + 4 * n)}; };
  return counts{nth(0), nth(1), nth(2), nth(3), nth(4), nth(5)};
}

error malformed() {
  return {errc::malformed, "it is no file of the time zone database"};
}

/// Changes that a rule can be asked for: beyond them its years would leave the calendar.
constexpr time_zone::instant earliest = sys_days{std::chrono::year{-9'999} / 1 / 1};
constexpr time_zone::instant latest = sys_days{std::chrono::year{9'999} / 12 / 31};

} // namespace

/// Reads the rule behind the last change: `CET-1CEST,M3.5.0,M10.5.0/3`.
class time_zone::rule_reader {
public:
  explicit rule_reader(std::string_view text) : left_(text) {}

  std::optional<yearly> read() {
    yearly rule;
    if (!read_name() || !read_time(rule.standard, 24)) {
      return std::nullopt;
    }
    rule.standard = -rule.standard; // POSIX counts to the west
    if (left_.empty()) {
      return rule;
    }
    rule.has_summer = true;
    rule.summer = rule.standard + std::chrono::hours{1};
    if (!read_name()) {
      return std::nullopt;
    }
    if (!left_.empty() && left_.front() != ',') {
      if (!read_time(rule.summer, 24)) {
        return std::nullopt;
      }
      rule.summer = -rule.summer;
    }
    const auto whole = read_day(rule.begins) && read_day(rule.ends) && left_.empty();
    return whole ? std::optional{rule} : std::nullopt;
  }

private:
  bool take(char wanted) {
    const auto found = !left_.empty() && left_.front() == wanted;
    left_.remove_prefix(found ? 1 : 0);
    return found;
  }

  bool read_name() {
    std::size_t length = 0;
    if (take('<')) {
      length = left_.find('>');
      if (length == std::string_view::npos) {
        return false;
      }
      left_.remove_prefix(length + 1);
      return length > 0;
    }
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    while (length < left_.size() && is_letter(left_[length])) {
      ++length;
    }
    left_.remove_prefix(length);
    return length >= 3;
  }

  bool read_number(int& into, int least, int most) {
    int number = 0;
    std::size_t digits = 0;
    while (digits < left_.size() && digits < 3 && left_[digits] >= '0' && left_[digits] <= '9') {
      number = number * 10 + (left_[digits] - '0');
      ++digits;
    }
    left_.remove_prefix(digits);
    into = number;
    return digits > 0 && number >= least && number <= most;
  }

  bool read_time(seconds& into, int hours_max) {
    const auto minus = take('-');
    if (!minus) {
      take('+');
    }
    std::array<int, 3> parts{};
    auto good = read_number(parts[0], 0, hours_max);
    for (std::size_t i = 1; good && i < parts.size() && take(':'); ++i) {
      good = read_number(parts[i], 0, 59);
    }
    into = seconds{(parts[0] * 60 + parts[1]) * 60 + parts[2]} * (minus ? -1 : 1);
    return good;
  }

  bool read_day(day_rule& into) {
    if (!take(',')) {
      return false;
    }
    bool good = false;
    if (take('M')) {
      into.what = day_rule::kind::month_week_day;
      good = read_number(into.month, 1, 12) && take('.') && read_number(into.week, 1, 5) && take('.') &&
             read_number(into.day, 0, 6);
    } else if (take('J')) {
      into.what = day_rule::kind::day_without_leap;
      good = read_number(into.day, 1, 365);
    } else {
      into.what = day_rule::kind::day_of_year;
      good = read_number(into.day, 0, 365);
    }
    return good && (!take('/') || read_time(into.time, 167));
  }

  std::string_view left_;
};

result<time_zone> time_zone::read(std::string_view file) {
  const auto old = read_header(file, 0);
  const auto at = old ? header_bytes + old->block_bytes(4) : 0;
  const auto found = old && at < file.size() ? read_header(file, at) : std::nullopt;
  if (!found || found->types == 0 || found->types > 256 ||
      file.size() - at - header_bytes < found->block_bytes(8)) {
    return tl::unexpected(malformed());
  }
  if (found->leaps != 0) {
    return fail(errc::invalid_configuration, "it counts leap seconds, which the wall clock does not");
  }
  const auto times = at + header_bytes;
  const auto numbers = times + found->times * 8;
  const auto types = numbers + found->times;
  const auto offset_of = [&](std::size_t type) {
    return seconds{static_cast<std::int32_t>(count_at(file, types + type * 6))};
  };
  time_zone zone;
  zone.first_ = offset_of(0);
  for (std::size_t i = 0; i < found->times; ++i) {
    const std::size_t type = static_cast<unsigned char>(file[numbers + i]);
    const instant when{seconds{time_at(file, times + i * 8)}};
    if (type >= found->types || (!zone.changes_.empty() && when <= zone.changes_.back().at)) {
      return tl::unexpected(malformed());
    }
    zone.changes_.push_back({std::clamp(when, earliest, latest), offset_of(type)});
  }
  auto rule = file.substr(times + found->block_bytes(8));
  if (rule.size() < 2 || rule.front() != '\n' || rule.back() != '\n') {
    return tl::unexpected(malformed());
  }
  rule = rule.substr(1, rule.size() - 2);
  if (!rule.empty()) {
    zone.rule_ = rule_reader{rule}.read();
    if (!zone.rule_) {
      return tl::unexpected(malformed());
    }
  }
  return zone;
}

sys_days time_zone::day_of(const day_rule& rule, std::chrono::year year) {
  using namespace std::chrono;
  switch (rule.what) {
  case day_rule::kind::month_week_day: {
    const weekday day{static_cast<unsigned>(rule.day)};
    const month in{static_cast<unsigned>(rule.month)};
    return rule.week == 5 ? sys_days{year / in / day[last]}
                          : sys_days{year / in / day[static_cast<unsigned>(rule.week)]};
  }
  case day_rule::kind::day_without_leap: { // 29 February is not counted
    const auto leaps = year.is_leap() && rule.day >= 60 ? 1 : 0;
    return sys_days{year / 1 / 1} + days{rule.day - 1 + leaps};
  }
  case day_rule::kind::day_of_year:
    break;
  }
  return sys_days{year / 1 / 1} + days{rule.day};
}

time_zone::span time_zone::at_by_rule(instant when) const {
  const auto& rule = *rule_;
  const auto begun = changes_.empty() ? instant::min() : changes_.back().at;
  if (!rule.has_summer || when < earliest || when >= latest) {
    return {begun, instant::max(), rule.standard};
  }
  const std::chrono::year year =
      std::chrono::year_month_day{std::chrono::floor<std::chrono::days>(when)}.year();
  std::vector<change> around;
  for (int next = -1; next <= 1; ++next) { // local time may be in another year
    const auto in = year + std::chrono::years{next};
    around.push_back({day_of(rule.begins, in) + rule.begins.time - rule.standard, rule.summer});
    around.push_back({day_of(rule.ends, in) + rule.ends.time - rule.summer, rule.standard});
  }
  std::stable_sort(around.begin(), around.end(),
                   [](const change& a, const change& b) { return a.at < b.at; });
  const auto next = std::upper_bound(around.begin(), around.end(), when,
                                     [](instant now, const change& one) { return now < one.at; });
  if (next == around.begin() || next == around.end()) {
    return {begun, instant::max(), rule.standard}; // no year has so odd a rule
  }
  return {std::max(begun, std::prev(next)->at), next->at, std::prev(next)->offset};
}

time_zone::span time_zone::at(instant when) const {
  const auto next = std::upper_bound(changes_.begin(), changes_.end(), when,
                                     [](instant now, const change& one) { return now < one.at; });
  if (next == changes_.end() && rule_) {
    return at_by_rule(when);
  }
  const auto begin = next == changes_.begin() ? instant::min() : std::prev(next)->at;
  const auto offset = next == changes_.begin() ? first_ : std::prev(next)->offset;
  return {begin, next == changes_.end() ? instant::max() : next->at, offset};
}

} // namespace continuo::engine
