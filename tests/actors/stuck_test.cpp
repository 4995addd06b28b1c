#define CAF_SUITE stuck

#include "tests/support/no_orphans.hpp"
#include "tests/support/orders.hpp"

#include <caf/test/dsl.hpp>

using namespace continuo;
using namespace continuo::tests;

namespace {

/// Subscribes to an approval and forgets to send its next command.
class forgetful : public saga<forgetful> {
public:
  static void define(saga_definition<forgetful>& saga) {
    saga.starts_on<order_placed>(&order_placed::order_id);
    saga.on<order_cancelled>(&order_cancelled::order_id, unknown_instance::dead_letter);
    saga.calls<make_payment>().nothing_to_undo();
  }
  void on(const order_placed& event, saga_context& context) {
    if (event.cents == 1) {
      context.expect<order_cancelled>();
    }
  }
  void on(const order_cancelled&, saga_context& context) { context.complete(); }
  void on(const payment_completed&, saga_context&) {}
  CONTINUO_FIELDS(forgetful)
};

/// Throws as long as it is told to.
bool broken = false;

class fragile : public saga<fragile> {
public:
  static void define(saga_definition<fragile>& saga) {
    saga.starts_on<order_placed>(&order_placed::order_id);
    saga.on<order_cancelled>(&order_cancelled::order_id, unknown_instance::discard);
  }
  void on(const order_placed&, saga_context& context) { context.expect<order_cancelled>(); }
  void on(const order_cancelled&, saga_context& context) {
    ++seen;
    if (broken) {
      throw std::runtime_error{"a bug"};
    }
    context.complete(seen);
  }
  std::int64_t seen = 0;
  CONTINUO_FIELDS(fragile, seen)
};

/// Sends a command that it did not declare as long as it is told to, after it has changed its state.
class careless : public saga<careless> {
public:
  static void define(saga_definition<careless>& saga) {
    saga.starts_on<order_placed>(&order_placed::order_id);
    saga.on<order_cancelled>(&order_cancelled::order_id, unknown_instance::discard);
  }
  void on(const order_placed&, saga_context& context) { context.expect<order_cancelled>(); }
  void on(const order_cancelled& event, saga_context& context) {
    ++seen;
    if (broken) {
      context.send(refund_payment{event.order_id});
    } else {
      context.complete(seen);
    }
  }
  std::int64_t seen = 0;
  CONTINUO_FIELDS(careless, seen)
};

struct fixture {
  outside_world outside;
  world here{[this](detail::node_runtime& node) {
    node.host(payment_service(outside).describe());
    node.host(forgetful::describe());
    node.host(fragile::describe());
    node.host(careless::describe());
  }};

  fixture() {
    broken = false;
    CAF_REQUIRE(here.start().has_value());
  }

