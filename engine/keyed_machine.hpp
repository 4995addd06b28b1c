#pragma once

#include "engine/expiry.hpp"
#include "engine/mailbox.hpp"
#include "engine/retry.hpp"
#include "engine/routing.hpp"
#include "engine/transition.hpp"

#include <algorithm>
#include <memory>
#include <span>

// clang-format off
// The state machine of one key of a keyed service. Its state is kept until a handler ends the key, which may
// then begin anew.
//
//   edge           from      message                                  to
//   handled        any       command; its handler replies             one more revision, with the reply in the outbox
//   ended          any       command; its handler ends the key        ended: no state, with the reply in the outbox
//   declined       any       command; its handler declines            the same state, with the failure in the outbox
//   withdrawn      any       withdrawal of the command being retried; the same state, failure `withdrawn`
//                            command that its sender gave up
//   retry_later    any       command; its handler fails               the same; tried again
//   handler_fails  any       command; its handler fails for good      the same state, failure and a dead letter
//   duplicate      any       command handled before                   the same; an unacknowledged reply is sent again
//   hold           retrying  anything else                            the same; called for later
//   unknown_here   any       command, or a state, that this program   the same; left with its sender
//                            does not know
//   stale          any       what a keyed service does not take       the same
//   quarantine     any       the process ended in its handler         retrying; one time too many: the same state,
//                                                                     failure and a dead letter
//   flush          any       receipts since the last write            the same
//   trim           any       history that was kept long enough        the same
//   expire         ended     kept long enough                         absent
// clang-format on
namespace continuo::engine {

std::span<const char* const> keyed_edges();

/// What the machine needs to know of its node. Outlives the machine; only read.
struct keyed_environment {
  const detail::keyed_service_type* type = nullptr;
  const routing_table* routes = nullptr;
  detail::log_sink* sink = nullptr;
  std::uint64_t store = 0;
  std::uint64_t seed = 0;
  bool history = true;
};

/// One key of a keyed service. Same rules as `saga_machine`.
class keyed_machine {
public:
  keyed_machine(const keyed_environment& environment, instance_id self, std::optional<record> stored);
  keyed_machine(const keyed_machine&) = delete;
  keyed_machine& operator=(const keyed_machine&) = delete;

  transition receive(const envelope& message, const moment& now, std::uint64_t revision);
  transition try_again(const moment& now, std::uint64_t revision); ///< @pre `retrying()`
  transition receive(const messages::receipt& receipt);
  transition called(const messages::call_for& call) const { return mail_.called(call); }
  transition flush(const moment& now, std::uint64_t revision);
  /// As `saga_machine::suspect`.
  transition suspect(const envelope& message, bool proven, const moment& now, std::uint64_t revision);
  transition recover(std::uint64_t revision);

  /// Deletes the record and its history if the key was ended before `before`, and nobody waits for anything
  /// of it.
  transition expire(time_point before);

  /// Deletes the entries of the history up to the revision `up_to`. Of those behind it none that was there
  /// before the call was asked for is older than `since`.
  transition trim(std::uint64_t up_to, time_point since, std::uint64_t revision);

  /// Leaves a message with its sender until there is room. `call_put_off` then asks for some of those that
  /// were left, and for more when they are back; with `again` also where those that it asked for have not
  /// come.
  transition put_off(const envelope& message);

  /// A message is here and waits for its turn: those of its sender that are put off from here on are behind
  /// it.
  void queues(const envelope& message) { mail_.came_back(message); }
  transition call_put_off(bool again);

  // -- queries --------------------------------------------------------------------
  bool exists() const { return exists_; }
  bool in_flight() const { return false; } ///< what it works for is
  bool dirty() const { return mail_.is_dirty(); }
  bool puts_off() const { return puts_off_; }
  bool retrying() const { return retrying_.has_value(); }
  const envelope& retried() const { return *retrying_; }
  std::uint32_t attempts() const { return attempts_; } ///< of `retried()` that failed
  bool may_passivate() const { return !mail_.is_dirty() && !retrying_ && !mail_.holds_back(); }

  /// Whether so many replies are unacknowledged that the next command should wait: this bounds what one write
  /// holds, whatever the number of senders.
  bool is_full() const { return record_.outbox.size() >= window_ || record_.inbox.size() >= window_; }

  /// Lets more be unacknowledged, once a second has passed without room: senders that are paused or stuck
  /// must not block the key for everybody. Ends at the bounds of a record; as few as usual are enough again
  /// when the receipts have come.
  void widen() { window_ = std::min(window_ + window_min, inbox_senders_max); }

  const record& current() const { return record_; }
  std::string encoded() const { return encode(record_); }

private:
  static constexpr std::size_t window_min = 32;

  void handle(transition& out, const envelope& message, const moment& now, std::uint64_t revision);
  void leave(transition& out, const envelope& message, error&& why);
  void answer(transition& out, const envelope& message, message_kind kind, std::string payload,
              std::uint64_t revision, std::vector<noted_message>& noted);
  void fail_for_good(transition& out, const envelope& message, failure_kind kind, const std::string& reason,
                     const moment& now, std::uint64_t revision);
  void write(transition& out, const moment& now, std::uint64_t revision, const envelope* message,
             std::vector<noted_message> noted, std::string note);

  const keyed_environment* environment_;
  record record_;
  bool exists_ = false;
  expiry_times indexed_; // of what was written last
  mailbox mail_{record_, *environment_->routes};
  std::shared_ptr<void> state_;
  std::optional<envelope> retrying_;
  std::uint32_t attempts_ = 0;
  std::uint32_t next_index_ = 0;
  std::size_t window_ = window_min;
  bool puts_off_ = false; // messages were left with their senders for want of room
  std::size_t asked_ = 0; // of them, how many were called for and are not back
};

} // namespace continuo::engine
