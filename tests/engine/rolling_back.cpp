// Rolling back in all its cases, as the design has them.
#define CAF_SUITE rolling_back

#include <caf/test/dsl.hpp>

#include "tests/engine/world.hpp"

using namespace continuo;
using namespace continuo::engine;
using namespace continuo::engine::testing;
using namespace std::chrono_literals;

namespace {

struct fixture : world {
  /// An instance whose handler of its first event sends these commands.
  template <class... Commands>
  transition start_with(const Commands&... commands) {
    play().on_placed = [=](order&, const placed&, saga_context& context) { (context.send(commands), ...); };
    return saga.take(event(placed{"o-1", 42}));
  }

  void wait_for_changed() { // so that an instance without a request has a cause
    play().on_placed = [](order&, const placed&, saga_context& context) { context.expect<changed>(); };
    saga.take(event(placed{"o-1", 42}));
  }

  /// The next `changed` rolls the instance back.
  transition roll_back(const std::string& reason) {
    play().on_changed = [=](order&, const changed&, saga_context& context) { context.roll_back(reason); };
    return saga.take(event(changed{"o-1", 1}));
  }

  envelope lost(const request& sent) { return failed(sent, failure_kind::unknown, "attempts exhausted"); }

  /// Stuck on a refund that was declined.
  void refuse_refund() {
    start_with(pay{"o-1", 42});
    saga.operate(verb::cancel, "no longer wanted");
    saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}));
    saga.take(failed(saga.open<refund>(), failure_kind::declined, "the bank is closed"));
    CAF_REQUIRE_EQUAL(saga.status(), "stuck");
  }

  /// The same, with what it says meanwhile, and an operator's verb.
  void get_stuck_and(verb what) {
    start_with(pay{"o-1", 42});
    const auto cancelled = saga.operate(verb::cancel, "no longer wanted");
    CAF_CHECK(contains(cancelled.history->note, "no longer wanted"));
    saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}));
    const auto stuck = saga.take(failed(saga.open<refund>(), failure_kind::declined, "the bank is closed"));
    CAF_REQUIRE_EQUAL(saga.status(), "stuck");
    CAF_CHECK(contains(saga.reason(), "the bank is closed"));
    CAF_CHECK(contains(stuck.history->note, "the bank is closed"));
    saga.operate(what, "paid back in cash");
  }

  saga_box saga{*this};
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(rolling_back_tests, fixture)

CAF_TEST(with requests open they are withdrawn and nothing is undone before the last is closed) {
  start_with(pay{"o-1", 1}, print_label{"o-1"}, greet{"ann"});
  auto decided = roll_back("never mind");
  CAF_CHECK_EQUAL(saga.status(), "compensating");
  CAF_CHECK_EQUAL(sent_by(decided), "- (-) (-)"); // behind their commands, on the same way
  decided = saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}));
  CAF_CHECK_EQUAL(sent_by(decided), "");
  decided = saga.take(failed(saga.open<print_label>(), failure_kind::withdrawn, "withdrawn"));
  CAF_CHECK_EQUAL(sent_by(decided), "");
  CAF_CHECK_EQUAL(saga.status(), "compensating");
  decided = saga.take(reply(saga.open<greet>(), greeted{}));
  CAF_CHECK_EQUAL(sent_by(decided), "(refund)");
}

CAF_TEST(while compensating the own handlers run no more) {
  start_with(pay{"o-1", 1});
  roll_back("never mind");
  bool ran = false;
  play().on_paid = [&](order&, const paid&, saga_context&) { ran = true; };
  play().on_changed = [&](order&, const changed&, saga_context&) { ran = true; };
  CAF_CHECK_EQUAL(edge_of(saga.take(event(changed{"o-1", 2}))), "event_dropped");
  CAF_CHECK_EQUAL(edge_of(saga.take(reply(saga.open<pay>(), paid{}))), "late_success");
  CAF_CHECK(!ran);
}

CAF_TEST(timers are dropped) {
  play().on_placed = [](order&, const placed&, saga_context& context) {
    context.send(pay{});
    context.set_timer("t", 1s, overdue{});
  };
  const auto set = saga.take(event(placed{"o-1", 42})).armed.front();
  const auto decided = roll_back("never mind");
  CAF_REQUIRE_EQUAL(decided.disarmed.size(), 1u);
  CAF_CHECK(decided.disarmed.front() == set.id);
  CAF_CHECK(saga.current().timers.empty());
}

