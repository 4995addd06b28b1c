// What this program does not know waits with its sender, and nobody counts it as an attempt; a request to
// what nothing hosts any more waits for a person.
#define CAF_SUITE unknown_here

#include <caf/test/dsl.hpp>

#include "tests/engine/world.hpp"

using namespace continuo;
using namespace continuo::engine;
using namespace continuo::engine::testing;
using namespace std::chrono_literals;

namespace {

/// The messages as a newer program has them.
namespace newer {

struct changed {
  std::string id;
  std::int64_t number = 0;
  std::string more;
  CONTINUO_FIELDS(changed, id, number, CONTINUO_SINCE(2, more))
};

struct paid {
  std::string id;
  std::string payment;
  std::string more;
  CONTINUO_FIELDS(paid, id, payment, CONTINUO_SINCE(2, more))
};

struct reserve {
  std::string item;
  std::int64_t pieces = 0;
  std::string more;
  CONTINUO_FIELDS(reserve, item, pieces, CONTINUO_SINCE(2, more))
};

struct shelf {
  std::int64_t pieces = 0;
  std::string padding;
  std::string more;
  CONTINUO_FIELDS(shelf, pieces, padding, CONTINUO_SINCE(2, more))
};

struct order {
  std::string text;
  std::int64_t count = 0;
  std::string more;
  CONTINUO_FIELDS(order, text, count, CONTINUO_SINCE(2, more))
};

} // namespace newer

struct fixture : world {
  fixture() {
    play().on_placed = [](engine::testing::order&, const placed& event, saga_context& context) {
      context.send(pay{event.id, event.cents});
    };
    play().on_changed = [](engine::testing::order& state, const changed& event, saga_context&) {
      state.count = event.number;
    };
  }

  void start() { saga.take(event(placed{"o-1", 42})); }

  /// The same message as this program knows it.
  template <class Body>
  static envelope as_known(envelope message, const Body& body) {
    message.payload = encode(body);
    return message;
  }

  static void check_left(const transition& decided, errc code) {
    CAF_CHECK_EQUAL(edge_of(decided), "unknown_here");
    CAF_CHECK(decided.write == write_kind::none);
    CAF_CHECK(decided.receipts.empty());
    CAF_CHECK(decided.sent.empty());
    CAF_CHECK(decided.dead_letters.empty());
    CAF_CHECK(!decided.try_again);
    CAF_REQUIRE(!decided.verdict);
    CAF_CHECK(decided.verdict.error().code == code);
  }

