#define CAF_SUITE claims

#include "tests/testing/shop.hpp"

#include <continuo/testing_caf.hpp>

#include <caf/test/dsl.hpp>

#include <chrono>

using namespace std::chrono_literals;
using namespace shop;

namespace {

/// What the failure says that calling this throws; empty: it throws none.
template <class Function>
std::string said_by(Function function) {
  try {
    function();
  } catch (const continuo::testing::failure& thrown) {
    return thrown.what();
  }
  return {};
}

/// The same without the seed and the time that stand in front.
template <class Function>
std::string claim_of(Function function) {
  const auto text = said_by(function);
  CAF_CHECK(text.starts_with("seed 1, after "));
  const auto end = text.find(" s: ");
  return end == std::string::npos ? text : text.substr(end + 4);
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(claims_tests, with_fakes)

// -- of a saga ------------------------------------------------------------------------

CAF_TEST(claims that hold say nothing and can be chained) {
  placed()
      .should_be(continuo::instance_status::completed)
      .should_be_completed()
      .should_be_completed_with("track-o-1");
  saga_of<fulfilment>("o-2").should_be_absent();
  finish();
}

CAF_TEST(a claim that does not hold says what holds instead) {
  const auto order = placed();
  CAF_CHECK_EQUAL(claim_of([&] { order.should_be_compensated_because("x"); }),
                  "fulfilment/o-1 should be compensated, and is completed with \"track-o-1\"");
  CAF_CHECK_EQUAL(claim_of([&] { order.should_be_completed_with("parcel"); }),
                  "fulfilment/o-1 should be completed with parcel, and is completed with \"track-o-1\"");
  CAF_CHECK_EQUAL(claim_of([&] { order.should_be_absent(); }),
                  "fulfilment/o-1 should not be there, and is completed with \"track-o-1\"");
  CAF_CHECK_EQUAL(claim_of([&] { order.should_wait_for("make_payment"); }),
                  "fulfilment/o-1 should wait for make_payment, and is completed with \"track-o-1\"");
  CAF_CHECK_EQUAL(claim_of([&] { saga_of<fulfilment>("o-2").should_be_completed(); }),
                  "fulfilment/o-2 should be completed, and is absent");
}

CAF_TEST(a claim about one that runs says what it waits for) {
  start();
  (*this)["payment"].crash();
  publish(order_placed{"o-1", 4200});
  run_for(1ms); // accepted: the saga starts with the next thing that happens
  const auto order = saga_of<fulfilment>("o-1");
  order.should_wait_for("make_payment").should_wait_for("overdue");
  CAF_CHECK_EQUAL(
      claim_of([&] { order.should_be_completed(); }),
      "fulfilment/o-1 should be completed, and is running; waits for reply make_payment of payment@payment; "
      "waits for timer overdue");
}

CAF_TEST(a claim about one that was rolled back says why) {
  fakes.label.declines("out of stock");
  const auto order = placed();
  order.should_be_compensated_because("out of stock");
  CAF_CHECK_EQUAL(
      claim_of([&] { order.should_be_completed(); }),
      "fulfilment/o-1 should be completed, and is compensated (create_label failed: out of stock)");
  CAF_CHECK_EQUAL(claim_of([&] { order.should_be_compensated_because("no money"); }),
                  "fulfilment/o-1 should be compensated because of \"no money\", and is compensated "
                  "(create_label failed: out of stock)");
}

CAF_TEST(a refused compensation is stuck and says so) {
  fakes.label.declines("out of stock");
  fakes.refund.declines("the account is closed");
  const auto order = placed();
  order.should_be_stuck_because("the account is closed");
  CAF_CHECK(!claim_of([&] { order.should_be_stuck_because("no money"); }).empty());
  finish();
}

CAF_TEST(a view and a history show the rest) {
  const auto order = placed();
  CAF_REQUIRE(order.view().has_value());
  const auto view = order.view();
  CAF_CHECK_EQUAL(view->state, "{\"order_id\":\"o-1\"}");
  CAF_CHECK_EQUAL(view->result, "\"track-o-1\"");
  CAF_CHECK_EQUAL(order.status(), "completed");
  CAF_CHECK_EQUAL(saga_of<fulfilment>("o-2").status(), "absent");
  CAF_CHECK(saga_of<fulfilment>("o-2").history().empty());
  std::string lines;
  for (const auto& one : order.history()) {
    lines += one.what + " " + one.message + "\n";
  }
  CAF_CHECK_EQUAL(lines, "start order_placed\nreply payment_completed\nreply label_created\n");
}

// -- checks of the user's own ----------------------------------------------------------------

CAF_TEST(check fails with seed time and text) {
  check(true, "the world is round");
  run_for(2s);
  CAF_CHECK_EQUAL(said_by([&] { check(false, "the world is flat"); }),
                  "seed 1, after 2.000000 s: the world is flat");
}

CAF_TEST(always is asked after every sync) {
  std::size_t asked = 0;
  always("counted", [&] { return ++asked > 0; });
  placed();
  CAF_CHECK(asked > 5u);
  CAF_CHECK(asked <= figures().commits); // once for those of one step
  always("no label is printed", [&] { return fakes.label.effects() < 2; });
  CAF_CHECK(claim_of([&] { placed("o-2"); }) == "does not hold: no label is printed");
}

CAF_TEST(eventually must hold at some moment) {
  eventually("two payments at a time", [&] { return fakes.payment.effects() == 1; });
  placed();
  placed("o-2");
  finish();
  continuo::testing::cluster other;
  build(other);
  other.eventually("a refund", [] { return false; });
  CAF_CHECK_EQUAL(claim_of([&] { other.finish(); }), "never held: a refund");
}

CAF_TEST(at end must hold at the end alone) {
  at_end("all is shipped", [&] { return fakes.label.effects() == 1; });
  placed();
  finish();
  continuo::testing::cluster other;
  build(other);
  other.at_end("all is shipped", [] { return false; });
  other.run();
  CAF_CHECK_EQUAL(claim_of([&] { other.finish(); }), "does not hold at the end: all is shipped");
}

CAF_TEST(rare states are counted) {
  sometimes("a refund", fakes.refund.effects() > 0);
  placed();
  sometimes("a label", fakes.label.effects() > 0);
  sometimes("a label");
  CAF_CHECK_EQUAL(figures().sometimes.at("a refund"), 0u);
  CAF_CHECK_EQUAL(figures().sometimes.at("a label"), 2u);
  const auto text = to_string(figures());
  CAF_CHECK(text.find("never seen: a refund") != std::string::npos);
  CAF_CHECK(text.find("seen 2 times: a label") != std::string::npos);
}

// -- how long it runs ---------------------------------------------------------------------------

CAF_TEST(run ends at once when all is done) {
  placed();
  const auto before = elapsed();
  run();
  CAF_CHECK(elapsed() - before < 5s);
}

CAF_TEST(run ends when only a node that is down is waited for) {
  start();
  (*this)["warehouse"].crash();
  placed().should_wait_for("create_label");
  CAF_CHECK(elapsed() < 10min); // it knows after a minute of silence
  (*this)["warehouse"].start();
  run();
  saga_of<fulfilment>("o-1").should_be_completed();
}

CAF_TEST(run fires timers) {
  start();
  (*this)["payment"].crash();
  placed();
  CAF_CHECK(elapsed() >= 30min);
  CAF_CHECK_EQUAL(saga_of<fulfilment>("o-1").status(), "compensating");
}

CAF_TEST(run fails at its limit and says what is left) {
  fakes.label.declines("out of stock");
  fakes.refund.throws("the bank is away");
  publish(order_placed{"o-1", 4200});
  const auto text = claim_of([&] { run(2h); });
  CAF_MESSAGE(text);
  CAF_CHECK(text.starts_with("there is work left after 7200 s of virtual time"));
  CAF_CHECK(text.find("fulfilment/o-1 on ordering: compensating") != std::string::npos);
  CAF_CHECK(text.find("refund_payment") != std::string::npos);
  CAF_CHECK(text.find("the bank is away") != std::string::npos);
}

CAF_TEST(run until says whether it held) {
  publish(order_placed{"o-1", 4200});
  CAF_CHECK(run_until([&] { return fakes.payment.effects() == 1; }));
  CAF_CHECK(!run_until([] { return false; }, 1min));
}

CAF_TEST(step runs so many steps and no more) {
  start();
  const auto before = figures().deliveries;
  step(3);
  CAF_CHECK(figures().deliveries <= before + 3);
  advance_time(1s);
  CAF_CHECK(elapsed() >= 1s);
}

// -- messages ----------------------------------------------------------------------------------

CAF_TEST(publish retries over a crash and is taken once) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    continuo::testing::cluster here{seed};
    const auto all = build(here);
    here.start();
    here.run_for(1s);
    here.plan_faults(
        {.kinds = {continuo::testing::fault::torn_sync}, .count = 1, .within = 0s, .nodes = {"ordering"}});
    here.run_for(0s);
    here.publish(order_placed{"o-1", 4200});
    CAF_CHECK_EQUAL(here.figures().crashes, 1u);
    here.finish();
    here.saga_of<fulfilment>("o-1").should_be_completed();
    all.payment.was_called(1);
  }
}

