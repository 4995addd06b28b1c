// The stories of what goes wrong without each rule of delivery, as far as they can be told without actors.
// The numbers are those of the list of cases; what of cases 11, 13 and 16 needs actors, and cases 24 and 28,
// is shown with the actors.
#define CAF_SUITE delivery_cases

#include <caf/test/dsl.hpp>

#include "tests/engine/world.hpp"

using namespace continuo;
using namespace continuo::engine;
using namespace continuo::engine::testing;
using namespace std::chrono_literals;

namespace {

const instance_id sender{"order", "o-1"};

struct fixture : world {
  envelope take_from_shelf(std::int64_t pieces, const message_id& predecessor = {}) {
    auto made = command(reserve{"nail", pieces}, sender, {"stock", "nail"});
    made.predecessor = predecessor;
    return made;
  }

  std::int64_t pieces() {
    auto decoded = decode<testing::shelf>(shelf.current().state);
    return decoded ? decoded->pieces : -1;
  }

  void start_with_reserves(int count) {
    play().on_placed = [count](order&, const placed&, saga_context& context) {
      for (int i = 1; i <= count; ++i) {
        context.send(reserve{"nail", i});
      }
    };
    saga.take(event(placed{"o-1", 42}));
  }

  saga_box saga{*this};
  keyed_box shelf{*this};
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(delivery_cases_tests, fixture)

CAF_TEST(case 11 - the write that causes messages comes in the same transition as they) {
  play().on_placed = [](order&, const placed&, saga_context& context) { context.send(reserve{"nail", 1}); };
  const auto decided = saga.take(event(placed{"o-1", 42}));
  CAF_CHECK(decided.write == write_kind::put);
  CAF_CHECK_EQUAL(sent_by(decided), "reserve");
}

CAF_TEST(case 12 - after a restart everything unacknowledged is sent again in order and before anything new) {
  start_with_reserves(3);
  const auto again = saga.crash();
  CAF_REQUIRE_EQUAL(again.sent.size(), 3u);
  CAF_CHECK(again.sent[0].id < again.sent[1].id);
  CAF_CHECK(again.sent[1].id < again.sent[2].id);
  CAF_CHECK(!again.sent[0].predecessor);
  CAF_CHECK(again.sent[1].predecessor == again.sent[0].id);
  CAF_CHECK(again.sent[2].predecessor == again.sent[1].id);
  // A new one names the last of them, so that it cannot overtake.
  play().on_changed = [](order&, const changed&, saga_context& context) { context.send(reserve{"nail", 9}); };
  const auto later = saga.take(event(changed{"o-1", 1}));
  CAF_CHECK(later.sent.front().predecessor == again.sent[2].id);
  CAF_CHECK_EQUAL(edge_of(shelf.take(later.sent.front())), "hold");
  for (const auto& message : again.sent) {
    CAF_CHECK_EQUAL(edge_of(shelf.take(message)), "handled");
  }
}

CAF_TEST(case 13 - an effect goes with the write of the transition that wants it) {
  play().on_placed = [](order&, const placed&, saga_context& context) {
    context.send(pay{});
    context.send(note{});
  };
  const auto decided = saga.take(event(placed{"o-1", 42}));
  CAF_CHECK(decided.write == write_kind::put);
  CAF_CHECK_EQUAL(sent_by(decided), "note (pay)");
  CAF_CHECK_EQUAL(sent_by(saga.crash()), "pay note"); // durable: sent at once, in their order
}

CAF_TEST(case 14 - the key of an effect comes from its cause and not from a revision of its own) {
  const auto sent = command(pay{"o-1", 42}, sender, {"payment", ""});
  execution_box first{*this, payment, sent};
  CAF_CHECK_EQUAL(first.machine().idempotency_key(), to_string(sent.id));
  first.begin();
  first.fails("no connection");
  first.crash();
  CAF_CHECK_EQUAL(first.machine().idempotency_key(), to_string(sent.id));
  execution_box other{*this, payment, command(pay{"o-1", 42}, sender, {"payment", ""})};
  CAF_CHECK_NOT_EQUAL(other.machine().idempotency_key(), to_string(sent.id));
}

CAF_TEST(case 15 - a message that waits keeps later ones of its sender back and is not taken for a duplicate) {
  bool works = false;
  play_shelf().on_reserve = [&](testing::shelf& state, const reserve& sent,
                                keyed_context&) -> outcome<reserved> {
    if (!works) {
      throw std::runtime_error("not yet");
    }
    state.pieces -= sent.pieces;
    return reserved{state.pieces};
  };
  const auto first = take_from_shelf(1);
  const auto second = take_from_shelf(10, first.id);
  CAF_CHECK_EQUAL(edge_of(shelf.take(first)), "retry_later");
  CAF_CHECK_EQUAL(edge_of(shelf.take(second)), "hold");
  works = true;
  CAF_CHECK_EQUAL(edge_of(shelf.again()), "handled");
  CAF_CHECK_EQUAL(edge_of(shelf.take(second)), "handled");
  CAF_CHECK_EQUAL(pieces(), 89);
}

CAF_TEST(case 15 - a message that comes before its predecessor is called for) {
  const auto first = take_from_shelf(1);
  const auto second = take_from_shelf(10, first.id);
  const auto decided = shelf.take(second);
  CAF_CHECK_EQUAL(edge_of(decided), "hold");
  CAF_REQUIRE_EQUAL(decided.calls.size(), 1u);
  CAF_CHECK(decided.calls.front().to == sender);
  CAF_CHECK_EQUAL(edge_of(shelf.take(first)), "handled");
  CAF_CHECK_EQUAL(edge_of(shelf.take(second)), "handled");
  CAF_CHECK_EQUAL(pieces(), 89);
}

CAF_TEST(case 15 - a predecessor dropped before there was a record does not keep its successor for ever) {
  // o-2 sends two events; the first finds no instance and is discarded, then somebody else starts the
  // instance.
  const instance_id other{"order", "o-2"};
  const auto first = event(changed{"o-1", 1}, other);
  auto second = event(changed{"o-1", 2}, other);
  second.predecessor = first.id; // it was sent before the first was known to be done
  CAF_CHECK_EQUAL(edge_of(saga.take(first)), "unknown_discard");
  play().on_placed = [](order&, const placed&, saga_context& context) { context.expect<changed>(); };
  saga.take(event(placed{"o-1", 42}));
  const auto decided = saga.take(second);
  CAF_CHECK_EQUAL(edge_of(decided), "hold");
  CAF_REQUIRE_EQUAL(decided.calls.size(), 1u);
  second.predecessor = {}; // what the sender answers: it holds the first no more
  CAF_CHECK_EQUAL(edge_of(saga.take(second)), "event");
}

CAF_TEST(case 15 - a predecessor forgotten while its successor waited does not keep it for ever) {
  const auto first = take_from_shelf(1);
  auto second = take_from_shelf(10, first.id);
  const auto answer = shelf.take(first).sent.front();
  shelf.take(receipt{
      sender, shelf.current().self, answer.id, first.id, {}}); // overtakes the second, which stood in a queue
  const auto decided = shelf.take(second);
  CAF_CHECK_EQUAL(edge_of(decided), "hold");
  CAF_REQUIRE_EQUAL(decided.calls.size(), 1u);
  second.predecessor = {};
  CAF_CHECK_EQUAL(edge_of(shelf.take(second)), "handled");
}

CAF_TEST(case 15 - a reply is no predecessor because its receiver has no entry for it) {
  play_shelf().on_reserve = [](testing::shelf&, const reserve&, keyed_context& context) -> outcome<reserved> {
    context.publish(changed{"o-1", 1});
    return reserved{0};
  };
  start_with_reserves(1);
  const auto decided = shelf.take(saga.crash().sent.front());
  CAF_REQUIRE_EQUAL(decided.sent.size(), 2u);
  play().on_reserved = [](order&, const reserved&, saga_context& context) { context.expect<changed>(); };
  for (const auto& message : decided.sent) {
    CAF_CHECK_NOT_EQUAL(edge_of(saga.take(message)), "hold");
  }
}

CAF_TEST(case 16 - a dead letter keeps the key of its command and says whether its requester was told) {
  auto broken = command(pay{"o-1", 42}, sender, {"payment", ""});
  CAF_CHECK(requester_was_told(dead_letter_of(broken, "why", now.wall, 3, true)));
  const auto letter = dead_letter_of(broken, "why", now.wall, 3);
  CAF_CHECK(!requester_was_told(letter));
  CAF_CHECK(letter.self == (instance_id{std::string{dead_letter_type}, to_string(broken.id)}));
  CAF_CHECK(*letter.failed == broken);
  // Redriven it is a message of the letter's: another sender, so that no inbox takes it for the old one.
  auto redriven = take_from_shelf(1);
  shelf.take(redriven);
  redriven.from = letter.self;
  redriven.id = next_id();
  redriven.idempotency_key = to_string(broken.id);
  CAF_CHECK_EQUAL(edge_of(shelf.take(redriven)), "handled");
  CAF_CHECK_EQUAL(edge_of(shelf.take(redriven)), "duplicate"); // a second click
  broken.idempotency_key = "the first one";
  CAF_CHECK_EQUAL(execution_box(*this, payment, broken).machine().idempotency_key(), "the first one");
}

CAF_TEST(case 18 - giving up abandons a request and does not close it) {
  play().on_placed = [](order&, const placed&, saga_context& context) {
    context.send(pay{"o-1", 42});
    context.set_timer("overdue", 1s, overdue{});
  };
  play().on_overdue = [](order&, const overdue&, saga_context& context) { context.roll_back("overdue"); };
  const auto set = saga.take(event(placed{"o-1", 42})).armed.front();
  envelope due;
  due.kind = message_kind::timer;
  due.id = set.id;
  due.to = saga.current().self;
  saga.take(due);
  CAF_CHECK_EQUAL(saga.status(), "compensating");
  saga.crash();
  const auto late = saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}));
  CAF_CHECK_EQUAL(edge_of(late), "late_success");
  CAF_CHECK_EQUAL(sent_by(late), "(refund)");
}

