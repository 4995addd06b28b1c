// What a saga says at its end, and commands of which it takes no reply.
#define CAF_SUITE endings

#include <caf/test/dsl.hpp>

#include "tests/engine/world.hpp"

using namespace continuo;
using namespace continuo::engine;
using namespace continuo::engine::testing;
using namespace std::chrono_literals;

namespace {

struct fixture : world {
  fixture() {
    play().on_placed = [](order&, const placed& event, saga_context& context) {
      context.send(pay{event.id, event.cents});
    };
    play().on_paid = [](order&, const paid&, saga_context& context) { context.complete("done"); };
    play().on_end = [](order&, const saga_ended& end, saga_context& context) {
      context.tell(post{std::string{to_string(end.status)} + ": " + end.reason});
      context.publish(shipped_out{"o-1"});
    };
  }

  void start() { saga.take(event(placed{"o-1", 42})); }

  static std::string told_by(const transition& decided) {
    for (const auto* list : {&decided.sent, &decided.released}) {
      for (const auto& message : *list) {
        if (message.type == "post") {
          CAF_CHECK(message.told);
          const auto mail = decode<post>(message.payload).value();
          return mail.text;
        }
      }
    }
    return "nothing";
  }

  const stored_message& mail() { return saga.current().outbox.front(); }

  saga_box saga{*this};
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(endings_tests, fixture)

CAF_TEST(a saga that completes hears of its end in the same transition) {
  start();
  const auto ended = saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}));
  CAF_CHECK_EQUAL(told_by(ended), "completed: ");
  CAF_CHECK(ended.ended);
  CAF_CHECK_EQUAL(saga.status(), "completed");
  CAF_CHECK_EQUAL(saga.current().outbox.size(), 2u); // the mail and the event
}

CAF_TEST(a saga that an operator cancelled hears of its end with the reason) {
  start();
  const auto sent = saga.open<pay>();
  CAF_CHECK_EQUAL(told_by(saga.operate(verb::cancel, "the customer called")),
                  "nothing"); // it is not over yet
  saga.take(reply(sent, paid{"o-1", "p-1"}));
  const auto ended = saga.take(reply(saga.open<refund>(), refunded{"o-1"}));
  CAF_CHECK_EQUAL(told_by(ended), "compensated: cancelled: the customer called");
  CAF_CHECK_EQUAL(saga.status(), "compensated");
}

CAF_TEST(a handler of the end that fails leaves the instance stuck at its end until a person retries it) {
  auto works = play().on_end;
  play().on_end = [](order& state, const saga_ended&, saga_context& context) {
    state.count = 99;
    context.tell(post{"never"});
    throw std::runtime_error{"no template"};
  };
  start();
  saga.operate(verb::cancel, "why");
  saga.take(failed(saga.open<pay>(), failure_kind::declined, "no"));
  CAF_CHECK_EQUAL(saga.status(), "stuck");
  CAF_CHECK(contains(saga.reason(), "on(saga_ended): no template"));
  CAF_CHECK(saga.current().outbox.empty());
  CAF_CHECK_EQUAL(edge_of(saga.operate(verb::cancel, "again")), "verb_refused");
  saga.crash();
  CAF_CHECK_EQUAL(told_by(saga.operate(verb::retry)), "nothing"); // it fails again
  CAF_CHECK_EQUAL(saga.status(), "stuck");
  play().on_end = works;
  const auto ended = saga.operate(verb::retry);
  CAF_CHECK_EQUAL(told_by(ended), "compensated: cancelled: why");
  CAF_CHECK(ended.ended);
  CAF_CHECK_EQUAL(saga.status(), "compensated");
  CAF_CHECK_EQUAL(saga.reason(), "cancelled: why");
  CAF_CHECK(saga.current().result.empty());
  const auto state = decode<order>(saga.current().state).value();
  CAF_CHECK_EQUAL(state.count, 0);
}

CAF_TEST(a result outlives a handler of the end that fails) {
  auto works = play().on_end;
  play().on_end = [](order&, const saga_ended&, saga_context&) { throw 1; };
  start();
  saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}));
  CAF_CHECK_EQUAL(saga.status(), "stuck");
  play().on_end = works;
  CAF_CHECK_EQUAL(told_by(saga.operate(verb::retry)), "completed: ");
  CAF_CHECK_EQUAL(saga.status(), "completed");
  const auto kept = decode<std::string>(saga.current().result).value();
  CAF_CHECK_EQUAL(kept, "done");
}

