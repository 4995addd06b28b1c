#define CAF_SUITE orders

#include "tests/support/orders.hpp"

#include <caf/test/dsl.hpp>

using namespace continuo;
using namespace continuo::tests;

namespace {

struct fixture {
  outside_world outside;
  world here{order_workflow(outside)};

  fixture() { CAF_REQUIRE(here.start().has_value()); }

  /// The outcome as one line.
  std::string end_of(const std::string& order) {
    const pending<saga_result> end{here.client().result_of<fulfilment>(order)};
    here.run();
    if (!end.is_ready()) {
      return here.status_of("fulfilment", order);
    }
    const auto& outcome = end.get();
    return outcome ? std::string{to_string(outcome->status)} + ": " + outcome->text() + outcome->reason
                   : outcome.error().message;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(orders_tests, fixture)

CAF_TEST(an order is paid then shipped) {
  const auto sent = here.publish(order_placed{"o-1", 4200});
  CAF_REQUIRE(sent.get().has_value());
  CAF_CHECK_EQUAL(sent.get()->instances.size(), 1u);
  CAF_CHECK_EQUAL(end_of("o-1"), "completed: track-o-1");
  CAF_CHECK_EQUAL(outside.count("charge", "o-1"), 1u);
  CAF_CHECK_EQUAL(outside.count("label", "o-1"), 1u);
  CAF_CHECK_EQUAL(outside.count("refund"), 0u);
}

CAF_TEST(a declined payment rejects the order) {
  here.publish(order_placed{"o-2", 100'001});
  CAF_CHECK_EQUAL(end_of("o-2"), "compensated: make_payment failed: amount over the limit");
  CAF_CHECK_EQUAL(outside.effects.size(), 0u);
}

CAF_TEST(promise 5 - no stock refunds the payment) {
  here.publish(order_placed{"none-1", 100});
  CAF_CHECK_EQUAL(end_of("none-1"), "compensated: create_label failed: out of stock");
  CAF_CHECK_EQUAL(outside.count("charge", "none-1"), 1u);
  CAF_CHECK_EQUAL(outside.count("refund", "none-1"), 1u);
}

CAF_TEST(a payment that does not come in time is rolled back) {
  outside.before = [](const outside_world::effect& what, std::uint32_t) {
    if (what.kind == "charge") {
      throw std::runtime_error{"the bank does not answer"};
    }
  };
  here.config();
  here.publish(order_placed{"o-3", 100});
  CAF_CHECK_EQUAL(here.status_of("fulfilment", "o-3"), "running");
  here.run_for(std::chrono::seconds{1}); // three attempts
  CAF_CHECK_EQUAL(end_of("o-3").substr(0, 38), "compensated: make_payment failed: 3 at");
  CAF_CHECK_EQUAL(outside.count("charge"), 0u);
}

CAF_TEST(the history tells what came and went) {
  here.publish(order_placed{"o-4", 100});
  here.run();
  const auto history = here.finish(here.client().history({"fulfilment", "o-4"}));
  CAF_REQUIRE(history.has_value());
  std::string told;
  for (const auto& entry : *history) {
    told += entry.what + "(" + entry.message + ")";
    for (const auto& sent : entry.sent) {
      told += " > " + sent;
    }
    told += "; ";
  }
  CAF_CHECK_EQUAL(told, "start(order_placed) > make_payment; reply(payment_completed) > create_label; "
                        "reply(label_created); ");
}

CAF_TEST(an instance says what it waits for) {
  outside.before = [](const outside_world::effect&, std::uint32_t) { throw std::runtime_error{"down"}; };
  here.publish(order_placed{"o-5", 100});
  const auto seen = here.show("fulfilment", "o-5");
  CAF_REQUIRE(seen.has_value());
  CAF_REQUIRE_EQUAL(seen->waiting_for.size(), 2u);
  CAF_CHECK_EQUAL(seen->waiting_for[0].kind, "reply");
  CAF_CHECK_EQUAL(seen->waiting_for[0].what, "make_payment");
  CAF_CHECK_EQUAL(seen->waiting_for[1].kind, "timer");
  CAF_CHECK_EQUAL(seen->waiting_for[1].what, "overdue");
  CAF_CHECK_EQUAL(seen->state, "{\"order_id\":\"o-5\"}");
}

CAF_TEST(an ended order leaves nothing behind but its record) {
  here.publish(order_placed{"o-6", 100});
  CAF_CHECK_EQUAL(end_of("o-6"), "completed: track-o-6");
  here.run_for(std::chrono::seconds{5});
  std::string keys;
  CAF_REQUIRE(here.node()
                  .open_core()
                  ->store
                  ->scan("r",
                         [&](std::string_view key, std::string_view) {
                           keys += std::string{key.substr(1)} + ";";
                           return true;
                         })
                  .has_value());
  CAF_CHECK_EQUAL(keys, (std::string{"fulfilment\0o-6;", 15}));
  CAF_CHECK_EQUAL(here.node().figures().in_flight, 0);
  CAF_CHECK_EQUAL(here.node().figures().orphaned, 0u);
}

CAF_TEST_FIXTURE_SCOPE_END()
