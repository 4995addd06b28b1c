#define CAF_SUITE saga_commands

#include "tests/engine/world.hpp"

#include <continuo/saga.hpp>

#include <caf/test/dsl.hpp>

#include <string>

// Commands that a saga handles: what becomes of them in the states that a test of one instance alone does not
// come to.

using namespace continuo;
using namespace continuo::engine;
using namespace continuo::engine::testing;

namespace {

struct loan {
  std::string number;
  CONTINUO_FIELDS(loan, number)
};

struct lend {
  using reply = loan;
  std::string id;
  std::string text;
  CONTINUO_FIELDS(lend, id, text)
};

struct prolonged {
  std::int64_t days = 0;
  CONTINUO_FIELDS(prolonged, days)
};

struct prolong {
  using reply = prolonged;
  std::string id;
  std::int64_t days = 0;
  CONTINUO_FIELDS(prolong, id, days)
};

bool is_broken = false; // the code of the saga

} // namespace

class lending : public continuo::saga<lending> {
public:
  static void define(continuo::saga_definition<lending>& saga) {
    saga.starts_on_command<lend>(&lend::id, second_starter::declined);
    saga.answers<prolong>(&prolong::id);
    saga.calls<pay>().undone_by([](const pay& sent, const paid*) { return refund{sent.id, {}}; });
  }

  CONTINUO_FIELDS(lending, days_)

private:
  void on(const lend& wish, continuo::saga_context& context) {
    if (is_broken) {
      throw std::runtime_error{"broken"};
    }
    context.send(pay{wish.id, 1});
  }
  void on(const paid&, continuo::saga_context& context) { context.complete(loan{"l-1"}); }
  continuo::outcome<prolonged> on(const prolong& wish, continuo::saga_context&) {
    if (is_broken) {
      throw std::runtime_error{"broken"};
    }
    days_ += wish.days;
    return prolonged{days_};
  }

  std::int64_t days_ = 0;
};

namespace {

struct fixture : world {
  class lending_box : public box<saga_machine> {
  public:
    explicit lending_box(fixture& in)
        : box(in, saga_environment{&in.type, &in.routes, nullptr, world::store, 42}, {"lending", "b-1"}) {}
  };

  fixture() {
    is_broken = false;
    if (!routes.add(type)) {
      throw std::logic_error{"the names clash"};
    }
  }

  envelope lends(const instance_id& from = {"reader", "ann"}) {
    return command(lend{"b-1", ""}, from, {"lending", "b-1"});
  }
  envelope prolongs(std::int64_t days = 7) {
    return command(prolong{"b-1", days}, {"reader", "ann"}, {"lending", "b-1"});
  }

  /// Until its last attempt has failed.
  transition fail_for_good(lending_box& one, const envelope& message) {
    auto last = one.take(message);
    while (one.machine().retrying()) {
      last = one.again();
    }
    return last;
  }

