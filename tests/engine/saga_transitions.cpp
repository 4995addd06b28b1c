// Every row of the table at the top of engine/saga_machine.hpp. The last test reports rows that none of them
// takes.
#define CAF_SUITE saga_transitions

#include <caf/test/dsl.hpp>

#include "tests/engine/world.hpp"

using namespace continuo;
using namespace continuo::engine;
using namespace continuo::engine::testing;
using namespace std::chrono_literals;

namespace {

struct fixture : world {
  fixture() {
    play().on_placed = [](order& state, const placed& event, saga_context& context) {
      state.text = event.id;
      context.send(pay{event.id, event.cents});
    };
  }

  /// An instance that waits for its payment.
  void start() { CAF_REQUIRE_EQUAL(edge_of(saga.take(event(placed{"o-1", 42}))), "start"); }

  /// The instance lives on node a, payments are made on b and c, of which `live` are up.
  void spread(std::set<std::string, std::less<>>& live) {
    placement::hosts_map hosts{{"order", {"a"}}};
    for (const auto& name : {labels.describe().name, mail.describe().name, stock.describe().name}) {
      hosts[name] = {"a"};
    }
    hosts[payment.describe().name] = {"b", "c"};
    routes.place(placement{"a", std::move(hosts)},
                 [&live](std::string_view node) { return live.find(node) != live.end(); });
  }

  order state() {
    auto decoded = decode<order>(saga.current().state);
    CAF_REQUIRE(decoded);
    return std::move(*decoded);
  }

