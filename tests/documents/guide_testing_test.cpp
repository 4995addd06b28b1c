#define CAF_SUITE guide_testing

#include "engine/saga_machine.hpp"

#include <continuo/node.hpp>
#include <continuo/testing_caf.hpp>

#include <caf/test/dsl.hpp>

#include <string>

// The chapter "Testing" of docs/guide.md.
namespace guide_testing {

struct order_placed {
  std::string order_id;
  CONTINUO_FIELDS(order_placed, order_id)
};

struct label_created {
  std::string tracking;
  CONTINUO_FIELDS(label_created, tracking)
};

struct create_label {
  using reply = label_created;
  std::string order_id;
  CONTINUO_FIELDS(create_label, order_id)
};

class shipping : public continuo::saga<shipping> {
public:
  static void define(continuo::saga_definition<shipping>& saga) {
    saga.starts_on<order_placed>(&order_placed::order_id);
    saga.calls<create_label>().nothing_to_undo();
  }

  void on(const order_placed& event, continuo::saga_context& context) {
    context.send(create_label{event.order_id});
  }

  void on(const label_created& reply, continuo::saga_context& context) { context.complete(reply.tracking); }

  CONTINUO_FIELDS(shipping)
};

} // namespace guide_testing

using namespace guide_testing;

// doc: kit
CAF_TEST(an order out of stock is compensated whatever crashes) {
  continuo::testing::for_each_crash_point([](continuo::testing::cluster& cluster) {
    cluster.offer<shipping>();
    cluster.fake<create_label>("warehouse").declines("out of stock");
    cluster.add("shop", {"shipping"});
    cluster.add("hall", {"warehouse"});
    cluster.publish(order_placed{"o-1"});
    cluster.run();
    cluster.saga_of<shipping>("o-1").should_be_compensated_because("out of stock");
  });
}
// doc: end

// doc: in memory
CAF_TEST(an order out of stock is compensated by a whole node) {
  auto warehouse = continuo::service{"warehouse"}.handle(
      [](const create_label&, continuo::command_context&) -> continuo::outcome<label_created> {
        return continuo::decline("out of stock");
      });
  continuo::node node{continuo::node_config::in_memory()};
  node.host(warehouse);
  node.host<shipping>();
  CAF_REQUIRE(node.start().has_value());
  auto end = node.client().publish(order_placed{"o-1"}).result_of<shipping>().get();
  CAF_REQUIRE(end.has_value());
  CAF_CHECK_EQUAL(end->reason, "create_label failed: out of stock");
}
// doc: end

CAF_TEST(an order that is placed asks for its label) {
  using namespace continuo;
  auto type = shipping::describe();
  service warehouse{"warehouse"};
  warehouse.handle(
      [](const create_label&, command_context&) -> outcome<label_created> { return decline(""); });
  engine::routing_table routes;
  CAF_REQUIRE(routes.add(type).has_value());
  CAF_REQUIRE(routes.add(warehouse.describe()).has_value());
  engine::saga_environment environment;
  environment.type = &type;
  environment.routes = &routes;
  environment.store = 7;
  engine::saga_machine machine{environment, {"shipping", "o-1"}, std::nullopt};

  engine::envelope placed;
  placed.id = {7, 1, 0};
  placed.kind = engine::message_kind::event;
  placed.from = {"continuo.publish", to_string(placed.id)};
  placed.to = {"shipping", "o-1"};
  placed.type = "order_placed";
  placed.payload = encode(order_placed{"o-1"});
  const auto decided = machine.receive(placed, engine::moment{}, 2);

  CAF_CHECK_EQUAL(std::string{decided.edge}, "start");
  CAF_CHECK(decided.sent.empty());
  CAF_REQUIRE_EQUAL(decided.released.size(),
                    1u); // only when the transition is durable: a label is an effect outside
  CAF_CHECK_EQUAL(decided.released.front().type, "create_label");
  CAF_CHECK_EQUAL(machine.current().requests.size(), 1u);
}
