// When schedules are due, held against a clock that is looked at each minute.
#define CAF_SUITE recurrences

#include <caf/test/dsl.hpp>

#include "engine/recurrence.hpp"
#include "tests/support/zones.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <random>
#include <set>
#include <string>

using namespace continuo;
using namespace continuo::engine;
using namespace std::chrono_literals;
using continuo::tests::library_clock;
using continuo::tests::zone_named;
using std::chrono::days;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::year;

namespace {

using instant = recurrence::instant;

instant utc(int y, unsigned month, unsigned day, int hour = 0, int minute = 0, int second = 0) {
  return sys_days{year{y} / month / day} + std::chrono::hours{hour} + std::chrono::minutes{minute} +
         seconds{second};
}

std::string text(instant when) {
  return fmt::format("{:%F %T}", fmt::gmtime(when.time_since_epoch().count()));
}

/// The next due times after `after`, one a line.
std::string dues(std::string_view when, const time_zone& zone, instant after, std::size_t count) {
  const auto read = recurrence::read(when);
  if (!read) {
    return read.error().message;
  }
  std::string lines;
  for (; count > 0; --count) {
    after = read->next(after, zone);
    lines += (lines.empty() ? "" : "\n") + text(after);
  }
  return lines;
}

std::string refusal(std::string_view when) {
  const auto read = recurrence::read(when);
  return read ? std::string{"it was read"} : read.error().message;
}

/// An expression, and what it means in the plainest way.
struct expression {
  std::string text;
  std::array<std::set<int>, 5> fields;
  bool either = false;

  bool fits(std::int64_t local) const {
    const auto day = std::chrono::floor<days>(seconds{local});
    const std::chrono::year_month_day date{sys_days{day}};
    const auto minute = (local - seconds{day}.count()) / 60;
    const auto has = [&](std::size_t field, std::int64_t value) {
      return fields[field].contains(static_cast<int>(value));
    };
    const auto of_month = has(2, static_cast<unsigned>(date.day()));
    const auto of_week = has(4, std::chrono::weekday{sys_days{day}}.c_encoding());
    return has(0, minute % 60) && has(1, minute / 60) && has(3, static_cast<unsigned>(date.month())) &&
           (either ? of_month || of_week : of_month && of_week);
  }
};

expression draw_expression(std::mt19937_64& random) {
  constexpr std::array<std::pair<int, int>, 5> bounds{{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 6}}};
  expression made;
  std::array<bool, 5> star{};
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    const auto [least, most] = bounds[i];
    const auto draw = [&, low = least, high = most] {
      return low + static_cast<int>(random() % static_cast<unsigned>(high - low + 1));
    };
    made.text += i == 0 ? "" : " ";
    const auto kind = random() % (i == 2 || i == 3 ? 3 : 5);
    star[i] = kind <= 1;
    if (kind == 0) {
      made.text += "*";
      for (auto value = least; value <= most; ++value) {
        made.fields[i].insert(value);
      }
    } else if (kind == 1) {
      const auto step = 1 + static_cast<int>(random() % static_cast<unsigned>(most));
      made.text += fmt::format("*/{}", step);
      for (auto value = least; value <= most; value += step) {
        made.fields[i].insert(value);
      }
    } else if (kind == 2 && i != 1) {
      const auto a = draw();
      const auto b = draw();
      made.text += fmt::format("{}-{}", std::min(a, b), std::max(a, b));
      for (auto value = std::min(a, b); value <= std::max(a, b); ++value) {
        made.fields[i].insert(value);
      }
    } else if (kind == 3 && i == 1) { // where clocks change
      made.text += "1,2,3";
      made.fields[i] = {1, 2, 3};
    } else {
      const auto a = draw();
      const auto b = draw();
      made.text += fmt::format("{},{}", a, b);
      made.fields[i] = {a, b};
    }
  }
  made.either = !star[2] && !star[4];
  return made;
}

