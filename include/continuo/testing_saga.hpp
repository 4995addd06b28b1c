#pragma once

#include <continuo/client.hpp>
#include <continuo/saga.hpp>
#include <continuo/workflow.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// One saga instance alone, without a node: message in, state and effects out (docs/testing.md).
namespace continuo::testing {

/// What one message made a saga do.
struct saga_step {
  struct sent_message {
    std::string type;
    std::string payload;
    bool is_event = false;
  };

  /// The answer to a command that the saga handles.
  struct sent_answer {
    std::string type;     ///< of the reply; empty: it failed
    std::string payload;  ///< the reply
    std::string declined; ///< why it failed
  };

  std::string what;               ///< the row of the machine's table, such as `start` or `failure_rolls_back`
  std::vector<sent_message> sent; ///< commands and events, in order
  std::vector<std::string> timers;  ///< set by this step, by name
  std::size_t withdrawals = 0;      ///< commands that were taken back
  std::vector<sent_answer> answers; ///< in order

  /// The commands or events of this type that were sent.
  template <message Message>
  std::vector<Message> all() const {
    std::vector<Message> found;
    for (const auto& one : sent) {
      if (one.type == message_name<Message>()) {
        found.push_back(decode<Message>(one.payload).value());
      }
    }
    return found;
  }

  /// The one of this type. @throws std::logic_error, with what was sent instead, unless there is exactly one
  template <message Message>
  Message only() const {
    auto found = all<Message>();
    check_only(message_name<Message>(), found.size());
    return std::move(found.front());
  }

  /// The one answer, which is this reply. @throws std::logic_error with what it is else
  template <message Reply>
  Reply answer() const {
    return decode<Reply>(only_answer(message_name<Reply>()).payload).value();
  }

  /// Why the one command that was answered was declined. @throws std::logic_error where it was not
  std::string refusal() const { return only_answer({}).declined; }

private:
  void check_only(std::string_view type, std::size_t count) const;
  const sent_answer& only_answer(std::string_view type) const;
};

/// The part of `saga_alone` that needs no types.
class saga_bench {
public:
  saga_bench(continuo::detail::saga_type type, std::string key);
  ~saga_bench();
  saga_bench(const saga_bench&) = delete;
  saga_bench& operator=(const saga_bench&) = delete;

  // -- queries ----------------------------------------------------------------------
  instance_status status() const;
  const std::string& reason() const;
  saga_result result() const;      ///< `as<T>()`, `text()`. @pre it has ended
  std::string result_text() const; ///< as JSON; empty: none, or of a type that the saga does not declare
  std::vector<cause> waiting_for() const;
  time_point now() const;
  bool exists() const;
  std::size_t dead_letters() const; ///< made so far

  /// Lets time pass: timers that fall due fire, earliest first. @throws std::logic_error where the saga sets
  /// timers for the present again and again, so that none would pass
  saga_step advance_time(std::chrono::nanoseconds time);

  /// Moves the wall clock alone, as people and the network do. What that makes due fires when time is let
  /// pass next.
  void jump_wall_clock(std::chrono::nanoseconds by);

  /// It leaves memory, as after a time without messages or with a crash: the next message finds its record
  /// alone.
  void leave_memory();

  /// Another program has it from here on. @pre `type` has the name of the one before and declares the same
  /// events
  void deploy(continuo::detail::saga_type type);

  /// The sender of the oldest command that waits for its end takes it back. @throws std::logic_error where
  /// none does
  saga_step command_withdrawn();