CAF_TEST(case 19 - a command whose failure was told says so in its dead letter) {
  payment.retry({.attempts = 1});
  execution_box of_saga{*this, payment, command(pay{}, sender, {"payment", ""})};
  of_saga.begin();
  CAF_CHECK(requester_was_told(of_saga.fails("no").dead_letters.front()));
  execution_box of_client{*this, payment, command(pay{}, {"continuo.send", "7"}, {"payment", ""})};
  of_client.begin();
  CAF_CHECK(!requester_was_told(of_client.fails("no").dead_letters.front()));
}

CAF_TEST(case 21 - a key that lives twice is not taken for its first life) {
  play().on_placed = [](order&, const placed&, saga_context& context) {
    context.publish(changed{"o-9", 1});
    context.complete("first");
  };
  auto start = event(placed{"o-1", 42});
  const auto first = saga.take(start);
  saga_box hearer{*this, "o-9"};
  CAF_REQUIRE_EQUAL(first.sent.size(), 1u);
  hearer.take(first.sent.front());
  saga.take(receipt{start.from, saga.current().self, {}, start.id, {}});
  saga.take(receipt{hearer.current().self, saga.current().self, first.sent.front().id, {}, {}});
  saga.flush();
  CAF_REQUIRE_EQUAL(edge_of(saga.expire(now.wall + 1s)), "expire");
  CAF_REQUIRE(!saga.stored());
  start = event(placed{"o-1", 42});
  play().on_placed = [](order&, const placed&, saga_context& context) {
    context.publish(changed{"o-9", 1});
    context.send(pay{});
  };
  const auto second = saga.take(start);
  CAF_CHECK_EQUAL(edge_of(second), "start");
  CAF_CHECK(second.created);
  CAF_CHECK(first.sent.front().id < second.sent.front().id);
  CAF_CHECK_EQUAL(saga.current().result, "");
}