  saga_box saga{*this};
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(saga_transition_tests, fixture)

CAF_TEST(an event that starts an instance creates its record with what its handler asked for) {
  const auto event = this->event(placed{"o-1", 42});
  const auto decided = saga.take(event);
  CAF_CHECK_EQUAL(edge_of(decided), "start");
  CAF_CHECK(decided.write == write_kind::put);
  CAF_CHECK(decided.created);
  CAF_CHECK(says_done(decided, event));
  CAF_CHECK_EQUAL(sent_by(decided), "(pay)"); // its handler has effects outside: after the write
  CAF_CHECK_EQUAL(saga.status(), "running");
  CAF_CHECK_EQUAL(state().text, "o-1");
  CAF_REQUIRE(decided.history);
  CAF_CHECK_EQUAL(decided.history->what, "start");
  CAF_CHECK_EQUAL(decided.history->out.size(), 1u);
  CAF_CHECK_EQUAL(saga.current().inbox.size(), 1u);
}

CAF_TEST(a start whose handler fails for good leaves a stuck instance that can be retried) {
  play().on_placed = [](order&, const placed&, saga_context&) { throw std::runtime_error("no luck"); };
  const auto event = this->event(placed{"o-1", 42});
  auto decided = saga.take(event);
  CAF_CHECK_EQUAL(edge_of(decided), "retry_later");
  CAF_CHECK(decided.write == write_kind::none);
  CAF_CHECK(!says_done(decided, event)); // its sender keeps it
  CAF_CHECK_EQUAL(edge_of(saga.again()), "retry_later");
  decided = saga.again();
  CAF_CHECK_EQUAL(edge_of(decided), "start_fails");
  CAF_CHECK(says_done(decided, event));
  CAF_CHECK_EQUAL(saga.status(), "stuck");
  CAF_CHECK(contains(saga.reason(), "no luck"));
  play().on_placed = [](order& state, const placed& body, saga_context& context) {
    state.text = body.id;
    context.send(pay{});
  };
  CAF_CHECK_EQUAL(edge_of(saga.operate(verb::retry)), "retry");
  CAF_CHECK_EQUAL(edge_of(saga.again()), "start");
  CAF_CHECK_EQUAL(saga.status(), "running");
  CAF_CHECK_EQUAL(saga.reason(), "");
  CAF_CHECK_EQUAL(state().text, "o-1");
}

CAF_TEST(an event that starts nothing is discarded where its policy says so) {
  const auto event = this->event(changed{"o-1", 1});
  const auto decided = saga.take(event);
  CAF_CHECK_EQUAL(edge_of(decided), "unknown_discard");
  CAF_CHECK(decided.write == write_kind::none);
  CAF_CHECK(decided.dead_letters.empty());
  CAF_CHECK(says_done(decided, event));
}

CAF_TEST(an event that starts nothing becomes a dead letter where its policy says so) {
  const auto event = this->event(recalled{"o-1"});
  const auto decided = saga.take(event);
  CAF_CHECK_EQUAL(edge_of(decided), "unknown_dead_letter");
  CAF_REQUIRE_EQUAL(decided.dead_letters.size(), 1u);
  CAF_CHECK_EQUAL(decided.dead_letters.front().self.key, to_string(event.id));
  CAF_CHECK(contains(decided.dead_letters.front().reason, "no instance of order"));
  CAF_CHECK(says_done(decided, event)); // a dead letter counts as handled
}

CAF_TEST(a reply for an instance that is not there is stale and done with) {
  request gone;
  gone.id = next_id();
  gone.to = {"payment", ""};
  gone.type = "pay";
  const auto late = reply(gone, paid{"o-1", "p-1"});
  const auto decided = saga.take(late);
  CAF_CHECK_EQUAL(edge_of(decided), "stale");
  CAF_CHECK(says_done(decided, late));
  CAF_CHECK(decided.write == write_kind::none);
}

CAF_TEST(an event declared with on is handled once) {
  start();
  play().on_changed = [](order& state, const changed& event, saga_context&) { state.count += event.number; };
  const auto event = this->event(changed{"o-1", 3});
  CAF_CHECK_EQUAL(edge_of(saga.take(event)), "event");
  CAF_CHECK_EQUAL(state().count, 3);
  const auto repeated = saga.take(event);
  CAF_CHECK_EQUAL(edge_of(repeated), "duplicate");
  CAF_CHECK(says_done(repeated, event));
  CAF_CHECK(repeated.write == write_kind::none);
  CAF_CHECK_EQUAL(state().count, 3);
}

CAF_TEST(an event that only starts is noted and dropped where the instance exists) {
  start();
  const auto before = saga.current().state;
  const auto event = this->event(placed{"o-1", 7});
  const auto decided = saga.take(event);
  CAF_CHECK_EQUAL(edge_of(decided), "event_dropped");
  CAF_CHECK(says_done(decided, event));
  CAF_REQUIRE(decided.history);
  CAF_CHECK_EQUAL(decided.history->what, "event_dropped");
  CAF_CHECK_EQUAL(saga.current().state, before);
  CAF_CHECK_EQUAL(saga.current().requests.size(), 1u);
}

CAF_TEST(an event after the end follows its policy and leaves the end as it is) {
  play().on_placed = [](order&, const placed&, saga_context& context) { context.complete("done"); };
  const auto decided = saga.take(event(placed{"o-1", 42}));
  CAF_CHECK(decided.ended);
  CAF_CHECK_EQUAL(saga.status(), "completed");
  CAF_CHECK(saga.take(event(changed{"o-1", 1})).dead_letters.empty());
  const auto late = event(recalled{"o-1"});
  const auto kept = saga.take(late);
  CAF_CHECK_EQUAL(edge_of(kept), "event_after_end");
  CAF_CHECK_EQUAL(kept.dead_letters.size(), 1u);
  CAF_CHECK(says_done(kept, late));
  CAF_CHECK(!kept.ended);
  CAF_CHECK(saga.take(event(placed{"o-1", 1})).dead_letters.empty()); // only starts: dropped
  CAF_CHECK_EQUAL(saga.status(), "completed");
  CAF_CHECK_EQUAL(saga.current().result_type, "string");
}

CAF_TEST(a reply closes its request and is handled) {
  start();
  play().on_paid = [](order& state, const paid& answer, saga_context& context) {
    const auto sent = context.answered<pay>();
    CAF_REQUIRE(sent);
    CAF_CHECK_EQUAL(sent->cents, 42);
    state.text = answer.payment;
    context.complete(answer.payment);
  };
  const auto answer = reply(saga.open<pay>(), paid{"o-1", "p-9"});
  const auto decided = saga.take(answer);
  CAF_CHECK_EQUAL(edge_of(decided), "reply");
  CAF_CHECK(says_done(decided, answer));
  CAF_REQUIRE_EQUAL(decided.receipts.size(), 1u);
  CAF_CHECK(decided.receipts.front().closes == answer.in_reply_to);
  CAF_CHECK(decided.ended);
  CAF_CHECK_EQUAL(saga.status(), "completed");
  CAF_CHECK_EQUAL(state().text, "p-9");
  CAF_CHECK_EQUAL(edge_of(saga.take(answer)), "duplicate");
}

CAF_TEST(a failure goes to its handler) {
  play().on_placed = [](order&, const placed&, saga_context& context) { context.send(reserve{"nail", 7}); };
  start();
  play().on_reserve_failed = [](order& state, const failure<reserve>& failed, saga_context& context) {
    state.text = failed.reason;
    state.count = failed.command.pieces;
    CAF_CHECK(failed.kind == failure_kind::declined);
    context.complete();
  };
  CAF_CHECK_EQUAL(edge_of(saga.take(failed(saga.open<reserve>(), failure_kind::declined, "none left"))),
                  "failure");
  CAF_CHECK_EQUAL(state().text, "none left");
  CAF_CHECK_EQUAL(state().count, 7);
  CAF_CHECK_EQUAL(saga.status(), "completed");
}

CAF_TEST(a failure without a handler rolls back with its reason) {
  start();
  const auto decided = saga.take(failed(saga.open<pay>(), failure_kind::declined, "card refused"));
  CAF_CHECK_EQUAL(edge_of(decided), "failure_rolls_back");
  CAF_CHECK_EQUAL(saga.status(), "compensated"); // nothing had happened
  CAF_CHECK(contains(saga.reason(), "card refused"));
  CAF_CHECK(decided.ended);
}

CAF_TEST(a timer is handled once and not after it was cancelled) {
  play().on_placed = [](order&, const placed&, saga_context& context) {
    context.set_timer("first", 10s, overdue{1});
    context.set_timer("second", 20s, overdue{2});
  };
  const auto started = saga.take(event(placed{"o-1", 42}));
  CAF_REQUIRE_EQUAL(started.armed.size(), 2u);
  CAF_CHECK(started.armed[0].due == now.wall + 10s);
  CAF_CHECK_EQUAL(started.armed[0].due_up, later(now.up, 10s));
  play().on_overdue = [](order& state, const overdue& due, saga_context& context) {
    state.count += due.round;
    context.cancel_timer("second");
    context.send(pay{});
  };
  envelope due; // only names the timer
  due.kind = message_kind::timer;
  due.from = due.to = saga.current().self;
  due.id = started.armed[0].id;
  CAF_CHECK_EQUAL(edge_of(saga.take(due)), "timer");
  CAF_CHECK_EQUAL(state().count, 1);
  CAF_CHECK_EQUAL(edge_of(saga.take(due)), "timer_stale");
  due.id = started.armed[1].id;
  CAF_CHECK_EQUAL(edge_of(saga.take(due)), "timer_stale");
  CAF_CHECK_EQUAL(state().count, 1);
}

CAF_TEST(what comes for a paused instance is held and called for at resume) {
  start();
  CAF_CHECK_EQUAL(edge_of(saga.operate(verb::pause)), "pause");
  CAF_CHECK_EQUAL(saga.status(), "paused");
  const auto answer = reply(saga.open<pay>(), paid{"o-1", "p-1"});
  const auto held = saga.take(answer);
  CAF_CHECK_EQUAL(edge_of(held), "hold");
  CAF_CHECK(held.receipts.empty());
  CAF_CHECK(held.write == write_kind::none);
  CAF_CHECK(!saga.machine().may_passivate());
  const auto event = this->event(changed{"o-1", 1}, {"order", "o-2"});
  CAF_CHECK_EQUAL(edge_of(saga.take(event)), "hold");
  const auto resumed = saga.operate(verb::resume);
  CAF_CHECK_EQUAL(edge_of(resumed), "resume");
  CAF_CHECK_EQUAL(saga.status(), "running");
  CAF_REQUIRE_EQUAL(resumed.calls.size(), 2u);
  CAF_CHECK(resumed.calls[0].to == event.from);
  CAF_CHECK(resumed.calls[0].id == event.id);
  CAF_CHECK(resumed.calls[1].to == answer.from);
  CAF_CHECK(resumed.calls[1].id == answer.id);
  CAF_CHECK_EQUAL(edge_of(saga.take(event)), "event");
}

CAF_TEST(a timer that falls due while paused fires at resume) {
  play().on_placed = [](order&, const placed&, saga_context& context) {
    context.set_timer("t", 1s, overdue{5});
  };
  play().on_overdue = [](order& state, const overdue& due, saga_context& context) {
    state.count = due.round;
    context.complete();
  };
  const auto set = saga.take(event(placed{"o-1", 42})).armed.front();
  saga.operate(verb::pause);
  envelope due;
  due.kind = message_kind::timer;
  due.id = set.id;
  due.to = saga.current().self;
  CAF_CHECK_EQUAL(edge_of(saga.take(due)), "hold");
  const auto resumed = saga.operate(verb::resume);
  CAF_REQUIRE_EQUAL(resumed.armed.size(), 1u);
  CAF_CHECK(resumed.armed.front().id == set.id);
  CAF_CHECK_EQUAL(edge_of(saga.take(due)), "timer");
  CAF_CHECK_EQUAL(saga.status(), "completed");
}

CAF_TEST(a handler that fails for good makes a running instance stuck) {
  start();
  const auto before = state();
  play().on_changed = [](order& state, const changed&, saga_context& context) {
    state.count = 99;
    context.send(note{"lost"});
    throw std::runtime_error("a bug");
  };
  const auto event = this->event(changed{"o-1", 1});
  auto decided = saga.take(event);
  CAF_CHECK_EQUAL(edge_of(decided), "retry_later");
  CAF_CHECK(decided.try_again == 100ms);
  decided = saga.again();
  CAF_CHECK(decided.try_again == 200ms);
  CAF_CHECK_EQUAL(edge_of(saga.take(this->event(changed{"o-1", 2}))), "hold"); // others wait
  decided = saga.again();
  CAF_CHECK_EQUAL(edge_of(decided), "handler_fails");
  CAF_CHECK_EQUAL(saga.status(), "stuck");
  CAF_CHECK(contains(saga.reason(), "a bug"));
  CAF_CHECK(state() == before);
  CAF_CHECK_EQUAL(saga.current().requests.size(), 1u);
}

CAF_TEST(roll back undoes what was done and ends compensated) {
  start();
  play().on_paid = [](order&, const paid&, saga_context& context) { context.roll_back("changed my mind"); };
  auto decided = saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}));
  CAF_CHECK_EQUAL(saga.status(), "compensating");
  CAF_CHECK_EQUAL(sent_by(decided), "(refund)");
  CAF_CHECK(decided.released.front().compensation);
  decided = saga.take(reply(saga.open<refund>(), refunded{"o-1"}));
  CAF_CHECK_EQUAL(edge_of(decided), "undone");
  CAF_CHECK(decided.ended);
  CAF_CHECK_EQUAL(saga.status(), "compensated");
  CAF_CHECK_EQUAL(saga.reason(), "changed my mind");
}

