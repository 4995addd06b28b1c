#pragma once

#include <continuo/result.hpp>

#include <chrono>
#include <optional>
#include <string_view>
#include <vector>

namespace continuo::engine {

/// A time zone of the system's database, as its file has it: the offsets from UTC in order, and the rule for
/// all time after the last of them. Any thread.
class time_zone {
public:
  /// A time of the wall clock, in whole seconds as the database counts: without leap seconds.
  using instant = std::chrono::sys_seconds;

  /// UTC.
  time_zone() = default;

  /// Reads the bytes of a file of the database (RFC 8536, version 2 or later). `errc::malformed` where they
  /// are none, `errc::invalid_configuration` for one that counts leap seconds.
  static result<time_zone> read(std::string_view file);

  /// A time in which the offset stays. Its ends are those of all time where nothing comes before or after.
  struct span {
    instant begin;
    instant end;                 ///< the first moment behind it
    std::chrono::seconds offset; ///< local time minus UTC
  };
  span at(instant when) const;

private:
  /// When a year's changes are, as POSIX writes it in TZ.
  struct day_rule {
    enum class kind { month_week_day, day_without_leap, day_of_year } what = kind::day_of_year;
    int month = 1;
    int week = 1; ///< 5: the last
    int day = 0;
    std::chrono::seconds time{7'200}; ///< of the local clock before the change
  };
  struct yearly {
    std::chrono::seconds standard{0};
    bool has_summer = false;
    std::chrono::seconds summer{0};
    day_rule begins;
    day_rule ends;
  };
  class rule_reader;

  static std::chrono::sys_days day_of(const day_rule& rule, std::chrono::year year);
  span at_by_rule(instant when) const;

  struct change {
    instant at;
    std::chrono::seconds offset;
  };
  std::chrono::seconds first_{0}; ///< before all changes
  std::vector<change> changes_;   ///< in their order
  std::optional<yearly> rule_;    ///< after the last of them; nothing: its offset stays
};

} // namespace continuo::engine
