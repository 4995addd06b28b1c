#define CAF_SUITE guide_actors

// doc: include caf
#include <continuo/caf.hpp>
// doc: end

#include <caf/test/dsl.hpp>

#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>

#include <string>

// The parts of docs/guide.md for applications that have actors of their own.
namespace guide_actors {

struct label_created {
  std::string tracking;
  CONTINUO_FIELDS(label_created, tracking)
};

struct create_label {
  using reply = label_created;
  std::string order_id;
  CONTINUO_FIELDS(create_label, order_id)
};

// doc: mount
caf::behavior label_printer(caf::event_based_actor*) {
  return {
      [](const create_label& command) -> caf::result<label_created> {
        if (command.order_id.empty()) {
          return continuo::decline_error("an order without an id");
        }
        return label_created{"track-" + command.order_id};
      },
  };
}

continuo::service labels(caf::actor_system& system) {
  return continuo::service{"labels"}.mount<create_label>(system.spawn(label_printer));
}
// doc: end

} // namespace guide_actors

using namespace guide_actors;

CAF_TEST(a mounted actor answers commands and actors ask the node) {
  caf::actor_system_config settings;
  caf::actor_system system{settings};
  // doc: own system
  auto config = continuo::node_config::in_memory();
  config.actor_system(system);
  continuo::node node{config};
  node.host(labels(system));
  // doc: end
  CAF_REQUIRE(node.start().has_value());
  const auto reply = node.client().send(create_label{"o-1"}).get();
  CAF_REQUIRE(reply.has_value());
  CAF_CHECK_EQUAL(reply->tracking, "track-o-1");
  const auto declined = node.client().send(create_label{""}).get();
  CAF_REQUIRE(!declined.has_value());
  CAF_CHECK_EQUAL(declined.error().message, "declined: an order without an id");
  std::string tracking;
  {
    caf::scoped_actor self{system};
    // doc: ask
    auto asked = continuo::caf_client(system, node.client());
    self->request(asked, caf::infinite, continuo::send_request::of(create_label{"o-2"}))
        .receive(
            [&](const continuo::command_result& end) { tracking = end.as<label_created>()->tracking; },
            [&](const caf::error& reason) { tracking = continuo::from_caf_error(reason, system).message; });
    // doc: end
  }
  CAF_CHECK_EQUAL(tracking, "track-o-2");
  node.stop();
}