CAF_TEST(cancel withdraws what is open and a late failure leaves nothing to undo) {
  start();
  auto decided = saga.operate(verb::cancel);
  CAF_CHECK_EQUAL(edge_of(decided), "cancel");
  CAF_CHECK_EQUAL(saga.status(), "compensating");
  CAF_CHECK_EQUAL(sent_by(decided), "(-)");
  CAF_CHECK(saga.open<pay>().abandoned);
  decided = saga.take(failed(saga.open<pay>(), failure_kind::withdrawn, "withdrawn"));
  CAF_CHECK_EQUAL(edge_of(decided), "late_failure");
  CAF_CHECK_EQUAL(saga.status(), "compensated");
}

CAF_TEST(a late success is undone) {
  start();
  saga.operate(verb::cancel, "no longer wanted");
  auto decided = saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}));
  CAF_CHECK_EQUAL(edge_of(decided), "late_success");
  CAF_CHECK_EQUAL(sent_by(decided), "(refund)");
  saga.take(reply(saga.open<refund>(), refunded{}));
  CAF_CHECK_EQUAL(saga.status(), "compensated");
  CAF_CHECK_EQUAL(saga.reason(), "cancelled: no longer wanted");
}

CAF_TEST(a declined compensation waits for a person who skips it) {
  start();
  saga.operate(verb::cancel);
  saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}));
  auto decided = saga.take(failed(saga.open<refund>(), failure_kind::declined, "no such payment"));
  CAF_CHECK_EQUAL(edge_of(decided), "undo_refused");
  CAF_CHECK_EQUAL(saga.status(), "stuck");
  CAF_CHECK(contains(saga.reason(), "no such payment"));
  decided = saga.operate(verb::skip);
  CAF_CHECK_EQUAL(edge_of(decided), "verb_refused"); // a note is required
  CAF_CHECK(!decided.verdict);
  decided = saga.operate(verb::skip, "paid back in cash");
  CAF_CHECK_EQUAL(edge_of(decided), "skip");
  CAF_CHECK(decided.verdict);
  CAF_REQUIRE(decided.history);
  CAF_CHECK(contains(decided.history->note, "paid back in cash"));
  CAF_CHECK(contains(decided.history->note, "ann"));
  CAF_CHECK_EQUAL(saga.status(), "compensated");
}

