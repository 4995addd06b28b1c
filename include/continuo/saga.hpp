#pragma once

#include <continuo/context.hpp>
#include <continuo/definition.hpp>
#include <continuo/fields.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace continuo {

namespace detail {

/// Whether a saga has a handler of `Message`, which may be private.
template <class Saga, class Message>
concept handles = field_access::has_handler<Saga, Message, saga_context>();

template <class T>
concept command = message<T> && requires {
  typename T::reply;
} && message<typename T::reply>;

/// Makes a key of what a correlation function or member gives: a string or an integer.
template <class Key>
std::string correlation_key(const Key& key) {
  if constexpr (std::is_convertible_v<const Key&, std::string>) {
    return key;
  } else {
    static_assert(std::is_integral_v<Key>, "continuo: a correlation key is a string or an integer");
    return key_of_number(
        static_cast<std::conditional_t<std::is_signed_v<Key>, std::int64_t, std::uint64_t>>(key));
  }
}

template <class Message, class Correlation>
std::string read_key(void* correlation, const void* body) {
  static_assert(std::is_invocable_v<const Correlation&, const Message&>,
                "continuo: the correlation must be a member of the message (&order_placed::order_id) or a "
                "function of it");
  return correlation_key(
      std::invoke(*static_cast<const Correlation*>(correlation), *static_cast<const Message*>(body)));
}

template <class Saga, class Message>
void call_handler(void* saga, const void* body, saga_context& context) {
  field_access::call_handler(*static_cast<Saga*>(saga), *static_cast<const Message*>(body), context);
}

template <class Saga, class Command>
handled call_update_handler(void* saga, const void* body, saga_context& context) {
  const outcome<typename Command::reply> decided =
      field_access::ask_handler(*static_cast<Saga*>(saga), *static_cast<const Command*>(body), context);
  return to_handled(decided);
}

template <class Command, class Correlation>
command_declaration declared_command(Correlation correlation) {
  return {body_type_of<Command>(), message_type_of<typename Command::reply>(),
          kept_function{std::move(correlation)}, read_key<Command, Correlation>};
}

template <class Saga>
void call_end_handler(void* saga, const saga_ended& end, saga_context& context) {
  field_access::call_handler(*static_cast<Saga*>(saga), end, context);
}

template <class Saga, class Command>
void call_failure_handler(void* saga, failure_kind kind, std::string_view reason, void* command,
                          saga_context& context) {
  field_access::call_handler(
      *static_cast<Saga*>(saga),
      failure<Command>{kind, std::string{reason}, std::move(*static_cast<Command*>(command))}, context);
}

} // namespace detail

/// Says how a step is undone; returned by `saga_definition::calls`.
template <class Saga, class Command>
class call_declaration {
public:
  using reply = typename detail::reply_type<Command>::type;

  call_declaration(detail::saga_type& type, detail::call& entry) : type_(type), entry_(entry) {}

  /// Declares the command that undoes this one, made from the command sent and its reply. With
  /// `(const Command&, const reply*)` a step of unknown outcome is undone too: the pointer is null then, and
  /// the undo must succeed where nothing had happened. With `(const Command&, const reply&)` such an instance
  /// becomes `stuck`.
  template <class Function>
  call_declaration& undone_by(Function function) {
    constexpr bool by_pointer = std::is_invocable_v<Function, const Command&, const reply*>;
    constexpr bool by_reference = std::is_invocable_v<Function, const Command&, const reply&>;
    static_assert(
        by_pointer || by_reference,
        "continuo: undone_by takes a function of (const Command& sent, const Command::reply* reply)");
    if constexpr (by_pointer) {
      add_undo<Function, std::invoke_result_t<Function, const Command&, const reply*>, true>(
          std::move(function));
    } else if constexpr (by_reference) {
      add_undo<Function, std::invoke_result_t<Function, const Command&, const reply&>, false>(
          std::move(function));
    }
    return *this;
  }

