// Times and durations at the ends of their ranges, and clocks that jump.
#define CAF_SUITE times

#include <caf/test/dsl.hpp>

#include "tests/engine/world.hpp"

#include <concepts>
#include <limits>

using namespace continuo;
using namespace continuo::engine;
using namespace continuo::engine::testing;
using namespace std::chrono_literals;
using detail::saturated;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;

namespace {

template <class A, class B>
concept comparable = requires(const A& a, const B& b) {
  a < b;
};

// A time of the one clock says nothing about the other.
static_assert(comparable<boot_time, boot_time> && comparable<time_point, time_point>);
static_assert(!comparable<boot_time, time_point> && !comparable<boot_time, std::int64_t>);
static_assert(!std::convertible_to<time_point, boot_time> && !std::convertible_to<std::int64_t, boot_time>);

struct fixture : world {
  saga_box saga{*this};

  /// The timer that the saga sets when it starts.
  timer set_by(std::function<void(saga_context&)> how) {
    play().on_placed = [how = std::move(how)](order&, const placed&, saga_context& context) { how(context); };
    CAF_REQUIRE_EQUAL(edge_of(saga.take(event(placed{"o-1", 42}))), "start");
    CAF_REQUIRE_EQUAL(saga.current().timers.size(), 1u);
    return saga.current().timers.front();
  }

  std::string mistake_of(std::function<void(saga_context&)> how) {
    play().on_placed = [how = std::move(how)](order&, const placed&, saga_context& context) { how(context); };
    saga_box failing{*this, "o-2"};
    failing.take(event(placed{"o-2", 42}));
    while (failing.machine().retrying()) {
      failing.again();
    }
    return failing.reason();
  }

  envelope due(const message_id& id) {
    envelope message;
    message.kind = message_kind::timer;
    message.from = message.to = saga.current().self;
    message.id = id;
    return message;
  }

