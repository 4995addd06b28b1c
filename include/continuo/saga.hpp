#pragma once

#include <continuo/context.hpp>
#include <continuo/definition.hpp>
#include <continuo/fields.hpp>

#include <concepts>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace continuo {

namespace detail {

template <class Saga, class Message>
concept handles = requires(Saga& saga, const Message& message, saga_context& context) {
  saga.on(message, context);
};

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
    return std::to_string(key);
  }
}

template <message Message, class Correlation>
key_reader make_key_reader(Correlation correlation) {
  static_assert(std::is_invocable_v<Correlation, const Message&>,
                "continuo: the correlation must be a member of the message (&order_placed::order_id) or a "
                "function of it");
  return [correlation](std::string_view payload) -> result<std::string> {
    auto body = decode<Message>(payload);
    if (!body) {
      return tl::unexpected(body.error());
    }
    auto key = correlation_key(std::invoke(correlation, std::as_const(*body)));
    if (key.empty()) {
      return fail(errc::malformed, std::string{message_name<Message>()} + ": its correlation key is empty");
    }
    return key;
  };
}

} // namespace detail

/// Says how a step is undone; returned by `saga_definition::calls`.
template <class Saga, detail::command Command>
class call_declaration {
public:
  using reply = typename Command::reply;

  explicit call_declaration(detail::saga_type& type) : type_(type) {}

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
      using undo = std::invoke_result_t<Function, const Command&, const reply*>;
      add_undo<undo>(true,
                     [function](const Command& sent, const reply* answer) { return function(sent, answer); });
    } else if constexpr (by_reference) {
      using undo = std::invoke_result_t<Function, const Command&, const reply&>;
      add_undo<undo>(
          false, [function](const Command& sent, const reply* answer) { return function(sent, *answer); });
    }
    return *this;
  }

  /// Declares that this step leaves nothing behind that would have to be undone, even if its outcome is
  /// unknown.
  call_declaration& nothing_to_undo() {
    entry().nothing_to_undo = true;
    return *this;
  }

private:
  detail::call& entry() { return type_.calls.find(message_name<Command>())->second; }

  template <class Undo, class Function>
  void add_undo(bool undoes_unknown, Function function) {
    static_assert(
        detail::command<Undo>,
        "continuo: undone_by must return a command (a type with CONTINUO_FIELDS and a member type `reply`)");
    auto& call = entry();
    call.undoes_unknown = undoes_unknown;
    call.undo_command = &message_type_of<Undo>();
    call.undo = [function](std::string_view sent,
                           const std::string_view* answer) -> result<detail::typed_bytes> {
      auto command = decode<Command>(sent);
      if (!command) {
        return tl::unexpected(command.error());
      }
      if (answer == nullptr) {
        return detail::typed_bytes{std::string{message_name<Undo>()}, encode(function(*command, nullptr))};
      }
      auto body = decode<reply>(*answer);
      if (!body) {
        return tl::unexpected(body.error());
      }
      return detail::typed_bytes{std::string{message_name<Undo>()}, encode(function(*command, &*body))};
    };
    type_.messages.push_back(&message_type_of<Undo>());
    type_.messages.push_back(&message_type_of<typename Undo::reply>());
  }

  detail::saga_type& type_;
};

/// What a saga is made of: filled once, at start, by `static void define(saga_definition<fulfilment>&)`.
template <class Saga>
class saga_definition {
public:
  explicit saga_definition(detail::saga_type& type) : type_(type) {}

  /// `Event` starts an instance under the key that `correlation` (a member or a function) reads from it.
  /// Where the instance exists, live or ended, the event is noted and dropped, unless it is declared with
  /// `on` as well.
  template <message Event, class Correlation>
  void starts_on(Correlation correlation) {
    static_assert(
        detail::handles<Saga, Event>,
        "continuo: the saga needs a handler `void on(const Event&, continuo::saga_context&)` for the event "
        "that starts it");
    auto& entry = subscribe<Event>(correlation);
    if (entry.starts) {
      type_.mistakes.push_back(type_.name + " declares starts_on<" + std::string{message_name<Event>()} +
                               "> twice");
    }
    entry.starts = true;
  }