  /// Declares that this step leaves nothing behind that would have to be undone, even if its outcome is
  /// unknown.
  call_declaration& nothing_to_undo() {
    detail::declare_nothing_to_undo(entry_);
    return *this;
  }

private:
  template <class Function, class Undo, bool ByPointer>
  void add_undo(Function function) {
    static_assert(
        detail::command<Undo>,
        "continuo: undone_by must return a command (a type with CONTINUO_FIELDS and a member type `reply`)");
    detail::declare_undo(type_, entry_, detail::body_type_of<Command>(), detail::body_type_of<reply>(),
                         message_type_of<Undo>(), message_type_of<typename Undo::reply>(), ByPointer,
                         detail::kept_function{std::move(function)},
                         [](void* kept, const void* sent, const void* answer) {
                           const auto& make = *static_cast<const Function*>(kept);
                           const auto& command = *static_cast<const Command*>(sent);
                           const auto* known = static_cast<const reply*>(answer);
                           if constexpr (ByPointer) {
                             const Undo undo = make(command, known);
                             return message_type_of<Undo>().encode(&undo);
                           } else {
                             const Undo undo = make(command, *known);
                             return message_type_of<Undo>().encode(&undo);
                           }
                         });
  }

  detail::saga_type& type_;
  detail::call& entry_;
};

/// What a saga is made of: filled once, at start, by `static void define(saga_definition<fulfilment>&)`.
template <class Saga>
class saga_definition {
public:
  explicit saga_definition(detail::saga_type& type) : type_(type) {}

  /// `Event` starts an instance under the key that `correlation` (a member or a function) reads from it.
  /// Where the instance exists, live or ended, the event is noted and dropped, unless it is declared with
  /// `on` as well.
  template <class Event, class Correlation>
  void starts_on(Correlation correlation) {
    static_assert(message<Event>, "continuo: an event" CONTINUO_DETAIL_NEEDS);
    static_assert(
        detail::handles<Saga, Event>,
        "continuo: the saga needs a handler `void on(const Event&, continuo::saga_context&)` for the event "
        "that starts it");
    detail::declare_start(type_, event<Event>(correlation));
  }

  /// `Command` starts an instance under the key that `correlation` reads from it, and is answered when that
  /// ends: with what it completes with, which is a `Command::reply`, or declined with the reason for which it
  /// was rolled back. So a saga that sends it has a child process. Taking the command back cancels the
  /// instance. `second` says what becomes of another such command where the key has an instance.
  template <class Command, class Correlation>
  void starts_on_command(Correlation correlation, second_starter second) {
    static_assert(detail::command<Command>, "continuo: starts_on_command takes a command: a type with "
                                            "CONTINUO_FIELDS and a member type `reply`");
    static_assert(
        detail::handles<Saga, Command>,
        "continuo: the saga needs a handler `void on(const Command&, continuo::saga_context&)` for the "
        "command that starts it");
    detail::declare_starting_command(type_, detail::declared_command<Command>(std::move(correlation)),
                                     detail::call_handler<Saga, Command>, second);
  }

  /// A live instance answers `Command` in one transition, by its handler `outcome<Command::reply> on(const
  /// Command&, continuo::saga_context&)`. Declined, nothing that the handler did counts. Where no instance
  /// lives under the key, or it is being rolled back or over, the command is declined; one that is paused or
  /// stuck answers when it goes on. A handler that throws is tried again, and then the command has failed
  /// while the instance goes on as it was.
  template <class Command, class Correlation>
  void answers(Correlation correlation) {
    static_assert(detail::command<Command>,
                  "continuo: answers takes a command: a type with CONTINUO_FIELDS and a member type `reply`");
    constexpr bool has_answer =
        detail::field_access::has_answer<Saga, Command, saga_context, outcome<typename Command::reply>>();
    static_assert(has_answer,
                  "continuo: the saga needs a handler `outcome<Command::reply> on(const Command&, "
                  "continuo::saga_context&)` for the command that it answers");
    if constexpr (has_answer) {
      detail::declare_update(type_, detail::declared_command<Command>(std::move(correlation)),
                             detail::call_update_handler<Saga, Command>);
    }
  }

  /// A live instance handles `Event`; one that is neither live nor startable follows `policy`.
  template <class Event, class Correlation>
  void on(Correlation correlation, unknown_instance policy) {
    static_assert(message<Event>, "continuo: an event" CONTINUO_DETAIL_NEEDS);
    static_assert(
        detail::handles<Saga, Event>,
        "continuo: the saga needs a handler `void on(const Event&, continuo::saga_context&)` for the event");
    detail::declare_event(type_, event<Event>(correlation), policy);
  }

