#pragma once

#include "engine/time_zone.hpp"

#include <continuo/result.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

// When a schedule is due: five fields as in crontab(5), or a period.
//
// - A day counts where month, day of the month and day of the week fit. Where neither of the two fields of
// days
//   begins with `*`, one of them is enough, as in cron.
// - A local time that a change of the clock leaves out is due at the first moment after the gap, once however
// many
//   such times there are. A local time that comes twice is due the first time.
// - But where the field of hours holds every hour, the expression says how often, not when: it is due
// whenever the
//   local clock shows such a minute. It has nothing in a gap, and both times of what comes twice.
// - A period's due times are its multiples since 1970, in UTC: the same on every node and after every
// restart.
namespace continuo::engine {

class recurrence {
public:
  using instant = time_zone::instant;

  /// `errc::malformed` with what is wrong and what would be right, also for what never comes, such as 30
  /// February.
  static result<recurrence> read(std::string_view text);

  /// Whether a time zone means anything to it.
  bool is_local() const { return period_.count() == 0; }

  /// The first due time after `after`.
  instant next(instant after, const time_zone& zone) const;

  /// The newest due times behind `after`, up to `up_to`.
  struct newest_times {
    std::vector<instant> due; ///< in order
    bool more = false;        ///< there are others before them
  };
  newest_times newest(instant after, instant up_to, std::size_t most, const time_zone& zone) const;

private:
  static result<recurrence> read_fields(std::string_view text);
  static result<recurrence> read_period(std::string_view text);

  bool is_every_hour() const { return hours_ == (1u << 24) - 1; }
  bool is_day(std::chrono::year_month_day date) const;
  bool ever_comes() const;
  std::optional<std::chrono::seconds> next_local(std::chrono::seconds from, std::chrono::seconds end) const;

  std::chrono::seconds period_{0}; ///< 0: by the fields
  std::uint64_t minutes_ = 0;      ///< bits
  std::uint32_t hours_ = 0;
  std::uint32_t days_ = 0; ///< of the month
  std::uint32_t months_ = 0;
  std::uint32_t weekdays_ = 0;
  bool either_day_ = false; ///< the day of the month or that of the week is enough
};

} // namespace continuo::engine