  continuo::detail::saga_type type = lending::describe();
};

std::string refusal_in(const transition& decided) {
  return decided.sent.size() == 1 ? failure_in(decided.sent.front()).reason
                                  : fmt::format("{} messages", decided.sent.size());
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(saga_commands_tests, fixture)

CAF_TEST(a command that starts is answered by no receipt and when it comes again by nothing until the end) {
  lending_box one{*this};
  const auto first = lends();
  auto decided = one.take(first);
  CAF_CHECK_EQUAL(edge_of(decided), "start");
  CAF_CHECK(!says_done(decided, first));
  CAF_CHECK_EQUAL(sent_by(one.take(first)), "");
  one.crash();
  CAF_CHECK_EQUAL(sent_by(one.take(first)), "");
  auto answer = reply(one.open<pay>(), paid{"b-1", "p-1"});
  answer.to = one.current().self;
  decided = one.take(answer);
  CAF_CHECK_EQUAL(sent_by(decided), "loan");
  CAF_CHECK(decided.sent.front().in_reply_to == first.id);
  CAF_CHECK(decided.ended);
  one.crash();
  CAF_CHECK_EQUAL(sent_by(one.take(first)), "loan");
}

CAF_TEST(one that nobody waits for is done when the instance has started) {
  lending_box one{*this};
  auto first = lends();
  first.told = true;
  CAF_CHECK(says_done(one.take(first), first));
  CAF_CHECK(one.current().starters.empty());
}

CAF_TEST(W38 its own ancestor and the seventeenth generation are declined) {
  lending_box one{*this};
  auto own = lends();
  own.ancestors = {{"lending", "b-1"}, {"reader", "ann"}};
  CAF_CHECK_EQUAL(refusal_in(one.take(own)), "lending/b-1 is its own ancestor: reader/ann sent the command");
  auto deep = lends();
  deep.ancestors.assign(17, {"reader", "ann"});
  CAF_CHECK_EQUAL(refusal_in(one.take(deep)),
                  "lending/b-1 would be a child in the 17th generation, and there "
                  "may be 16: reader/ann sent the command");
  CAF_CHECK(!one.machine().exists());
  deep.id = next_id();
  deep.ancestors.pop_back();
  CAF_CHECK_EQUAL(edge_of(one.take(deep)), "start");
  CAF_CHECK_EQUAL(one.current().ancestors.size(), 16u);
  const auto again = lends();
  auto late = again;
  late.ancestors = {{"lending", "b-1"}};
  CAF_CHECK_EQUAL(refusal_in(one.take(late)),
                  "lending/b-1 is its own ancestor: lending/b-1 sent the command");
}

CAF_TEST(an update that found no instance gets the same answer when one is there meanwhile) {
  lending_box one{*this};
  const auto wish = prolongs();
  auto decided = one.take(wish);
  CAF_CHECK_EQUAL(refusal_in(decided), "there is no lending/b-1");
  CAF_CHECK_EQUAL(kind_in(decided.sent.front()), "declined");
  CAF_CHECK(one.stored());
  CAF_CHECK(!one.machine().exists());
  CAF_CHECK(!decided.history);
  one.crash();
  CAF_CHECK_EQUAL(edge_of(one.operate(verb::cancel)), "verb_refused");
  CAF_CHECK_EQUAL(edge_of(one.take(lends({"reader", "bob"}))), "start");
  CAF_CHECK(one.machine().exists());
  decided = one.take(wish);
  CAF_CHECK_EQUAL(edge_of(decided), "duplicate");
  CAF_CHECK_EQUAL(refusal_in(decided), "there is no lending/b-1");
  CAF_CHECK_EQUAL(sent_by(one.take(prolongs())), "prolonged");
}

CAF_TEST(what is remembered of an absence goes when its sender forgets) {
  lending_box one{*this};
  const auto wish = prolongs();
  const auto answer = one.take(wish).sent.front();
  CAF_CHECK_EQUAL(edge_of(one.expire(now.wall)), "expire");
  CAF_CHECK(one.stored());
  one.take(receipt{wish.from, wish.to, answer.id, wish.id, wish.id});
  one.flush();
  one.expire(now.wall);
  CAF_CHECK(!one.stored());
}

CAF_TEST(an absence remembers as many senders as an instance) {
  lending_box one{*this};
  for (std::size_t i = 0; i < inbox_senders_max; ++i) {
    CAF_REQUIRE_EQUAL(
        edge_of(one.take(command(prolong{"b-1", 1}, {"reader", std::to_string(i)}, {"lending", "b-1"}))),
        "declined");
  }
  const auto more = prolongs();
  CAF_CHECK_EQUAL(edge_of(one.take(more)), "hold");
  const auto& gone = one.current().inbox.front();
  CAF_CHECK_EQUAL(one.take(receipt{gone.from, {"lending", "b-1"}, {}, gone.last, {}}).calls.size(), 1u);
  CAF_CHECK_EQUAL(edge_of(one.take(more)), "declined");
}

CAF_TEST(a chain of casts has no end) {
  lending_box one{*this};
  auto deep = lends();
  deep.told = true;
  deep.ancestors.assign(17, {"reader", "ann"});
  deep.ancestors.push_back({"lending", "b-1"});
  CAF_CHECK_EQUAL(edge_of(one.take(deep)), "start");
}

CAF_TEST(a command that was given up before it came starts nothing) {
  lending_box one{*this};
  auto first = lends();
  first.withdrawn = true;
  const auto decided = one.take(first);
  CAF_CHECK_EQUAL(edge_of(decided), "withdrawn");
  CAF_CHECK_EQUAL(kind_in(decided.sent.front()), "withdrawn");
  CAF_CHECK(!one.machine().exists());
  CAF_CHECK_EQUAL(sent_by(one.take(first)), "failure"); // the same again
  CAF_CHECK_EQUAL(edge_of(one.take(withdrawal_of(first))), "stale");
}

CAF_TEST(one that is given up while its start is tried again) {
  is_broken = true;
  lending_box one{*this};
  const auto first = lends();
  CAF_CHECK_EQUAL(edge_of(one.take(first)), "retry_later");
  const auto decided = one.take(withdrawal_of(first));
  CAF_CHECK_EQUAL(kind_in(decided.sent.front()), "withdrawn");
  CAF_CHECK(!one.machine().retrying());
  CAF_CHECK(!one.machine().exists());
  is_broken = false;
  CAF_CHECK_EQUAL(edge_of(one.take(lends())), "start");
  CAF_CHECK_EQUAL(one.current().starters.size(), 1u);
}

CAF_TEST(W39 the withdrawal of a command whose start failed ends the instance and declines) {
  is_broken = true;
  lending_box one{*this};
  const auto first = lends();
  CAF_CHECK_EQUAL(edge_of(fail_for_good(one, first)), "start_fails");
  CAF_CHECK_EQUAL(one.status(), "stuck");
  one.crash();
  const auto decided = one.take(withdrawal_of(first));
  CAF_CHECK_EQUAL(one.status(), "compensated");
  CAF_CHECK_EQUAL(refusal_in(decided), "cancelled: its command was withdrawn");
}

CAF_TEST(a start that failed goes on by a retry and answers) {
  is_broken = true;
  lending_box one{*this};
  fail_for_good(one, lends());
  is_broken = false;
  one.operate(verb::retry);
  CAF_CHECK_EQUAL(edge_of(one.again()), "start");
  CAF_CHECK_EQUAL(one.current().starters.size(), 1u);
  auto answer = reply(one.open<pay>(), paid{"b-1", "p-1"});
  answer.to = one.current().self;
  CAF_CHECK_EQUAL(sent_by(one.take(answer)), "loan");
}

CAF_TEST(W39 a paused child is cancelled when it goes on) {
  lending_box one{*this};
  const auto first = lends();
  one.take(first);
  one.operate(verb::pause);
  CAF_CHECK_EQUAL(edge_of(one.take(withdrawal_of(first))), "withdrawn");
  CAF_CHECK_EQUAL(one.status(), "paused");
  one.crash();
  CAF_CHECK_EQUAL(sent_by(one.operate(verb::resume)), "(-)"); // the withdrawal of its own command
  CAF_CHECK_EQUAL(one.status(), "compensating");
  auto answer = failed(one.open<pay>(), failure_kind::withdrawn, "withdrawn");
  answer.to = one.current().self;
  CAF_CHECK_EQUAL(refusal_in(one.take(answer)), "cancelled: its command was withdrawn");
  CAF_CHECK_EQUAL(one.status(), "compensated");
}

CAF_TEST(a new life whose start fails is stuck and the old one is over) {
  lending_box one{*this};
  one.take(lends());
  auto answer = failed(one.open<pay>(), failure_kind::declined, "poor");
  answer.to = one.current().self;
  one.take(answer);
  CAF_REQUIRE_EQUAL(one.status(), "compensated");
  is_broken = true;
  const auto second = lends();
  CAF_CHECK_EQUAL(edge_of(one.take(second)), "retry_later");
  CAF_CHECK_EQUAL(one.status(), "compensated"); // until its last attempt
  while (one.machine().retrying()) {
    one.again();
  }
  CAF_CHECK_EQUAL(one.status(), "stuck");
  CAF_CHECK_EQUAL(one.current().starters.size(), 1u);
  one.crash();
  CAF_CHECK_EQUAL(refusal_in(one.operate(verb::cancel)), "cancelled");
  CAF_CHECK_EQUAL(one.status(), "compensated");
}

CAF_TEST(an update that is given up while it is tried again) {
  lending_box one{*this};
  one.take(lends());
  is_broken = true;
  const auto wish = prolongs();
  CAF_CHECK_EQUAL(edge_of(one.take(wish)), "retry_later");
  CAF_CHECK_EQUAL(kind_in(one.take(withdrawal_of(wish)).sent.front()), "withdrawn");
  is_broken = false;
  CAF_CHECK_EQUAL(sent_by(one.take(prolongs())), "prolonged");
}

CAF_TEST(W37 an update that ends the process three times is declined and the instance goes on) {
  lending_box one{*this};
  one.take(lends());
  const auto wish = prolongs();
  CAF_CHECK_EQUAL(edge_of(one.suspect(wish)), "quarantine");
  one.crash();
  CAF_CHECK_EQUAL(edge_of(one.suspect(wish)), "quarantine");
  one.crash();
  const auto decided = one.suspect(wish);
  CAF_CHECK_EQUAL(edge_of(decided), "update_fails");
  CAF_CHECK_EQUAL(refusal_in(decided), "its handler runs no more: it ended the process three times");
  CAF_CHECK_EQUAL(decided.dead_letters.size(), 1u);
  CAF_CHECK_EQUAL(one.status(), "running");
  CAF_CHECK_EQUAL(sent_by(one.take(prolongs(1))), "prolonged");
}

CAF_TEST(an update whose handler ended the process once is answered when it is run again) {
  lending_box one{*this};
  one.take(lends());
  const auto wish = prolongs();
  one.suspect(wish);
  one.crash();
  CAF_REQUIRE(one.machine().retrying());
  CAF_CHECK_EQUAL(sent_by(one.again()), "prolonged");
  CAF_CHECK(!one.current().failed);
  CAF_CHECK_EQUAL(sent_by(one.take(wish)), "prolonged"); // the same answer, once more
}

CAF_TEST(a start that ended the process is counted for the instance that it would start) {
  lending_box one{*this};
  const auto first = lends();
  one.suspect(first);
  one.crash();
  CAF_CHECK_EQUAL(edge_of(one.again()), "start");
  CAF_CHECK_EQUAL(one.current().starters.size(), 1u);
}

CAF_TEST(a start that ends the process is counted where the key has had a life before) {
  lending_box one{*this};
  one.take(lends());
  auto answer = failed(one.open<pay>(), failure_kind::declined, "poor");
  answer.to = one.current().self;
  one.take(answer);
  CAF_REQUIRE_EQUAL(one.status(), "compensated");
  const auto second = lends();
  for (int i = 0; i < 3; ++i) {
    CAF_CHECK_EQUAL(edge_of(one.suspect(second)), "quarantine");
    one.crash();
  }
  CAF_CHECK_EQUAL(one.status(), "stuck");
  CAF_CHECK(contains(one.reason(), "its handler of lend runs no more"));
}

CAF_TEST(a command that is declined after the quarantine is done with) {
  lending_box one{*this};
  one.take(lends());
  const auto second = lends({"reader", "bob"});
  CAF_CHECK_EQUAL(edge_of(one.suspect(second)), "declined"); // no code of the saga runs for it
  CAF_CHECK(!one.current().failed);
  const auto wish = prolongs();
  one.suspect(wish);
  one.crash();
  one.operate(verb::cancel); // before it is run again
  CAF_CHECK(!one.current().failed);
  one.crash();
  CAF_CHECK(!one.machine().retrying());
  CAF_CHECK_EQUAL(sent_by(one.take(wish)), "failure");
  CAF_CHECK_EQUAL(edge_of(one.suspect(prolongs())), "declined"); // it is compensating
  CAF_CHECK(!one.current().failed);
}

CAF_TEST(an operator who cancels declines the update that was being tried) {
  lending_box one{*this};
  one.take(lends());
  is_broken = true;
  one.take(prolongs());
  const auto decided = one.operate(verb::cancel);
  CAF_CHECK(contains(sent_by(decided), "failure"));
  CAF_CHECK_EQUAL(one.status(), "compensating");
}

CAF_TEST(every row of the table for commands was taken) {
  // "joined" and "update_declined": tests/testing/commands_to_sagas_test.cpp
  CAF_CHECK_EQUAL(rows_missing("saga", command_edges()), " joined update_declined");
}

CAF_TEST_FIXTURE_SCOPE_END()
