#include "engine/recurrence.hpp"

#include "engine/planted.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <utility>

namespace continuo::engine {

namespace {

using namespace std::chrono_literals;
using std::chrono::days;
using std::chrono::seconds;
using std::chrono::sys_days;

constexpr std::size_t text_max = 200;

/// The rarest expression that comes at all, 29 February on one day of the week, comes within 40 years.
constexpr auto search_max = days{366 * 50};

constexpr seconds period_max = days{366};

constexpr std::array month_names{"jan", "feb", "mar", "apr", "may", "jun",
                                 "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array day_names{"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

/// What may stand in one of the five fields.
struct field {
  const char* name;
  int least;
  int most;
  std::span<const char* const> names{}; ///< of `least` and those that follow
};

constexpr std::array fields{field{"minute", 0, 59}, field{"hour", 0, 23}, field{"day of the month", 1, 31},
                            field{"month", 1, 12, month_names}, field{"day of the week", 0, 7, day_names}};

error wrong(const field& in, std::string_view text, std::string_view what) {
  return {errc::malformed, fmt::format("the {} is \"{}\": {}", in.name, text, what)};
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::optional<int> number_of(std::string_view text) {
  if (text.empty() || text.size() > 4) {
    return std::nullopt;
  }
  int number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') {
      return std::nullopt;
    }
    number = number * 10 + (c - '0');
  }
  return number;
}

std::optional<int> value_of(const field& in, std::string_view text) {
  for (std::size_t i = 0; i < in.names.size(); ++i) {
    const std::string_view name{in.names[i]};
    if (std::equal(name.begin(), name.end(), text.begin(), text.end(),
                   [](char a, char b) { return a == lower(b); })) {
      return in.least + static_cast<int>(i);
    }
  }
  const auto number = number_of(text);
  return number && *number >= in.least && *number <= in.most ? number : std::nullopt;
}

/// One of a list: `*`, a value or a range, with a step or without.
result<std::uint64_t> read_item(const field& in, std::string_view item) {
  const auto slash = item.find('/');
  const auto what = item.substr(0, slash);
  auto first = in.least;
  auto last = in.most;
  if (what != "*") {
    const auto dash = what.find('-');
    const auto from = value_of(in, what.substr(0, dash));
    const auto to = dash == std::string_view::npos ? from : value_of(in, what.substr(dash + 1));
    if (!from || !to) {
      return tl::unexpected(
          wrong(in, item,
                fmt::format(
                    "write *, a value from {} to {}{}, a range A-B, or a list with commas", in.least, in.most,
                    in.names.empty() ? "" : fmt::format(" or {} to {}", in.names.front(), in.names.back()))));
    }
    if (*from > *to) {
      return tl::unexpected(
          wrong(in, item,
                fmt::format("the range runs backwards; write {}-{},{}-{}", *from, in.most, in.least, *to)));
    }
    first = *from;
    // In cron a step behind a single value counts from there on.
    last = dash == std::string_view::npos && slash != std::string_view::npos ? in.most : *to;
  }
  auto step = 1;
  if (slash != std::string_view::npos) {
    const auto given = number_of(item.substr(slash + 1));
    if (!given || *given < 1 || *given > in.most) {
      return tl::unexpected(wrong(in, item, fmt::format("the step is a number from 1 to {}", in.most)));
    }
    step = *given;
  }
  std::uint64_t bits = 0;
  for (auto value = first; value <= last; value += step) {
    bits |= std::uint64_t{1} << value;
  }
  return bits;
}

result<std::uint64_t> read_field(const field& in, std::string_view text) {
  std::uint64_t bits = 0;
  while (true) {
    const auto comma = text.find(',');
    const auto item = read_item(in, text.substr(0, comma));
    if (!item) {
      return item;
    }
    bits |= *item;
    if (comma == std::string_view::npos) {
      return bits;
    }
    text.remove_prefix(comma + 1);
  }
}

constexpr std::array named{
    std::pair{std::string_view{"@hourly"}, std::string_view{"0 * * * *"}},
    std::pair{std::string_view{"@daily"}, std::string_view{"0 0 * * *"}},
    std::pair{std::string_view{"@midnight"}, std::string_view{"0 0 * * *"}},
    std::pair{std::string_view{"@weekly"}, std::string_view{"0 0 * * 0"}},
    std::pair{std::string_view{"@monthly"}, std::string_view{"0 0 1 * *"}},
    std::pair{std::string_view{"@yearly"}, std::string_view{"0 0 1 1 *"}},
    std::pair{std::string_view{"@annually"}, std::string_view{"0 0 1 1 *"}},
};

std::vector<std::string_view> parts_of(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(begin);
    const auto end = std::min(text.find_first_of(" \t"), text.size());
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

} // namespace

result<recurrence> recurrence::read(std::string_view text) {
  if (text.size() > text_max) {
    return fail(errc::malformed,
                fmt::format("the expression has {} bytes; write at most {}", text.size(), text_max));
  }
  const auto parts = parts_of(text);
  if (parts.empty() || parts.front().front() != '@') {
    return read_fields(text);
  }
  if (parts.front() == "@every" && parts.size() == 2) {
    return read_period(parts[1]);
  }
  const auto found =
      std::find_if(named.begin(), named.end(), [&](const auto& one) { return one.first == parts.front(); });
  if (found == named.end() || parts.size() != 1) {
    return fail(errc::malformed,
                fmt::format("\"{}\" is no expression; write @hourly, @daily, @weekly, @monthly, @yearly, "
                            "@every 10m, or five fields as \"30 2 * * mon-fri\"",
                            text));
  }
  return read_fields(found->second);
}

result<recurrence> recurrence::read_fields(std::string_view text) {
  const auto parts = parts_of(text);
  if (parts.size() != fields.size()) {
    return fail(
        errc::malformed,
        fmt::format("\"{}\" has {} fields and needs five: minute, hour, day of the month, month, day of "
                    "the week, as \"30 2 * * mon-fri\"",
                    text, parts.size()));
  }
  std::array<std::uint64_t, fields.size()> bits{};
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const auto read = read_field(fields[i], parts[i]);
    if (!read) {
      return tl::unexpected(read.error());
    }
    bits[i] = *read;
  }
  recurrence made;
  made.minutes_ = bits[0];
  made.hours_ = static_cast<std::uint32_t>(bits[1]);
  made.days_ = static_cast<std::uint32_t>(bits[2]);
  made.months_ = static_cast<std::uint32_t>(bits[3]);
  made.weekdays_ = static_cast<std::uint32_t>((bits[4] | bits[4] >> 7) & 0x7f); // 7 is Sunday as well
  made.either_day_ = parts[2].front() != '*' && parts[4].front() != '*';
  if (!made.ever_comes()) {
    return fail(errc::malformed,
                fmt::format("\"{}\" never comes: none of its months has one of its days", text));
  }
  return made;
}

result<recurrence> recurrence::read_period(std::string_view text) {
  const auto refused = fail(
      errc::malformed,
      fmt::format("\"@every {}\" is no period; write whole s, m, h or d, from 1s to 366d, as @every 10m or "
                  "@every 1h30m",
                  text));
  constexpr std::array units{std::pair{'s', seconds{1}}, std::pair{'m', seconds{60}},
                             std::pair{'h', seconds{3'600}}, std::pair{'d', seconds{86'400}}};
  recurrence made;
  while (!text.empty()) {
    const auto end = text.find_first_not_of("0123456789");
    const auto digits = text.substr(0, end);
    if (end == std::string_view::npos || digits.empty() || digits.size() > 8) {
      return refused;
    }
    const auto unit =
        std::find_if(units.begin(), units.end(), [&](const auto& one) { return one.first == text[end]; });
    if (unit == units.end()) {
      return refused;
    }
    std::int64_t count = 0;
    for (const char c : digits) {
      count = count * 10 + (c - '0');
    }
    made.period_ += count * unit->second;
    text.remove_prefix(end + 1);
    if (made.period_ > period_max) {
      return refused;
    }
  }
  return made.period_.count() > 0 ? result<recurrence>{made} : refused;
}

bool recurrence::is_day(std::chrono::year_month_day date) const {
  const auto of_month = (days_ >> static_cast<unsigned>(date.day()) & 1) != 0;
  const auto of_week = (weekdays_ >> std::chrono::weekday{sys_days{date}}.c_encoding() & 1) != 0;
  return either_day_ ? of_month || of_week : of_month && of_week;
}

bool recurrence::ever_comes() const {
  constexpr std::array<unsigned, 13> lengths{0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  for (unsigned month = 1; month < lengths.size(); ++month) {
    const auto has_day = (days_ & ((std::uint64_t{2} << lengths[month]) - 2)) != 0;
    if ((months_ >> month & 1) != 0 && (either_day_ || has_day)) {
      return true;
    }
  }
  return false;
}

/// The first local time of the fields from `from` on and before `end`, both since 1970.
std::optional<seconds> recurrence::next_local(seconds from, seconds end) const {
  auto day = sys_days{std::chrono::floor<days>(from)};
  auto minute = std::chrono::ceil<std::chrono::minutes>(from - day.time_since_epoch()).count();
  while (day.time_since_epoch() < end) {
    const std::chrono::year_month_day date{day};
    if ((months_ >> static_cast<unsigned>(date.month()) & 1) == 0) {
      day = sys_days{(date.year() / date.month() + std::chrono::months{1}) / 1};
      minute = 0;
      continue;
    }
    for (auto hour = minute / 60; is_day(date) && hour < 24; ++hour) {
      const auto left = hour == minute / 60 ? minutes_ >> (minute % 60) << (minute % 60) : minutes_;
      if ((hours_ >> hour & 1) != 0 && left != 0) {
        const auto at = day.time_since_epoch() + hour * 3'600s + __builtin_ctzll(left) * 60s;
        return at < end ? std::optional<seconds>{at} : std::nullopt;
      }
    }
    day += days{1};
    minute = 0;
  }
  return std::nullopt;
}

recurrence::instant recurrence::next(instant after, const time_zone& zone) const {
  if (period_.count() > 0) {
    const auto since = after.time_since_epoch();
    auto whole = since / period_;
    whole -= since < whole * period_ ? 1 : 0; // before 1970
    return instant{(whole + 1) * period_};
  }
  const auto limit = after + search_max;
  for (auto from = after + 1s; from < limit;) {
    const auto here = zone.at(from);
    auto local = from.time_since_epoch() + here.offset;
    if (here.begin != instant::min() && !is_every_hour()) {
      const auto ended = here.begin.time_since_epoch() + zone.at(here.begin - 1s).offset;
      const auto begun = here.begin.time_since_epoch() + here.offset;
      if (from == here.begin && ended < begun && next_local(ended, begun)) {
        return from;
      }
      if (!planted("schedule_fires_twice_when_summer_time_ends")) {
        local = std::max(local, ended); // what comes before was there already
      }
    }
    const auto end = std::min(here.end, limit);
    if (const auto found = next_local(local, end.time_since_epoch() + here.offset)) {
      return instant{*found - here.offset};
    }
    from = end;
  }
  return limit; // never: `read` refuses what does not come
}

recurrence::newest_times recurrence::newest(instant after, instant up_to, std::size_t most,
                                            const time_zone& zone) const {
  newest_times found;
  // A schedule is due once a minute at most, or each period. What comes less often is looked for further
  // back.
  auto back = (period_.count() > 0 ? period_ : seconds{60}) * static_cast<std::int64_t>(most);
  while (after < up_to) {
    const auto from = up_to - after > back ? up_to - back : after;
    found.due.clear();
    for (auto due = next(from, zone); due <= up_to; due = next(due, zone)) {
      found.due.push_back(due);
    }
    if (found.due.size() >= most || from == after) {
      break;
    }
    back *= 4;
  }
  if (found.due.size() > most) {
    found.due.erase(found.due.begin(), found.due.end() - static_cast<std::ptrdiff_t>(most));
  }
  found.more = !found.due.empty() && next(after, zone) < found.due.front();
  return found;
}

} // namespace continuo::engine
