#pragma once

#include <continuo/archive.hpp>
#include <continuo/definition.hpp>
#include <continuo/detail/times.hpp>
#include <continuo/status.hpp>

#include <fmt/core.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace continuo {

/// The wall clock as Continuo stores it.
using time_point = std::chrono::system_clock::time_point;

enum class log_level : std::uint8_t { trace, debug, info, warn, error };

namespace detail {

/// Where a node writes its log lines. Called from any thread.
class log_sink {
public:
  virtual ~log_sink() = default;
  virtual bool enabled(log_level level) const = 0;
  virtual void write(log_level level, std::string_view text) = 0;
};

} // namespace detail

/// A logger that puts the instance's name in front of each line. Cheap to copy; valid within the handler.
class instance_logger {
public:
  instance_logger(detail::log_sink* sink, const instance_id& self) : sink_(sink), self_(&self) {}

  template <class... Ts>
  void debug(fmt::format_string<Ts...> text, Ts&&... values) const {
    write(log_level::debug, text, std::forward<Ts>(values)...);
  }

  template <class... Ts>
  void info(fmt::format_string<Ts...> text, Ts&&... values) const {
    write(log_level::info, text, std::forward<Ts>(values)...);
  }

  template <class... Ts>
  void warn(fmt::format_string<Ts...> text, Ts&&... values) const {
    write(log_level::warn, text, std::forward<Ts>(values)...);
  }

  template <class... Ts>
  void error(fmt::format_string<Ts...> text, Ts&&... values) const {
    write(log_level::error, text, std::forward<Ts>(values)...);
  }

private:
  template <class... Ts>
  void write(log_level level, fmt::format_string<Ts...> text, Ts&&... values) const {
    if (sink_ != nullptr && sink_->enabled(level)) {
      write_line(level, text, fmt::make_format_args(values...));
    }
  }

  void write_line(log_level level, fmt::string_view text, fmt::format_args values) const;

  detail::log_sink* sink_;
  const instance_id* self_;
};

namespace detail {

/// What one call of a handler asked for. It becomes part of the transition, all of it or none.
struct intents {
  struct message {
    enum class kind : std::uint8_t { command, event, told } what;
    typed_bytes body;
    std::string step{}; ///< of a workflow's command: its name
    typed_bytes undo{}; ///< and what undoes it, where it said so itself
  };

  struct timer_change {
    std::string name;
    bool cancel = false;
    std::chrono::nanoseconds delay{0};
    std::optional<time_point> at; ///< by the wall clock, in place of the delay
    typed_bytes message;
  };

  struct expectation {
    std::string event;
    bool stop = false;
  };

  /// A command that goes out with the end of a workflow's instance.
  struct last_word {
    std::string name;
    std::uint8_t when = 0; ///< an `ending`
    typed_bytes command;
  };

  std::vector<message> messages; ///< in the order asked for
  std::vector<timer_change> timers;
  std::vector<expectation> expectations;
  std::optional<typed_bytes> completion;
  std::optional<std::string> roll_back;
  std::vector<std::string> given_up; ///< steps of a workflow
  std::optional<handled> answer;     ///< of an update
  std::optional<std::string> says;   ///< where a workflow says it is
  std::vector<last_word> at_end;     ///< commands that go out with its end
  bool settles = false;              ///< what a workflow has done so far stays done
  bool end = false;                  ///< of a keyed service's key
};

/// What every handler may know. The pointers are valid during the call only.
struct invocation {
  const instance_id* self = nullptr;
  message_id cause; ///< the message being handled
  time_point now;   ///< the transition's time
  std::uint64_t random_seed = 0;
  log_sink* sink = nullptr;
  std::string_view answered_type; ///< the command that a reply or failure answers; empty otherwise
  std::string_view answered_payload;
};

/// The next value of a splitmix64 sequence (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators", 2014).
constexpr std::uint64_t next_random(std::uint64_t& state) {
  state += 0x9e3779b97f4a7c15ULL;
  auto mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
  return mixed ^ (mixed >> 31);
}

/// What the contexts of all handlers have in common.
class context_base {
public:
  explicit context_base(const invocation& call);
  context_base(const context_base&) = delete;
  context_base& operator=(const context_base&) = delete;

  /// The instance that handles the message: (saga or service, key).
  const instance_id& self() const { return *call_.self; }

  /// The id of the message being handled; the same on every attempt.
  const message_id& cause() const { return call_.cause; }

  /// The time of this transition. The handler sees no other clock, so a test decides what time it is.
  time_point now() const { return call_.now; }

  /// A number that depends on the node's seed and the message alone: the same again when the message is
  /// handled again.
  std::uint64_t random() { return next_random(random_); }

