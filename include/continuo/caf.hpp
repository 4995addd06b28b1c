#pragma once

#include <continuo/client.hpp>
#include <continuo/node.hpp>
#include <continuo/service.hpp>

#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/error.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/message.hpp>
#include <caf/response_type.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

/// For applications that have actors of their own: mount one of them as a service, and ask a node from an
/// actor. No other header of Continuo but `testing_caf.hpp` brings CAF in.
///
/// A type with CONTINUO_FIELDS may be sent between actors of one process as it is, without being registered
/// anywhere; so may the types below. Between processes Continuo's own links carry it, not CAF's.

// -- what may be sent ---------------------------------------------------------------

template <class T>
requires continuo::detail::described<T>
struct caf::allowed_unsafe_message_type<T> : std::true_type {
};

namespace continuo {

// -- errors ----------------------------------------------------------------------------

/// The error as CAF carries it: category `continuo`, the code of `errc`, the sentence as its context.
caf::error to_caf_error(const error& reason);

/// The other way. An error of another category becomes `errc::handler_failed`, with the text that `system`
/// renders for it; a request that was not answered in time becomes `errc::timed_out`.
error from_caf_error(const caf::error& reason, const caf::actor_system& system);

/// What a mounted actor answers to refuse a command, as `continuo::decline` does in a handler: a business
/// failure. Every other error is a technical failure and retried by the service's policy.
caf::error decline_error(std::string reason);

/// The reason where the error was made by `decline_error`.
std::optional<std::string> declined_reason(const caf::error& reason);

// -- asking a node from an actor -------------------------------------------------------

/// Asks for an event to be published; answered with `accepted` once it is durable, or a `caf::error`
/// (`from_caf_error`).
struct publish_request {
  std::string type;
  std::string payload;
  publish_options options;

  template <message Event>
  static publish_request of(const Event& event, publish_options options = {}) {
    const auto& type = message_type_of<Event>();
    return {type.name, type.encode(&event), std::move(options)};
  }
};

/// Asks for a command to be carried out; answered with `command_result` once its outcome is durable, whatever
/// it is: `as<Command::reply>()` reads it. A command that the node does not take is answered with a
/// `caf::error`.
struct send_request {
  std::string type;
  std::string payload;
  send_options options{};

  template <message Command>
  static send_request of(const Command& command, send_options options = {}) {
    const auto& type = message_type_of<Command>();
    return {type.name, type.encode(&command), std::move(options)};
  }
};

/// Asks for the end of an instance, now or later; answered with `saga_result`, or a `caf::error`, of the code
/// `errc::timed_out` where the time given here runs out first. The instance goes on then.
struct result_request {
  instance_id instance;
  std::optional<std::chrono::nanoseconds> timeout;

  template <class Saga>
  static result_request of(std::string key, std::optional<detail::any_duration> timeout = std::nullopt) {
    return {{std::string{message_name<Saga>()}, std::move(key)}, timeout};
  }
};

/// An actor in `system`, the application's, that takes the requests above and asks the node behind `node`,
/// which may run on any actor system. It lives until the last handle to it is gone and what it was asked is
/// answered; a node that stops answers everything, so stop the node before `system` ends. The timeout of
/// `request` is CAF's: what was asked for may still happen.
caf::actor caf_client(caf::actor_system& system, continuo::client node);

// -- mounting an actor --------------------------------------------------------------------

namespace detail {

/// What a typed actor answers to `Command`, or `caf::message` for one without types.
template <class Command, class Handle>
using answer_of = caf::response_type<typename Handle::signatures, Command>;

template <class Command, class Handle>
concept answers_with_reply = std::is_same_v<typename answer_of<Command, Handle>::type, caf::message> ||
    std::is_same_v<typename answer_of<Command, Handle>::type,
                   caf::detail::type_list<typename Command::reply>>;

/// `make` takes the command out of `body`.
void mount(service_type& service, const message_type& command, const message_type& reply,
           caf::strong_actor_ptr actor, caf::message (*make)(void* body));

} // namespace detail

template <class Command, class Handle>
service& service::mount(Handle actor) {
  static_assert(
      detail::command<Command>,
      "continuo: a mounted actor handles a command: a type with CONTINUO_FIELDS and a member type `reply`");
  static_assert(detail::answer_of<Command, Handle>::valid,
                "continuo: the mounted actor does not take this command");
  static_assert(detail::answers_with_reply<Command, Handle>,
                "continuo: the mounted actor answers this command with something else than its `reply`");
  detail::mount(type_, message_type_of<Command>(), message_type_of<typename Command::reply>(),
                caf::actor_cast<caf::strong_actor_ptr>(std::move(actor)),
                [](void* body) { return caf::make_message(std::move(*static_cast<Command*>(body))); });
  return *this;
}

} // namespace continuo

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::publish_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::send_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::result_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::accepted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::command_result)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::saga_result)