  const instance_id other{"order", "o-2"};
  saga_box saga{*this};
  keyed_box shelf{*this};
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(unknown_here_tests, fixture)

// -- messages ----------------------------------------------------------------------------------

CAF_TEST(an event of a newer version waits and so do later ones of its sender) {
  start();
  auto first = event(changed{"o-1", 1}, other);
  auto second = event(changed{"o-1", 2}, other);
  second.predecessor = first.id;
  for (int again = 0; again < 5; ++again) { // never an attempt
    check_left(saga.take(as_known(first, newer::changed{"o-1", 1, "x"})), errc::newer_version);
  }
  CAF_CHECK_EQUAL(edge_of(saga.take(second)), "hold");
  CAF_CHECK_EQUAL(edge_of(saga.take(event(changed{"o-1", 7}))), "event"); // of somebody else
  CAF_CHECK_EQUAL(saga.status(), "running");
  saga.flush();
  CAF_CHECK(saga.machine().may_passivate()); // nothing that happens here will call for it
  saga.crash();
  CAF_CHECK_EQUAL(edge_of(saga.take(first)), "event");
  CAF_CHECK_EQUAL(edge_of(saga.take(second)), "event");
}

CAF_TEST(an event that no saga and no service of this program takes waits) {
  auto unheard_of = event(changed{"o-1", 1}, other);
  unheard_of.type = "shop.unheard_of";
  check_left(saga.take(unheard_of), errc::unknown_type);
  start();
  check_left(saga.take(unheard_of), errc::unknown_type);
  // Known, and not this saga's.
  CAF_CHECK_EQUAL(edge_of(saga.take(event(shipped_out{"o-1"}))), "event_dropped");
}

CAF_TEST(a reply of a newer version waits and its request stays open) {
  start();
  const auto answer = reply(saga.open<pay>(), newer::paid{"o-1", "p-1", "x"});
  check_left(saga.take(answer), errc::newer_version);
  CAF_CHECK(saga.is_open<pay>());
  saga.operate(verb::cancel, "why");
  check_left(saga.take(answer), errc::newer_version); // what undoes it is made of the reply
  CAF_CHECK_EQUAL(saga.status(), "compensating");
  CAF_CHECK_EQUAL(edge_of(saga.take(as_known(answer, paid{"o-1", "p-1"}))), "late_success");
}

CAF_TEST(a saga whose state a newer program wrote waits for it) {
  start();
  saga.rewrite([](record& stored) { stored.state = encode(newer::order{"", 5, "x"}); });
  const auto message = event(changed{"o-1", 1}, other);
  check_left(saga.take(message), errc::newer_version);
  CAF_CHECK_EQUAL(saga.status(), "running");
  saga.rewrite([](record& stored) { stored.state = encode(engine::testing::order{}); });
  CAF_CHECK_EQUAL(edge_of(saga.take(message)), "event");
}

CAF_TEST(a command that a keyed service does not handle or know waits) {
  auto unknown = command(burn{}, other, {"stock", "nail"});
  check_left(shelf.take(unknown), errc::unknown_type);
  const instance_id third{"order", "o-3"};
  const auto known = command(reserve{"nail", 1}, third, {"stock", "nail"});
  for (int again = 0; again < 5; ++again) {
    check_left(shelf.take(as_known(known, newer::reserve{"nail", 1, "x"})), errc::newer_version);
  }
  CAF_CHECK(shelf.machine().may_passivate());
  CAF_CHECK_EQUAL(edge_of(shelf.take(known)), "handled");
}

CAF_TEST(keyed state that cannot be read declines nothing) {
  shelf.take(command(reserve{"nail", 1}, other, {"stock", "nail"}));
  for (const auto& state : {encode(newer::shelf{5, "", "x"}), std::string{"no state of a shelf"}}) {
    shelf.rewrite([&](record& stored) { stored.state = state; });
    const auto decided = shelf.take(command(reserve{"nail", 1}, other, {"stock", "nail"}));
    CAF_CHECK_EQUAL(edge_of(decided), "unknown_here");
    CAF_CHECK(decided.sent.empty());
    CAF_CHECK(decided.dead_letters.empty());
    CAF_CHECK(contains(decided.verdict.error().message, "the state of stock/nail cannot be read"));
  }
  shelf.rewrite([](record& stored) { stored.state = encode(engine::testing::shelf{50, ""}); });
  CAF_CHECK_EQUAL(edge_of(shelf.take(command(reserve{"nail", 1}, other, {"stock", "nail"}))), "handled");
}

CAF_TEST(a command that was left with its sender can be withdrawn) {
  const auto sent = command(reserve{"nail", 1}, other, {"stock", "nail"});
  const auto unknown = as_known(sent, newer::reserve{"nail", 1, "x"});
  shelf.take(unknown);
  const auto asks = shelf.take(withdrawal_of(sent));
  CAF_REQUIRE_EQUAL(asks.calls.size(), 1u); // so that it comes, withdrawn
  CAF_CHECK(asks.calls.front().id == sent.id);
  CAF_CHECK(asks.calls.front().from == other || asks.calls.front().to == other);
  auto withdrawn = unknown;
  withdrawn.withdrawn = true;
  CAF_CHECK_EQUAL(edge_of(shelf.take(withdrawn)), "withdrawn");
  CAF_CHECK(shelf.take(withdrawal_of(sent)).calls.empty());
}

CAF_TEST(a withdrawal whose command left memory with its instance asks for it) {
  const auto sent = command(reserve{"nail", 1}, other, {"stock", "nail"});
  CAF_CHECK_EQUAL(shelf.take(withdrawal_of(sent)).calls.size(), 1u);
  shelf.take(sent);
  CAF_CHECK(shelf.take(withdrawal_of(sent)).calls.empty()); // its reply says so
}

CAF_TEST(what a stateless service does not know is no attempt) {
  const auto sent = command(pay{"o-1", 42}, other, {"payment", ""});
  execution_box first{*this, payment, sent};
  first.begin();
  check_left(first.fails(errc::newer_version, "a newer version"), errc::newer_version);
  CAF_CHECK(first.phase() == execution::phase::held);
  CAF_CHECK(!first.stored());
  CAF_CHECK(!first.machine().is_written());
  CAF_CHECK_EQUAL(first.machine().attempt(), 1u);
  CAF_CHECK_EQUAL(edge_of(first.take(withdrawal_of(sent))), "withdrawn"); // no handler has run

  execution_box second{*this, payment, command(pay{"o-1", 42}, other, {"payment", ""})};
  second.begin();
  second.fails("no connection");
  second.crash();
  second.machine().due();
  second.begin();
  check_left(second.fails(errc::unknown_type, "it does not handle it"), errc::unknown_type);
  CAF_CHECK(second.stored());
  CAF_CHECK_EQUAL(edge_of(second.take(withdrawal_of(second.machine().message()))), "too_late");
  CAF_CHECK(second.crash().try_again); // the next program tries it
}

// -- definitions that went -----------------------------------------------------------------------

CAF_TEST(a step that the saga does not declare any more is not taken for undone) {
  start();
  auto less = order_type;
  less.calls.erase("pay");
  saga_box later{*this};
  const auto sent = saga.open<pay>();
  order_type = less; // as after an upgrade
  saga.operate(verb::cancel, "why");
  CAF_CHECK_EQUAL(edge_of(saga.take(reply(sent, paid{"o-1", "p-1"}))), "late_success");
  CAF_CHECK_EQUAL(saga.status(), "stuck");
  CAF_CHECK(contains(saga.reason(), "does not declare it any more"));
  saga.operate(verb::skip, "refunded by hand");
  CAF_CHECK_EQUAL(saga.status(), "compensated");
}

CAF_TEST(a request to a service that went is sent by retry to who handles it now) {
  start();
  const auto sent = saga.open<pay>().id;
  CAF_CHECK_EQUAL(edge_of(saga.operate(verb::retry)), "verb_refused");
  rename_payment("till");
  const auto decided = saga.operate(verb::retry);
  CAF_CHECK_EQUAL(edge_of(decided), "rerouted");
  CAF_REQUIRE_EQUAL(decided.released.size(), 1u);
  CAF_CHECK_EQUAL(decided.released.front().to.type, "till");
  CAF_CHECK(decided.released.front().id == sent); // and so its idempotency key
  CAF_CHECK(saga.open<pay>().moved);              // the service before may have begun it
  CAF_CHECK_EQUAL(saga.status(), "running");
  saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}));
  CAF_CHECK(!saga.is_open<pay>());
}

