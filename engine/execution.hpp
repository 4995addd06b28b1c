#pragma once

#include "engine/first_contacts.hpp"
#include "engine/mailbox.hpp"
#include "engine/retry.hpp"
#include "engine/routing.hpp"
#include "engine/transition.hpp"

#include <span>
#include <string>

// The state machine of one command, or event, at a stateless service. Its record is written when it is
// answered, or when an attempt has failed: until then the sender's outbox holds it.
//
//   edge          from               message                         to
//   begin         waiting, backoff   a free slot                     running
//   replied       running, overdue,  its handler replies             answered
//                 parked
//   declined      running, overdue,  its handler declines            answered
//                 parked
//   attempt_fails running            its handler fails               backoff
//   late_failure  overdue            its handler fails after all     backoff
//   unknown_here  running, overdue   this program does not know it   held
//   overdue       running            the attempt's time is up        overdue, or exhausted
//   exhausted     running, overdue   the last attempt failed         answered `unknown`, with a dead letter
//   park          running, overdue   the same, policy park           parked
//   withdrawn     waiting, held; no  withdrawal, or a command that   answered `withdrawn`
//                 life ever began it its sender gave up
//   given_up      backoff, waiting   the same, and an unknown outcome  answered `unknown`, without a dead
//   letter
//                 behind an attempt  will do
//   too_late      any other          the same                        the same
//   duplicate     any                the same command again          the same; a reply is sent again
//   retry         parked             operator                        waiting
//   discard       parked             operator                        answered `unknown`
//   quarantine    waiting, backoff   the process ended in it         waiting; one time too many: parked
//   dropped       answered           receipt of the reply, forget    gone
//   receipt       answered           any other receipt               answered
namespace continuo::engine {

std::span<const char* const> execution_edges();

struct execution_environment {
  const detail::service_type* type = nullptr;
  const routing_table* routes = nullptr;
  std::uint64_t store = 0;
  std::uint64_t seed = 0;
  const first_contacts* contacts = nullptr; ///< which commands no earlier life can have begun

  /// The service's name, with this node behind it in a cluster.
  std::string address() const { return placement::address_on(type->name, routes->where().here()); }
};

/// One command or event in execution at a stateless service. Pure: it decides; the service actor runs the
/// handlers.
class execution {
public:
  enum class phase : std::uint8_t {
    waiting,  ///< for a free slot
    running,  ///< its handler runs
    overdue,  ///< its handler runs although the attempt's time is up
    backoff,  ///< until the next attempt
    held,     ///< until the node runs a program that knows it: that is no attempt
    parked,   ///< waits for a person
    answered, ///< until the requester has closed its request
  };

  /// A command that has just come.
  execution(const execution_environment& environment, envelope message);

  /// One that the store holds.
  execution(const execution_environment& environment, record stored);

  // -- transitions ------------------------------------------------------------------
  /// @pre `now_in() == phase::waiting || now_in() == phase::backoff`
  transition begin();

  /// What the handler came to, and what it asked for. @pre it runs, or it was parked while it ran and came to
  /// an end
  transition finished(result<detail::handled> outcome, const detail::intents& asked, const moment& now,
                      std::uint64_t revision);

  /// The running attempt has used up its time. @pre `now_in() == phase::running`
  transition timed_out(const moment& now, std::uint64_t revision);

  /// The delay is over. @pre `now_in() == phase::backoff`
  void due() { phase_ = phase::waiting; }

  transition receive(const envelope& message, const moment& now, std::uint64_t revision);

  /// Its sender has given it up, by `word`: the command itself, or its withdrawal.
  transition withdraw(const envelope& word, const moment& now, std::uint64_t revision);
  transition receive(const messages::receipt& receipt, const moment& now, std::uint64_t revision);
  /// Counts that the process ended in its handler, which its thread did where that is `proven`; as
  /// `saga_machine::suspect`.
  transition suspect(bool proven, const moment& now, std::uint64_t revision);
  transition retry(const moment& now, std::uint64_t revision);   ///< of a parked one
  transition discard(const moment& now, std::uint64_t revision); ///< of a parked one

  /// What a receiver of its reply or events asks for.
  transition called(const messages::call_for& call) const { return mail_.called(call); }

  // -- queries ---------------------------------------------------------------------
  phase now_in() const { return phase_; }
  const envelope& message() const { return *record_.failed; } ///< @pre it is not answered
  message_id id() const { return id_; }
  std::uint32_t attempt() const { return record_.attempts + 1; }
  /// How often in a row the process has ended while it ran, and nobody knows why.
  std::uint32_t interruptions() const { return record_.interruptions; }
  bool is_command() const { return command_; }
  std::string idempotency_key() const;

  /// Whether the store has a record of it; else its sender's outbox holds it, and it may leave memory.
  bool is_written() const { return written_; }

  /// What the handler gives to what it sends or calls; empty where the command has no trace. @pre as
  /// `message`
  std::string trace() const;
  const instance_id& origin() const { return origin_; } ///< of an event: who published it; else empty

  /// What is sent again after a restart: an unacknowledged reply, events.
  transition recover(const moment& now, std::uint64_t revision);

  const record& current() const { return record_; }
  std::string encoded() const { return encode(record_); }

private:
  std::size_t bytes_with(const detail::handled& outcome, const std::vector<stored_message>& events) const;
  void attempt_failed(transition& out, const char* edge, const std::string& reason, const moment& now,
                      std::uint64_t revision);
  std::chrono::milliseconds delay_of_next_attempt() const;
  /// What is left of it: never more than the policy would wait, wherever the wall clock has jumped meanwhile.
  std::chrono::milliseconds time_to_next_attempt(const moment& now) const;
  void answer(transition& out, message_kind kind, std::string payload, const moment& now,
              std::uint64_t revision);
  void fail_for_good(transition& out, const std::string& reason, const moment& now, std::uint64_t revision);
  void write(transition& out, const moment& now, std::uint64_t revision);

  const execution_environment* environment_;
  record record_;
  mailbox mail_{record_, *environment_->routes};
  message_id id_;
  phase phase_ = phase::waiting;
  bool command_ = true;
  instance_id origin_;
  bool written_ = false; // the store holds a record of it
  bool begun_ = false;   // in this life or, as its record shows, in an earlier one
  std::uint32_t next_index_ = 0;
};

} // namespace continuo::engine