CAF_TEST(who gives up in the same breath sends nothing) {
  play().on_placed = [](order&, const placed&, saga_context& context) {
    context.send(pay{});
    context.roll_back("no");
  };
  const auto decided = saga.take(event(placed{"o-1", 42}));
  CAF_CHECK_EQUAL(sent_by(decided), "");
  CAF_CHECK_EQUAL(saga.status(), "compensated");
  CAF_CHECK(decided.ended);
}

CAF_TEST(steps are undone in reverse order and one after the other) {
  start_with(pay{"o-1", 1});
  play().on_paid = [](order&, const paid&, saga_context& context) { context.send(print_label{"o-1"}); };
  play().on_labelled = [](order&, const labelled&, saga_context& context) {
    context.send(reserve{"nail", 5});
  };
  play().on_reserved = [](order&, const reserved&, saga_context& context) { context.roll_back("no"); };
  saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}));
  saga.take(reply(saga.open<print_label>(), labelled{"l-1"}));
  auto decided = saga.take(reply(saga.open<reserve>(), reserved{1}));
  CAF_CHECK_EQUAL(sent_by(decided), "release");
  CAF_CHECK_EQUAL(saga.current().requests.size(), 1u);
  decided = saga.take(reply(saga.open<release>(), released{}));
  CAF_CHECK_EQUAL(sent_by(decided), "(void_label)");
  decided = saga.take(reply(saga.open<void_label>(), voided{}));
  CAF_CHECK_EQUAL(sent_by(decided), "(refund)");
  const auto sent = decode<refund>(decided.released.front().payload);
  CAF_REQUIRE(sent);
  CAF_CHECK_EQUAL(sent->payment, "p-1");
  decided = saga.take(reply(saga.open<refund>(), refunded{}));
  CAF_CHECK(decided.ended);
  CAF_CHECK_EQUAL(saga.status(), "compensated");
  CAF_CHECK_EQUAL(saga.reason(), "no");
}

CAF_TEST(a crash anywhere in a rollback changes nothing of its course) {
  start_with(pay{"o-1", 1}, print_label{"o-1"});
  roll_back("never mind");
  CAF_CHECK_EQUAL(sent_by(saga.crash()), "pay - print_label -");
  saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}));
  CAF_CHECK_EQUAL(sent_by(saga.crash()), "print_label -");
  saga.take(reply(saga.open<print_label>(), labelled{"l-1"}));
  CAF_CHECK_EQUAL(sent_by(saga.crash()), "void_label");
  saga.take(reply(saga.open<void_label>(), voided{}));
  const auto decided = saga.crash();
  CAF_CHECK_EQUAL(sent_by(decided), "refund");
  CAF_CHECK(decided.sent.front().compensation);
  saga.take(reply(saga.open<refund>(), refunded{}));
  CAF_CHECK_EQUAL(saga.status(), "compensated");
}

CAF_TEST(the history names the command that failed) {
  start_with(pay{"o-1", 1}, print_label{"o-1"});
  const auto id = saga.open<print_label>().id;
  const auto open = saga.open<pay>().id;
  const auto decided = saga.take(failed(saga.open<print_label>(), failure_kind::declined, "no paper"));
  CAF_REQUIRE(decided.history && decided.history->in);
  CAF_CHECK_EQUAL(decided.history->in->answers, "print_label");
  CAF_CHECK_EQUAL(decided.history->in->in_reply_to, id);
  CAF_REQUIRE_EQUAL(decided.history->out.size(), 1u);
  CAF_CHECK_EQUAL(decided.history->out.front().in_reply_to, open); // the withdrawal
}

CAF_TEST(why it was rolled back stays the reason after an undo that was tried again) {
  get_stuck_and(verb::retry);
  saga.take(reply(saga.open<refund>(), refunded{}));
  CAF_CHECK_EQUAL(saga.status(), "compensated");
  CAF_CHECK_EQUAL(saga.reason(), "cancelled: no longer wanted");
}

