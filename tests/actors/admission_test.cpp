#define CAF_SUITE admission

#include "tests/support/orders.hpp"

#include <caf/test/dsl.hpp>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

struct fixture {
  outside_world outside;
  world here{order_workflow(outside)};
  bool down = true;

  fixture() {
    here.config().in_flight = 3;
    outside.before = [this](const outside_world::effect&, std::uint32_t) {
      if (down) {
        throw std::runtime_error{"down"};
      }
    };
    CAF_REQUIRE(here.start().has_value());
  }

  std::vector<publication> fill() {
    std::vector<publication> sent;
    for (int i = 0; i < 3; ++i) {
      sent.push_back(here.publish(order_placed{"o-" + std::to_string(i), 1}));
      CAF_REQUIRE(sent.back().get().has_value());
    }
    return sent;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(admission_tests, fixture)

CAF_TEST(promise 7 - beyond the limit a start is refused and accepted work goes on) {
  fill();
  CAF_CHECK_EQUAL(here.node().figures().in_flight, 3);
  const auto refused = here.publish(order_placed{"o-9", 1});
  CAF_REQUIRE(!refused.get().has_value());
  CAF_CHECK(refused.get().error().code == errc::overloaded);
  CAF_CHECK_EQUAL(here.status_of("fulfilment", "o-9"), "absent");
  down = false;
  here.run_for(1s);
  for (int i = 0; i < 3; ++i) {
    CAF_CHECK_EQUAL(here.status_of("fulfilment", "o-" + std::to_string(i)), "completed");
  }
  CAF_CHECK(here.publish(order_placed{"o-9", 1}).get().has_value());
}

CAF_TEST(who wants to wait is let in when there is room) {
  fill();
  const auto waits = here.client().publish(order_placed{"o-9", 1}, {.wait_for_room = true});
  here.run();
  CAF_CHECK(waits.taken().wait_for(0s) != std::future_status::ready);
  down = false;
  here.run_for(1s);
  CAF_REQUIRE(waits.taken().wait_for(0s) == std::future_status::ready);
  CAF_CHECK(waits.get().has_value());
  CAF_CHECK_EQUAL(here.status_of("fulfilment", "o-9"), "completed");
}

CAF_TEST(an event that waits twice with one key is taken once) {
  fill();
  const auto waits = [&](std::int64_t cents) {
    return here.client().publish(order_placed{"o-9", cents}, {.wait_for_room = true, .idempotency_key = "K"});
  };
  const auto first = waits(1);
  const auto again = waits(1);
  const auto other = waits(2);
  here.run();
  CAF_CHECK(first.taken().wait_for(0s) != std::future_status::ready);
  down = false;
  here.run_for(1s);
  CAF_REQUIRE(other.taken().wait_for(0s) == std::future_status::ready);
  CAF_REQUIRE(first.get().has_value() && again.get().has_value());
  CAF_CHECK_EQUAL(first.get()->id, again.get()->id);
  CAF_REQUIRE(!other.get().has_value());
  CAF_CHECK(other.get().error().code == errc::conflict);
}

CAF_TEST(other events are taken when no start is) {
  fill();
  CAF_CHECK(here.publish(order_cancelled{"o-0"}).get().has_value());
  down = false;
  here.run_for(1s);
  CAF_CHECK_EQUAL(here.status_of("fulfilment", "o-0"), "compensated");
}

CAF_TEST(who publishes is told what the event may start and not what it reaches) {
  down = false;
  const auto placed = here.publish(order_placed{"o-1", 1});
  CAF_REQUIRE(placed.get().has_value());
  CAF_REQUIRE_EQUAL(placed.get()->instances.size(), 1u);
  CAF_CHECK_EQUAL(to_string(placed.get()->instances.front()), "fulfilment/o-1");
  const auto cancelled = here.publish(order_cancelled{"o-1"});
  CAF_REQUIRE(cancelled.get().has_value());
  CAF_CHECK(cancelled.get()->instances.empty());
}

CAF_TEST(commands of clients count as well) {
  std::vector<pending<payment_completed>> sent;
  for (int i = 0; i < 4; ++i) {
    sent.push_back(here.send(make_payment{"c-" + std::to_string(i), 1}));
  }
  CAF_REQUIRE(sent.back().is_ready());
  CAF_CHECK(sent.back().get().error().code == errc::overloaded);
  CAF_CHECK(!sent.front().is_ready());
  down = false;
  here.run_for(1s);
  CAF_CHECK(sent.front().is_ready() && sent.front().get().has_value());
  CAF_CHECK_EQUAL(here.node().figures().in_flight, 0);
}

CAF_TEST(with the disk nearly full starts are refused) {
  down = false;
  here.disk().set_free_bytes(1'000);
  here.run_for(2s);
  here.publish(order_placed{"o-1", 1}); // the journal looks at the disk when it writes
  here.run_for(2s);
  const auto refused = here.publish(order_placed{"o-2", 1});
  CAF_REQUIRE(!refused.get().has_value());
  CAF_CHECK(refused.get().error().code == errc::overloaded);
  CAF_CHECK_EQUAL(here.status_of("fulfilment", "o-1"), "completed");
}

CAF_TEST(starts are taken again when the disk has room though nothing is written) {
  down = false;
  here.disk().set_free_bytes(1'000);
  here.run_for(2s);
  here.publish(order_placed{"o-1", 1});
  here.run_for(2s);
  const auto waits = here.publish(order_placed{"o-2", 1}, {.wait_for_room = true});
  here.run_for(10s);
  CAF_CHECK(waits.taken().wait_for(0s) != std::future_status::ready);
  here.disk().set_free_bytes(1u << 30);
  here.run_for(2s);
  CAF_REQUIRE(waits.taken().wait_for(0s) == std::future_status::ready);
  CAF_CHECK(waits.get().has_value());
  CAF_CHECK(here.publish(order_placed{"o-3", 1}).get().has_value());
}

CAF_TEST(what leaves memory is in flight all the same) {
  here.crash();
  here.config().instances_in_memory = 1;
  CAF_REQUIRE(here.start().has_value());
  fill(); // each waits for a service that is down, and only some of them have room in memory
  here.run_for(1ms);
  CAF_CHECK_EQUAL(here.node().figures().in_flight, 3);
  for (int i = 3; i < 10; ++i) {
    const auto refused = here.publish(order_placed{"o-" + std::to_string(i), 1});
    CAF_REQUIRE(!refused.get().has_value());
    CAF_CHECK(refused.get().error().code == errc::overloaded);
  }
  down = false;
  here.run_for(5s);
  CAF_CHECK_EQUAL(here.node().figures().in_flight, 0);
}

CAF_TEST(the number in flight is right after a crash) {
  fill();
  here.crash();
  CAF_REQUIRE(here.start().has_value());
  here.run();
  CAF_CHECK_EQUAL(here.node().figures().in_flight, 3);
  down = false;
  here.run_for(5s);
  CAF_CHECK_EQUAL(here.node().figures().in_flight, 0);
}

CAF_TEST_FIXTURE_SCOPE_END()
