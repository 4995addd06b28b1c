#define CAF_SUITE crash_points

#include "tests/testing/shop.hpp"

#include <continuo/testing_caf.hpp>

#include <caf/test/dsl.hpp>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <set>
#include <sstream>

using namespace shop;
using continuo::testing::cluster;
using continuo::testing::for_each_crash_point;

namespace fs = std::filesystem;

namespace {

/// One order through three nodes.
void one_order(cluster& here) {
  const auto all = order(here);
  here.run();
  here.saga_of<fulfilment>("o-1").should_be_completed_with("track-o-1");
  all.payment.was_called(1);
  all.label.was_called(1);
  all.refund.was_called(0);
}

/// The mistake: a bank that refuses what it has done already, instead of giving the same answer again.
void refuses_a_repetition(cluster& here) {
  auto& paid = here.keep<std::set<std::string>>();
  here.offer<fulfilment>();
  here.offer(continuo::service{"payment"}
                 .handle([&](const make_payment&,
                             continuo::command_context& context) -> continuo::outcome<payment_completed> {
                   if (!paid.insert(context.idempotency_key()).second) {
                     return continuo::decline("paid already");
                   }
                   return payment_completed{"p-1"};
                 })
                 .handle([](const refund_payment&, continuo::command_context&)
                             -> continuo::outcome<payment_refunded> { return payment_refunded{}; }));
  here.fake<create_label>("warehouse");
  here.add("ordering", {"fulfilment"});
  here.add("payment", {"payment"});
  here.add("warehouse", {"warehouse"});
  here.publish(order_placed{"o-1", 4200});
  here.run();
}

template <class Function>
std::pair<std::string, std::string> fails(Function function) {
  std::ostringstream printed;
  auto* before = std::cerr.rdbuf(printed.rdbuf());
  std::string what;
  try {
    function();
  } catch (const continuo::testing::failure& thrown) {
    what = thrown.what();
  }
  std::cerr.rdbuf(before);
  return {what, printed.str()};
}

} // namespace

CAF_TEST(the order workflow comes to the same end whatever crashes when) {
  const auto done = for_each_crash_point(one_order);
  CAF_CHECK(done.commits > 5u);
  CAF_CHECK(done.sends >= 4u); // two commands, two replies
  CAF_CHECK_EQUAL(done.effects, 2u);
  CAF_CHECK_EQUAL(done.runs, 2 * (done.commits + done.sends + done.effects)); // before and after each
  CAF_CHECK_EQUAL(done.seen.seeds, done.runs);
  CAF_CHECK_EQUAL(done.seen.crashes, done.runs);
  CAF_MESSAGE(done.commits << " syncs, " << done.sends << " frames, " << done.effects
                           << " handlers: " << done.runs << " runs");
}

CAF_TEST(an order that is rolled back comes to the same end too) {
  const auto done = for_each_crash_point([](cluster& here) {
    const auto all = build(here);
    all.label.declines("out of stock");
    here.publish(order_placed{"o-1", 4200});
    here.run();
    here.saga_of<fulfilment>("o-1").should_be_compensated_because("out of stock");
    all.payment.was_called(1);
    all.refund.was_called(1);
  });
  CAF_CHECK_EQUAL(done.effects, 3u);
}

CAF_TEST(other seeds have other points) {
  for (std::uint64_t seed = 2; seed <= 5; ++seed) {
    CAF_CHECK(for_each_crash_point(one_order, {.seed = seed}).runs > 0u);
  }
}

CAF_TEST(pairs of crashes may be limited to an even choice) {
  const auto done = for_each_crash_point(one_order, {.pairs = true, .runs_max = 100});
  CAF_CHECK_EQUAL(done.runs, 100u);
  CAF_CHECK(done.seen.crashes > 120u); // the second point of a pair is not always reached
}

CAF_TEST(a service that cannot stand to be asked twice is found) {
  const auto folder = fs::absolute("crash_traces");
  fs::remove_all(folder);
  fs::create_directory(folder);
  ::setenv("CONTINUO_TRACE_DIR", folder.c_str(), 1);
  const auto [what, printed] = fails([] { for_each_crash_point(refuses_a_repetition); });
  ::unsetenv("CONTINUO_TRACE_DIR");
  CAF_MESSAGE(printed);
  CAF_CHECK(what.starts_with("with a crash after handler 1, at payment: "));
  CAF_CHECK(what.find("seed 1") != std::string::npos);
  CAF_CHECK(what.find("fulfilment/o-1 compensated") != std::string::npos);
  CAF_CHECK(what.find("instead of\nfulfilment/o-1 completed") != std::string::npos);
  CAF_CHECK(printed.find("*** repeat it: ") != std::string::npos);
  CAF_CHECK(printed.find("is to crash here: after handler 1") != std::string::npos);
  CAF_CHECK_EQUAL(std::distance(fs::directory_iterator{folder}, fs::directory_iterator{}), 2);
  fs::remove_all(folder);
}

CAF_TEST(a scenario that fails undisturbed is told as such) {
  const auto folder = fs::absolute("crash_traces");
  fs::create_directory(folder);
  ::setenv("CONTINUO_TRACE_DIR", folder.c_str(), 1);
  const auto [what, printed] =
      fails([] { for_each_crash_point([](cluster& here) { here.check(false, "no"); }); });
  ::unsetenv("CONTINUO_TRACE_DIR");
  CAF_CHECK_EQUAL(what, "seed 1, after 0.000000 s: no");
  fs::remove_all(folder);
}