CAF_TEST(why it was rolled back stays the reason after an undo that was skipped) {
  get_stuck_and(verb::skip);
  CAF_CHECK_EQUAL(saga.status(), "compensated");
  CAF_CHECK_EQUAL(saga.reason(), "cancelled: no longer wanted");
}

CAF_TEST(an unknown outcome is undone by the form that takes a pointer) {
  start_with(pay{"o-1", 1});
  const auto decided = saga.take(lost(saga.open<pay>()));
  CAF_CHECK_EQUAL(edge_of(decided), "failure_rolls_back");
  CAF_CHECK_EQUAL(sent_by(decided), "(refund)");
  const auto undo = decode<refund>(decided.released.front().payload);
  CAF_CHECK_EQUAL(undo->payment, ""); // the reply was null
  saga.take(reply(saga.open<refund>(), refunded{}));
  CAF_CHECK_EQUAL(saga.status(), "compensated");
}

CAF_TEST(an unknown outcome with the form that takes a reference makes the instance stuck) {
  start_with(print_label{"o-1"});
  saga.take(lost(saga.open<print_label>()));
  CAF_CHECK_EQUAL(saga.status(), "stuck");
  CAF_CHECK(contains(saga.reason(), "outcome of print_label unknown"));
  CAF_CHECK_EQUAL(edge_of(saga.operate(verb::retry)), "retry");
  CAF_CHECK_EQUAL(saga.status(), "stuck"); // nothing has changed
  saga.operate(verb::skip, "looked: there was no label");
  CAF_CHECK_EQUAL(saga.status(), "compensated");
}

CAF_TEST(an unknown outcome with nothing declared makes the instance stuck) {
  start_with(note{"a"});
  saga.take(lost(saga.open<note>()));
  CAF_CHECK_EQUAL(saga.status(), "stuck");
  CAF_CHECK(contains(saga.reason(), "outcome of note unknown"));
}

CAF_TEST(an unknown outcome that is declared to leave nothing needs no undo) {
  start_with(greet{"ann"});
  saga.take(lost(saga.open<greet>()));
  CAF_CHECK_EQUAL(saga.status(), "compensated");
}

CAF_TEST(a success with nothing declared leaves nothing to undo) {
  start_with(note{"a"});
  roll_back("no");
  saga.take(reply(saga.open<note>(), noted{}));
  CAF_CHECK_EQUAL(saga.status(), "compensated");
}

CAF_TEST(an unknown outcome that the saga handled itself is still undone at a later rollback) {
  start_with(reserve{"nail", 5});
  play().on_reserve_failed = [](order&, const failure<reserve>& lost, saga_context& context) {
    CAF_CHECK(lost.kind == failure_kind::unknown);
    context.expect<changed>();
  };
  CAF_CHECK_EQUAL(edge_of(saga.take(lost(saga.open<reserve>()))), "failure");
  CAF_CHECK_EQUAL(sent_by(roll_back("no")), "release");
}

CAF_TEST(a late unknown outcome is undone and a late declined one is not ) {
  start_with(pay{"o-1", 1}, reserve{"nail", 5});
  roll_back("no");
  CAF_CHECK_EQUAL(edge_of(saga.take(failed(saga.open<reserve>(), failure_kind::declined, "none"))),
                  "late_failure");
  CAF_CHECK(saga.current().compensations.empty());
  const auto decided = saga.take(lost(saga.open<pay>()));
  CAF_CHECK_EQUAL(edge_of(decided), "late_failure");
  CAF_CHECK_EQUAL(sent_by(decided), "(refund)");
}

CAF_TEST(a late success whose undo cannot be made is never counted as undone) {
  start_with(pay{"o-1", 1});
  roll_back("no");
  play().undo_pay = [](const pay&, const paid*) -> refund { throw std::runtime_error("no idea"); };
  saga.take(reply(saga.open<pay>(), paid{}));
  CAF_CHECK_EQUAL(saga.status(), "stuck");
  CAF_CHECK_EQUAL(saga.current().compensations.size(), 1u);
}