CAF_TEST(a request to a service that went without another one is given up by cancel) {
  start();
  routes = {};
  CAF_REQUIRE(routes.add(order_type));
  const auto refused = saga.operate(verb::retry);
  CAF_CHECK_EQUAL(edge_of(refused), "verb_refused");
  CAF_CHECK(contains(refused.verdict.error().message, "nothing hosts any more"));
  CAF_CHECK(saga.is_open<pay>());
  saga.operate(verb::cancel, "why");
  CAF_CHECK(!saga.is_open<pay>()); // of unknown outcome: its undo has nobody to go to either
  CAF_CHECK_EQUAL(saga.status(), "stuck");
  saga.operate(verb::skip, "looked: never charged");
  CAF_CHECK_EQUAL(saga.status(), "compensated");
}

CAF_TEST(a request that was given up before its service went is closed by retry and undone) {
  start();
  saga.operate(verb::cancel, "why");
  CAF_CHECK(saga.is_open<pay>());
  rename_payment("till");
  CAF_CHECK_EQUAL(edge_of(saga.operate(verb::retry)), "rerouted");
  CAF_CHECK(!saga.is_open<pay>());
  CAF_REQUIRE(saga.is_open<refund>()); // it may have happened
  CAF_CHECK_EQUAL(saga.open<refund>().to.type, "till");
  saga.take(reply(saga.open<refund>(), refunded{"o-1"}));
  CAF_CHECK_EQUAL(saga.status(), "compensated");
}

CAF_TEST(a reply that an older program cannot read is not lost by cancel) {
  start();
  const auto answer = reply(saga.open<pay>(), newer::paid{"o-1", "p-1", "x"});
  saga.rewrite([&](record& stored) { // a newer program was stuck over it
    stored.status = instance_status::stuck;
    stored.failed = answer;
  });
  const auto refused = saga.operate(verb::cancel, "why");
  CAF_CHECK_EQUAL(edge_of(refused), "verb_refused");
  CAF_CHECK(contains(refused.verdict.error().message, "waits for a program that knows it"));
  CAF_CHECK_EQUAL(saga.status(), "stuck");
  CAF_CHECK(saga.current().failed.has_value());
}

