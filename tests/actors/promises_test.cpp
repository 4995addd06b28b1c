#define CAF_SUITE promises

#include "tests/support/orders.hpp"

#include <continuo/archive.hpp>

#include <caf/test/dsl.hpp>

using namespace continuo;
using namespace continuo::tests;

namespace {

struct fixture {
  outside_world outside;
  world here{order_workflow(outside)};

  /// The durable record of an order, as it stands in the store at this moment.
  std::optional<engine::record> durable(const std::string& order) {
    const auto bytes = here.node().open_core()->store->get(engine::record_key({"fulfilment", order}));
    if (!bytes || !*bytes) {
      return std::nullopt;
    }
    return decode<engine::record>(**bytes).value();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(promises_tests, fixture)

CAF_TEST(case 13 - no handler with outside effects runs before its cause is durable) {
  CAF_REQUIRE(here.start().has_value());
  std::size_t looked = 0;
  outside.before = [&](const outside_world::effect& what, std::uint32_t) {
    const auto stored = durable(what.order);
    CAF_REQUIRE(stored.has_value());
    CAF_REQUIRE_EQUAL(stored->requests.size(), 1u);
    CAF_CHECK_EQUAL(stored->requests.front().type, what.kind == "charge" ? "make_payment" : "create_label");
    ++looked;
  };
  for (int i = 0; i < 20; ++i) {
    here.publish(order_placed{"o-" + std::to_string(i), 100});
  }
  CAF_CHECK_EQUAL(looked, 40u);
}

CAF_TEST(no client is answered before its event is durable) {
  CAF_REQUIRE(here.start().has_value());
  bool answered = false;
  here.client().publish("order_placed", encode(order_placed{"o-1", 1}), {}, [&](result<accepted> answer) {
    CAF_REQUIRE(answer.has_value());
    answered = true;
    // Either the accepted event itself is in the store, or all that it caused.
    const auto kept =
        here.node().open_core()->store->get(engine::record_key({"continuo.publish", to_string(answer->id)}));
    CAF_CHECK((kept.has_value() && kept->has_value()) || durable("o-1").has_value());
  });
  while (!answered) {
    CAF_REQUIRE(here.step());
  }
}

CAF_TEST(after a failed sync nothing is released) {
  here.disk().fail_commit(2, errc::storage_failed, false);
  CAF_REQUIRE(here.start().has_value());
  const auto sent = here.client().publish(order_placed{"o-1", 1});
  here.run();
  CAF_CHECK_EQUAL(outside.calls, 0u);
  CAF_CHECK(here.node().failed().wait_for(std::chrono::seconds{0}) == std::future_status::ready);
  CAF_CHECK(here.node().failed().get().code == errc::storage_failed);
  const auto late = here.client().publish(order_placed{"o-2", 1});
  here.run();
  CAF_REQUIRE(late.taken().wait_for(std::chrono::seconds{0}) == std::future_status::ready);
  CAF_CHECK(late.get().error().code == errc::unavailable);
  CAF_REQUIRE(sent.taken().wait_for(std::chrono::seconds{0}) == std::future_status::ready);
  CAF_CHECK(sent.get().error().code == errc::unavailable); // unknown: it was never told that it is accepted
}

CAF_TEST(promise 1 - an accepted order survives a crash at any moment) {
  for (int steps = 0; steps < 200; ++steps) {
    const auto order = "o-" + std::to_string(steps);
    CAF_REQUIRE(here.start().has_value());
    const auto sent = here.client().publish(order_placed{order, 100});
    for (int i = 0; i < steps; ++i) {
      here.step();
    }
    const auto is_accepted =
        sent.taken().wait_for(std::chrono::seconds{0}) == std::future_status::ready && sent.get().has_value();
    here.crash();
    CAF_REQUIRE(here.start().has_value());
    here.run_for(std::chrono::seconds{5});
    if (is_accepted) {
      CAF_CHECK_EQUAL(here.status_of("fulfilment", order), "completed");
    }
    CAF_CHECK(outside.count("charge", order) <= 1);
    CAF_CHECK(outside.count("label", order) <= 1);
    here.crash();
  }
}

CAF_TEST(a timed out attempt is tried again and its late outcome taken) {
  // The handler runs while its time passes: a job of the coordinator cannot hang, so it moves the clock
  // itself.
  CAF_REQUIRE(here.start().has_value());
  outside.before = [](const outside_world::effect&, std::uint32_t attempt) {
    if (attempt < 2) {
      throw std::runtime_error{"busy"};
    }
  };
  here.publish(order_placed{"o-1", 100});
  CAF_CHECK_EQUAL(here.status_of("fulfilment", "o-1"), "running");
  here.run_for(std::chrono::milliseconds{200});
  here.run_for(std::chrono::milliseconds{200});
  CAF_CHECK_EQUAL(here.status_of("fulfilment", "o-1"), "completed");
}

CAF_TEST(case 19 - failed attempts are counted over crashes and a told failure is not redriven) {
  std::vector<std::uint32_t> attempts;
  outside.before = [&](const outside_world::effect& what, std::uint32_t attempt) {
    if (what.kind == "charge") {
      attempts.push_back(attempt);
      throw std::runtime_error{"down"};
    }
  };
  CAF_REQUIRE(here.start().has_value());
  here.publish(order_placed{"o-1", 100});
  here.crash();
  CAF_REQUIRE(here.start().has_value());
  here.run_for(std::chrono::seconds{2});
  CAF_CHECK_EQUAL(here.status_of("fulfilment", "o-1"), "compensated");
  CAF_CHECK(attempts == (std::vector<std::uint32_t>{1, 2, 3}));
  // The requester was told, so the dead letter cannot be redriven, only discarded.
  const auto letters = here.client().dead_letters();
  CAF_REQUIRE_EQUAL(letters->size(), 1u);
  CAF_CHECK(!letters->front().may_redrive);
  const auto refused = here.operate(here.client().redrive(letters->front().id));
  CAF_CHECK(refused.error().code == errc::conflict);
  CAF_CHECK(here.operate(here.client().discard(letters->front().id)).has_value());
  CAF_CHECK_EQUAL(here.client().dead_letters()->size(), 0u);
}

CAF_TEST(case 16 - a redriven command of a client is sent once with the same key) {
  bool down = true;
  std::vector<std::string> keys;
  outside.before = [&](const outside_world::effect& what, std::uint32_t) {
    keys.push_back(what.key);
    if (down) {
      throw std::runtime_error{"down"};
    }
  };
  CAF_REQUIRE(here.start().has_value());
  const auto sent = here.send(make_payment{"direct", 5});
  here.run_for(std::chrono::seconds{2});
  CAF_REQUIRE(sent.is_ready());
  CAF_CHECK(sent.get().error().code == errc::conflict);
  const auto letters = here.client().dead_letters();
  CAF_REQUIRE_EQUAL(letters->size(), 1u);
  CAF_CHECK(letters->front().may_redrive);
  down = false;
  auto first = here.client().redrive(letters->front().id);
  auto second = here.client().redrive(letters->front().id);
  CAF_CHECK(here.operate(std::move(first)).has_value());
  CAF_CHECK(!here.operate(std::move(second)).has_value());
  here.run_for(std::chrono::seconds{2});
  CAF_CHECK_EQUAL(outside.count("charge", "direct"), 1u);
  for (const auto& key : keys) {
    CAF_CHECK_EQUAL(key, letters->front().id);
  }
  CAF_CHECK_EQUAL(here.client().dead_letters()->size(), 0u);
}

CAF_TEST(case 28 - a query shows durable state only) {
  CAF_REQUIRE(here.start().has_value());
  here.publish(order_placed{"o-0", 1});
  const auto sent = here.client().publish(order_placed{"o-1", 1});
  for (int i = 0; i < 500; ++i) {
    const pending<instance_view> asked{here.client().show({"fulfilment", "o-1"})};
    while (!asked.is_ready() && here.step()) {
    }
    if (asked.is_ready() && asked.get()) {
      const auto stored = durable("o-1");
      CAF_REQUIRE(stored.has_value());
      CAF_CHECK(asked.get()->revision <= stored->revision);
    }
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