  /// A running attempt whose time is up.
  execution_box overdue_attempt() {
    execution_box made{*this, payment, command(pay{"o-1", 42}, {"order", "o-1"}, {"payment", ""})};
    made.begin();
    made.times_out();
    return made;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(times_tests, fixture)

CAF_TEST(a duration in another unit ends at the ends of the range) {
  CAF_CHECK(saturated<nanoseconds>(5ms) == 5'000'000ns);
  CAF_CHECK(saturated<milliseconds>(-1'999'999ns) == -1ms);
  CAF_CHECK(saturated<nanoseconds>(hours::max()) == nanoseconds::max());
  CAF_CHECK(saturated<nanoseconds>(hours::min()) == nanoseconds::min());
  CAF_CHECK(saturated<nanoseconds>(milliseconds{18'446'744'073'710}) == nanoseconds::max()); // 2^64 ns
  CAF_CHECK(saturated<hours>(nanoseconds::max()) == 2'562'047h);
  using float_seconds = std::chrono::duration<double>;
  CAF_CHECK(saturated<milliseconds>(float_seconds{1.5}) == 1'500ms);
  CAF_CHECK(saturated<milliseconds>(float_seconds{1e300}) == milliseconds::max());
  CAF_CHECK(saturated<milliseconds>(float_seconds{-1e300}) == milliseconds::min());
  CAF_CHECK(saturated<milliseconds>(float_seconds{std::numeric_limits<double>::quiet_NaN()}) ==
            milliseconds::max());
}

CAF_TEST(sums and differences of times end at the ends of the range) {
  CAF_CHECK(later(now.wall, 1h) == now.wall + 1h);
  CAF_CHECK(later(now.wall, hours::max()) == time_point::max());
  CAF_CHECK(later(now.wall, hours::min()) == time_point::min() + (now.wall - time_point{}));
  CAF_CHECK(later(time_point::max(), 1ns) == time_point::max());
  CAF_CHECK(later(time_point::min(), -1ns) == time_point::min());
  CAF_CHECK(between(time_point::min(), time_point::max()) == nanoseconds::max());
  CAF_CHECK(between(time_point::max(), time_point::min()) == nanoseconds::min());
  CAF_CHECK(between(now.wall, now.wall + 1h) == 1h);
  const boot_time end{nanoseconds::max()};
  CAF_CHECK(later(boot_time{1ns}, nanoseconds::max()) == end);
  CAF_CHECK(between(boot_time{-2ns}, end) == nanoseconds::max());
}

CAF_TEST(a timer that is set for never is due at the end of time) {
  const auto never = set_by([](saga_context& context) { context.set_timer("t", hours::max(), overdue{1}); });
  CAF_CHECK(never.due == time_point::max());
  CAF_CHECK(never.due_up == boot_time{nanoseconds::max()});
}

CAF_TEST(the longest delay of each unit is never and none is negative) {
  const auto never = set_by([](saga_context& context) {
    context.set_timer("t", nanoseconds::max(), overdue{1});
    context.set_timer("t", milliseconds::max(), overdue{1});
    context.set_timer("t", milliseconds{18'446'744'073'710}, overdue{1}); // 2^64 ns
  });
  CAF_CHECK(never.due == time_point::max());
}

CAF_TEST(a negative delay is a mistake of the handler and says what it was) {
  CAF_CHECK_EQUAL(mistake_of([](saga_context& context) { context.set_timer("t", -1s, overdue{1}); }),
                  "set_timer(\"t\"): its delay is -1000 ms; the least is 0");
}

CAF_TEST(a timer for a time of the wall clock says that the wall clock alone decides) {
  const auto at = now.wall + 48h;
  const auto set = set_by([&](saga_context& context) { context.set_timer_at("t", at, overdue{1}); });
  CAF_CHECK_EQUAL(set.boot, 0u);
  CAF_CHECK(set.due == at);
  saga.crash();
  CAF_CHECK(saga.current().timers.front() == set);
}

CAF_TEST(a time of the wall clock that no clock reaches is never) {
  const auto far = std::chrono::sys_days{std::chrono::year{9'999} / 12 / 31};
  const auto set = set_by([&](saga_context& context) { context.set_timer_at("t", far, overdue{1}); });
  CAF_CHECK(set.due == time_point::max());
}

CAF_TEST(timers of both clocks replace each other under one name) {
  const auto set = set_by([&](saga_context& context) {
    context.set_timer_at("t", context.now() + 1h, overdue{1});
    context.set_timer("t", 2h, overdue{2});
  });
  CAF_CHECK_EQUAL(set.boot, now.boot);
  CAF_CHECK(set.due == now.wall + 2h);
}

CAF_TEST(an event of its own that is put off keeps no timer of the instance back) {
  play().on_placed = [](order&, const placed&, saga_context& context) {
    context.publish(changed{"o-1", 1});
    context.set_timer("t", 1s, overdue{5});
  };
  const auto started = saga.take(event(placed{"o-1", 42}));
  CAF_REQUIRE_EQUAL(started.sent.size(), 1u);
  CAF_REQUIRE_EQUAL(started.armed.size(), 1u);
  saga.operate(verb::pause);
  CAF_CHECK_EQUAL(edge_of(saga.take(started.sent.front())), "hold");
  saga.operate(verb::resume); // calls for the event; the timer, which was due, is here first
  play().on_overdue = [](order& state, const overdue& due, saga_context& context) {
    state.count = due.round;
    context.expect<changed>();
  };
  CAF_CHECK_EQUAL(edge_of(saga.take(due(started.armed.front().id))), "timer");
  CAF_CHECK(!saga.machine().may_passivate()); // the event is still called for
  play().on_changed = [](order&, const changed&, saga_context& context) { context.complete(); };
  CAF_CHECK_EQUAL(edge_of(saga.take(started.sent.front())), "event");
}

CAF_TEST(a late failure waits no longer than its policy wherever the wall clock has jumped) {
  auto slow = overdue_attempt();
  now.wall -= 24h;
  CAF_CHECK(slow.fails("too late").try_again == 100ms);
  auto ahead = overdue_attempt();
  now.wall += 48h;
  CAF_CHECK(ahead.fails("too late").try_again == 0ms);
}

CAF_TEST(after a restart an attempt waits no longer than its policy wherever the wall clock has jumped) {
  auto slow = overdue_attempt();
  now.wall -= 24h;
  CAF_CHECK(slow.crash().try_again == 100ms);
}

CAF_TEST(a policy without an end waits no longer than its next delay after the clock went back) {
  payment.retry({.attempts = 9, .first = 100ms, .factor = 1, .cap = retry_delay_max, .jitter = 0});
  auto slow = overdue_attempt();
  now.wall -= 24h;
  CAF_CHECK(slow.fails("too late").try_again == 100ms);
}

CAF_TEST(a policy is bounded and says what may be) {
  const auto objection = [](const retry_policy& bad) { return objection_to(bad); };
  CAF_CHECK_EQUAL(objection({.cap = milliseconds::max()}),
                  "its retry policy has cap = 9223372036854775807 ms; it must be from 0 to 31622400000 ms "
                  "(366 days)");
  CAF_CHECK_EQUAL(objection({.first = -1ms}),
                  "its retry policy has first = -1 ms; it must be from 0 to 31622400000 ms (366 days)");
  CAF_CHECK_EQUAL(objection({.timeout = 0ms}),
                  "its retry policy has timeout = 0 ms; it must be at least 1 ms");
  CAF_CHECK_EQUAL(objection({.cap = retry_delay_max, .timeout = milliseconds::max()}), "");
}

CAF_TEST(a delay of a policy that nobody checked is no longer than there are milliseconds) {
  const retry_policy wild{.first = milliseconds::max(), .factor = 2, .cap = milliseconds::max(), .jitter = 0};
  CAF_CHECK(retry_delay(wild, 5, 0) == milliseconds::max());
}

CAF_TEST_FIXTURE_SCOPE_END()