CAF_TEST(a declined compensation is tried again under the same key) {
  refuse_refund();
  const auto sent = saga.open<refund>();
  CAF_CHECK(sent.refused);
  CAF_CHECK_EQUAL(sent_by(saga.crash()), ""); // it waits for a person, also after a restart
  CAF_CHECK_EQUAL(saga.status(), "stuck");
  const auto decided = saga.operate(verb::retry);
  CAF_CHECK_EQUAL(saga.status(), "compensating");
  CAF_REQUIRE_EQUAL(decided.released.size(), 1u);
  CAF_CHECK(sent.id < decided.released.front().id);
  CAF_CHECK_EQUAL(decided.released.front().idempotency_key, to_string(sent.id));
  saga.take(reply(saga.open<refund>(), refunded{}));
  CAF_CHECK_EQUAL(saga.status(), "compensated");
}

CAF_TEST(a compensation that a keyed service declined can be tried again) {
  start_with(reserve{"nail", 5});
  keyed_box shelf{*this};
  auto decided = shelf.take(saga.current().requests.empty() ? envelope{} : saga.crash().sent.front());
  roll_back("no");
  decided = saga.take(decided.sent.front());
  CAF_REQUIRE_EQUAL(sent_by(decided), "release");
  play_shelf().on_release = [](testing::shelf&, const release&, keyed_context&) -> outcome<released> {
    return decline("stocktaking");
  };
  decided = saga.take(shelf.take(decided.sent.front()).sent.front());
  CAF_CHECK_EQUAL(saga.status(), "stuck");
  for (const auto& said : decided.receipts) {
    shelf.take(said);
  }
  play_shelf() = {};
  decided = saga.operate(verb::retry);
  CAF_REQUIRE_EQUAL(sent_by(decided), "release");
  decided = shelf.take(decided.sent.front());
  CAF_REQUIRE_EQUAL(edge_of(decided), "handled");
  saga.take(decided.sent.front());
  CAF_CHECK_EQUAL(saga.status(), "compensated");
}

CAF_TEST(a keyed service forgets a compensation that it declined and that a person skips) {
  start_with(reserve{"nail", 5});
  keyed_box shelf{*this};
  auto decided = shelf.take(saga.crash().sent.front());
  roll_back("no");
  decided = saga.take(decided.sent.front());
  CAF_REQUIRE_EQUAL(sent_by(decided), "release");
  const auto declined = decided.sent.front();
  play_shelf().on_release = [](testing::shelf&, const release&, keyed_context&) -> outcome<released> {
    return decline("stocktaking");
  };
  saga.take(shelf.take(declined).sent.front());
  CAF_REQUIRE_EQUAL(saga.status(), "stuck");
  decided = saga.operate(verb::skip, "put back by hand");
  CAF_CHECK_EQUAL(saga.status(), "compensated");
  CAF_CHECK(forget_for(decided, declined.to) == declined.id); // else its entry would stay until a restart
}

CAF_TEST(no later compensation runs while one is refused) {
  start_with(pay{"o-1", 1});
  play().on_paid = [](order&, const paid&, saga_context& context) { context.send(print_label{"o-1"}); };
  play().on_labelled = [](order&, const labelled&, saga_context& context) { context.roll_back("no"); };
  saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}));
  saga.take(reply(saga.open<print_label>(), labelled{"l-1"}));
  auto decided = saga.take(failed(saga.open<void_label>(), failure_kind::declined, "already used"));
  CAF_CHECK_EQUAL(sent_by(decided), "");
  CAF_CHECK(!saga.is_open<refund>());
  CAF_CHECK_EQUAL(saga.operate(verb::cancel).verdict.error().message.empty(), false);
  decided = saga.operate(verb::skip, "thrown away");
  CAF_CHECK_EQUAL(sent_by(decided), "(refund)");
  CAF_CHECK_EQUAL(saga.status(), "compensating");
}

CAF_TEST(skip counts only a compensation that a person was asked about) {
  start_with(pay{"o-1", 1});
  play().on_paid = [](order&, const paid&, saga_context& context) { context.send(print_label{"o-1"}); };
  saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}));
  roll_back("no");
  const auto late = reply(saga.open<print_label>(), labelled{"l-1"});
  for (int death = 0; death < 4; ++death) { // stuck over a message, with a step to undo and its request open
    saga.suspect(late);
  }
  CAF_REQUIRE_EQUAL(saga.status(), "stuck");
  CAF_CHECK_EQUAL(edge_of(saga.operate(verb::skip, "a note")), "verb_refused");
  CAF_CHECK_EQUAL(saga.current().compensations.size(), 1u);
}