  /// A live instance handles `Event`; one that is neither live nor startable follows `policy`.
  template <message Event, class Correlation>
  void on(Correlation correlation, unknown_instance policy) {
    static_assert(
        detail::handles<Saga, Event>,
        "continuo: the saga needs a handler `void on(const Event&, continuo::saga_context&)` for the event");
    auto& entry = subscribe<Event>(correlation);
    if (entry.handles) {
      type_.mistakes.push_back(type_.name + " declares on<" + std::string{message_name<Event>()} + "> twice");
    }
    entry.handles = true;
    entry.unknown = policy;
  }

  /// The saga sends `Command` and handles its reply. A handler `on(const continuo::failure<Command>&, ...)`
  /// is optional: without it a failure rolls the instance back with its reason.
  template <class Command>
  call_declaration<Saga, Command> calls() {
    static_assert(message<Command>, "continuo: a command needs CONTINUO_FIELDS");
    static_assert(
        requires { typename Command::reply; },
        "continuo: a command needs a member type `reply` (using reply = payment_completed;)");
    using reply = typename Command::reply;
    static_assert(detail::handles<Saga, reply>, "continuo: the saga needs a handler `void on(const Reply&, "
                                                "continuo::saga_context&)` for the reply of "
                                                "a command that it calls");
    auto [position, fresh] = type_.calls.try_emplace(std::string{message_name<Command>()});
    if (!fresh) {
      type_.mistakes.push_back(type_.name + " declares calls<" + position->first + "> twice");
    }
    auto& entry = position->second;
    entry.command = &message_type_of<Command>();
    entry.reply = &message_type_of<reply>();
    if constexpr (detail::handles<Saga, failure<Command>>) {
      entry.on_failure = [](void* state, const detail::failed_command& failed,
                            saga_context& context) -> result<void> {
        auto body = decode<Command>(failed.command);
        if (!body) {
          return tl::unexpected(body.error());
        }
        static_cast<Saga*>(state)->on(
            failure<Command>{failed.kind, std::string{failed.reason}, std::move(*body)}, context);
        return {};
      };
    }
    type_.messages.push_back(entry.command);
    add_handler<reply>();
    return call_declaration<Saga, Command>{type_};
  }

  /// The saga sets timers that carry `Message`.
  template <message Message>
  void timer() {
    static_assert(detail::handles<Saga, Message>, "continuo: the saga needs a handler `void on(const "
                                                  "Message&, continuo::saga_context&)` for the message "
                                                  "of its timer");
    type_.timers.insert(std::string{message_name<Message>()});
    add_handler<Message>();
  }

private:
  template <class Event, class Correlation>
  detail::subscription& subscribe(Correlation correlation) {
    auto& entry = type_.subscriptions[std::string{message_name<Event>()}];
    entry.event = &message_type_of<Event>();
    entry.key = detail::make_key_reader<Event>(correlation);
    add_handler<Event>();
    return entry;
  }

  template <class Message>
  void add_handler() {
    type_.messages.push_back(&message_type_of<Message>());
    type_.handlers[std::string{message_name<Message>()}] = [](void* state, std::string_view payload,
                                                              saga_context& context) -> result<void> {
      auto body = decode<Message>(payload);
      if (!body) {
        return tl::unexpected(body.error());
      }
      static_cast<Saga*>(state)->on(std::as_const(*body), context);
      return {};
    };
  }

  detail::saga_type& type_;
};

/// The base of every saga: `class fulfilment : public continuo::saga<fulfilment>`. The saga's data members,
/// listed with CONTINUO_FIELDS, are its durable state; its `on` members are its handlers. A handler is a
/// function of state and message: it does no I/O and acts through its context alone.
template <class Saga>
class saga {
public:
  /// The definition with its types erased. @pre `Saga` is complete.
  static detail::saga_type describe() {
    static_assert(message<Saga>,
                  "continuo: a saga lists its state with CONTINUO_FIELDS and is default constructible");
    static_assert(
        requires(saga_definition<Saga> & definition) { Saga::define(definition); },
        "continuo: a saga needs `static void define(continuo::saga_definition<Saga>& saga)`");
    detail::saga_type type;
    type.name = message_name<Saga>();
    type.state = &message_type_of<Saga>();
    type.version = type.state->version;
    type.create = [] { return std::make_shared<Saga>(); };
    saga_definition<Saga> definition{type};
    Saga::define(definition);
    bool startable = false;
    for (const auto& [name, subscription] : type.subscriptions) {
      startable = startable || subscription.starts;
    }
    if (!startable) {
      type.mistakes.push_back(type.name + " declares no event with starts_on, so it could never run");
    }
    return type;
  }

  friend bool operator==(const saga&, const saga&) = default;
};

} // namespace continuo