  // -- an operator's verbs ------------------------------------------------------------
  saga_step cancel();
  saga_step retry();
  saga_step skip();

protected:
  saga_step event(std::string type, std::string payload);
  saga_step command(std::string type, std::string payload);
  saga_step reply(std::string_view command, std::string reply_type, std::string payload);
  saga_step failure(std::string_view command, failure_kind kind, std::string reason);
  saga_step step_reply(std::string_view step, std::string reply_type, std::string payload);
  saga_step step_failure(std::string_view step, failure_kind kind, std::string reason);
  std::string state() const;

private:
  struct bench;
  std::unique_ptr<bench> bench_;
};

/// An instance of `Saga`, of this key, or else of the key of its first event. Each member that hands it a
/// message gives what came of it; what the saga may not do shows as `status()` `stuck` with its reason, as in
/// production, but without further attempts.
template <class Saga>
class saga_alone : public saga_bench {
public:
  explicit saga_alone(std::string key = {}) : saga_bench(saga<Saga>::describe(), std::move(key)) {}

  /// An event, which may start it. @throws std::logic_error where it belongs to another instance, or to no
  /// saga of this type
  template <message Event>
  saga_step receives(const Event& body) {
    return event(std::string{message_name<Event>()}, encode(body));
  }

  /// A command that starts it, or an update. @throws std::logic_error where it belongs to another instance,
  /// or is none that this handles
  template <message Command>
  saga_step takes(const Command& body) {
    return command(std::string{message_name<Command>()}, encode(body));
  }

  /// The reply to the oldest open command of this type. @throws std::logic_error where none is open
  template <message Command>
  saga_step answered(const typename Command::reply& body) {
    return reply(message_name<Command>(), std::string{message_name<typename Command::reply>()}, encode(body));
  }

  /// The failure of the oldest open command of this type.
  template <message Command>
  saga_step declined(std::string reason) {
    return failure(message_name<Command>(), failure_kind::declined, std::move(reason));
  }
  template <message Command>
  saga_step failed(std::string reason) {
    return failure(message_name<Command>(), failure_kind::unknown, std::move(reason));
  }
  template <message Command>
  saga_step withdrawn() {
    return failure(message_name<Command>(), failure_kind::withdrawn, "withdrawn");
  }

  /// Its durable state. @pre `exists()`
  Saga value() const { return decode<Saga>(state()).value(); }
};

/// An instance of a workflow, of this key, or else of the key of its first event. Each time its function goes
/// on it is also run again from its beginning, and must decide the same: where it does not, the instance is
/// `stuck` with a reason that says where they part.
class workflow_alone : public saga_bench {
public:
  explicit workflow_alone(detail::saga_type type, std::string key = {})
      : saga_bench(std::move(type), std::move(key)) {}

  /// An event, which may start it. @throws std::logic_error where it belongs to another instance, or the
  /// workflow does not hear it
  template <message Event>
  saga_step receives(const Event& body) {
    return event(std::string{message_name<Event>()}, encode(body));
  }

  /// A command that starts it, or an update. @throws std::logic_error where it belongs to another instance,
  /// or is none that this handles
  template <message Command>
  saga_step takes(const Command& body) {
    return command(std::string{message_name<Command>()}, encode(body));
  }

  /// The reply to the open step of this name. @throws std::logic_error where none is open
  template <message Reply>
  saga_step answered(std::string_view step, const Reply& body) {
    return step_reply(step, std::string{message_name<Reply>()}, encode(body));
  }

  /// The failure of the open step of this name.
  saga_step declined(std::string_view step, std::string reason) {
    return step_failure(step, failure_kind::declined, std::move(reason));
  }
  saga_step failed(std::string_view step, std::string reason) {
    return step_failure(step, failure_kind::unknown, std::move(reason));
  }
  saga_step withdrawn(std::string_view step) {
    return step_failure(step, failure_kind::withdrawn, "withdrawn");
  }

  /// The reply to the oldest open command of this type: of an undo, say, which has no step of its own.
  template <message Command>
  saga_step undone(const typename Command::reply& body) {
    return reply(message_name<Command>(), std::string{message_name<typename Command::reply>()}, encode(body));
  }
  template <message Command>
  saga_step undo_declined(std::string reason) {
    return failure(message_name<Command>(), failure_kind::declined, std::move(reason));
  }
};

} // namespace continuo::testing