  /// The saga sends `Command` and handles its reply. A handler `on(const continuo::failure<Command>&, ...)`
  /// is optional: without it a failure rolls the instance back with its reason.
  template <class Command>
  call_declaration<Saga, Command> calls() {
    static_assert(message<Command>, "continuo: a command" CONTINUO_DETAIL_NEEDS);
    static_assert(
        requires { typename Command::reply; },
        "continuo: a command needs a member type `reply` (using reply = payment_completed;)");
    using reply = typename detail::reply_type<Command>::type;
    static_assert(detail::handles<Saga, reply>, "continuo: the saga needs a handler `void on(const Reply&, "
                                                "continuo::saga_context&)` for the reply of "
                                                "a command that it calls");
    static_assert(!detail::field_access::has_handler_alone<Saga, failure<Command>>(),
                  "continuo: a saga handles a failure in `void on(const continuo::failure<Command>&, "
                  "continuo::saga_context&)`");
    detail::saga_failure_function on_failure = nullptr;
    if constexpr (detail::handles<Saga, failure<Command>>) {
      on_failure = detail::call_failure_handler<Saga, Command>;
    }
    return {type_, detail::declare_call(type_, detail::body_type_of<Command>(), detail::body_type_of<reply>(),
                                        detail::call_handler<Saga, reply>, on_failure)};
  }

  /// The saga sends `Command` with `tell`: it takes no reply of it.
  template <class Command>
  void tells() {
    static_assert(message<Command>, "continuo: a command" CONTINUO_DETAIL_NEEDS);
    static_assert(
        requires { typename Command::reply; },
        "continuo: a command needs a member type `reply` (using reply = payment_completed;)");
    detail::declare_tell(type_, message_type_of<Command>());
  }

  /// The saga sets timers that carry `Message`.
  template <class Message>
  void timer() {
    static_assert(message<Message>, "continuo: what a timer carries" CONTINUO_DETAIL_NEEDS);
    static_assert(detail::handles<Saga, Message>, "continuo: the saga needs a handler `void on(const "
                                                  "Message&, continuo::saga_context&)` for the message "
                                                  "of its timer");
    detail::declare_timer(type_, detail::body_type_of<Message>(), detail::call_handler<Saga, Message>);
  }

private:
  template <class Event, class Correlation>
  static detail::event_declaration event(Correlation correlation) {
    return {detail::body_type_of<Event>(), detail::kept_function{correlation},
            detail::read_key<Event, Correlation>, detail::call_handler<Saga, Event>};
  }

  detail::saga_type& type_;
};

/// The base of every saga: `class fulfilment : public continuo::saga<fulfilment>`. The saga's data members,
/// listed with CONTINUO_FIELDS, are its durable state; its `on` members, which may be private, are its
/// handlers. A handler is a function of state and message: it does no I/O and acts through its context alone.
template <class Saga>
class saga {
public:
  /// The definition with its types erased. @pre `Saga` is complete.
  static detail::saga_type describe() {
    static_assert(message<Saga>,
                  "continuo: a saga lists its state with CONTINUO_FIELDS; it" CONTINUO_DETAIL_NEEDS);
    static_assert(
        requires(saga_definition<Saga> & definition) { Saga::define(definition); },
        "continuo: a saga needs `static void define(continuo::saga_definition<Saga>& saga)`");
    static_assert(!detail::field_access::has_handler_alone<Saga, saga_ended>(),
                  "continuo: a saga hears of its end in `void on(const continuo::saga_ended&, "
                  "continuo::saga_context&)`");
    void (*on_end)(void*, const saga_ended&, saga_context&) = nullptr;
    if constexpr (detail::handles<Saga, saga_ended>) {
      on_end = detail::call_end_handler<Saga>;
    }
    return detail::describe_saga(
        message_type_of<Saga>(), detail::make_state<Saga>,
        [](detail::saga_type& type) {
          saga_definition<Saga> definition{type};
          Saga::define(definition);
        },
        on_end);
  }

  friend bool operator==(const saga&, const saga&) = default;
};

} // namespace continuo