  /// A logger that names the instance.
  instance_logger log() const { return {call_.sink, *call_.self}; }

  /// What the handler asked for so far. For the runtime.
  intents& asked() { return asked_; }

protected:
  ~context_base();

  void ask_to_send(const message_type& type, const void* command);
  void ask_to_publish(const message_type& type, const void* event);
  void ask_to_tell(const message_type& type, const void* command);

  invocation call_;
  intents asked_;
  std::uint64_t random_;
};

} // namespace detail

/// How an instance has ended. A saga that has a handler
/// `void on(const continuo::saga_ended&, continuo::saga_context&)` hears of its own end in the very
/// transition that makes it, also where an operator cancelled it: to publish it, or to tell somebody (a mail
/// to the customer). The handler may publish and tell, nothing else. Where it fails, the instance is `stuck`
/// at its end, and `retry` calls it again.
struct saga_ended {
  instance_status status = instance_status::completed; ///< `completed` or `compensated`
  std::string reason;                                  ///< why it was rolled back; empty where it completed
};

/// A saga handler's way to act. Nothing happens during the call: what is asked for here becomes durable
/// together with the saga's new state, or not at all if the handler throws. Valid within the handler, on its
/// thread.
class saga_context : public detail::context_base {
public:
  using context_base::context_base;

  /// Sends a command to the service that handles it. The saga must have declared it with `calls`; an
  /// undeclared one is a handler error. Its reply comes to `on(const Command::reply&, ...)`.
  template <class Command>
  void send(const Command& command) {
    static_assert(message<Command>, "continuo: a command" CONTINUO_DETAIL_NEEDS);
    static_assert(
        requires { typename Command::reply; },
        "continuo: a command needs a member type `reply` (using reply = payment_completed;)");
    ask_to_send(message_type_of<Command>(), &command);
  }

  /// Sends a command and takes no interest in what becomes of it: no reply comes, nothing undoes it, and the
  /// instance may end before it is handled. It is as durable as any other, and goes out also where the
  /// handler rolls back. One that fails for good becomes a dead letter, which can be redriven. The saga must
  /// have declared it with `tells`; an undeclared one is a handler error.
  template <class Command>
  void tell(const Command& command) {
    static_assert(message<Command>, "continuo: a command" CONTINUO_DETAIL_NEEDS);
    static_assert(
        requires { typename Command::reply; },
        "continuo: a command needs a member type `reply` (using reply = payment_completed;)");
    ask_to_tell(message_type_of<Command>(), &command);
  }

  /// Publishes an event to every saga and service that subscribes to its type.
  template <class Event>
  void publish(const Event& event) {
    static_assert(message<Event>, "continuo: an event" CONTINUO_DETAIL_NEEDS);
    ask_to_publish(message_type_of<Event>(), &event);
  }

  /// Sends `message` to this instance after `delay`, once and never early. A timer that is set already under
  /// this name is replaced. The saga must have declared the message with `timer`. A delay of zero is over at
  /// once, the longest of any unit (`hours::max()`) never; a negative one is a handler error.
  ///
  /// The delay is measured by a clock that never jumps and goes on while the machine sleeps. Only where the
  /// machine was booted meanwhile is there nothing but the wall clock to measure it by.
  template <class Message>
  void set_timer(std::string name, detail::any_duration delay, const Message& body) {
    static_assert(message<Message>, "continuo: what a timer carries" CONTINUO_DETAIL_NEEDS);
    ask_for_timer(std::move(name), delay, std::nullopt, message_type_of<Message>(), &body);
  }

  /// Sends `message` to this instance when the wall clock shows `time`: at once where that is past, never at
  /// `time_point::max()`. Else as `set_timer`, and one name stands for one timer of either kind.
  ///
  /// The wall clock alone decides: a jump of it moves the timer, and is noticed within a minute. For "on the
  /// first of May at eight", where the time matters; not for "in half an hour".
  template <class Duration, class Message>
  void set_timer_at(std::string name, std::chrono::time_point<std::chrono::system_clock, Duration> time,
                    const Message& body) {
    static_assert(message<Message>, "continuo: what a timer carries" CONTINUO_DETAIL_NEEDS);
    const auto since_1970 = detail::saturated<time_point::duration>(time.time_since_epoch());
    ask_for_timer(std::move(name), {}, time_point{since_1970}, message_type_of<Message>(), &body);
  }

  /// Takes back a timer; nothing happens where none is set. Its message is not handled any more, even if it
  /// is due.
  void cancel_timer(std::string name);

  /// Says that the instance waits for this event, which keeps it from being `stuck` when nothing else can
  /// wake it. Ended by the event's arrival or by `stop_expecting`. Events are handled whether expected or
  /// not. (In parentheses, because CAF's test headers have a macro of this name; calls need none.)
  template <class Event>
  void(expect)() {
    static_assert(message<Event>, "continuo: an event" CONTINUO_DETAIL_NEEDS);
    change_expectation(message_name<Event>(), false);
  }

