#define CAF_SUITE fakes

#include "tests/testing/shop.hpp"

#include <continuo/testing_caf.hpp>

#include <caf/test/dsl.hpp>

#include <algorithm>
#include <chrono>
#include <string>

using namespace std::chrono_literals;
using namespace shop;

CAF_TEST_FIXTURE_SCOPE(fakes_tests, with_fakes)

CAF_TEST(a fake answers what it was told) {
  fakes.label.answers(label_created{"parcel"});
  placed().should_be_completed_with("parcel");
  const auto commands = fakes.payment.commands();
  CAF_REQUIRE_EQUAL(commands.size(), 1u);
  CAF_CHECK_EQUAL(commands.front().cents, 4200);
  CAF_CHECK_EQUAL(fakes.payment.calls().front().node, "payment");
  CAF_CHECK_EQUAL(fakes.payment.calls().front().attempt, 1u);
  CAF_CHECK(!fakes.payment.calls().front().key.empty());
  CAF_CHECK_EQUAL(fakes.payment.command(), "make_payment");
  CAF_CHECK_EQUAL(fakes.payment.service(), "payment");
  finish();
}

CAF_TEST(a fake that was told nothing answers with an empty reply) {
  continuo::testing::cluster here;
  here.offer<fulfilment>();
  here.fake<make_payment>();
  here.fake<refund_payment>();
  here.fake<create_label>();
  here.add("alone");
  here.publish(order_placed{"o-1", 4200});
  here.run();
  here.saga_of<fulfilment>("o-1").should_be_completed_with("");
  here.finish();
}

CAF_TEST(a fake declines) {
  fakes.label.declines("out of stock");
  placed().should_be_compensated_because("out of stock");
  fakes.refund.was_called(1);
  finish();
}

CAF_TEST(a fake throws then answers) {
  fakes.payment.then_throws("the bank is away").then_throws("still away");
  placed().should_be_completed();
  fakes.payment.was_called(1); // three calls, all with the same key
  CAF_CHECK_EQUAL(fakes.payment.calls().size(), 3u);
  CAF_CHECK_EQUAL(fakes.payment.calls().back().attempt, 3u);
  finish();
}

CAF_TEST(a fake that throws for ever is given up and undone) {
  fakes.payment.throws("the bank is away");
  placed().should_be_compensated_because("the bank is away");
  fakes.refund.was_called(1); // it may have happened
  finish();
}

CAF_TEST(a script is done in order and then what was told before) {
  fakes.payment.declines("closed").then_answers(payment_completed{"first"}).then_declines("no money");
  placed("o-1").should_be_completed();
  placed("o-2").should_be_compensated_because("no money");
  placed("o-3").should_be_compensated_because("closed");
  placed("o-4").should_be_compensated_because("closed");
  fakes.payment.was_called(4);
  finish();
}

CAF_TEST(a fake answers by a function of the command) {
  fakes.payment.answers([](const make_payment& command) -> continuo::outcome<payment_completed> {
    if (command.order_id == "o-2") {
      return continuo::decline("not this one");
    }
    return payment_completed{"p"};
  });
  placed("o-1").should_be_completed();
  placed("o-2").should_be_compensated_because("not this one");
  finish();
}

CAF_TEST(a fake takes a while in virtual time) {
  fakes.payment.takes(2s);
  const auto before = elapsed();
  publish(order_placed{"o-1", 4200});
  CAF_REQUIRE(run_until([&] { return saga_of<fulfilment>("o-1").status() == "completed"; }));
  CAF_CHECK(elapsed() - before >= 2s);
  CAF_CHECK(elapsed() - before < 3s);
  finish();
}

CAF_TEST(a fake that takes longer than the timeout is told as such) {
  fakes.payment.takes(45s); // the policy's timeout is 30 s, and the attempt cannot be interrupted
  publish(order_placed{"o-1", 4200});
  run();
  saga_of<fulfilment>("o-1").should_be_completed(); // the late outcome is taken
  finish();
}

CAF_TEST(a fake that hangs keeps its order waiting until its node begins anew) {
  fakes.payment.then_hangs();
  placed().should_wait_for("make_payment");
  fakes.payment.was_called(0);
  (*this)["payment"].restart();
  run();
  fakes.payment.was_called(1);
  finish();
}

CAF_TEST(a fake remembers over crashes of its node) {
  placed("o-1");
  (*this)["payment"].restart();
  placed("o-2");
  fakes.payment.was_called(2);
  CAF_CHECK_EQUAL(fakes.payment.effects(), 2u);
  finish();
}

CAF_TEST(was called says how often it was) {
  placed();
  std::string said;
  try {
    fakes.payment.was_called(3);
  } catch (const continuo::testing::failure& thrown) {
    said = thrown.what();
  }
  CAF_CHECK_EQUAL(said, "make_payment was called for 1 command(s) (1 calls), not for 3");
}

CAF_TEST(two fakes of one command are refused) {
  std::string said;
  try {
    fake<make_payment>("bank");
    fake<make_payment>("bank");
  } catch (const continuo::testing::failure& thrown) {
    said = thrown.what();
  }
  CAF_CHECK(said.find("make_payment") != std::string::npos);
}

CAF_TEST(a handler declines where the plan names that and never by itself) {
  using continuo::testing::fault;
  const auto& drawn = continuo::testing::all_faults();
  CAF_CHECK(std::find(drawn.begin(), drawn.end(), fault::handler_declines) == drawn.end());
  start();
  plan_faults({.kinds = {fault::handler_declines}, .count = 1, .within = 0s, .nodes = {"warehouse"}});
  placed().should_be_compensated_because("the handler declines");
  fakes.label.was_called(0);
  fakes.refund.was_called(1);
  placed("o-2").should_be_completed();
  finish();
}

CAF_TEST(a service that is offered beside its fakes is refused) {
  continuo::testing::cluster here;
  here.fake<make_payment>("payment");
  std::string said;
  try {
    here.offer(continuo::service{"payment"});
  } catch (const continuo::testing::failure& thrown) {
    said = thrown.what();
  }
  CAF_CHECK(said.find("there is a service payment already") != std::string::npos);
}

CAF_TEST_FIXTURE_SCOPE_END()