/// What the rules say of the minutes of some days, by looking at the local clock at each.
std::vector<instant> looked_at(const expression& what, const std::vector<std::int64_t>& local,
                               instant first) {
  std::vector<instant> due;
  const auto every_hour = what.fields[1].size() == 24;
  auto seen = local.front() - 60;
  for (std::size_t i = 0; i < local.size(); ++i) {
    const auto at = first + std::chrono::minutes{static_cast<std::int64_t>(i)};
    auto fires = what.fits(local[i]) && (every_hour || local[i] > seen);
    for (auto skipped = seen + 60; !every_hour && skipped < local[i]; skipped += 60) {
      fires = fires || what.fits(skipped);
    }
    if (fires) {
      due.push_back(at);
    }
    seen = std::max(seen, local[i]);
  }
  return due;
}

} // namespace

CAF_TEST(due times are those that a look at the local clock each minute finds) {
  std::mt19937_64 random{3};
  std::size_t found = 0;
  for (const auto& [name, around] :
       {std::pair{"Europe/Berlin", utc(2026, 3, 29)}, std::pair{"Europe/Berlin", utc(2026, 10, 25)},
        std::pair{"Europe/Dublin", utc(2027, 3, 28)}, std::pair{"Europe/Dublin", utc(2027, 10, 31)},
        std::pair{"America/New_York", utc(2045, 3, 12)}, std::pair{"America/New_York", utc(2045, 11, 5)},
        std::pair{"Australia/Lord_Howe", utc(2026, 4, 4)}, std::pair{"Australia/Lord_Howe", utc(2026, 10, 3)},
        std::pair{"America/Nuuk", utc(2026, 3, 28)}, std::pair{"Antarctica/Troll", utc(2026, 10, 25)},
        std::pair{"America/St_Johns", utc(2010, 3, 14)}, std::pair{"America/St_Johns", utc(2010, 11, 7)},
        std::pair{"Pacific/Apia", utc(2011, 12, 30)}, std::pair{"Africa/Casablanca", utc(2026, 2, 15)},
        std::pair{"Asia/Kathmandu", utc(2026, 2, 27)}, std::pair{"UTC", utc(2028, 2, 28)}}) {
    const auto zone = zone_named(name);
    const auto first = around - days{3};
    std::vector<std::int64_t> local;
    {
      const library_clock clock{name};
      for (auto at = first; at < around + days{3}; at += 1min) {
        local.push_back((at.time_since_epoch() + clock.offset_at(at)).count());
      }
    }
    for (int i = 0; i < 150; ++i) {
      const auto drawn = draw_expression(random);
      const auto read = recurrence::read(drawn.text);
      if (!read) {
        continue; // it never comes
      }
      auto at = first - 1min;
      for (const auto due : looked_at(drawn, local, first)) {
        const auto next = read->next(at, zone);
        if (next != due) {
          CAF_FAIL("\"" << drawn.text << "\" in " << name << " after " << text(at) << ": " << text(next)
                        << ", not " << text(due));
        }
        at = next;
        ++found;
      }
      CAF_REQUIRE(read->next(at, zone) >= around + days{3});
    }
  }
  CAF_CHECK(found > 50'000);
}

CAF_TEST(a local time that does not exist is due once at the first moment after the gap) {
  const auto berlin = zone_named("Europe/Berlin"); // 02:00 becomes 03:00 at 01:00 UTC
  CAF_CHECK_EQUAL(dues("30 2 * * *", berlin, utc(2026, 3, 28, 12), 2),
                  "2026-03-29 01:00:00\n2026-03-30 00:30:00");
  CAF_CHECK_EQUAL(dues("*/15 2,3 * * *", berlin, utc(2026, 3, 29), 3),
                  "2026-03-29 01:00:00\n2026-03-29 01:15:00\n2026-03-29 01:30:00");
  const auto apia = zone_named("Pacific/Apia"); // had no 30 December 2011
  CAF_CHECK_EQUAL(dues("0 12 * * *", apia, utc(2011, 12, 29, 12), 3),
                  "2011-12-29 22:00:00\n2011-12-30 10:00:00\n2011-12-30 22:00:00");
}

CAF_TEST(a local time that exists twice is due the first time) {
  const auto berlin = zone_named("Europe/Berlin"); // 03:00 becomes 02:00 at 01:00 UTC
  CAF_CHECK_EQUAL(dues("30 2 * * *", berlin, utc(2026, 10, 24, 12), 2),
                  "2026-10-25 00:30:00\n2026-10-26 01:30:00");
  CAF_CHECK_EQUAL(dues("0 2,3 * * *", berlin, utc(2026, 10, 24, 12), 2),
                  "2026-10-25 00:00:00\n2026-10-25 02:00:00");
  const auto york = zone_named("America/New_York");
  CAF_CHECK_EQUAL(dues("30 1 * * *", york, utc(2026, 11, 1), 2), "2026-11-01 05:30:00\n2026-11-02 06:30:00");
}

CAF_TEST(what is due in every hour goes by the time that passes) {
  const auto berlin = zone_named("Europe/Berlin");
  CAF_CHECK_EQUAL(dues("30 * * * *", berlin, utc(2026, 10, 25), 3),
                  "2026-10-25 00:30:00\n2026-10-25 01:30:00\n2026-10-25 02:30:00");
  CAF_CHECK_EQUAL(dues("30 * * * *", berlin, utc(2026, 3, 29), 3),
                  "2026-03-29 00:30:00\n2026-03-29 01:30:00\n2026-03-29 02:30:00");
}

CAF_TEST(leap days come when there are some) {
  const time_zone zone;
  CAF_CHECK_EQUAL(dues("0 0 29 2 *", zone, utc(2026, 1, 1), 2), "2028-02-29 00:00:00\n2032-02-29 00:00:00");
  CAF_CHECK_EQUAL(dues("0 0 29 2 *", zone, utc(2097, 1, 1), 1), "2104-02-29 00:00:00");
  CAF_CHECK_EQUAL(dues("0 0 */28 2 mon", zone, utc(2026, 2, 2), 1), "2027-02-01 00:00:00");
  CAF_CHECK_EQUAL(dues("0 12 31 * *", zone, utc(2026, 1, 31, 12), 2),
                  "2026-03-31 12:00:00\n2026-05-31 12:00:00");
}

CAF_TEST(the two fields of days are one or the other unless one begins with a star) {
  const time_zone zone;
  CAF_CHECK_EQUAL(dues("0 0 13 * fri", zone, utc(2026, 2, 1), 3),
                  "2026-02-06 00:00:00\n2026-02-13 00:00:00\n2026-02-20 00:00:00");
  CAF_CHECK_EQUAL(dues("0 0 * * 7", zone, utc(2026, 2, 1), 1), dues("0 0 * * 0", zone, utc(2026, 2, 1), 1));
  CAF_CHECK_EQUAL(dues("0 0 * JAN-MAR Sat,sun", zone, utc(2026, 3, 28), 2),
                  "2026-03-29 00:00:00\n2027-01-02 00:00:00");
  CAF_CHECK_EQUAL(dues("5/20 0 * * *", zone, utc(2026, 2, 1), 3),
                  "2026-02-01 00:05:00\n2026-02-01 00:25:00\n2026-02-01 00:45:00");
}

CAF_TEST(names stand for their fields) {
  const time_zone zone;
  const auto from = utc(2026, 2, 3, 4, 5, 6);
  for (const auto& [name, fields] : {std::pair{"@hourly", "0 * * * *"}, std::pair{"@daily", "0 0 * * *"},
                                     std::pair{"@midnight", "0 0 * * *"}, std::pair{"@weekly", "0 0 * * 0"},
                                     std::pair{"@monthly", "0 0 1 * *"}, std::pair{"@yearly", "0 0 1 1 *"},
                                     std::pair{"@annually", "0 0 1 1 *"}}) {
    CAF_CHECK_EQUAL(dues(name, zone, from, 3), dues(fields, zone, from, 3));
  }
}

CAF_TEST(a period has its multiples since 1970) {
  const auto berlin = zone_named("Europe/Berlin");
  CAF_CHECK_EQUAL(dues("@every 10m", berlin, utc(2026, 3, 29, 0, 55), 2),
                  "2026-03-29 01:00:00\n2026-03-29 01:10:00");
  CAF_CHECK_EQUAL(dues("@every 1h30m", berlin, utc(1970, 1, 1), 2),
                  "1970-01-01 01:30:00\n1970-01-01 03:00:00");
  CAF_CHECK_EQUAL(dues("@every 1d", berlin, instant{-1s}, 1), "1970-01-01 00:00:00");
  CAF_CHECK_EQUAL(dues("@every 1d", berlin, instant{-2 * days{1}}, 1), "1969-12-31 00:00:00");
}

CAF_TEST(an expression that is wrong is refused with what would be right) {
  CAF_CHECK_EQUAL(refusal("0 0 30 2 *"),
                  "\"0 0 30 2 *\" never comes: none of its months has one of its days");
  CAF_CHECK_EQUAL(refusal("0 0 31 4,6,9,11 *"),
                  "\"0 0 31 4,6,9,11 *\" never comes: none of its months has one of its days");
  CAF_CHECK_EQUAL(refusal("60 * * * *"),
                  "the minute is \"60\": write *, a value from 0 to 59, a range A-B, or a list with commas");
  CAF_CHECK_EQUAL(refusal("0 0 * foo *"),
                  "the month is \"foo\": write *, a value from 1 to 12 or jan to dec, a "
                  "range A-B, or a list with commas");
  CAF_CHECK_EQUAL(refusal("0 22-2 * * *"), "the hour is \"22-2\": the range runs backwards; write 22-23,0-2");
  CAF_CHECK_EQUAL(refusal("*/0 * * * *"), "the minute is \"*/0\": the step is a number from 1 to 59");
  CAF_CHECK(refusal("0 0 * *").find("has 4 fields and needs five") != std::string::npos);
  CAF_CHECK(refusal("").find("has 0 fields") != std::string::npos);
  CAF_CHECK(refusal("@reboot").find("write @hourly") != std::string::npos);
  CAF_CHECK(refusal(std::string(201, '*')).find("201 bytes") != std::string::npos);
  for (const auto* period :
       {"@every 0s", "@every 10", "@every 1.5h", "@every -1s", "@every 367d", "@every ms", "@every 500ms",
        "@every 99999999999s", "@every 99999999d99999999d"}) {
    CAF_CHECK(refusal(period).find("is no period") != std::string::npos);
  }
  CAF_CHECK(refusal("@every").find("write @hourly") != std::string::npos);
  for (const auto* list : {"1,,2 * * * *", ", * * * *", "1- * * * *", "-1 * * * *", "1-2-3 * * * *",
                           "1/ * * * *", "*1 * * * *", "+1 * * * *", "0 0 * * mo"}) {
    CAF_CHECK_NOT_EQUAL(refusal(list), "it was read");
  }
}

CAF_TEST(the newest due times of a long time are found without counting all of them) {
  const time_zone zone;
  const auto each_second = recurrence::read("@every 1s").value();
  const auto from = utc(2026, 1, 1);
  const auto two_days = each_second.newest(from, utc(2026, 1, 3), 1'000, zone);
  CAF_REQUIRE_EQUAL(two_days.due.size(), 1'000u);
  CAF_CHECK(two_days.due.back() == utc(2026, 1, 3));
  CAF_CHECK(two_days.due.front() == utc(2026, 1, 3) - 999s);
  CAF_CHECK(two_days.more);
  const auto yearly = recurrence::read("@yearly").value();
  const auto ten_years = yearly.newest(from, utc(2036, 6, 1), 3, zone);
  CAF_REQUIRE_EQUAL(ten_years.due.size(), 3u);
  CAF_CHECK(ten_years.due.front() == utc(2034, 1, 1));
  CAF_CHECK(ten_years.more);
  const auto all = yearly.newest(from, utc(2028, 6, 1), 1'000, zone);
  CAF_CHECK_EQUAL(all.due.size(), 2u); // 2026-01-01 itself is dealt with
  CAF_CHECK(!all.more);
  CAF_CHECK(yearly.newest(from, from, 1'000, zone).due.empty());
}