  template <class Event>
  void stop_expecting() {
    static_assert(message<Event>, "continuo: an event" CONTINUO_DETAIL_NEEDS);
    change_expectation(message_name<Event>(), true);
  }

  /// Ends the instance as `completed`. With a request still open this is a handler error.
  void complete();

  /// Ends the instance as `completed` with a result: a string, a number, a bool or any message type.
  template <class Result>
  void complete(const Result& value) {
    if constexpr (std::is_convertible_v<const Result&, std::string_view>) {
      complete_with(std::string_view{value});
    } else if constexpr (std::is_same_v<Result, bool>) {
      complete_with(value);
    } else if constexpr (std::is_integral_v<Result>) {
      complete_with(static_cast<std::int64_t>(value));
    } else if constexpr (std::is_floating_point_v<Result>) {
      complete_with(static_cast<double>(value));
    } else {
      static_assert(message<Result>, "continuo: a saga's result is a string, a number, a bool or a message, "
                                     "which" CONTINUO_DETAIL_NEEDS);
      complete_with(message_type_of<Result>(), &value);
    }
  }

  /// Gives up: what was done is undone in reverse order, and the instance ends as `compensated` with this
  /// reason.
  void roll_back(std::string reason);

  /// In the handler of a reply or a failure: the command that it answers, as it was sent; nothing in other
  /// handlers or if the answered command is of another type.
  template <message Command>
  std::optional<Command> answered() const {
    std::optional<Command> command;
    if (call_.answered_type == message_name<Command>() &&
        !decode_into(command.emplace(), call_.answered_payload)) {
      command.reset();
    }
    return command;
  }

private:
  void ask_for_timer(std::string name, std::chrono::nanoseconds delay, std::optional<time_point> at,
                     const message_type& type, const void* body);
  void change_expectation(std::string_view event, bool stop);
  void complete_with(std::string_view text);
  void complete_with(bool value);
  void complete_with(std::int64_t number);
  void complete_with(double number);
  void complete_with(const message_type& type, const void* value);
};

/// What the handler of a stateless service knows about the command. Valid within the handler, on its thread.
class command_context : public detail::context_base {
public:
  command_context(const detail::invocation& call, const instance_id& requester, std::uint32_t attempt,
                  std::string key, std::string trace = {});
  ~command_context();

  /// Who sent the command or published the event.
  const instance_id& requester() const { return *requester_; }

  /// 1 on the first attempt. Counted durably for failed attempts; a crash of the process repeats a number.
  std::uint32_t attempt() const { return attempt_; }

  /// The key under which outside effects of this command are to be deduplicated: the same on every attempt,
  /// after every crash and on every node. A handler with several effects uses another `index` for each.
  std::string idempotency_key(unsigned index = 0) const;

  /// What to send as `traceparent` (W3C Trace Context) with calls that the handler makes; empty where the
  /// command belongs to no trace.
  const std::string& trace_parent() const { return trace_; }

  /// Publishes an event together with the outcome: durable with it, or not at all if the attempt fails.
  template <class Event>
  void publish(const Event& event) {
    static_assert(message<Event>, "continuo: an event" CONTINUO_DETAIL_NEEDS);
    ask_to_publish(message_type_of<Event>(), &event);
  }

private:
  const instance_id* requester_;
  std::uint32_t attempt_;
  std::string key_;
  std::string trace_;
};

/// What the handler of a keyed service knows about the command. The handler must have no outside effects: it
/// is run at memory speed, and again if the process dies before its state is durable. Valid within the
/// handler.
class keyed_context : public detail::context_base {
public:
  keyed_context(const detail::invocation& call, const instance_id& requester)
      : context_base(call), requester_(&requester) {}

  const instance_id& requester() const { return *requester_; }

  /// Ends the key with this command: whatever the handler leaves in its state is dropped, and the next
  /// command for the key finds the state that one finds which never was. Nothing ends if the handler declines
  /// or throws.
  ///
  /// The record of an ended key, without a state, is kept with its history for `node_config::keep_ended`.
  /// Then it is deleted, once those who sent to it have their replies; a command that comes before begins a
  /// new life of the key, which is not deleted.
  void end() { asked_.end = true; }

  /// Publishes an event together with the new state.
  template <class Event>
  void publish(const Event& event) {
    static_assert(message<Event>, "continuo: an event" CONTINUO_DETAIL_NEEDS);
    ask_to_publish(message_type_of<Event>(), &event);
  }

private:
  const instance_id* requester_;
};

} // namespace continuo
