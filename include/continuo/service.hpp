#pragma once

#include <continuo/context.hpp>
#include <continuo/definition.hpp>
#include <continuo/fields.hpp>
#include <continuo/saga.hpp>

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

namespace continuo {

namespace detail {

/// Takes a handler apart: the message it takes, its context, what it returns.
template <class Signature>
struct handler_signature {
  static constexpr bool is_one = false;
};

template <class Result, class Message, class Context>
struct handler_signature<Result(const Message&, Context&)> {
  static constexpr bool is_one = true;
  using result_type = Result;
  using message_type = Message;
};

template <class Function>
struct call_operator : call_operator<decltype(&Function::operator())> {};

template <class Result, class Owner, class... Ts>
struct call_operator<Result (Owner::*)(Ts...) const> {
  using type = Result(Ts...);
};

template <class Result, class Owner, class... Ts>
struct call_operator<Result (Owner::*)(Ts...)> {
  using type = Result(Ts...);
};

template <class Result, class... Ts>
struct call_operator<Result (*)(Ts...)> {
  using type = Result(Ts...);
};

/// Whether the types of a function's parameters are known: not of one that is generic or overloaded.
template <class Function>
concept has_types = std::is_pointer_v<Function> || requires {
  &Function::operator();
};

/// The signature of a handler of (const Message&, Context&); one that is none where it has another.
template <class Function>
constexpr auto signature_of() {
  if constexpr (has_types<Function>) {
    return handler_signature<typename call_operator<Function>::type>{};
  } else {
    return handler_signature<void>{};
  }
}

template <class T>
struct is_outcome : std::false_type {};
template <class Reply>
struct is_outcome<outcome<Reply>> : std::true_type {};

} // namespace detail

/// A stateless service: handlers of commands (and events) with effects in the outside world. A handler runs
/// on a thread of its own, so it may block; it starts only when its message's cause is durable, at least
/// once, and always with the same idempotency key. An exception is a technical failure and retried by the
/// policy; `decline` is a business failure.
class service {
public:
  explicit service(std::string name);

  // -- handlers -----------------------------------------------------------------
  /// Handles a command: `outcome<Command::reply> (const Command&, command_context&)`.
  template <class Function>
  service& handle(Function function) {
    using signature = decltype(detail::signature_of<Function>());
    static_assert(signature::is_one, "continuo: the handler of a command takes (const Command&, "
                                     "continuo::command_context&), both written out: no auto, no overloads");
    if constexpr (signature::is_one) {
      add<typename signature::message_type, typename signature::result_type>(std::move(function));
    }
    return *this;
  }

  /// Handles an event: `void (const Event&, command_context&)`. At least once, with the same idempotency key
  /// each time.
  template <class Function>
  service& on(Function function) {
    using signature = decltype(detail::signature_of<Function>());
    static_assert(signature::is_one, "continuo: the handler of an event takes (const Event&, "
                                     "continuo::command_context&), both written out: no auto, no overloads");
    if constexpr (signature::is_one) {
      using Event = typename signature::message_type;
      static_assert(message<Event>, "continuo: an event" CONTINUO_DETAIL_NEEDS);
      detail::add_event(type_, detail::body_type_of<Event>(), detail::kept_function{std::move(function)},
                        [](void* kept, const void* body, command_context& context) {
                          (*static_cast<Function*>(kept))(*static_cast<const Event*>(body), context);
                        });
    }
    return *this;
  }

  /// An actor of the application handles `Command` and answers with `Command::reply`. Needs
  /// `<continuo/caf.hpp>`.
  template <class Command, class Handle>
  service& mount(Handle actor);

  /// An HTTP endpoint handles `Command`: an attempt is a POST of its JSON to `url` (`http://HOST:PORT/PATH`)
  /// with the headers Idempotency-Key, Continuo-Message-Type, Continuo-Attempt and Continuo-Instance (who
  /// asks, as `type/key`). 2xx: the body is `Command::reply` as JSON. 422 with `{"reason": "..."}`: declined.
  /// Anything else, and no answer within the timeout of the retry policy, is a technical failure. At most
  /// `concurrency` calls run at a time, each on a connection that is kept for the next one.
  template <class Command>
  service& calls_http(std::string url) {
    static_assert(message<Command>, "continuo: a command" CONTINUO_DETAIL_NEEDS);
    static_assert(
        requires { typename Command::reply; },
        "continuo: a command needs a member type `reply` (using reply = payment_completed;)");
    detail::add_command(type_, message_type_of<Command>(), message_type_of<typename Command::reply>(),
                        std::move(url));
    return *this;
  }

  // -- settings -----------------------------------------------------------------
  /// At most so many handlers of this service run at a time; others wait. Default 8.
  service& concurrency(std::uint32_t limit);

  /// No more handlers of this service start than that, on each of its nodes. Default: no limit but
  /// `concurrency`.
  service& rate(rate_limit limit);

  /// Of commands with the same key one handler at a time runs on a node, as for calls that concern one
  /// customer. `key` is a member of the command or a function of it, as for a saga; empty: that command runs
  /// beside all others. Commands of several types share their keys. What a function throws counts as one key
  /// of its own, which the log says. Between two attempts the key is free for others. On several nodes each
  /// counts for itself. The function must be quick: it runs on the service's actor, again for each attempt.
  template <class Command, class Key>
  service& per_key(Key key) {
    static_assert(message<Command>, "continuo: a command" CONTINUO_DETAIL_NEEDS);
    detail::add_turn_key(type_, detail::body_type_of<Command>(), detail::kept_function{std::move(key)},
                         detail::read_key<Command, Key>);
    return *this;
  }

