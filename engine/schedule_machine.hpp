#pragma once

#include "engine/acceptance.hpp"
#include "engine/recurrence.hpp"
#include "engine/transition.hpp"

#include <continuo/message_type.hpp>
#include <continuo/schedule.hpp>

#include <chrono>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// The state machine of a schedule.
//
// clang-format off
//   edge       from     message                               to
//   defined    absent   its definition, as the node starts    running, from that moment on
//   redefined  any      another definition                    the same; with another `when` or zone from that moment on
//   armed      any      the same definition, or a time that   the same
//                       is not due yet
//   fire       running  a due time                            running; its event is accepted in the same write
//   left_out   running  due times that are not to fire        running
//   failed     running  a due time whose event cannot be      running, with a note
//                       published
//   trigger    any      operator                              the same; the event is accepted in the same write
//   pause      running  operator                              paused
//   resume     paused   operator                              running; what came meanwhile was missed
//   refused    any      a verb that the state forbids         the same
//   retire     any      no definition, as the node starts     absent
// clang-format on
namespace continuo::engine {

constexpr std::string_view schedule_type = "continuo.schedule";
constexpr std::size_t schedule_body_max = 64 << 10;
constexpr std::size_t schedules_max = 100'000;

/// Of missed due times that all fire, so many at the most.
constexpr std::size_t caught_up_max = 1'000;

/// From then on a due time counts as missed, though the node was in service.
constexpr std::chrono::seconds late_max{60};

std::span<const char* const> schedule_edges();

/// A schedule's durable state, beside what its record has: `status`, `reason` (who paused it) and its one
/// timer.
struct schedule_state {
  std::string when;
  std::string zone;
  std::string event;
  std::string body;
  schedule_catch_up catch_up = schedule_catch_up::once;
  schedule_overlap overlap = schedule_overlap::allow;

  time_point dealt_with; ///< the newest due time that has fired or been left out; none up to it comes again
  time_point missed_up_to{};  ///< due times up to it came while it was paused
  time_point counted_up_to{}; ///< of missed ones that all fire: those up to it are among the newest

  std::uint64_t fired = 0;
  std::uint64_t overlapped = 0; ///< left out, since what was begun before went on
  std::uint64_t failed = 0;
  time_point last_due{}; ///< of the last firing
  time_point last_at{};
  message_id last_message{};
  std::vector<instance_id> reached{}; ///< by the last firing
  std::string note{};                 ///< what was left out last, or could not be published
  time_point noted_at{};

  CONTINUO_FIELDS(schedule_state, when, zone, event, body, catch_up, overlap, dealt_with, missed_up_to,
                  counted_up_to, fired, overlapped, failed, last_due, last_at, last_message, reached, note,
                  noted_at)
};

/// What the machine needs to know of its node. Outlives the machine; only read.
struct schedule_environment {
  const routing_table* routes = nullptr;
  const message_registry* types = nullptr;
  std::map<std::string, time_zone, std::less<>> zones{{"", {}}}; ///< those of all definitions
  std::uint64_t store = 0;
};

/// A body as it is published: with the due time and the name in their places.
std::string body_for(std::string body, std::string_view name, time_point due);

/// The next due times of a schedule, if nothing pauses it; nothing where its zone is unknown here.
std::vector<time_point> next_due(const schedule_state& of, const schedule_environment& environment,
                                 std::size_t count);

/// A schedule. Its record owes nobody anything: what it publishes is a record of its own (`acceptance`),
/// which whoever holds the machine writes in one batch with the schedule's, under one revision. Same rules as
/// `saga_machine`.
class schedule_machine {
public:
  /// @pre the state of `stored` can be decoded
  schedule_machine(const schedule_environment& environment, instance_id self, std::optional<record> stored);
  schedule_machine(const schedule_machine&) = delete;
  schedule_machine& operator=(const schedule_machine&) = delete;

  // -- as the node starts ----------------------------------------------------------
  transition define(const schedule& definition, const moment& now, std::uint64_t revision);
  transition retire();

  // -- its time ----------------------------------------------------------------------
  /// What a look at the clock asks for, beside the transition.
  struct look {
    transition decided;
    std::optional<acceptance::wish> publish{}; ///< under the transition's revision
    bool asks = false;     ///< whether what `reached` names is over: look again with the answer
    std::string trouble{}; ///< for the log
  };

  /// `in_service` is how long the node has been in service in this life: what was due before was missed.
  /// `is_over` says whether all that the last firing reached has ended; it is asked for where that matters.
  /// One due time at the most fires with a call.
  look due(const moment& now, std::chrono::nanoseconds in_service, std::optional<bool> is_over,
           std::uint64_t revision);

  // -- people ---------------------------------------------------------------------------
  look trigger(const moment& now, std::uint64_t revision);
  transition pause(const std::string& who, const moment& now, std::uint64_t revision);
  transition resume(const moment& now, std::uint64_t revision);

  // -- messages -----------------------------------------------------------------------
  // It sends none of its own, so nobody answers.
  transition receive(const envelope& stray, const moment&, std::uint64_t) const { return absent(stray); }
  transition receive(const messages::receipt& stray) const { return absent(stray); }
  transition called(const messages::call_for& stray) const { return absent(stray); }
  transition recover(const moment&, std::uint64_t) const { return {}; }
  transition flush(const moment&, std::uint64_t) const { return {}; }

  // -- queries ------------------------------------------------------------------------
  bool exists() const { return exists_; }
  bool in_flight() const { return false; }
  bool may_passivate() const { return true; }
  bool is_over() const { return true; } ///< nothing of it is under way: a timer wakes it
  const record& current() const { return record_; }
  const schedule_state& state() const { return state_; }
  std::string encoded() const { return encode(record_); }

private:
  const time_zone& zone() const;
  void arm(transition& out, std::uint64_t revision);
  void write(transition& out, const char* edge, const moment& now, std::uint64_t revision);
  void note(std::string what, const moment& now);
  void fire(look& out, time_point due, bool by_hand, const moment& now, std::uint64_t revision);
  result<acceptance::wish> event_for(time_point due, bool by_hand, std::uint64_t revision) const;

  const schedule_environment* environment_;
  record record_;
  bool exists_ = false;
  schedule_state state_;
  recurrence rule_;
};

} // namespace continuo::engine
