#define CAF_SUITE nodes

#include "tests/testing/shop.hpp"

#include <continuo/testing_caf.hpp>

#include <caf/test/dsl.hpp>

#include <chrono>

using namespace std::chrono_literals;

namespace {

/// Whether calling this throws a failure that says so.
template <class Function>
bool fails(const std::string& with, Function function) {
  try {
    function();
  } catch (const continuo::testing::failure& thrown) {
    if (std::string{thrown.what()}.find(with) != std::string::npos) {
      return true;
    }
    CAF_MESSAGE("it says: " << thrown.what());
  }
  return false;
}

struct fixture : continuo::testing::fixture {
  shop::fakes fakes = shop::build(*this);
  continuo::testing::node& ordering = (*this)["ordering"];
  continuo::testing::node& payment = (*this)["payment"];
  continuo::testing::node& warehouse = (*this)["warehouse"];

  void place(const std::string& order) { publish(shop::order_placed{order, 4200}); }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(nodes_tests, fixture)

// -- lives ---------------------------------------------------------------------------

CAF_TEST(nodes start with the first call that lets time pass) {
  CAF_CHECK(!ordering.is_up());
  CAF_CHECK(elapsed() == 0s);
  step();
  CAF_CHECK(ordering.is_up());
  CAF_CHECK(payment.is_up());
  CAF_CHECK_EQUAL(names().size(), 3u);
  run_for(3s);
  CAF_CHECK(elapsed() == 3s);
  CAF_REQUIRE_EQUAL(ordering.peers().size(), 2u);
  CAF_CHECK(ordering.peers().front().up);
}

CAF_TEST(what was synced outlives a crash) {
  place("o-1"); // durable once this returns; the saga starts with the next thing that happens
  run_for(1ms);
  ordering.crash();
  CAF_CHECK(!ordering.is_up());
  CAF_CHECK_EQUAL(saga_of<shop::fulfilment>("o-1").status(), "running");
  ordering.start();
  run();
  saga_of<shop::fulfilment>("o-1").should_be_completed_with("track-o-1");
  fakes.payment.was_called(1);
  finish();
}

CAF_TEST(what was not synced is gone after a crash) {
  start();
  run_for(1s);
  ordering.slow_disk(500ms);
  place("o-1"); // the journal's syncs take half a second from here on
  bool said = false;
  ordering.client().publish("order_placed", continuo::encode(shop::order_placed{"o-2", 1}), {},
                            [&](continuo::result<continuo::accepted> answer) { said = answer.has_value(); });
  run_for(1ms);
  CAF_CHECK(!said);
  ordering.restart();
  run();
  CAF_CHECK(!said);
  saga_of<shop::fulfilment>("o-1").should_be_completed();
  saga_of<shop::fulfilment>("o-2").should_be_absent();
  finish();
}

CAF_TEST(a restart is a crash and a start) {
  start();
  CAF_CHECK_EQUAL(figures().crashes, 0u);
  payment.restart();
  CAF_CHECK(payment.is_up());
  CAF_CHECK_EQUAL(figures().crashes, 1u);
  payment.crash();
  payment.crash(); // it is down already
  CAF_CHECK_EQUAL(figures().crashes, 2u);
  payment.restart(); // starts what is down
  CAF_CHECK_EQUAL(figures().crashes, 2u);
  CAF_CHECK(payment.is_up());
  CAF_CHECK(fails("payment is up", [&] { payment.start(); }));
  finish();
}

CAF_TEST(a node that stands still does nothing and forgets nothing) {
  start();
  run_for(1s);
  payment.pause();
  place("o-1");
  run_for(1min);
  CAF_CHECK(payment.is_up());
  fakes.payment.was_called(0);
  saga_of<shop::fulfilment>("o-1").should_wait_for("make_payment");
  payment.go_on();
  run();
  saga_of<shop::fulfilment>("o-1").should_be_completed();
  finish();
}

// -- the disk ------------------------------------------------------------------------------

CAF_TEST(a slow disk delays and nothing else) {
  start();
  run_for(1s);
  for (auto* one : {&ordering, &payment, &warehouse}) {
    one->slow_disk(200ms);
  }
  const auto before = elapsed();
  place("o-1");
  CAF_CHECK(run_until([&] { return saga_of<shop::fulfilment>("o-1").status() == "completed"; }));
  CAF_CHECK(elapsed() - before > 400ms);
  CAF_CHECK(elapsed() - before < 10s);
  finish();
}

CAF_TEST(a failed sync stops the node and its batch may be there or not ) {
  for (const auto applied : {false, true}) {
    continuo::testing::cluster here;
    shop::build(here);
    here.start();
    here.run_for(1s);
    here["ordering"].fail_sync(1, applied);
    bool said = false;
    here["ordering"].client().publish(
        "order_placed", continuo::encode(shop::order_placed{"o-1", 1}), {},
        [&](continuo::result<continuo::accepted> answer) { said = answer.has_value(); });
    here.run_for(1s);
    CAF_CHECK(!said);
    CAF_CHECK(!here["ordering"].is_up());
    CAF_CHECK(!here["ordering"].failed().empty());
    here["ordering"].start();
    CAF_CHECK(here["ordering"].failed().empty());
    here.run();
    CAF_CHECK_EQUAL(here.saga_of<shop::fulfilment>("o-1").status(), applied ? "completed" : "absent");
    here.finish();
  }
}

CAF_TEST(a publish to a node whose sync fails is taken once after its restart) {
  start();
  run_for(1s);
  ordering.fail_sync(1, true);
  plan_faults({.kinds = {continuo::testing::fault::crash}, .count = 1, .within = 0s, .nodes = {"warehouse"}});
  CAF_CHECK(fails("ordering is down, and nobody starts it", [&] { place("o-1"); }));
}

CAF_TEST(a full disk stops the node until there is room) {
  start();
  run_for(1s);
  ordering.fill_disk();
  bool said = false;
  ordering.client().publish("order_placed", continuo::encode(shop::order_placed{"o-1", 1}), {},
                            [&](continuo::result<continuo::accepted> answer) { said = answer.has_value(); });
  run_for(1s);
  CAF_CHECK(!said);
  ordering.free_disk();
  if (!ordering.is_up()) {
    ordering.start();
  }
  place("o-2");
  run();
  saga_of<shop::fulfilment>("o-2").should_be_completed();
  finish();
}

CAF_TEST(a node whose disk was wiped is told by its peers and stops) {
  place("o-1");
  run();
  saga_of<shop::fulfilment>("o-1").should_be_completed();
  CAF_CHECK(fails("is up", [&] { ordering.wipe_disk(); }));
  ordering.crash();
  ordering.wipe_disk();
  ordering.start(); // it does not know yet
  run_for(10s);
  CAF_CHECK(!ordering.is_up());
  CAF_CHECK(ordering.failed().find("its data directory was wiped or exchanged") != std::string::npos);
  saga_of<shop::fulfilment>("o-1").should_be_absent();
  CAF_CHECK(fails("ordering", [&] { finish(); }));
}

// -- clocks -------------------------------------------------------------------------------------

CAF_TEST(a jump of the wall clock moves no timer) {
  start();
  run_for(1s);
  payment.crash();
  place("o-1");
  ordering.jump_wall_clock(24h);
  run_for(29min);
  saga_of<shop::fulfilment>("o-1").should_wait_for("overdue");
  ordering.jump_wall_clock(-48h);
  run_for(2min);
  payment.start();
  run();
  saga_of<shop::fulfilment>("o-1").should_be_compensated_because("payment overdue");
  finish();
}

CAF_TEST(after a reboot the wall clock decides when a timer is due) {
  start();
  run_for(1s);
  payment.crash();
  place("o-1");
  run_for(1s);
  ordering.reboot();
  CAF_CHECK(!ordering.is_up());
  ordering.jump_wall_clock(1h);
  ordering.start();
  run_for(59s); // for a minute after a boot the wall clock is not believed
  saga_of<shop::fulfilment>("o-1").should_wait_for("overdue");
  run_for(2s);
  CAF_CHECK_EQUAL(saga_of<shop::fulfilment>("o-1").status(), "compensating");
  payment.start();
  run();
  saga_of<shop::fulfilment>("o-1").should_be_compensated_because("payment overdue");
  finish();
}

CAF_TEST(a timer that falls due while its node is down fires when it is back) {
  start();
  run_for(1s);
  payment.crash();
  place("o-1");
  run_for(1s);
  ordering.crash();
  run_for(1h);
  CAF_CHECK_EQUAL(saga_of<shop::fulfilment>("o-1").status(), "running");
  ordering.start();
  payment.start();
  run();
  saga_of<shop::fulfilment>("o-1").should_be_compensated_because("payment overdue");
  finish();
}

// -- mistakes of the test itself ------------------------------------------------------------------

CAF_TEST(a mistake in a test is told in a sentence) {
  CAF_CHECK(fails("there is no node nobody", [&] { (*this)["nobody"]; }));
  CAF_CHECK(fails("two nodes called payment", [&] { add("payment"); }));
  CAF_CHECK(fails("payment is down: it has no client", [&] { payment.client(); }));
  start();
  CAF_CHECK(fails("before the first one starts", [&] { add("late"); }));
  CAF_CHECK(fails("seed ", [&] { add("late"); }));
  continuo::testing::cluster empty;
  CAF_CHECK(fails("the cluster has no nodes", [&] { empty.publish(shop::order_placed{"o-1", 1}); }));
}

CAF_TEST_FIXTURE_SCOPE_END()
