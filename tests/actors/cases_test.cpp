// The cases of lost, doubled and overtaken messages that need actors and a journal to be seen; the others are
// in tests/engine/delivery_cases.cpp.
#define CAF_SUITE cases

#include "tests/support/orders.hpp"

#include <continuo/archive.hpp>

#include <caf/test/dsl.hpp>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

struct noted {
  std::string id;
  std::int64_t number = 0;
  CONTINUO_FIELDS(noted, id, number)
};

/// Publishes one note when it starts and one more for each cancellation.
class speaker : public saga<speaker> {
public:
  static void define(saga_definition<speaker>& saga) {
    saga.starts_on<order_placed>(&order_placed::order_id);
    saga.on<order_cancelled>(&order_cancelled::order_id, unknown_instance::discard);
  }
  void on(const order_placed& event, saga_context& context) {
    context.publish(noted{event.order_id, ++said});
    context.expect<order_cancelled>();
  }
  void on(const order_cancelled& event, saga_context& context) {
    context.publish(noted{event.order_id, ++said});
    context.expect<order_cancelled>();
  }
  std::int64_t said = 0;
  CONTINUO_FIELDS(speaker, said)
};

/// Keeps what it hears, in order.
class listener : public saga<listener> {
public:
  static void define(saga_definition<listener>& saga) {
    saga.starts_on<noted>(&noted::id);
    saga.on<noted>(&noted::id, unknown_instance::discard);
  }
  void on(const noted& event, saga_context& context) {
    heard.push_back(event.number);
    context.expect<noted>();
  }
  std::vector<std::int64_t> heard;
  CONTINUO_FIELDS(listener, heard)
};

struct fixture {
  world here{[](detail::node_runtime& node) {
    node.host(speaker::describe());
    node.host(listener::describe());
  }};

  std::optional<engine::record> durable(const std::string& type) {
    const auto bytes = here.node().open_core()->store->get(engine::record_key({type, "o-1"}));
    if (!bytes || !*bytes) {
      return std::nullopt;
    }
    return decode<engine::record>(**bytes).value();
  }

  std::vector<std::int64_t> heard() {
    const auto stored = durable("listener");
    return stored ? decode<listener>(stored->state).value().heard : std::vector<std::int64_t>{};
  }

  std::int64_t said() {
    const auto stored = durable("speaker");
    return stored ? decode<speaker>(stored->state).value().said : 0;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(cases_tests, fixture)

CAF_TEST(case 11 - what a message caused is never durable without what sent it) {
  CAF_REQUIRE(here.start().has_value());
  std::size_t looked = 0;
  const auto look = [&] {
    const auto known = heard();
    CAF_REQUIRE(static_cast<std::int64_t>(known.size()) <= said());
    looked += known.empty() ? 0 : 1;
  };
  here.client().publish(order_placed{"o-1", 1});
  for (int i = 0; i < 5; ++i) {
    here.client().publish(order_cancelled{"o-1"});
    for (int steps = 0; steps < 7 * i && here.step(); ++steps) {
      look();
    }
    here.run_for(2ms);
    look();
  }
  CAF_CHECK(looked > 0u);
  CAF_CHECK(heard() == (std::vector<std::int64_t>{1, 2, 3, 4, 5, 6}));
}

CAF_TEST(case 12 and promise 3 - after a restart nothing new overtakes what was sent before) {
  std::uint64_t commits = 12;
  for (std::uint64_t k = 1; k <= commits; ++k) {
    for (const auto applied : {false, true}) {
      fixture one;
      CAF_REQUIRE(one.here.start().has_value());
      one.here.publish(order_placed{"o-1", 1});
      one.here.disk().fail_commit(k, errc::storage_failed, applied);
      for (int i = 0; i < 4; ++i) {
        one.here.publish(order_cancelled{"o-1"});
      }
      one.here.crash();
      CAF_REQUIRE(one.here.start().has_value());
      one.here.client().publish(order_cancelled{"o-1"}); // new, before anything old had a chance to go again
      one.here.run_for(5s);
      const auto known = one.heard();
      CAF_REQUIRE_EQUAL(static_cast<std::int64_t>(known.size()), one.said());
      for (std::size_t i = 0; i < known.size(); ++i) {
        CAF_CHECK_EQUAL(known[i], static_cast<std::int64_t>(i + 1)); // each once, in the order sent
      }
    }
  }
}

CAF_TEST(case 24 - a message for an instance that leaves memory is handled all the same) {
  here.config().instances_in_memory = 1;
  CAF_REQUIRE(here.start().has_value());
  here.publish(order_placed{"o-1", 1});
  for (int i = 0; i < 200; ++i) {
    here.client().publish(order_cancelled{"o-1"});
    here.client().publish(order_placed{"other-" + std::to_string(i), 1}); // pushes it out
    for (int steps = 0; steps < i % 17; ++steps) {
      here.step();
    }
  }
  here.run_for(5s);
  CAF_CHECK_EQUAL(heard().size(), 201u);
  CAF_CHECK_EQUAL(said(), 201);
}

CAF_TEST_FIXTURE_SCOPE_END()
