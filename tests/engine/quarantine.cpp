// An instance whose handler takes the process down: counted durably, run alone, stopped after the third time.
#define CAF_SUITE quarantine

#include <caf/test/dsl.hpp>

#include "tests/engine/world.hpp"

using namespace continuo;
using namespace continuo::engine;
using namespace continuo::engine::testing;
using namespace std::chrono_literals;

namespace {

struct fixture : world {
  fixture() {
    play().on_placed = [](order&, const placed&, saga_context& context) { context.send(pay{"o-1", 42}); };
    play().on_changed = [](order& state, const changed& event, saga_context&) {
      state.count += event.number;
    };
  }

  void start() { saga.take(event(placed{"o-1", 42})); }

  std::int64_t count() { return decode<order>(saga.current().state)->count; }

  saga_box saga{*this};
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(quarantine_tests, fixture)

CAF_TEST(a suspect is counted durably before it runs and the count is cleared after a success) {
  start();
  const auto unlucky = event(changed{"o-1", 5});
  const auto decided = saga.suspect(unlucky);
  CAF_CHECK(decided.write == write_kind::put);
  CAF_CHECK(says_done(decided, unlucky)); // its own record holds it from here
  CAF_CHECK(decided.try_again == 0ms);
  CAF_CHECK_EQUAL(saga.current().deaths, 1u);
  CAF_CHECK(saga.crash().try_again == 0ms);
  saga.suspect(unlucky);
  CAF_CHECK_EQUAL(saga.current().deaths, 2u);
  const auto handled = saga.again();
  CAF_CHECK_EQUAL(edge_of(handled), "event");
  CAF_CHECK_EQUAL(handled.history->attempt, 3u); // after the two that only counted
  CAF_CHECK(saga.take(event(changed{"o-1", 1})).history->attempt == 1);
  CAF_CHECK_EQUAL(saga.current().deaths, 0u);
  CAF_CHECK(!saga.current().failed);
  CAF_CHECK_EQUAL(count(), 6);
  CAF_CHECK_EQUAL(edge_of(saga.take(unlucky)), "duplicate");
}

CAF_TEST(after the third death the handler is not run again before a person says so) {
  start();
  const auto killer = event(changed{"o-1", 5});
  for (int death = 0; death < 2; ++death) {
    saga.suspect(killer);
    saga.crash();
  }
  CAF_CHECK(saga.machine().retrying()); // as the restart found it
  saga.suspect(killer);
  CAF_CHECK_EQUAL(saga.status(), "stuck");
  CAF_CHECK(!saga.machine().retrying());
  CAF_CHECK(!saga.crash().try_again);
  saga.operate(verb::retry);
  CAF_CHECK_EQUAL(saga.current().deaths, 0u);
  CAF_CHECK_EQUAL(edge_of(saga.again()), "event");
  CAF_CHECK_EQUAL(count(), 5);
}

CAF_TEST(a killer that starts an instance leaves a stuck one) {
  const auto killer = event(placed{"o-1", 42});
  for (int death = 0; death < 3; ++death) {
    saga.crash();
    saga.suspect(killer);
  }
  CAF_CHECK_EQUAL(saga.status(), "stuck");
  saga.operate(verb::retry);
  CAF_CHECK_EQUAL(edge_of(saga.again()), "start");
}

CAF_TEST(ends of the process that nothing explains park nobody before the tenth in a row) {
  start();
  keyed_box shelf{*this};
  execution_box paying{*this, payment, command(pay{"o-1", 42}, {"order", "o-1"}, {"payment", ""})};
  const auto unlucky = event(changed{"o-1", 5});
  const auto order = command(reserve{"nail", 1}, {"order", "o-1"}, {"stock", "nail"});
  for (int end = 1; end < 10; ++end) {
    saga.suspect(unlucky, false);
    shelf.suspect(order, false);
    paying.suspect(false);
    saga.crash();
    shelf.crash();
    paying.crash();
  }
  CAF_CHECK_EQUAL(saga.current().deaths, 0u);
  CAF_CHECK(saga.machine().retrying());
  CAF_CHECK(shelf.machine().retrying());
  CAF_CHECK(paying.phase() == execution::phase::backoff);
  CAF_CHECK_EQUAL(paying.machine().interruptions(), 9u);
  saga.suspect(unlucky, false);
  CAF_CHECK_EQUAL(saga.status(), "stuck");
  CAF_CHECK(contains(saga.reason(), "killed from outside"));
  CAF_CHECK_EQUAL(shelf.suspect(order, false).dead_letters.size(), 1u);
  paying.suspect(false);
  CAF_CHECK(paying.phase() == execution::phase::parked);
  paying.retry();
  CAF_CHECK_EQUAL(paying.machine().interruptions(), 0u);
}

CAF_TEST(a handler that comes to its end clears what nothing explained) {
  start();
  const auto unlucky = event(changed{"o-1", 5});
  saga.suspect(unlucky, false);
  CAF_CHECK_EQUAL(saga.current().interruptions, 1u);
  CAF_CHECK_EQUAL(edge_of(saga.again()), "event");
  CAF_CHECK_EQUAL(saga.current().interruptions, 0u);
}

CAF_TEST(an event that starts nothing makes no instance by being a suspect) {
  CAF_CHECK_EQUAL(edge_of(saga.suspect(event(changed{"o-1", 5}))), "unknown_discard");
  CAF_CHECK(!saga.stored());
}

CAF_TEST(a timer that is a suspect runs with what it carries) {
  play().on_placed = [](order&, const placed&, saga_context& context) {
    context.set_timer("t", 1s, overdue{7});
  };
  play().on_overdue = [](order& state, const overdue& due, saga_context& context) {
    state.count = due.round;
    context.send(pay{});
  };
  const auto set = saga.take(event(placed{"o-1", 42})).armed.front();
  envelope due; // only names the timer
  due.kind = message_kind::timer;
  due.id = set.id;
  due.from = due.to = saga.current().self;
  saga.suspect(due);
  saga.crash();
  saga.suspect(due);
  CAF_CHECK_EQUAL(saga.current().deaths, 2u);
  CAF_CHECK_EQUAL(edge_of(saga.again()), "timer");
  CAF_CHECK_EQUAL(count(), 7);
}

CAF_TEST(a suspect at a paused instance is held and not lost) {
  start();
  saga.operate(verb::pause);
  const auto unlucky = event(changed{"o-1", 5});
  CAF_CHECK_EQUAL(edge_of(saga.suspect(unlucky)), "hold");
  CAF_CHECK_EQUAL(saga.status(), "paused");
  saga.operate(verb::resume);
  CAF_CHECK_EQUAL(edge_of(saga.take(unlucky)), "event");
  CAF_CHECK_EQUAL(count(), 5);
}

CAF_TEST(a suspect does not displace the message that made the instance stuck) {
  start();
  play().on_changed = [](order&, const changed&, saga_context&) { throw std::runtime_error("a bug"); };
  const auto first = event(changed{"o-1", 5});
  saga.take(first);
  saga.again();
  saga.again();
  CAF_CHECK_EQUAL(edge_of(saga.suspect(event(changed{"o-1", 6}))), "hold");
  CAF_REQUIRE(saga.current().failed);
  CAF_CHECK(saga.current().failed->id == first.id);
}

CAF_TEST(a suspect does not overtake its predecessor) {
  start();
  const instance_id other{"order", "o-2"};
  const auto first = event(changed{"o-1", 1}, other);
  auto second = event(changed{"o-1", 2}, other);
  second.predecessor = first.id;
  CAF_CHECK_EQUAL(edge_of(saga.suspect(second)), "hold");
  CAF_CHECK_EQUAL(edge_of(saga.take(first)), "event");
  keyed_box shelf{*this};
  const auto one = command(reserve{"nail", 1}, other, {"stock", "nail"});
  auto two = command(reserve{"nail", 2}, other, {"stock", "nail"});
  two.predecessor = one.id;
  CAF_CHECK_EQUAL(edge_of(shelf.suspect(two)), "hold");
  CAF_CHECK_EQUAL(edge_of(shelf.take(one)), "handled");
}

CAF_TEST(an ended instance stays ended whatever the suspects say) {
  play().on_placed = [](order&, const placed&, saga_context& context) { context.complete(); };
  start();
  const auto late = event(changed{"o-1", 5});
  for (int death = 0; death < 5; ++death) {
    saga.suspect(late);
    saga.crash();
  }
  CAF_CHECK_EQUAL(saga.status(), "completed");
}

CAF_TEST(an answer to a compensation that was a suspect leaves nothing behind) {
  start();
  saga.operate(verb::cancel, "why");
  saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}));
  const auto refusal = failed(saga.open<refund>(), failure_kind::declined, "closed");
  saga.suspect(refusal);
  CAF_CHECK_EQUAL(edge_of(saga.again()), "undo_refused");
  CAF_CHECK(!saga.current().failed);
  CAF_CHECK_EQUAL(sent_by(saga.operate(verb::retry)), "(refund)");
  saga.suspect(reply(saga.open<refund>(), refunded{}));
  CAF_CHECK_EQUAL(edge_of(saga.again()), "undone");
  CAF_CHECK_EQUAL(saga.status(), "compensated");
  CAF_CHECK(!saga.current().failed);
}

CAF_TEST(a success at a keyed service clears the count) {
  keyed_box shelf{*this};
  const auto unlucky = command(reserve{"nail", 1}, {"order", "o-1"}, {"stock", "nail"});
  CAF_CHECK(shelf.suspect(unlucky).write == write_kind::put);
  CAF_CHECK_EQUAL(shelf.current().deaths, 1u);
  CAF_CHECK(shelf.crash().try_again == 0ms);
  CAF_CHECK_EQUAL(edge_of(shelf.again()), "handled");
  CAF_CHECK_EQUAL(shelf.current().deaths, 0u);
  CAF_CHECK(!shelf.current().failed);
  CAF_CHECK(!shelf.crash().try_again);
}

CAF_TEST_FIXTURE_SCOPE_END()
