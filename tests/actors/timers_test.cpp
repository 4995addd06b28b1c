#define CAF_SUITE timers

#include "tests/support/orders.hpp"

#include <caf/test/dsl.hpp>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

struct alarm_set {
  std::string id;
  std::int64_t seconds = 0;
  CONTINUO_FIELDS(alarm_set, id, seconds)
};

struct alarm_moved {
  std::string id;
  std::int64_t seconds = 0;
  CONTINUO_FIELDS(alarm_moved, id, seconds)
};

struct alarm_rang {
  CONTINUO_FIELDS(alarm_rang)
};

/// Rings once, and says when.
class alarm_clock : public saga<alarm_clock> {
public:
  static void define(saga_definition<alarm_clock>& saga) {
    saga.starts_on<alarm_set>(&alarm_set::id);
    saga.on<alarm_moved>(&alarm_moved::id, unknown_instance::discard);
    saga.timer<alarm_rang>();
  }
  void on(const alarm_set& event, saga_context& context) {
    context.set_timer("ring", std::chrono::seconds{event.seconds}, alarm_rang{});
  }
  void on(const alarm_moved& event, saga_context& context) {
    context.set_timer("ring", std::chrono::seconds{event.seconds}, alarm_rang{});
  }
  void on(const alarm_rang&, saga_context& context) {
    ++rings;
    rang_at = context.now();
    context.expect<alarm_moved>();
  }
  std::int64_t rings = 0;
  time_point rang_at{};
  CONTINUO_FIELDS(alarm_clock, rings, rang_at)
};

struct fixture {
  world here{[](detail::node_runtime& node) { node.host(alarm_clock::describe()); }};

  fixture() { CAF_REQUIRE(here.start().has_value()); }

  alarm_clock state_of(const std::string& id) {
    const auto bytes = here.node().open_core()->store->get(engine::record_key({"alarm_clock", id}));
    CAF_REQUIRE(bytes.has_value() && bytes->has_value());
    return decode<alarm_clock>(decode<engine::record>(**bytes)->state).value();
  }

  std::int64_t rings(const std::string& id) { return state_of(id).rings; }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(timers_tests, fixture)

CAF_TEST(promise 4 - a timer fires once and never early) {
  const auto set_at = here.now();
  here.publish(alarm_set{"a", 3'600});
  here.run_for(3'599s);
  CAF_CHECK_EQUAL(rings("a"), 0);
  here.run_for(2s);
  CAF_CHECK_EQUAL(rings("a"), 1);
  CAF_CHECK(state_of("a").rang_at >= set_at + 3'600s);
  here.run_for(24h);
  CAF_CHECK_EQUAL(rings("a"), 1);
}

CAF_TEST(a timer survives a crash) {
  here.publish(alarm_set{"a", 60});
  here.run_for(30s);
  here.crash();
  CAF_REQUIRE(here.start().has_value());
  here.run_for(29s);
  CAF_CHECK_EQUAL(rings("a"), 0);
  here.run_for(2s);
  CAF_CHECK_EQUAL(rings("a"), 1);
}

CAF_TEST(a timer that fell due while the node was down fires at its start) {
  here.publish(alarm_set{"a", 60});
  here.crash();
  here.run_for(3'600s);
  CAF_REQUIRE(here.start().has_value());
  here.run_for(1s);
  CAF_CHECK_EQUAL(rings("a"), 1);
}

CAF_TEST(a jump of the wall clock moves no timer) {
  here.publish(alarm_set{"a", 60});
  here.jump_wall_clock(48h);
  here.run_for(59s);
  CAF_CHECK_EQUAL(rings("a"), 0);
  here.jump_wall_clock(-96h);
  here.crash();
  CAF_REQUIRE(here.start().has_value());
  here.run_for(2s);
  CAF_CHECK_EQUAL(rings("a"), 1);
}

CAF_TEST(after a reboot the wall clock decides) {
  here.publish(alarm_set{"a", 600});
  here.run_for(100s);
  here.crash();
  here.reboot();
  CAF_REQUIRE(here.start().has_value());
  here.run_for(499s);
  CAF_CHECK_EQUAL(rings("a"), 0);
  here.run_for(2s);
  CAF_CHECK_EQUAL(rings("a"), 1);
}

CAF_TEST(case 27 a timer set again under its name does not fire early) {
  here.publish(alarm_set{"a", 60});
  CAF_REQUIRE(here.operate(here.client().pause({"alarm_clock", "a"}, "me")).has_value());
  here.run_for(61s); // due, but put off
  CAF_CHECK_EQUAL(rings("a"), 0);
  const auto moved = here.client().publish(alarm_moved{"a", 600}); // put off as well
  here.run();
  CAF_REQUIRE(here.operate(here.client().resume({"alarm_clock", "a"}, "me")).has_value());
  here.run_for(5s);
  // Whichever came first at resume, the timer that was due or the event that replaces it: the new one has its
  // full time.
  const auto at_resume = rings("a");
  here.run_for(590s);
  CAF_CHECK_EQUAL(rings("a"), at_resume);
  here.run_for(10s);
  CAF_CHECK_EQUAL(rings("a"), at_resume + 1);
}

CAF_TEST(thousands of timers due at once all fire) {
  here.config().instances_in_memory = 10;
  here.crash();
  CAF_REQUIRE(here.start().has_value());
  for (int i = 0; i < 3'000; ++i) {
    here.client().publish(alarm_set{"t" + std::to_string(i), 60});
  }
  here.run();
  here.run_for(61s);
  for (int i = 0; i < 3'000; ++i) {
    CAF_CHECK_EQUAL(rings("t" + std::to_string(i)), 1);
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
