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

/// By the wall clock. In seconds from now.
struct date_set {
  std::string id;
  std::int64_t seconds = 0;
  CONTINUO_FIELDS(date_set, id, seconds)
};

/// By either clock.
struct never_set {
  std::string id;
  CONTINUO_FIELDS(never_set, id)
};

struct alarm_rang {
  CONTINUO_FIELDS(alarm_rang)
};

/// Rings once, and says when.
class alarm_clock : public saga<alarm_clock> {
public:
  static void define(saga_definition<alarm_clock>& saga) {
    saga.starts_on<alarm_set>(&alarm_set::id);
    saga.starts_on<date_set>(&date_set::id);
    saga.starts_on<never_set>(&never_set::id);
    saga.on<alarm_moved>(&alarm_moved::id, unknown_instance::discard);
    saga.timer<alarm_rang>();
  }
  void on(const alarm_set& event, saga_context& context) {
    context.set_timer("ring", std::chrono::seconds{event.seconds}, alarm_rang{});
  }
  void on(const date_set& event, saga_context& context) {
    context.set_timer_at("ring", context.now() + std::chrono::seconds{event.seconds}, alarm_rang{});
  }
  void on(const never_set&, saga_context& context) {
    context.set_timer("nanoseconds", std::chrono::nanoseconds::max(), alarm_rang{});
    context.set_timer("hours", std::chrono::hours::max(), alarm_rang{});
    context.set_timer_at("date", time_point::max(), alarm_rang{});
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

CAF_TEST(a clock that is far behind after a reboot holds nothing up once it is set right) {
  here.publish(alarm_set{"a", 600});
  here.run_for(100s);
  here.crash();
  here.reboot();
  here.jump_wall_clock(-24h * 365 * 56); // no battery: it is 1970 again
  CAF_REQUIRE(here.start().has_value());
  here.run_for(1'000s);
  CAF_CHECK_EQUAL(rings("a"), 0);
  here.jump_wall_clock(24h * 365 * 56); // the network's time comes
  here.run_for(60s);
  CAF_CHECK_EQUAL(rings("a"), 1);
}

CAF_TEST(a clock that is ahead just after a reboot fires nothing if it is set right within a minute) {
  here.publish(alarm_set{"a", 600});
  here.run_for(100s);
  here.crash();
  here.reboot();
  here.jump_wall_clock(2h); // it ran in local time
  CAF_REQUIRE(here.start().has_value());
  here.run_for(50s);
  here.jump_wall_clock(-2h);
  here.run_for(449s);
  CAF_CHECK_EQUAL(rings("a"), 0);
  here.run_for(2s);
  CAF_CHECK_EQUAL(rings("a"), 1);
}

CAF_TEST(a timer that fell due while the machine was off fires a minute after the boot) {
  here.publish(alarm_set{"a", 60});
  here.crash();
  here.run_for(3'600s);
  here.reboot();
  CAF_REQUIRE(here.start().has_value());
  here.run_for(59s);
  CAF_CHECK_EQUAL(rings("a"), 0);
  here.run_for(2s);
  CAF_CHECK_EQUAL(rings("a"), 1);
}

CAF_TEST(a timer of an earlier boot moves with the wall clock) {
  here.publish(alarm_set{"a", 3'600});
  here.crash();
  here.reboot();
  CAF_REQUIRE(here.start().has_value());
  here.run_for(100s);
  here.jump_wall_clock(-1'000s);
  here.run_for(4'400s);
  CAF_CHECK_EQUAL(rings("a"), 0);
  here.run_for(101s);
  CAF_CHECK_EQUAL(rings("a"), 1);
}

CAF_TEST(a timer that is set for never does not fire in this boot nor in the next) {
  here.publish(never_set{"a"});
  here.run_for(24h);
  CAF_CHECK_EQUAL(rings("a"), 0);
  here.crash();
  here.reboot();
  CAF_REQUIRE(here.start().has_value());
  here.run_for(24h);
  CAF_CHECK_EQUAL(rings("a"), 0);
  const auto shown = here.show("alarm_clock", "a");
  CAF_REQUIRE(shown);
  CAF_REQUIRE_EQUAL(shown->waiting_for.size(), 3u);
  for (const auto& cause : shown->waiting_for) {
    CAF_CHECK(cause.since == time_point::max());
  }
}

CAF_TEST(a timer for a time of the wall clock fires then and never early) {
  const auto set_at = here.now();
  here.publish(date_set{"a", 3'600});
  here.run_for(3'599s);
  CAF_CHECK_EQUAL(rings("a"), 0);
  here.run_for(2s);
  CAF_CHECK_EQUAL(rings("a"), 1);
  CAF_CHECK(state_of("a").rang_at >= set_at + 3'600s);
}

CAF_TEST(a timer for a time of the wall clock moves with it in the same boot) {
  here.publish(date_set{"a", 3'600});
  here.publish(date_set{"b", 3'600});
  here.jump_wall_clock(-1h);
  here.run_for(7'100s);
  CAF_CHECK_EQUAL(rings("a"), 0);
  here.jump_wall_clock(30min);
  here.run_for(60s);
  CAF_CHECK_EQUAL(rings("a"), 1);
  CAF_CHECK_EQUAL(rings("b"), 1);
}

CAF_TEST(a timer for a time of the wall clock survives a crash and a reboot) {
  here.publish(date_set{"a", 3'600});
  here.crash();
  CAF_REQUIRE(here.start().has_value());
  here.jump_wall_clock(-10min);
  here.run_for(1'000s);
  here.crash();
  here.reboot();
  CAF_REQUIRE(here.start().has_value());
  here.run_for(3'199s);
  CAF_CHECK_EQUAL(rings("a"), 0);
  here.run_for(2s);
  CAF_CHECK_EQUAL(rings("a"), 1);
}

CAF_TEST(a timer for a time of the wall clock that is past fires at once) {
  here.publish(date_set{"a", -3'600});
  here.run_for(1s);
  CAF_CHECK_EQUAL(rings("a"), 1);
}

CAF_TEST(one wake - up is armed however many nearer timers were set) {
  here.publish(alarm_set{"far", 1'000'000});
  here.run_for(120s);
  const auto with_one = here.wake_ups();
  for (int i = 0; i < 50; ++i) {
    here.publish(alarm_set{"t" + std::to_string(i), 50 - i}); // each one nearer than those before
  }
  here.run_for(120s);
  CAF_CHECK_EQUAL(rings("t0"), 1);
  CAF_CHECK_EQUAL(here.wake_ups(), with_one);
}

CAF_TEST(case 27 a timer set again under its name does not fire early) {
  here.publish(alarm_set{"a", 60});
  CAF_REQUIRE(here.finish(here.client().pause({"alarm_clock", "a"}, "me")).has_value());
  here.run_for(61s); // due, but put off
  CAF_CHECK_EQUAL(rings("a"), 0);
  const auto moved = here.client().publish(alarm_moved{"a", 600}); // put off as well
  here.run();
  CAF_REQUIRE(here.finish(here.client().resume({"alarm_clock", "a"}, "me")).has_value());
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