CAF_TEST(a refused compensation that is retried is a command of its own under the same key) {
  start();
  saga.operate(verb::cancel);
  saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}));
  const auto first = saga.open<refund>();
  const auto refusal = failed(first, failure_kind::declined, "not now");
  saga.take(refusal);
  const auto decided = saga.operate(verb::retry);
  CAF_CHECK_EQUAL(edge_of(decided), "retry");
  const auto second = saga.open<refund>();
  CAF_CHECK(first.id < second.id);
  CAF_CHECK_EQUAL(second.idempotency_key, to_string(first.id));
  CAF_CHECK_EQUAL(edge_of(saga.take(refusal)), "duplicate"); // the service did not know that it was here
  CAF_CHECK_EQUAL(saga.status(), "compensating");
}

CAF_TEST(verbs that the status forbids are refused and change nothing) {
  CAF_CHECK(saga.operate(verb::cancel).verdict.error().code == errc::not_found);
  start();
  const auto before = saga.current();
  for (const auto what : {verb::resume, verb::retry, verb::skip}) {
    const auto decided = saga.operate(what, "a note");
    CAF_CHECK_EQUAL(edge_of(decided), "verb_refused");
    CAF_CHECK(decided.verdict.error().code == errc::conflict);
    CAF_CHECK(decided.write == write_kind::none);
  }
  CAF_CHECK(saga.current() == before);
  play().on_paid = [](order&, const paid&, saga_context& context) { context.complete(); };
  saga.take(reply(saga.open<pay>(), paid{}));
  for (const auto what : {verb::cancel, verb::pause, verb::resume, verb::retry, verb::skip}) {
    CAF_CHECK_EQUAL(edge_of(saga.operate(what, "a note")), "verb_refused");
  }
  CAF_CHECK_EQUAL(saga.status(), "completed");
}