CAF_TEST(complete with a request open is a mistake of the handler) {
  start_with(pay{"o-1", 1}, greet{"ann"});
  play().on_paid = [](order&, const paid&, saga_context& context) { context.complete(); };
  const auto answer = reply(saga.open<pay>(), paid{});
  CAF_CHECK_EQUAL(edge_of(saga.take(answer)), "retry_later");
  saga.again();
  CAF_CHECK_EQUAL(edge_of(saga.again()), "handler_fails");
  CAF_CHECK_EQUAL(saga.status(), "stuck");
  CAF_CHECK(contains(saga.reason(), "complete() with 1 request(s) open"));
}

CAF_TEST(cancel while paused rolls back and lets the answers in) {
  start_with(pay{"o-1", 1});
  saga.operate(verb::pause);
  const auto answer = reply(saga.open<pay>(), paid{"o-1", "p-1"});
  saga.take(answer);
  const auto decided = saga.operate(verb::cancel);
  CAF_CHECK_EQUAL(edge_of(decided), "cancel");
  CAF_CHECK_EQUAL(saga.status(), "compensating");
  CAF_REQUIRE_EQUAL(decided.calls.size(), 1u);
  CAF_CHECK(decided.calls.front().id == answer.id);
  CAF_CHECK_EQUAL(edge_of(saga.take(answer)), "late_success");
}

CAF_TEST(cancel while stuck over a reply takes the reply as the outcome) {
  start_with(pay{"o-1", 1});
  play().on_paid = [](order&, const paid&, saga_context&) { throw std::runtime_error("a bug"); };
  saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}));
  saga.again();
  saga.again();
  CAF_REQUIRE_EQUAL(saga.status(), "stuck");
  const auto decided = saga.operate(verb::cancel, "hopeless");
  CAF_CHECK_EQUAL(edge_of(decided), "cancel");
  CAF_REQUIRE(decided.history);
  CAF_CHECK_EQUAL(decided.history->what, "cancel");
  CAF_CHECK(contains(decided.history->note, "hopeless"));
  CAF_CHECK_EQUAL(saga.status(), "compensating");
  CAF_CHECK(contains(sent_by(decided), "(refund)"));
  saga.take(reply(saga.open<refund>(), refunded{}));
  CAF_CHECK_EQUAL(saga.status(), "compensated");
  CAF_CHECK_EQUAL(saga.reason(), "cancelled: hopeless");
}

CAF_TEST(cancel while a reply is being retried takes the reply as the outcome) {
  start_with(pay{"o-1", 1});
  play().on_paid = [](order&, const paid&, saga_context&) { throw std::runtime_error("a bug"); };
  saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}));
  CAF_REQUIRE(saga.machine().retrying());
  CAF_CHECK(contains(sent_by(saga.operate(verb::cancel)), "(refund)"));
  CAF_CHECK(!saga.machine().retrying());
}

CAF_TEST(cancel while stuck over an event drops the event) {
  wait_for_changed();
  play().on_changed = [](order&, const changed&, saga_context&) { throw std::runtime_error("a bug"); };
  const auto event = this->event(changed{"o-1", 1});
  saga.take(event);
  saga.again();
  saga.again();
  saga.operate(verb::cancel);
  CAF_CHECK_EQUAL(saga.status(), "compensated");
  CAF_CHECK(!saga.current().failed);
  CAF_CHECK_EQUAL(edge_of(saga.take(event)), "duplicate");
}

CAF_TEST(a pause holds the answers to compensations until resume) {
  start_with(pay{"o-1", 1});
  roll_back("no");
  saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}));
  saga.operate(verb::pause);
  const auto answer = reply(saga.open<refund>(), refunded{});
  CAF_CHECK_EQUAL(edge_of(saga.take(answer)), "hold");
  CAF_CHECK_EQUAL(edge_of(saga.operate(verb::cancel)), "verb_refused");
  CAF_CHECK_EQUAL(saga.operate(verb::resume).calls.size(), 1u);
  CAF_CHECK_EQUAL(saga.status(), "compensating");
  CAF_CHECK_EQUAL(edge_of(saga.take(answer)), "undone");
  CAF_CHECK_EQUAL(saga.reason(), "no");
}

CAF_TEST_FIXTURE_SCOPE_END()
