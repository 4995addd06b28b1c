#include "messages/application.hpp"

#include <continuo/caf.hpp>

#include "actors/waiting.hpp"

#include <caf/detail/behavior_impl.hpp>
#include <caf/response_promise.hpp>
#include <caf/sec.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>

#include <fmt/format.h>

#include <typeindex>
#include <unordered_map>

namespace continuo {

namespace {

const auto own_category = caf::atom("continuo");
const auto declined_category = caf::atom("declined");

/// The text that an error carries; empty where it carries something else.
std::string text_of(const caf::error& reason) {
  const auto& context = reason.context();
  return context.match_elements<std::string>() ? context.get_as<std::string>(0) : std::string{};
}

/// The node has answered: its thread sends this to the actor that was asked, which owns the promise.
struct node_answer {
  std::uint64_t number = 0;
  caf::message value;
  std::optional<error> failed;
};

struct bridge_state {
  std::unordered_map<std::uint64_t, caf::response_promise> open;
  std::uint64_t last_number = 0;
  static inline const char* name = "continuo.client";
};

} // namespace

} // namespace continuo

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::node_answer)

namespace continuo {

namespace {

using bridge = caf::stateful_actor<bridge_state>;

/// Keeps the promise of the request being handled, and makes the function that the node calls on a thread of
/// its own. The function keeps the actor alive.
template <class T>
std::function<void(result<T>)> answer_later(bridge* self) {
  const auto number = ++self->state.last_number;
  self->state.open.emplace(number, self->make_response_promise());
  return [number, home = caf::actor_cast<caf::actor>(self)](result<T> answer) {
    if (answer) {
      caf::anon_send(home, node_answer{number, caf::make_message(std::move(*answer)), std::nullopt});
    } else {
      caf::anon_send(home, node_answer{number, {}, answer.error()});
    }
  };
}

void on_answer(bridge* self, const node_answer& answer) {
  auto promise = self->state.open.extract(answer.number);
  if (promise.empty()) {
    return;
  }
  if (answer.failed) {
    promise.mapped().deliver(to_caf_error(*answer.failed));
  } else {
    promise.mapped().deliver(answer.value);
  }
}

caf::behavior bridge_actor(bridge* self, const client& node) {
  return {
      [self, node](const publish_request& asks) {
        node.publish(asks.type, asks.payload, asks.options, answer_later<accepted>(self));
      },
      [self, node](const send_request& asks) {
        node.send(asks.type, asks.payload, {}, answer_later<command_result>(self), asks.options);
      },
      [self, node](const result_request& asks) {
        node.result_of(asks.instance, asks.timeout, answer_later<saga_result>(self));
      },
      [self](const node_answer& answer) { on_answer(self, answer); },
  };
}

} // namespace

// -- errors ---------------------------------------------------------------------------------

caf::error to_caf_error(const error& reason) {
  return {static_cast<std::uint8_t>(reason.code), own_category, caf::make_message(reason.message)};
}

error from_caf_error(const caf::error& reason, const caf::actor_system& system) {
  if (reason.category() == own_category) {
    return {static_cast<errc>(reason.code()), text_of(reason)};
  }
  if (reason == caf::sec::request_timeout) {
    return {errc::timed_out, "the actor did not answer in time"};
  }
  return {errc::handler_failed, system.render(reason)};
}

caf::error decline_error(std::string reason) {
  return {1, declined_category, caf::make_message(std::move(reason))};
}

std::optional<std::string> declined_reason(const caf::error& reason) {
  if (reason.category() != declined_category) {
    return std::nullopt;
  }
  return text_of(reason);
}

// -- actors -----------------------------------------------------------------------------------

caf::actor caf_client(caf::actor_system& system, continuo::client node) {
  return system.spawn(bridge_actor, std::move(node));
}

// -- mounted actors -----------------------------------------------------------------------------

namespace {

using answer_function = std::function<void(result<detail::handled>)>;

/// Turns the error of a mounted actor into the end of an attempt.
result<detail::handled> failed_mounted(const caf::error& reason, const caf::actor_system& system) {
  if (auto declined = declined_reason(reason)) {
    return detail::handled{true, std::move(*declined)};
  }
  return fail(errc::handler_failed, "the mounted actor: " + from_caf_error(reason, system).message);
}

/// Takes the answer of a mounted actor, whatever the type of its reply: CAF's own behaviours would be made
/// anew for each type, in the application, which takes its compiler seconds.
class mounted_answer final : public caf::detail::behavior_impl {
public:
  mounted_answer(const message_type& reply, answer_function answer, const caf::actor_system& system)
      : reply_(reply), answer_(std::move(answer)), system_(system) {}

  /// What matches neither goes back to CAF, which calls again with the error `unexpected_response`.
  caf::match_case::result invoke(caf::detail::invoke_result_visitor& visitor,
                                 caf::type_erased_tuple& answered) override {
    if (answered.match_elements<caf::error>()) {
      answer_(failed_mounted(answered.get_as<caf::error>(0), system_));
    } else if (is_reply(answered)) {
      answer_(call_application(
          errc::handler_failed,
          [&] {
            return detail::handled{false, reply_.encode(answered.get(0))};
          },
          "the answer of the mounted actor: "));
    } else {
      return caf::match_case::no_match;
    }
    visitor(caf::unit);
    return caf::match_case::match;
  }

private:
  bool is_reply(const caf::type_erased_tuple& answered) const {
    if (answered.size() != 1) {
      return false;
    }
    const auto* type = answered.type(0).second; // null: one of CAF's own
    return type != nullptr && std::type_index{*type} == reply_.cpp;
  }

  const message_type& reply_;
  answer_function answer_;
  const caf::actor_system& system_;
};

} // namespace

void detail::mount(service_type& service, const message_type& command, const message_type& reply,
                   caf::strong_actor_ptr actor, caf::message (*make)(void* body)) {
  if (!actor) {
    add_command(service, command, reply, mounted_request{});
    service.mistakes.push_back(service.name + " mounts no actor for " + command.name);
    return;
  }
  const auto* system = actor->home_system;
  auto ask = [&command, &reply, actor = caf::actor_cast<caf::actor>(actor),
              make](void* asker, const std::string& payload, std::chrono::milliseconds timeout,
                    answer_function answer) {
    auto* self = static_cast<caf::event_based_actor*>(asker);
    auto body = command.decode(payload).and_then([make](const std::shared_ptr<void>& read) {
      return call_application(errc::handler_failed, [&] { return make(read.get()); });
    });
    if (!body) {
      answer(tl::unexpected(std::move(body.error())));
      return;
    }
    const auto bounded = std::min(timeout, detail::saturated<std::chrono::milliseconds>(actors::delay_max));
    const auto asked = self->request(actor, bounded, std::move(*body));
    self->add_multiplexed_response_handler(
        asked.id(), caf::behavior{caf::behavior::impl_ptr{
                        caf::make_counted<mounted_answer>(reply, std::move(answer), self->system())}});
  };
  add_command(service, command, reply, std::move(ask)).mounted_system = system;
}

} // namespace continuo