CAF_TEST(case 22 - nothing is deleted while the start event may come again) {
  play().on_placed = [](order&, const placed&, saga_context& context) { context.complete(); };
  const auto start = event(placed{"o-1", 42});
  saga.take(start);
  CAF_CHECK(saga.expire(now.wall + 1s).write == write_kind::none);
  CAF_CHECK_EQUAL(edge_of(saga.take(start)), "duplicate");
  saga.crash();
  CAF_CHECK_EQUAL(edge_of(saga.take(start)), "duplicate");
}

CAF_TEST(case 23 - an event at a stateless service keeps its record until its sender says forget) {
  auto heard = event(shipped_out{"o-1"}, sender);
  heard.to = {"mail", ""};
  execution_box done{*this, mail, heard};
  done.begin();
  const auto decided = done.replies(noted{});
  CAF_CHECK(says_done(decided, heard));
  CAF_CHECK(done.stored());
  done.crash();
  const auto again = done.take(heard);
  CAF_CHECK_EQUAL(edge_of(again), "duplicate");
  CAF_CHECK(says_done(again, heard));
  CAF_CHECK_EQUAL(edge_of(done.take(receipt{sender, {"mail", ""}, {}, heard.id, {}})), "dropped");
  CAF_CHECK(!done.stored());
}