CAF_TEST(publish says what it started) {
  const auto said = publish(order_placed{"o-1", 4200});
  CAF_REQUIRE_EQUAL(said.instances.size(), 1u);
  CAF_CHECK_EQUAL(to_string(said.instances.front()), "fulfilment/o-1");
}

CAF_TEST(a node alone runs what it was given and nothing that nobody offers) {
  continuo::testing::cluster one{1};
  one.fake<create_label>("warehouse");
  one.add("alone", {"warehuse"});
  CAF_CHECK(said_by([&] { one.start(); }).find("this program offers no \"warehuse\"") != std::string::npos);
  continuo::testing::cluster other{1};
  other.fake<create_label>("warehouse");
  other.fake<make_payment>("payment");
  other.add("alone", {"warehouse"});
  other.start();
  CAF_CHECK(other.send(create_label{"o-1"}).has_value());
  CAF_CHECK(said_by([&] { CAF_CHECK(!other.send(make_payment{"o-1", 1}).has_value()); }) != "");
}

CAF_TEST(publish may go to any node) {
  publish(order_placed{"o-1", 4200}, "warehouse");
  run();
  saga_of<fulfilment>("o-1").should_be_completed();
  finish();
}

CAF_TEST(publish to a node that nobody starts fails at once) {
  start();
  (*this)["ordering"].crash();
  CAF_CHECK_EQUAL(claim_of([&] {
                    publish(order_placed{"o-1", 4200});
                  }),
                  "ordering is down, and nobody starts it: what is sent there would wait for ever");
}