  std::string reason_of(const std::string& type, const std::string& key) {
    const auto seen = here.show(type, key);
    return seen ? seen->reason : "absent";
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(stuck_tests, fixture)

CAF_TEST(a saga that forgets its next command is stuck at once) {
  here.publish(order_placed{"o-1", 5});
  CAF_CHECK_EQUAL(here.status_of("forgetful", "o-1"), "stuck");
  CAF_CHECK_EQUAL(reason_of("forgetful", "o-1").substr(0, 19), "nothing can wake it");
  CAF_CHECK_EQUAL(here.node().figures().orphaned, 1u);
  expect_orphans(1);
  CAF_CHECK_EQUAL(here.node().figures().in_flight, 0);
}

CAF_TEST(an expected event is a cause) {
  here.publish(order_placed{"o-2", 1});
  CAF_CHECK_EQUAL(here.status_of("forgetful", "o-2"), "running");
  here.publish(order_cancelled{"o-2"});
  CAF_CHECK_EQUAL(here.status_of("forgetful", "o-2"), "completed");
}

CAF_TEST(a failing handler makes its instance stuck and a retry goes on after the fix) {
  broken = true;
  here.publish(order_placed{"o-3", 1});
  here.publish(order_cancelled{"o-3"});
  CAF_CHECK_EQUAL(here.status_of("fragile", "o-3"), "running");
  here.run_for(std::chrono::seconds{1});
  CAF_CHECK_EQUAL(here.status_of("fragile", "o-3"), "stuck");
  CAF_CHECK_EQUAL(reason_of("fragile", "o-3"), "on(order_cancelled): a bug");
  here.crash();
  CAF_REQUIRE(here.start().has_value());
  CAF_CHECK_EQUAL(here.status_of("fragile", "o-3"), "stuck");
  broken = false;
  CAF_CHECK(here.finish(here.client().retry({"fragile", "o-3"}, "me")).has_value());
  here.run_for(std::chrono::seconds{1});
  CAF_CHECK_EQUAL(here.status_of("fragile", "o-3"), "completed");
  const pending<saga_result> end{here.client().result_of<fragile>("o-3")};
  here.run();
  // Three failed attempts and the crash left no trace in the state: the handler saw it once.
  CAF_CHECK_EQUAL(end.get()->as<std::int64_t>().value_or(-1), 1);
}

CAF_TEST(a handler that asks for what it must not leaves no trace in the state) {
  broken = true;
  here.publish(order_placed{"o-7", 1});
  here.publish(order_cancelled{"o-7"});
  here.run_for(std::chrono::seconds{1});
  CAF_CHECK_EQUAL(here.status_of("careless", "o-7"), "stuck");
  CAF_CHECK_EQUAL(
      reason_of("careless", "o-7"),
      "send(refund_payment): the saga does not declare it; add saga.calls<refund_payment>() to define");
  broken = false;
  CAF_CHECK(here.finish(here.client().retry({"careless", "o-7"}, "me")).has_value());
  here.run_for(std::chrono::seconds{1});
  const pending<saga_result> end{here.client().result_of<careless>("o-7")};
  here.run();
  CAF_CHECK_EQUAL(end.get()->as<std::int64_t>().value_or(-1), 1);
}

CAF_TEST(other instances go on while one is stuck) {
  broken = true;
  here.publish(order_placed{"o-4", 1});
  here.publish(order_placed{"o-5", 1});
  here.publish(order_cancelled{"o-4"});
  here.run_for(std::chrono::seconds{1});
  broken = false;
  here.publish(order_cancelled{"o-5"});
  CAF_CHECK_EQUAL(here.status_of("fragile", "o-4"), "stuck");
  CAF_CHECK_EQUAL(here.status_of("fragile", "o-5"), "completed");
}

CAF_TEST(an operator can pause and resume and cancel) {
  here.publish(order_placed{"o-6", 1});
  CAF_CHECK(here.finish(here.client().pause({"forgetful", "o-6"}, "me")).has_value());
  CAF_CHECK_EQUAL(here.status_of("forgetful", "o-6"), "paused");
  here.publish(order_cancelled{"o-6"});
  CAF_CHECK_EQUAL(here.status_of("forgetful", "o-6"), "paused");
  here.crash();
  CAF_REQUIRE(here.start().has_value());
  here.run();
  CAF_CHECK_EQUAL(here.status_of("forgetful", "o-6"), "paused");
  CAF_CHECK(here.finish(here.client().resume({"forgetful", "o-6"}, "me")).has_value());
  here.run_for(std::chrono::seconds{2});
  CAF_CHECK_EQUAL(here.status_of("forgetful", "o-6"), "completed");
  const auto refused = here.finish(here.client().cancel({"forgetful", "o-6"}, "me"));
  CAF_REQUIRE(!refused.has_value());
  CAF_CHECK(refused.error().code == errc::conflict);
}

CAF_TEST(an event for nobody follows its policy) {
  here.publish(order_cancelled{"nobody"});
  const auto letters = here.finish(here.client().dead_letters());
  CAF_REQUIRE(letters.has_value());
  CAF_REQUIRE_EQUAL(letters->size(), 1u); // forgetful keeps it, fragile discards it
  CAF_CHECK_EQUAL(letters->front().type, "order_cancelled");
  CAF_CHECK_EQUAL(letters->front().to.type, "forgetful");
  // Once the instance is there, the letter can be sent again.
  here.publish(order_placed{"nobody", 1});
  CAF_CHECK(here.finish(here.client().redrive(letters->front().id)).has_value());
  CAF_CHECK_EQUAL(here.status_of("forgetful", "nobody"), "completed");
  CAF_CHECK_EQUAL(here.finish(here.client().dead_letters())->size(), 0u);
}

CAF_TEST_FIXTURE_SCOPE_END()