CAF_TEST(case 27 - a timer that was set again does not fire for the old one) {
  play().on_placed = [](order&, const placed&, saga_context& context) {
    context.set_timer("t", 1s, overdue{1});
  };
  const auto old = saga.take(event(placed{"o-1", 42})).armed.front();
  play().on_changed = [](order&, const changed&, saga_context& context) {
    context.set_timer("t", 1h, overdue{2});
  };
  saga.take(event(changed{"o-1", 1}));
  bool fired = false;
  play().on_overdue = [&](order&, const overdue&, saga_context& context) {
    fired = true;
    context.complete();
  };
  envelope due; // it waited in the mailbox meanwhile
  due.kind = message_kind::timer;
  due.id = old.id;
  due.to = saga.current().self;
  CAF_CHECK_EQUAL(edge_of(saga.take(due)), "timer_stale");
  CAF_CHECK(!fired);
  CAF_REQUIRE_EQUAL(saga.current().timers.size(), 1u);
  due.id = saga.current().timers.front().id;
  CAF_CHECK_EQUAL(edge_of(saga.take(due)), "timer");
  CAF_CHECK(fired);
}

CAF_TEST(the command whose reply stopped its instance is not sent again) {
  play().on_placed = [](order&, const placed&, saga_context& context) { context.send(pay{"o-1", 42}); };
  saga.take(event(placed{"o-1", 42}));
  play().on_paid = [](order&, const paid&, saga_context&) { throw std::runtime_error("a bug"); };
  const auto answer = reply(saga.open<pay>(), paid{"o-1", "p-1"});
  saga.take(answer);
  saga.again();
  CAF_CHECK(says_done(saga.again(), answer)); // the service may delete the command's record now
  CAF_REQUIRE_EQUAL(saga.status(), "stuck");
  CAF_CHECK_EQUAL(sent_by(saga.crash()), "");
  play().on_paid = [](order&, const paid&, saga_context& context) { context.complete(); };
  saga.operate(verb::retry);
  CAF_CHECK_EQUAL(edge_of(saga.again()), "reply");
  CAF_CHECK_EQUAL(saga.status(), "completed");
}

CAF_TEST_FIXTURE_SCOPE_END()
