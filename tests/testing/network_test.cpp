#define CAF_SUITE network

#include "tests/testing/shop.hpp"

#include <continuo/testing_caf.hpp>

#include <caf/test/dsl.hpp>

#include <chrono>

using namespace std::chrono_literals;

namespace {

struct fixture : continuo::testing::fixture {
  shop::fakes fakes = shop::build(*this);

  fixture() {
    start();
    run_for(1s); // the links are up
  }

  bool has_in_trace(std::string_view words) const { return trace().find(words) != std::string::npos; }

  continuo::testing::saga_ref order() { return saga_of<shop::fulfilment>("o-1"); }

  std::chrono::nanoseconds time_of_order() {
    const auto before = elapsed();
    publish(shop::order_placed{"o-1", 4200});
    CAF_CHECK(run_until([&] { return order().status() == "completed"; }));
    return elapsed() - before;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(network_tests, fixture)

CAF_TEST(an order takes milliseconds where nothing is wrong) {
  CAF_CHECK(time_of_order() < 20ms);
  finish();
}

CAF_TEST(a cut loses what is under way and it is sent again) {
  publish(shop::order_placed{"o-1", 4200});
  CAF_REQUIRE(run_until([&] { return has_in_trace("make_payment from o-1"); }));
  cut("ordering", "payment");
  CAF_CHECK(has_in_trace("-x ordering: make_payment from o-1"));
  run();
  order().should_be_completed();
  fakes.payment.was_called(1);
  finish();
}

CAF_TEST(what was under way in a cut may come late and is refused) {
  publish(shop::order_placed{"o-1", 4200});
  CAF_REQUIRE(run_until([&] { return has_in_trace("make_payment from o-1"); }));
  cut("ordering", "payment", true);
  CAF_CHECK(has_in_trace("comes late"));
  run();
  order().should_be_completed();
  fakes.payment.was_called(1);
  CAF_CHECK_EQUAL(fakes.payment.calls().size(), 1u);
  finish();
}

CAF_TEST(separated nodes find each other after heal alone) {
  separate("ordering", "payment");
  publish(shop::order_placed{"o-1", 4200});
  run_for(5min);
  order().should_wait_for("make_payment");
  fakes.payment.was_called(0);
  heal();
  run();
  order().should_be_completed();
  finish();
}

CAF_TEST(one way is silence in one direction) {
  one_way("payment", "ordering"); // commands come through, nothing comes back
  publish(shop::order_placed{"o-1", 4200});
  run_for(5s);
  CAF_CHECK_EQUAL(order().status(), "running");
  heal();
  run();
  order().should_be_completed();
  fakes.payment.was_called(1);
  finish();
}

CAF_TEST(delay makes one direction slower) {
  delay("ordering", "payment", 300ms);
  const auto took = time_of_order();
  CAF_CHECK(took > 300ms);
  CAF_CHECK(took < 1s);
  finish();
}

CAF_TEST(heal starts what is down and lets go on what stands still) {
  (*this)["payment"].crash();
  (*this)["warehouse"].pause();
  publish(shop::order_placed{"o-1", 4200});
  run_for(1min);
  order().should_wait_for("make_payment");
  heal();
  run();
  order().should_be_completed();
  finish();
}

CAF_TEST(each planned fault happens and is counted by its name) {
  for (const auto kind : continuo::testing::all_faults()) {
    CAF_MESSAGE(to_string(kind));
    continuo::testing::cluster here;
    shop::build(here);
    here.plan_faults({.kinds = {kind}, .count = 2, .within = 10ms});
    for (int i = 0; i < 10; ++i) {
      here.publish(shop::order_placed{"o-" + std::to_string(i), 4200});
    }
    here.finish();
    CAF_CHECK(here.figures().faults.at(to_string(kind)) >= 1u);
    here.saga_of<shop::fulfilment>("o-0").should_be_completed();
  }
}

CAF_TEST(planned faults hit the nodes that were named and no others) {
  plan_faults({.kinds = {continuo::testing::fault::crash}, .count = 5, .nodes = {"warehouse"}});
  run_for(10s);
  CAF_CHECK(!has_in_trace("ordering   ** crashes"));
  CAF_CHECK(!has_in_trace("payment    ** crashes"));
  CAF_CHECK(has_in_trace("warehouse  ** crashes"));
  finish();
}

CAF_TEST_FIXTURE_SCOPE_END()
