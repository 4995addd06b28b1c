#define CAF_SUITE guide_workflows

#include <continuo/node.hpp>
#include <continuo/testing_saga.hpp>
#include <continuo/workflow.hpp>

#include <caf/test/dsl.hpp>

#include <chrono>
#include <string>
#include <vector>

// The chapter "Workflows" of docs/guide.md.
namespace guide_workflows {

using namespace std::chrono_literals;

// doc: messages
struct line {
  std::string sku;
  std::int64_t pieces = 0;
  CONTINUO_FIELDS(line, sku, pieces)
};

struct order_placed {
  std::string id;
  std::int64_t cents = 0;
  std::vector<line> lines;
  CONTINUO_FIELDS(order_placed, id, cents, lines)
};

struct order_approved {
  std::string id;
  CONTINUO_FIELDS(order_approved, id)
};

struct reserved {
  CONTINUO_FIELDS(reserved)
};

struct reserve {
  using reply = reserved;
  std::string id;
  line what;
  CONTINUO_FIELDS(reserve, id, what)
};

struct released {
  CONTINUO_FIELDS(released)
};

/// Succeeds where nothing was reserved.
struct release {
  using reply = released;
  std::string id;
  std::string sku;
  CONTINUO_FIELDS(release, id, sku)
};

struct label_created {
  std::string tracking;
  CONTINUO_FIELDS(label_created, tracking)
};

struct create_label {
  using reply = label_created;
  std::string id;
  CONTINUO_FIELDS(create_label, id)
};
// doc: end

// doc: workflow
continuo::workflow<std::string> fulfil(order_placed order, continuo::flow& flow) {
  std::vector<continuo::step<reserved>> reservations;
  for (const auto& line : order.lines) { // side by side
    auto& one = reservations.emplace_back(flow.call("reserve/" + line.sku, reserve{order.id, line}));
    one.undone_by(release{order.id, line.sku});
  }
  auto all = flow.all(reservations);
  co_await all; // the first failure rolls back; what is open is given up

  if (order.cents > 100'000) {
    auto approval = flow.expect<order_approved>("approval", 72h);
    co_await approval;
    if (!approval) {
      flow.roll_back("nobody approved");
    }
  }

  auto label = flow.call("label", create_label{order.id});
  label.within(2h);
  auto outcome = label.outcome(); // a failure as a value
  co_await outcome;
  co_return outcome ? outcome->tracking : "collect it at the counter";
}
// doc: end

continuo::detail::saga_type described() {
  // doc: type
  continuo::workflow_type type{"fulfil", fulfil};
  type.starts_on<order_placed>(&order_placed::id)
      .hears<order_approved>(&order_approved::id, continuo::unknown_instance::discard)
      .calls<reserve>() // so that a node does not start without somebody who handles it
      .calls<create_label>();
  // doc: end
  return type;
}

// doc: child
struct wrapped_up {
  std::string box;
  CONTINUO_FIELDS(wrapped_up, box)
};

struct wrap {
  using reply = wrapped_up;
  std::string id;
  CONTINUO_FIELDS(wrap, id)
};

struct address_changed {
  CONTINUO_FIELDS(address_changed)
};

struct change_address {
  using reply = address_changed;
  std::string id;
  std::string address;
  CONTINUO_FIELDS(change_address, id, address)
};

continuo::workflow<wrapped_up> wrapping(wrap wish, continuo::flow& flow) {
  flow.says("waiting for the glue"); // shown with the instance
  auto glue = flow.timer("glue", 1h);
  co_await glue;
  co_return wrapped_up{"a box for " + wish.id};
}

continuo::workflow<std::string> deliver(order_placed order, continuo::flow& flow) {
  std::string address = "the customer";
  auto open =
      flow.accept<change_address>([&](const change_address& wish) -> continuo::outcome<address_changed> {
        if (wish.address.empty()) {
          return continuo::decline("an address is missing");
        }
        address = wish.address;
        return address_changed{};
      });
  auto box = flow.call("wrap", wrap{order.id}); // a command like any other
  co_await box;
  co_return box->box + ", to " + address;
}
// doc: end

} // namespace guide_workflows

using namespace guide_workflows;
using continuo::instance_status;

CAF_TEST(the workflow of the guide runs on a node) {
  continuo::node node{continuo::node_config::in_memory()};
  node.host(continuo::service{"stock"}
                .handle([](const reserve&, continuo::command_context&) -> continuo::outcome<reserved> {
                  return reserved{};
                })
                .handle([](const release&, continuo::command_context&) -> continuo::outcome<released> {
                  return released{};
                })
                .handle([](const create_label& command,
                           continuo::command_context&) -> continuo::outcome<label_created> {
                  return label_created{"track-" + command.id};
                }));
  node.host(described());
  CAF_REQUIRE(node.start());
  auto client = node.client();
  auto end = client.result_of({"fulfil", "o-1"});
  CAF_REQUIRE(client.publish(order_placed{"o-1", 4'200, {{"tea", 2}, {"cup", 1}}}).get());
  const auto ended = end.get();
  CAF_REQUIRE(ended);
  CAF_CHECK_EQUAL(ended->text(), "track-o-1");
  node.stop();
}

CAF_TEST(the workflow of the guide alone) {
  // doc: alone
  continuo::testing::workflow_alone alone{described()};
  const auto start = alone.receives(order_placed{"o-2", 200'000, {{"tea", 2}, {"cup", 1}}});
  CAF_CHECK_EQUAL(start.all<reserve>().size(), 2u);
  alone.answered("reserve/cup", reserved{});
  alone.answered("reserve/tea", reserved{});
  alone.leave_memory(); // as a restart would
  const auto overdue = alone.advance_time(72h);
  CAF_CHECK_EQUAL(alone.reason(), "nobody approved");
  CAF_CHECK_EQUAL(overdue.only<release>().sku, "tea"); // what was done last comes first
  // doc: end
  const auto next = alone.undone<release>(released{});
  CAF_CHECK_EQUAL(next.only<release>().sku, "cup");
  alone.undone<release>(released{});
  CAF_CHECK(alone.status() == instance_status::compensated);
}

CAF_TEST(a child and an update) {
  // doc: child type
  continuo::workflow_type child{"wrapping", wrapping};
  child.starts_on_command<wrap>(&wrap::id, continuo::second_starter::declined);
  continuo::workflow_type parent{"deliver", deliver};
  parent.starts_on<order_placed>(&order_placed::id)
      .answers<change_address>(&change_address::id)
      .calls<wrap>();
  // doc: end
  // doc: child alone
  continuo::testing::workflow_alone alone{parent};
  alone.receives(order_placed{"o-3", 4'200, {}});
  alone.takes(change_address{"o-3", "the neighbour"}).answer<address_changed>();
  CAF_CHECK_EQUAL(alone.takes(change_address{"o-3", ""}).refusal(), "an address is missing");
  alone.leave_memory();
  alone.answered("wrap", wrapped_up{"a box"});
  CAF_CHECK_EQUAL(alone.result_text(), "\"a box, to the neighbour\"");
  // doc: end
  continuo::testing::workflow_alone other{child};
  other.takes(wrap{"o-3"});
  CAF_CHECK_EQUAL(other.advance_time(1h).answer<wrapped_up>().box, "a box for o-3");
}