CAF_TEST(publish of what no node knows is refused) {
  CAF_CHECK(!claim_of([&] { publish("unknown_event", "", {}); }).empty());
}

CAF_TEST(send gives the reply or why there is none) {
  const auto paid = send(make_payment{"o-1", 4200});
  CAF_REQUIRE(paid.has_value());
  CAF_CHECK_EQUAL(paid->order_id, "p-1");
  fakes.payment.declines("no money");
  const auto refused = send(make_payment{"o-2", 4200}, "warehouse");
  CAF_REQUIRE(!refused.has_value());
  CAF_CHECK(refused.error().code == continuo::errc::conflict);
  CAF_CHECK_EQUAL(refused.error().message, "declined: no money");
  finish();
}

CAF_TEST(a client of a node answers once time has passed) {
  start();
  auto end = (*this)["ordering"].client().publish(order_placed{"o-1", 4200}).taken();
  CAF_CHECK(end.wait_for(0s) != std::future_status::ready);
  run();
  CAF_REQUIRE(end.wait_for(0s) == std::future_status::ready);
  CAF_CHECK(end.get().has_value());
  finish();
}

CAF_TEST(configure changes what nodes that start are given) {
  configure([](continuo::node_config& config) { config.in_flight = 0; });
  start();
  bool refused = false;
  (*this)["ordering"].client().publish("order_placed", continuo::encode(order_placed{"o-1", 1}), {},
                                       [&](continuo::result<continuo::accepted> answer) {
                                         refused =
                                             !answer && answer.error().code == continuo::errc::overloaded;
                                       });
  run_for(1s);
  CAF_CHECK(refused);
}

CAF_TEST_FIXTURE_SCOPE_END()
