#include "actors/gate.hpp"

#include "messages/caf_types.hpp"
#include "messages/frame_bounds.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <cstddef>
#include <utility>
#include <variant>

namespace continuo::actors {

namespace {

/// A node's name, its hosts, and what it knows: of more a stranger is not heard.
constexpr std::size_t hello_bytes_max = 1u << 20;

/// The link of the peer that begins to speak; null where it is not heard.
caf::actor link_of_speaker(caf::event_based_actor* self, const core& shared, const messages::wire& message) {
  const auto& sender = self->current_sender();
  const auto frame = message.bytes.size() <= hello_bytes_max
                         ? messages::read_frame(message.bytes)
                         : fail(errc::malformed, "a greeting is not as large");
  const auto* hello = frame ? std::get_if<messages::hello>(&frame->body) : nullptr;
  if (hello == nullptr) {
    shared.reach->hang_up(sender, "it does not begin as a node does");
    return nullptr;
  }
  if (!shared.reach->speaks_for(sender, hello->me.from)) {
    shared.reach->hang_up(sender,
                          fmt::format("it calls itself {}, and its certificate does not", hello->me.from));
    return nullptr;
  }
  if (const auto link = shared.links.find(hello->me.from); link != shared.links.end()) {
    return link->second;
  }
  messages::frame answer;
  answer.body = messages::refusal{hello->epoch, static_cast<std::uint8_t>(errc::invalid_configuration),
                                  fmt::format("{} refuses {}: the cluster file here names no such node",
                                              shared.routes.where().here(), hello->me.from)};
  if (const auto to = caf::actor_cast<caf::actor>(sender)) {
    self->send(to, messages::wire{encode(answer)});
  }
  return nullptr;
}

} // namespace

caf::behavior gate_actor(caf::event_based_actor* self, std::shared_ptr<core> shared) {
  fail_node_on_trouble(self, shared);
  // Whatever a stranger sends is dropped, and never printed.
  self->set_default_handler([](caf::scheduled_actor*, caf::message_view&) -> caf::result<caf::message> {
    return caf::sec::unexpected_message;
  });
  self->set_error_handler([](caf::scheduled_actor*, caf::error&) {}); // also where it sends one
  return {
      [self, shared](messages::wire& message) {
        if (const auto link = link_of_speaker(self, *shared, message)) {
          self->delegate(link, std::move(message));
        } else {
          shared->reach->taken(self->current_sender(), message.bytes.size());
        }
      },
  };
}

} // namespace continuo::actors