  /// How urgent a command is (`continuo::priority (const Command&)`); without it `normal`. Decides who starts
  /// next where more wait than may run. In each class the order is that of arrival, an attempt that is
  /// repeated arrives again. What the function throws is `normal`, and the log says so. As quick as a key.
  template <class Command, class Function>
  service& priority(Function function) {
    static_assert(message<Command>, "continuo: a command" CONTINUO_DETAIL_NEEDS);
    static_assert(std::is_invocable_r_v<continuo::priority, const Function&, const Command&>,
                  "continuo: what says how urgent a command is takes (const Command&) and returns "
                  "continuo::priority");
    if constexpr (std::is_invocable_r_v<continuo::priority, const Function&, const Command&>) {
      detail::add_priority(type_, detail::body_type_of<Command>(), detail::kept_function{std::move(function)},
                           [](void* kept, const void* body) -> continuo::priority {
                             return (*static_cast<const Function*>(kept))(*static_cast<const Command*>(body));
                           });
    }
    return *this;
  }

  /// Stops calling what fails, and tries it again by itself. Default: it goes on.
  service& breaker(breaker_policy policy);

  service& retry(retry_policy policy) {
    type_.retry = policy;
    return *this;
  }

  service& when_exhausted(exhausted what) {
    type_.when_exhausted = what;
    return *this;
  }

  /// The handlers have no effects outside their reply: they run at memory speed, on the service's actor,
  /// before their cause is durable, and must not block.
  service& pure() {
    type_.pure = true;
    return *this;
  }

  /// The effects are deduplicated by the idempotency key, so a command may also run on another node.
  service& idempotent() {
    type_.idempotent = true;
    return *this;
  }

  /// The definition with its types erased.
  const detail::service_type& describe() const { return type_; }

private:
  template <class Command, class Result, class Function>
  void add(Function function) {
    using reply = typename detail::reply_type<Command>::type;
    static_assert(message<Command>, "continuo: a command" CONTINUO_DETAIL_NEEDS);
    static_assert(!std::is_void_v<reply>,
                  "continuo: a command needs a member type `reply` (using reply = payment_completed;)");
    static_assert(std::is_void_v<reply> || std::is_same_v<Result, outcome<reply>>,
                  "continuo: the handler of a command returns continuo::outcome<Command::reply>");
    if constexpr (message<Command> && std::is_same_v<Result, outcome<reply>>) {
      detail::add_command(type_, detail::body_type_of<Command>(), message_type_of<reply>(),
                          detail::kept_function{std::move(function)},
                          [](void* kept, const void* body, command_context& context) {
                            return detail::to_handled(
                                (*static_cast<Function*>(kept))(*static_cast<const Command*>(body), context));
                          });
    }
  }

  detail::service_type type_;
};

/// A service with a durable state for each key, such as the balance of an account. The commands of one key
/// are handled one at a time, in the order in which each sender sent them. A handler is a function (state,
/// command) -> (state, outcome): it has no effects but these, and runs at memory speed.
template <class State>
class keyed_service {
  static_assert(message<State>, "continuo: the state of a keyed service" CONTINUO_DETAIL_NEEDS);

public:
  explicit keyed_service(std::string name) {
    detail::describe_keyed_service(type_, std::move(name), message_type_of<State>(),
                                   detail::make_state<State>);
  }

  /// Handles a command under the key that `key` (a member or a function) reads from it:
  /// `outcome<Command::reply> (State&, const Command&, keyed_context&)`. A declined or failed command leaves
  /// the state as it was.
  template <class Key, class Function>
  keyed_service& handle(Key key, Function function) {
    static_assert(
        requires { &Function::operator(); },
        "continuo: the handler of a keyed service takes (State&, const Command&, continuo::keyed_context&), "
        "all written out: no auto, no overloads");
    if constexpr (requires { &Function::operator(); }) {
      add(key, std::move(function), &Function::operator());
    }
    return *this;
  }

  /// As for a service; `timeout` has no meaning here.
  keyed_service& retry(retry_policy policy) {
    type_.retry = policy;
    return *this;
  }

  /// The definition with its types erased.
  const detail::keyed_service_type& describe() const { return type_; }

private:
  template <class Key, class Function, class Reply, class Command>
  void add(Key key, Function function,
           outcome<Reply> (Function::*)(State&, const Command&, keyed_context&) const) {
    static_assert(message<Command>, "continuo: a command" CONTINUO_DETAIL_NEEDS);
    static_assert(
        requires { typename Command::reply; },
        "continuo: a command needs a member type `reply` (using reply = withdrawn;)");
    static_assert(std::is_same_v<Reply, typename detail::reply_type<Command>::type>,
                  "continuo: the handler of a command returns continuo::outcome<Command::reply>");
    detail::add_command(type_, detail::body_type_of<Command>(), message_type_of<Reply>(),
                        detail::kept_function{key}, detail::read_key<Command, Key>,
                        detail::kept_function{std::move(function)},
                        [](void* kept, void* state, const void* body, keyed_context& context) {
                          return detail::to_handled((*static_cast<const Function*>(kept))(
                              *static_cast<State*>(state), *static_cast<const Command*>(body), context));
                        });
  }

  template <class Key, class Function>
  void add(Key, Function, ...) {
    static_assert(std::is_void_v<Function>,
                  "continuo: the handler of a keyed service is `continuo::outcome<Command::reply> (State&, "
                  "const Command&, continuo::keyed_context&) const`");
  }

  detail::keyed_service_type type_;
};

} // namespace continuo
