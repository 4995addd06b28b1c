#include "nodes/dialer.hpp"

#include "actors/protocol.hpp"
#include "actors/trouble.hpp"
#include "nodes/thread_names.hpp"

#include <caf/actor_system.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <set>

namespace continuo::nodes {

namespace {

constexpr std::chrono::seconds connect_time{3};

template <class Answer>
void finish(caf::event_based_actor* self, const dialing& attempt, Answer answer) {
  if (attempt.forget) {
    attempt.forget(); // the broker had one already
  }
  self->send(attempt.link, std::move(answer));
  self->quit();
}

void dial(caf::event_based_actor* self, const std::shared_ptr<const dialing>& attempt) {
  name_thread("dialer");
  if (const auto found = attempt->knock(); !found) {
    finish(self, *attempt, actors::unreachable{found.error().message});
    return;
  }
  if (!attempt->broker) {
    self->quit();
    return;
  }
  self->request(attempt->broker, connect_time, caf::connect_atom_v, attempt->host, attempt->port)
      .then(
          [self, attempt](const caf::node_id&, caf::strong_actor_ptr& gate, const std::set<std::string>&) {
            if (gate) {
              finish(self, *attempt, actors::reached{caf::actor_cast<caf::actor>(gate)});
            } else {
              finish(self, *attempt,
                     actors::unreachable{
                         fmt::format("nothing of Continuo listens at {}:{}", attempt->host, attempt->port)});
            }
          },
          [self, attempt](const caf::error& why) {
            finish(self, *attempt,
                   actors::unreachable{fmt::format("{}:{} does not shake hands: {}", attempt->host,
                                                   attempt->port, self->system().render(why))});
          });
}

} // namespace

caf::behavior dialer_actor(caf::event_based_actor* self, dialing attempt) {
  actors::fail_node_on_trouble(self, attempt.failed);
  self->send(self, actors::link_dial{});
  return {[self, shared = std::make_shared<const dialing>(std::move(attempt))](actors::link_dial) {
    dial(self, shared);
  }};
}

} // namespace continuo::nodes
