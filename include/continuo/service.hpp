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
struct handler_signature;

template <class Result, class Message, class Context>
struct handler_signature<Result(const Message&, Context&)> {
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

template <class Function>
using signature_of = handler_signature<typename call_operator<std::decay_t<Function>>::type>;

template <class Reply>
handled to_handled(const outcome<Reply>& value) {
  return to_handled(message_type_of<Reply>(), value.is_declined() ? nullptr : &value.reply(), value.reason());
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
    using signature = detail::signature_of<Function>;
    using Command = typename signature::message_type;
    static_assert(message<Command>, "continuo: a command needs CONTINUO_FIELDS");
    static_assert(
        requires { typename Command::reply; },
        "continuo: a command needs a member type `reply` (using reply = payment_completed;)");
    static_assert(std::is_same_v<typename signature::result_type, outcome<typename Command::reply>>,
                  "continuo: the handler of a command returns continuo::outcome<Command::reply>");
    detail::add_command(type_, detail::body_type_of<Command>(), message_type_of<typename Command::reply>(),
                        detail::kept_function{std::move(function)},
                        [](void* kept, const void* body, command_context& context) {
                          return detail::to_handled(
                              (*static_cast<Function*>(kept))(*static_cast<const Command*>(body), context));
                        });
    return *this;
  }

  /// Handles an event: `void (const Event&, command_context&)`. At least once, with the same idempotency key
  /// each time.
  template <class Function>
  service& on(Function function) {
    using signature = detail::signature_of<Function>;
    using Event = typename signature::message_type;
    static_assert(message<Event>, "continuo: an event needs CONTINUO_FIELDS");
    detail::add_event(type_, detail::body_type_of<Event>(), detail::kept_function{std::move(function)},
                      [](void* kept, const void* body, command_context& context) {
                        (*static_cast<Function*>(kept))(*static_cast<const Event*>(body), context);
                      });
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
  template <message Command>
  service& calls_http(std::string url) {
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
  detail::service_type type_;
};

/// A service with a durable state for each key, such as the balance of an account. The commands of one key
/// are handled one at a time, in the order in which each sender sent them. A handler is a function (state,
/// command) -> (state, outcome): it has no effects but these, and runs at memory speed.
template <message State>
class keyed_service {
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
    return add(key, std::move(function), &Function::operator());
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
  keyed_service& add(Key key, Function function,
                     outcome<Reply> (Function::*)(State&, const Command&, keyed_context&) const) {
    static_assert(
        detail::command<Command>,
        "continuo: a command needs CONTINUO_FIELDS and a member type `reply` (using reply = withdrawn;)");
    static_assert(std::is_same_v<Reply, typename Command::reply>,
                  "continuo: the handler of a command returns continuo::outcome<Command::reply>");
    detail::add_command(type_, detail::body_type_of<Command>(), message_type_of<Reply>(),
                        detail::kept_function{key}, detail::read_key<Command, Key>,
                        detail::kept_function{std::move(function)},
                        [](void* kept, void* state, const void* body, keyed_context& context) {
                          return detail::to_handled((*static_cast<const Function*>(kept))(
                              *static_cast<State*>(state), *static_cast<const Command*>(body), context));
                        });
    return *this;
  }

  detail::keyed_service_type type_;
};

} // namespace continuo
