#pragma once

#include <continuo/fields.hpp>

#include <cstdint>
#include <string>

namespace continuo {

/// What becomes of due times that came while their schedule could not fire: its node was down or refused new
/// work, the schedule was paused, or the wall clock was set forward by a minute or more.
enum class schedule_catch_up : std::uint8_t {
  skip, ///< they are left out
  once, ///< the newest one fires, in place of all
  all,  ///< each fires, in order: the newest 1,000, and a note says from when on
};
CONTINUO_ENUM(schedule_catch_up, skip, once, all)

/// What becomes of a due time while what an earlier firing has begun goes on.
enum class schedule_overlap : std::uint8_t {
  allow, ///< it fires
  skip,  ///< it is left out, and counted
};
CONTINUO_ENUM(schedule_overlap, allow, skip)

/// Publishes an event again and again, at times of the wall clock. A schedule is durable, and lives on one
/// node of its cluster. Each firing is an event accepted as if a client had published it, in one write with
/// the note that its time is dealt with: no crash loses a firing or makes it happen twice. Its idempotency
/// key, for handlers of stateless services, is made of the name and the due time. See
/// docs/guide.md#schedules.
struct schedule {
  /// Letters, digits, `-` and `_`, at most 64; unique in the cluster, and the same schedule while it is the
  /// same: its history goes by it.
  std::string name{};

  /// Five fields as in crontab(5) (minute, hour, day of the month, month, day of the week; lists, ranges,
  /// steps, names of months and days), `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`, or `@every
  /// 10m`: the multiples of that time, from 1 s to 366 days, since 1970 in UTC.
  std::string when{};

  /// By its name in the system's time zone database, as `Europe/Berlin`. Empty: UTC. Nothing with `@every`. A
  /// local time that a change of the clock leaves out fires at the first moment after the gap; one that comes
  /// twice fires the first time. Where the field of hours holds every hour the schedule fires by the time
  /// that passes: never in a gap, and in both of what comes twice.
  std::string zone{};

  /// The event, by its registered name. Something in the cluster must hear it.
  std::string event{};

  /// The event as JSON, at most 64 KiB. `{due}` in it is replaced by the due time in UTC, as
  /// `2026-03-29T01:00:00Z`, and `{name}` by the schedule's name: what starts a saga needs another key each
  /// time, since an instance starts once.
  std::string body = "{}";

  schedule_catch_up catch_up = schedule_catch_up::once;
  schedule_overlap overlap = schedule_overlap::allow;

  std::string where{}; ///< where it was written down, for errors: `FILE:LINE: KEY`

  friend bool operator==(const schedule&, const schedule&) = default;
};

} // namespace continuo