CAF_TEST(an event of which this program has never heard is left with its sender) {
  start();
  auto unknown = event(changed{"o-1", 1});
  unknown.type = "melted";
  CAF_CHECK_EQUAL(edge_of(saga.take(unknown)), "unknown_here");
  CAF_CHECK_EQUAL(saga.status(), "running");
}

CAF_TEST(a retry sends a request on that went to a service which was renamed) {
  start();
  rename_payment("till");
  CAF_CHECK_EQUAL(edge_of(saga.operate(verb::retry)), "rerouted");
  CAF_CHECK_EQUAL(saga.open<pay>().to.type, "till");
}

CAF_TEST(the answer to a command that was told ends its stay in the outbox) {
  play().on_placed = [](order&, const placed& event, saga_context& context) {
    context.send(pay{event.id, event.cents});
    context.tell(post{"welcome"});
  };
  start();
  CAF_REQUIRE_EQUAL(saga.current().outbox.size(), 1u);
  const auto mail = saga.current().outbox.front();
  CAF_CHECK_EQUAL(edge_of(saga.take(reply(mail, posted{}))), "told");
  CAF_CHECK(saga.current().outbox.empty());
  CAF_CHECK(saga.is_open<pay>());
}

CAF_TEST(a handler that ends the process three times makes its instance stuck) {
  start();
  const auto killer = event(changed{"o-1", 1});
  for (int death = 0; death < 2; ++death) {
    CAF_CHECK_EQUAL(edge_of(saga.suspect(killer)), "quarantine");
    CAF_CHECK_EQUAL(saga.status(), "running");
    saga.crash();
  }
  CAF_CHECK_EQUAL(edge_of(saga.suspect(killer)), "quarantine");
  CAF_CHECK_EQUAL(saga.status(), "stuck");
  CAF_CHECK(contains(saga.reason(), "three times"));
}

