// Timers of both clocks in the kit, and what lets no time pass.
#define CAF_SUITE testing_times

#include "testing/simulation.hpp"

#include <continuo/testing.hpp>
#include <continuo/testing_caf.hpp>

#include <caf/test/dsl.hpp>

#include <chrono>
#include <future>

using namespace continuo;
using namespace std::chrono_literals;

namespace {

struct bell_set {
  std::string id;
  std::string how;
  std::int64_t seconds = 0;
  CONTINUO_FIELDS(bell_set, id, how, seconds)
};

struct bell_rang {
  CONTINUO_FIELDS(bell_rang)
};

struct bell_echoed {
  std::string id;
  CONTINUO_FIELDS(bell_echoed, id)
};

class bell : public saga<bell> {
public:
  static void define(saga_definition<bell>& saga) {
    saga.starts_on<bell_set>(&bell_set::id);
    saga.on<bell_echoed>(&bell_echoed::id, unknown_instance::discard);
    saga.timer<bell_rang>();
  }
  void on(const bell_set& event, saga_context& context) {
    id = event.id;
    how = event.how;
    if (how == "date") {
      context.set_timer_at("bell", context.now() + std::chrono::seconds{event.seconds}, bell_rang{});
    } else if (how == "never") {
      context.set_timer("bell", std::chrono::hours::max(), bell_rang{});
    } else {
      context.set_timer("bell", std::chrono::seconds{event.seconds}, bell_rang{});
    }
  }
  void on(const bell_rang&, saga_context& context) {
    ++rings;
    if (how == "again") {
      context.set_timer("bell", 0s, bell_rang{});
    } else if (how == "echo") {
      context.publish(bell_echoed{id});
      context.expect<bell_echoed>();
    } else {
      context.complete();
    }
  }
  void on(const bell_echoed& event, saga_context& context) {
    context.publish(event);
    context.expect<bell_echoed>();
  }
  std::string id;
  std::string how;
  std::int64_t rings = 0;
  CONTINUO_FIELDS(bell, id, how, rings)
};

struct bell_cast {
  CONTINUO_FIELDS(bell_cast)
};

struct cast_bell {
  using reply = bell_cast;
  std::string id;
  CONTINUO_FIELDS(cast_bell, id)
};

struct bell_ordered {
  std::string id;
  CONTINUO_FIELDS(bell_ordered, id)
};

class foundry_order : public saga<foundry_order> {
public:
  static void define(saga_definition<foundry_order>& saga) {
    saga.starts_on<bell_ordered>(&bell_ordered::id);
    saga.calls<cast_bell>().nothing_to_undo();
  }
  void on(const bell_ordered& event, saga_context& context) { context.send(cast_bell{event.id}); }
  void on(const bell_cast&, saga_context& context) { context.complete(); }
  CONTINUO_FIELDS(foundry_order)
};

struct fixture : continuo::testing::fixture {
  fixture() {
    offer<bell>().offer<foundry_order>();
    // One attempt, which may take however long.
    offer(service{"foundry"}.retry({.attempts = 1, .timeout = std::chrono::milliseconds::max()}));
    fake<cast_bell>("foundry").takes(2h);
    add("tower");
  }

  continuo::testing::node& tower() { return (*this)["tower"]; }

  std::int64_t rings(const std::string& id) { return state_of<bell>({"bell", id})->rings; }

  /// What the failure says that calling this throws.
  template <class Function>
  std::string failure_of(Function function) {
    try {
      function();
    } catch (const continuo::testing::failure& thrown) {
      return thrown.what();
    }
    return "none";
  }
};

bool has(const std::string& text, const std::string& part) {
  if (text.find(part) == std::string::npos) {
    CAF_MESSAGE("not in: " << text);
    return false;
  }
  return true;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(testing_times_tests, fixture)

CAF_TEST(a timer for a time of the wall clock moves with it over restarts and reboots) {
  publish(bell_set{"a", "date", 3'600});
  run_for(1s); // accepted is not yet handled
  tower().jump_wall_clock(-1h);
  run_for(3'700s);
  CAF_CHECK_EQUAL(rings("a"), 0);
  tower().restart();
  run_for(1'000s);
  CAF_CHECK_EQUAL(rings("a"), 0);
  tower().reboot();
  tower().start();
  run_for(1'000s);
  CAF_CHECK_EQUAL(rings("a"), 0);
  tower().jump_wall_clock(30min);
  run_for(60s);
  CAF_CHECK_EQUAL(rings("a"), 1);
  const auto history = saga_of<bell>("a").history();
  CAF_REQUIRE_EQUAL(history.size(), 2u);
  CAF_CHECK_EQUAL(history.back().what, "timer");
  CAF_CHECK_EQUAL(history.back().message, "bell_rang");
  finish();
}

CAF_TEST(a timer that is set for never is no work that is left) {
  publish(bell_set{"a", "never"});
  run();
  CAF_CHECK_EQUAL(rings("a"), 0);
  saga_of<bell>("a").should_wait_for("bell");
  finish();
}

CAF_TEST(an attempt without a timeout takes however long it takes) {
  publish(bell_ordered{"a"});
  run_for(1h);
  saga_of<foundry_order>("a").should_wait_for("cast_bell");
  run();
  saga_of<foundry_order>("a").should_be_completed();
  finish();
}

CAF_TEST(who waits for a result without an end is not told that the time is up) {
  publish(bell_set{"a", "date", 7'200});
  const instance_id id{"bell", "a"};
  const auto longest = {tower().client().result_of(id, std::chrono::hours::max()).share(),
                        tower().client().result_of(id, std::chrono::milliseconds::max()).share(),
                        tower().client().result_of(id, std::chrono::nanoseconds::max()).share()};
  const auto short_one = tower().client().result_of(id, 1min).share();
  run_for(1h);
  const auto is_over = [](const auto& end) { return end.wait_for(0s) == std::future_status::ready; };
  for (const auto& end : longest) {
    CAF_CHECK(!is_over(end));
  }
  CAF_REQUIRE(is_over(short_one));
  CAF_CHECK(short_one.get().error().code == errc::timed_out);
  run();
  for (const auto& end : longest) {
    CAF_REQUIRE(is_over(end));
    CAF_CHECK(end.get().has_value());
  }
  finish();
}

CAF_TEST(a timer of no time that is set again and again is told in a sentence) {
  internals().set_steps_at_once_max(20'000);
  publish(bell_set{"a", "again", 1});
  const auto said = failure_of([&] { run_for(1h); });
  CAF_CHECK(has(said, "20000 steps, and no time passes"));
  CAF_CHECK(has(said, "bell/a on tower: running; waits for timer bell"));
}

CAF_TEST(a message that causes itself is told in a sentence) {
  internals().set_steps_at_once_max(20'000);
  publish(bell_set{"a", "echo", 1});
  CAF_CHECK(has(failure_of([&] { run_for(1h); }), "20000 steps, and no time passes"));
  CAF_CHECK(has(failure_of([&] { run_until([] { return false; }); }), "20000 steps, and no time passes"));
}

CAF_TEST_FIXTURE_SCOPE_END()