CAF_TEST(what the record has taken over waits in it and nothing overtakes or displaces it) {
  start();
  const auto answer = reply(saga.open<pay>(), newer::paid{"o-1", "p-1", "x"});
  saga.rewrite([&](record& stored) {
    stored.status = instance_status::stuck;
    stored.failed = answer;
  });
  saga.operate(verb::retry);
  CAF_CHECK_EQUAL(edge_of(saga.again()), "unknown_here");
  CAF_CHECK(saga.machine().retrying());
  play().on_changed = [](engine::testing::order&, const changed&, saga_context&) { throw 1; };
  CAF_CHECK_EQUAL(edge_of(saga.take(event(changed{"o-1", 1}, other))), "hold");
  CAF_REQUIRE(saga.current().failed);
  CAF_CHECK(saga.current().failed->id == answer.id);
  saga.crash(); // the next program
  CAF_CHECK(saga.machine().retrying());

  const auto sent = command(reserve{"nail", 1}, other, {"stock", "nail"});
  const auto unknown = as_known(sent, newer::reserve{"nail", 1, "x"});
  shelf.suspect(unknown);
  CAF_CHECK_EQUAL(edge_of(shelf.again()), "unknown_here");
  CAF_CHECK_EQUAL(edge_of(shelf.take(command(reserve{"nail", 2}, other, {"stock", "nail"}))), "hold");
  CAF_CHECK(shelf.machine().retrying());
}

CAF_TEST(one message that waits for another program costs no other its wake up) {
  start();
  saga.take(as_known(event(changed{"o-1", 1}, other), newer::changed{"o-1", 1, "x"}));
  saga.operate(verb::pause);
  const auto poke = event(changed{"o-1", 2}, {"order", "o-3"});
  CAF_CHECK_EQUAL(edge_of(saga.take(poke)), "hold");
  CAF_CHECK(!saga.machine().may_passivate()); // it must call for it
  const auto resumed = saga.operate(verb::resume);
  CAF_REQUIRE_EQUAL(resumed.calls.size(), 1u);
  CAF_CHECK(resumed.calls.front().id == poke.id);
}

CAF_TEST(steps whose service went are undone in reverse order) {
  play().on_placed = [](engine::testing::order&, const placed& event, saga_context& context) {
    context.send(pay{event.id, event.cents});
    context.send(greet{"first"});
    context.send(reserve{"nail", 1});
  };
  start();
  rename_payment("till");
  saga.operate(verb::cancel, "why");                          // stock and mail went as well
  CAF_REQUIRE_EQUAL(saga.current().compensations.size(), 2u); // a greeting leaves nothing
  CAF_CHECK_EQUAL(saga.current().compensations.front().type, "refund");
  CAF_CHECK_EQUAL(saga.current().compensations.back().type, "release");
}

CAF_TEST(the answer that a cancelled instance was stuck over decides although its service went) {
  play().on_paid = [](engine::testing::order&, const paid&, saga_context&) { throw 1; };
  std::string known = "not asked";
  play().undo_pay = [&](const pay& sent, const paid* answer) {
    known = answer != nullptr ? answer->payment : "none";
    return refund{sent.id, known};
  };
  start();
  saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}));
  saga.again();
  saga.again();
  CAF_REQUIRE_EQUAL(saga.status(), "stuck");
  rename_payment("till");
  saga.operate(verb::cancel, "why");
  CAF_CHECK_EQUAL(known, "p-1");
  CAF_CHECK(saga.is_open<refund>());
}

CAF_TEST(an undo whose service went and that nothing handles can be skipped) {
  start();
  saga.operate(verb::cancel, "why");
  saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}));
  CAF_REQUIRE(saga.is_open<refund>());
  routes = {};
  CAF_REQUIRE(routes.add(order_type));
  CAF_CHECK_EQUAL(edge_of(saga.operate(verb::retry)), "rerouted");
  CAF_CHECK_EQUAL(saga.status(), "stuck");
  CAF_CHECK(contains(saga.reason(), "refund, which undoes pay, went to payment"));
  saga.operate(verb::skip, "refunded by hand");
  CAF_CHECK_EQUAL(saga.status(), "compensated");
}

CAF_TEST(what was told to a service that was renamed goes to the new one with the next start) {
  play().on_placed = [](engine::testing::order&, const placed&, saga_context& context) {
    context.tell(post{"welcome"});
    context.complete();
  };
  start();
  routes = {};
  service letters{"letters"};
  letters.handle([](const post&, command_context&) -> outcome<posted> { return posted{}; });
  CAF_REQUIRE(routes.add(order_type));
  CAF_REQUIRE(routes.add(letters.describe()));
  const auto again = saga.crash();
  CAF_CHECK(again.sent.empty());
  CAF_REQUIRE_EQUAL(again.released.size(), 1u); // with the next write, which says so
  CAF_CHECK_EQUAL(again.released.front().to.type, "letters");
  CAF_CHECK(saga.machine().dirty());
}

CAF_TEST(an attempt that comes to its end clears what nothing explained) {
  execution_box paying{*this, payment, command(pay{"o-1", 42}, other, {"payment", ""})};
  paying.suspect(false);
  paying.begin();
  paying.fails("no connection");
  CAF_CHECK_EQUAL(paying.machine().interruptions(), 0u);
}

CAF_TEST_FIXTURE_SCOPE_END()