CAF_TEST(a flush writes what receipts changed and nothing else) {
  play().on_placed = [](order&, const placed& event, saga_context& context) {
    context.publish(shipped_out{event.id});
    context.send(pay{});
  };
  const auto started = saga.take(event(placed{"o-1", 42}));
  CAF_REQUIRE_EQUAL(started.sent.size(), 1u);
  auto decided = saga.flush();
  CAF_CHECK(decided.write == write_kind::none);
  saga.take(receipt{{"mail", ""}, saga.current().self, started.sent.front().id, {}, {}});
  CAF_CHECK(saga.machine().dirty());
  CAF_CHECK(!saga.machine().may_passivate());
  decided = saga.flush();
  CAF_CHECK_EQUAL(edge_of(decided), "flush");
  CAF_CHECK(decided.write == write_kind::put);
  CAF_CHECK(!decided.history);
  CAF_CHECK(forget_for(decided, {"mail", ""}) == started.sent.front().id);
  CAF_CHECK(!saga.machine().dirty());
  saga.crash();
  CAF_CHECK(saga.current().outbox.empty());
}

CAF_TEST(an ended instance is deleted when it is old enough and nobody needs it) {
  play().on_placed = [](order&, const placed&, saga_context& context) { context.complete(7); };
  const auto started = event(placed{"o-1", 42});
  const auto ended = saga.take(started);
  const auto place = expiry_key(expiry_kind::ended, now.wall, saga.current().self);
  CAF_CHECK(ended.indexed == std::vector<std::string>{place});
  CAF_CHECK(saga.expire(now.wall + 1s).write == write_kind::none); // the start event may come again
  saga.take(receipt{started.from, saga.current().self, {}, started.id, {}});
  CAF_CHECK(saga.expire(now.wall + 1s).write == write_kind::none); // not durable yet
  const auto flushed = saga.flush();
  CAF_CHECK(flushed.indexed.empty() && flushed.unindexed.empty()); // it did not end again
  CAF_CHECK(saga.expire(now.wall).write == write_kind::none);      // not old enough
  saga.crash();
  const auto decided = saga.expire(now.wall + 1s);
  CAF_CHECK_EQUAL(edge_of(decided), "expire");
  CAF_CHECK(decided.unindexed == std::vector<std::string>{place} && decided.indexed.empty());
  CAF_CHECK_EQUAL(decided.history_up_to, whole_history);
  CAF_CHECK(decided.write == write_kind::erase);
  CAF_CHECK(!saga.stored());
}

CAF_TEST(what comes after the end is the new beginning of the time that an instance is kept) {
  play().on_placed = [](order&, const placed&, saga_context& context) { context.complete(7); };
  saga.take(event(placed{"o-1", 42}));
  const auto first = expiry_key(expiry_kind::ended, now.wall, saga.current().self);
  pass(5s);
  const auto later = saga.take(event(changed{"o-1", 1}));
  CAF_CHECK_EQUAL(edge_of(later), "event_after_end");
  CAF_CHECK(later.unindexed == std::vector<std::string>{first});
  CAF_CHECK(later.indexed ==
            std::vector<std::string>{expiry_key(expiry_kind::ended, now.wall, saga.current().self)});
}

CAF_TEST(an instance that nothing can wake is stuck at once) {
  play().on_placed = {};
  saga.take(event(placed{"o-1", 42}));
  CAF_CHECK_EQUAL(saga.status(), "stuck");
  CAF_CHECK(contains(saga.reason(), "nothing can wake it"));
}

CAF_TEST(a declared event keeps an instance from being stuck only while it is expected) {
  play().on_placed = [](order&, const placed&, saga_context& context) { context.expect<changed>(); };
  saga.take(event(placed{"o-1", 42}));
  CAF_CHECK_EQUAL(saga.status(), "running");
  saga.crash();
  CAF_CHECK_EQUAL(saga.current().expected.count("changed"), 1u);
  CAF_CHECK_EQUAL(edge_of(saga.take(event(changed{"o-1", 1}))), "event"); // ended by its arrival
  CAF_CHECK_EQUAL(saga.status(), "stuck");
}