CAF_TEST(an instance that has ended may publish and tell and nothing else) {
  using asks = std::function<void(saga_context&)>;
  for (const auto& wrong : {asks{[](saga_context& context) { context.send(pay{}); }},
                            asks{[](saga_context& context) { context.set_timer("t", 1s, overdue{}); }},
                            asks{[](saga_context& context) { (context.expect<changed>)(); }},
                            asks{[](saga_context& context) { context.complete(); }},
                            asks{[](saga_context& context) { context.roll_back("no"); }}}) {
    play().on_end = [wrong](order&, const saga_ended&, saga_context& context) { wrong(context); };
    saga_box other{*this, "o-2"};
    other.take(event(placed{"o-2", 1}, {"continuo.publish", "x"}, "o-2"));
    other.take(reply(other.open<pay>(), paid{"o-2", "p"}));
    CAF_CHECK_EQUAL(other.status(), "stuck");
    CAF_CHECK(contains(other.reason(), "it may publish and tell, nothing else"));
  }
}

CAF_TEST(a command that is told stands in the outbox until its answer has come) {
  play().on_placed = [](order&, const placed&, saga_context& context) {
    context.tell(post{"welcome"});
    context.complete(); // no request is open
  };
  play().on_end = nullptr;
  const auto first = event(placed{"o-1", 42});
  saga.take(first);
  saga.take(receipt{first.from, first.to, {}, first.id, {}}); // it may forget that
  saga.flush();
  CAF_CHECK_EQUAL(saga.status(), "completed");
  CAF_REQUIRE_EQUAL(saga.current().outbox.size(), 1u);
  CAF_CHECK_EQUAL(told_by(saga.crash()), "welcome"); // sent again
  saga.expire(now.wall + 1h);
  CAF_CHECK(saga.stored()); // not before it has arrived
  const auto answer = reply(mail(), posted{});
  const auto closed = saga.take(answer);
  CAF_CHECK_EQUAL(edge_of(closed), "told");
  CAF_CHECK(closed.write == write_kind::put); // before the service hears that it may forget
  CAF_CHECK(says_done(closed, answer));
  CAF_CHECK(saga.current().outbox.empty());
  CAF_CHECK_EQUAL(saga.status(), "completed");
  CAF_CHECK_EQUAL(edge_of(saga.take(answer)), "duplicate");
  saga.expire(now.wall + 1h);
  CAF_CHECK(!saga.stored());
}

CAF_TEST(a command that is told goes out also where its handler rolls back and nothing undoes it) {
  play().on_placed = [](order&, const placed&, saga_context& context) {
    context.send(pay{}); // is never sent
    context.tell(post{"sorry"});
    context.roll_back("sold out");
  };
  play().on_end = nullptr;
  const auto decided = saga.take(event(placed{"o-1", 42}));
  CAF_CHECK_EQUAL(told_by(decided), "sorry");
  CAF_CHECK_EQUAL(saga.status(), "compensated");
  CAF_CHECK_EQUAL(edge_of(saga.take(failed(mail(), failure_kind::unknown, "no server"))), "told");
  CAF_CHECK_EQUAL(saga.status(), "compensated");
}

CAF_TEST(a command that is told and was not declared is a mistake of its handler) {
  play().on_placed = [](order&, const placed&, saga_context& context) { context.tell(pay{}); };
  start();
  saga.again();
  saga.again();
  CAF_CHECK_EQUAL(saga.status(), "stuck");
  CAF_CHECK(contains(saga.reason(), "add saga.tells<pay>() to define"));
}

CAF_TEST(a command that was told and fails for good can be redriven) {
  auto sent = command(pay{"o-1", 42}, {"order", "o-1"}, {"payment", ""});
  sent.told = true;
  execution_box dying{*this, payment, sent};
  transition last;
  for (int attempt = 0; attempt < 3; ++attempt) {
    if (attempt > 0) {
      dying.machine().due();
    }
    dying.begin();
    last = dying.fails("no server");
  }
  CAF_REQUIRE_EQUAL(last.dead_letters.size(), 1u);
  CAF_CHECK(!requester_was_told(last.dead_letters.front()));
}

CAF_TEST(the end is told with the reason of the rollback and not with what stopped it on the way) {
  start();
  saga.operate(verb::cancel, "the customer called");
  saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}));
  saga.take(failed(saga.open<refund>(), failure_kind::declined, "closed"));
  CAF_REQUIRE_EQUAL(saga.status(), "stuck");
  CAF_CHECK_EQUAL(told_by(saga.operate(verb::skip, "paid in cash")),
                  "compensated: cancelled: the customer called");
}

CAF_TEST(an instance whose start failed has no end to tell of) {
  play().on_placed = [](order&, const placed&, saga_context&) { throw 1; };
  start();
  saga.again();
  saga.again();
  CAF_REQUIRE_EQUAL(saga.status(), "stuck");
  CAF_CHECK_EQUAL(told_by(saga.operate(verb::cancel, "why")), "nothing");
  CAF_CHECK_EQUAL(saga.status(), "compensated");
}

CAF_TEST_FIXTURE_SCOPE_END()