CAF_TEST(a message handled again sees the same random numbers and another message others) {
  std::vector<std::uint64_t> drawn;
  bool fails = true;
  play().on_placed = [](order&, const placed&, saga_context& context) { context.expect<changed>(); };
  play().on_changed = [&](order&, const changed&, saga_context& context) {
    drawn = {context.random(), context.random()};
    if (fails) {
      throw std::runtime_error("a bug");
    }
    context.expect<changed>();
  };
  saga_box one{*this, "o-7"};
  one.take(event(placed{"o-7", 1}, {"continuo.publish", "x"}, "o-7"));
  const auto message = event(changed{"o-7", 1}, {"order", "o-2"}, "o-7");
  one.take(message);
  const auto first = drawn;
  CAF_CHECK(first[0] != first[1]);
  fails = false;
  one.again();
  CAF_CHECK(drawn == first);
  one.take(event(changed{"o-7", 2}, {"order", "o-2"}, "o-7"));
  CAF_CHECK(drawn != first);
}

CAF_TEST(a command whose node is down moves to one that is up and nowhere else) {
  std::set<std::string, std::less<>> live{"b"};
  spread(live);
  start();
  const auto sent = saga.open<pay>();
  CAF_REQUIRE_EQUAL(sent.to.type, payment.describe().name + "@b");
  CAF_CHECK_EQUAL(edge_of(saga.move(sent.id, sent.to.type, false)), "stays"); // no other one is up
  live = {"c"};
  CAF_CHECK_EQUAL(edge_of(saga.move(sent.id, "elsewhere@d", false)), "stays");
  const auto moved = saga.move(sent.id, sent.to.type, false);
  CAF_CHECK_EQUAL(edge_of(moved), "move");
  CAF_CHECK(moved.write == write_kind::put);
  CAF_CHECK_EQUAL(sent_by(moved), "(pay)");
  CAF_CHECK(moved.released.front().id == sent.id); // so the key of its effect is the same
  CAF_REQUIRE(moved.history);
  CAF_CHECK(contains(moved.history->note, "@b to "));
  saga.crash();
  CAF_CHECK_EQUAL(saga.open<pay>().to.type, payment.describe().name + "@c");
  CAF_CHECK(!saga.open<pay>().moved); // the first one never had it
  CAF_CHECK_EQUAL(edge_of(saga.move(sent.id, sent.to.type, false)), "stays");
  // The answer closes it, whoever gives it.
  CAF_CHECK_EQUAL(edge_of(saga.take(reply(sent, paid{"o-1", "p-1"}))), "reply");
  CAF_CHECK_EQUAL(edge_of(saga.move(sent.id, sent.to.type, true)), "stays");
}

CAF_TEST(what was withdrawn behind a move may have happened on the node before) {
  for (const auto handed_out : {false, true}) {
    std::set<std::string, std::less<>> live{"b"};
    spread(live);
    saga_box one{*this, handed_out ? "o-2" : "o-3"};
    one.take(event(placed{one.current().self.key, 42}, {"continuo.publish", "x"}, one.current().self.key));
    const auto sent = one.open<pay>();
    live = {"c"};
    CAF_REQUIRE_EQUAL(edge_of(one.move(sent.id, sent.to.type, handed_out)), "move");
    one.operate(verb::cancel);
    CAF_CHECK_EQUAL(edge_of(one.move(sent.id, one.open<pay>().to.type, true)), "stays"); // given up
    auto answer = failed(one.open<pay>(), failure_kind::withdrawn, "withdrawn");
    answer.to = one.current().self;
    one.take(answer);
    CAF_CHECK_EQUAL(one.is_open<refund>(), handed_out);
    CAF_CHECK_EQUAL(one.status(), handed_out ? "compensating" : "compensated");
  }
}

CAF_TEST(every row of the table of the saga machine was taken) {
  CAF_CHECK_EQUAL(rows_missing("saga", saga_edges()), "");
  CAF_CHECK_EQUAL(rows_unknown("saga", saga_edges()), "");
}

CAF_TEST_FIXTURE_SCOPE_END()
