#define CAF_SUITE workflow

#include <continuo/testing.hpp>
#include <continuo/workflow.hpp>

#include <continuo/testing_caf.hpp>

#include <caf/test/dsl.hpp>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

// The cases of workflows by their numbers (W1, W2, ...), on one instance alone. Its function is run again
// from its beginning at every message, beside the frame that is kept; here the frame is dropped as well.

using namespace std::chrono_literals;
using continuo::flow;
using continuo::instance_status;
using continuo::unknown_instance;
using continuo::workflow;
using continuo::workflow_type;
using continuo::testing::workflow_alone;

namespace {

struct placed {
  std::string id;
  std::vector<std::string> items;
  CONTINUO_FIELDS(placed, id, items)
};

struct approved {
  std::string id;
  std::string by;
  CONTINUO_FIELDS(approved, id, by)
};

struct done {
  std::string what;
  CONTINUO_FIELDS(done, what)
};

struct do_it {
  using reply = done;
  std::string what;
  CONTINUO_FIELDS(do_it, what)
};

struct undo_it {
  using reply = done;
  std::string what;
  CONTINUO_FIELDS(undo_it, what)
};

struct other_thing {
  using reply = done;
  std::string what;
  CONTINUO_FIELDS(other_thing, what)
};

struct tell_it {
  using reply = done;
  std::string what;
  CONTINUO_FIELDS(tell_it, what)
};

/// Of the function, which hears `approved`.
template <class Function>
auto type_of(Function function, unknown_instance policy = unknown_instance::discard) {
  workflow_type type{"fulfil", function};
  type.template starts_on<placed>(&placed::id).template hears<approved>(&approved::id, policy);
  return type;
}

/// An instance that has begun. Where `drops`, its frame goes after each message.
class begun : public workflow_alone {
public:
  template <class Type>
  begun(Type type, bool drops, std::vector<std::string> items = {}) : workflow_alone(type), drops_(drops) {
    first = receives(placed{"o-1", std::move(items)});
    turn();
  }

  /// The step's reply names it.
  continuo::testing::saga_step reply(const std::string& step) {
    auto given = answered(step, done{step});
    turn();
    return given;
  }

  continuo::testing::saga_step approval(const std::string& by) {
    auto given = receives(approved{"o-1", by});
    turn();
    return given;
  }

  continuo::testing::saga_step decline(const std::string& step) {
    auto given = declined(step, "no");
    turn();
    return given;
  }

  continuo::testing::saga_step pass(std::chrono::nanoseconds time) {
    auto given = advance_time(time);
    turn();
    return given;
  }

  void turn() {
    if (drops_) {
      leave_memory();
    }
  }

  continuo::testing::saga_step first; ///< of its start

private:
  bool drops_;
};

continuo::step<done> call(flow& flow, const std::string& name) {
  auto made = flow.call(name, do_it{name});
  made.undone_by(undo_it{name});
  return made;
}

std::vector<std::string> names_of(const continuo::testing::saga_step& step) {
  std::vector<std::string> names;
  for (const auto& one : step.all<do_it>()) {
    names.push_back(one.what);
  }
  for (const auto& one : step.all<undo_it>()) {
    names.push_back("undo " + one.what);
  }
  return names;
}

using names = std::vector<std::string>;

// -- functions ----------------------------------------------------------------------

workflow<std::string> in_turn(placed order, flow& flow) {
  auto p = call(flow, "p");
  co_await p;
  auto q = flow.call("q", do_it{p->what + "+q"});
  co_await q;
  co_return order.id + ":" + q->what;
}

workflow<std::string> in_turn_and_hears(placed order, flow& flow) {
  auto p = call(flow, "p");
  co_await p;
  auto q = call(flow, "q");
  co_await q;
  auto approval = flow.expect<approved>("approval");
  co_await approval;
  co_return order.id;
}

/// The same name, as a class.
class fulfil : public continuo::saga<fulfil> {
public:
  static void define(continuo::saga_definition<fulfil>& saga) {
    saga.starts_on<placed>(&placed::id);
    saga.on<approved>(&approved::id, unknown_instance::discard);
  }
  void on(const placed&, continuo::saga_context& context) { context.expect<approved>(); }
  void on(const approved&, continuo::saga_context& context) { context.complete("approved"); }
  std::string note = "long enough to be taken for something else";
  CONTINUO_FIELDS(fulfil, note)
};

workflow<std::string> hears_late(placed, flow& flow) {
  auto p = call(flow, "p");
  co_await p;
  auto approval = flow.expect<approved>("approval");
  co_await approval;
  co_return approval->by;
}

workflow<std::string> in_a_loop(placed, flow& flow) {
  std::string all;
  for (int i = 1; i <= 5; ++i) {
    auto one = flow.expect<approved>("item/" + std::to_string(i));
    co_await one;
    all += one->by;
  }
  co_return all;
}

workflow<std::string> second_chance(placed, flow& flow) {
  auto approval = flow.expect<approved>("approval");
  auto overdue = flow.timer("overdue", 72h);
  auto first = flow.first(approval, overdue);
  co_await first;
  if (!first.is(overdue)) {
    co_return "in time by " + approval->by;
  }
  auto again = flow.expect<approved>("second chance");
  co_await again;
  co_return "late by " + again->by;
}

workflow<std::string> with_limit(placed, flow& flow) {
  auto approval = flow.expect<approved>("approval", 72h);
  co_await approval;
  co_return approval ? approval->by : std::string{"nobody"};
}

workflow<std::string> forgets(placed, flow& flow) {
  auto p = call(flow, "p");
  auto timer = flow.timer("short", 1s);
  auto first = flow.first(p, timer);
  co_await first;
  co_return first.is(timer) ? "timer" : "p";
}

workflow<std::string> q_wins(placed, flow& flow) {
  auto p = call(flow, "p");
  auto q = call(flow, "q");
  auto r = call(flow, "r");
  co_await r;
  auto first = flow.first(p, q);
  co_await first;
  const std::string winner = first.is(q) ? "q" : "p";
  auto both = flow.all(p, q);
  co_await both;
  co_return winner;
}

workflow<std::string> three(placed, flow& flow) {
  auto p = call(flow, "p");
  auto q = call(flow, "q");
  auto r = call(flow, "r");
  std::string caught;
  try {
    auto all = flow.all(p, q, r);
    co_await all;
  } catch (const continuo::step_failed& failed) {
    caught = failed.what();
  }
  if (!caught.empty()) {
    auto outcome = r.outcome();
    co_await outcome;
    caught += outcome ? ", r done" : std::string{", r "} + to_string(outcome.failure().kind());
    auto next = flow.expect<approved>("next");
    co_await next;
  }
  co_return caught;
}

workflow<std::string> three_uncaught(placed, flow& flow) {
  auto p = call(flow, "p");
  auto q = call(flow, "q");
  auto r = call(flow, "r");
  auto all = flow.all(p, q, r);
  co_await all;
  co_return "fine";
}

workflow<std::string> within_half_an_hour(placed, flow& flow) {
  auto p = call(flow, "p");
  p.within(30min);
  auto outcome = p.outcome();
  co_await outcome;
  if (outcome) {
    co_return "paid";
  }
  auto invoice = flow.call("invoice", do_it{"invoice"});
  co_await invoice;
  co_return "invoiced: " + outcome.failure().reason();
}

workflow<std::string> limited(placed, flow& flow) {
  auto p = call(flow, "p");
  p.within(1min);
  auto outcome = p.outcome();
  co_await outcome;
  auto approval = flow.expect<approved>("approval");
  co_await approval;
  co_return "old";
}

continuo::step<done> goes_on(flow& flow, const continuo::step_outcome<done>& outcome) {
  return flow.call("q", do_it{outcome ? "with p" : "without p"});
}

workflow<std::string> unlimited(placed, flow& flow) {
  auto p = call(flow, "p");
  auto outcome = p.outcome();
  co_await outcome;
  auto q = goes_on(flow, outcome);
  co_await q;
  co_return q->what + ", " + outcome.failure().reason();
}

workflow<std::string> unlimited_and_late(placed, flow& flow) {
  auto approval = flow.expect<approved>("approval");
  co_await approval;
  auto p = call(flow, "p");
  auto outcome = p.outcome();
  co_await outcome;
  auto q = goes_on(flow, outcome);
  co_await q;
  co_return "new";
}

workflow<std::string> withdraws(placed, flow& flow) {
  auto p = call(flow, "p");
  co_await p;
  p.withdraw();
  p.withdraw();
  auto approval = flow.expect<approved>("approval");
  co_await approval;
  flow.roll_back("no more");
}

workflow<std::string> swallows(placed, flow& flow) {
  try {
    flow.roll_back("no");
  } catch (...) {
  }
  auto p = call(flow, "p");
  co_await p;
  co_return "yes";
}

workflow<std::string> throws_late(placed, flow& flow) {
  auto p = call(flow, "p");
  auto q = call(flow, "q");
  co_await p;
  auto r = call(flow, "r");
  if (p->what == "p") {
    throw std::logic_error{"a slip"};
  }
  auto all = flow.all(q, r);
  co_await all;
  co_return "fine";
}

int destroyed = 0;
int caught = 0;

struct guard {
  ~guard() { ++destroyed; }
};

workflow<std::string> nested(placed, flow& flow) {
  auto p = call(flow, "p");
  co_await p;
  try {
    const guard outer;
    try {
      const guard inner;
      auto q = call(flow, "q");
      co_await q;
    } catch (...) {
      ++caught;
      throw;
    }
  } catch (...) {
    ++caught;
    throw;
  }
  co_return "fine";
}

struct casts_at_the_end {
  flow* words;
  ~casts_at_the_end() { words->cast("bye", tell_it{"bye"}); }
};

workflow<std::string> guarded(placed, flow& flow) {
  {
    const casts_at_the_end guard{&flow};
    auto p = call(flow, "p");
    co_await p;
  }
  auto q = call(flow, "q");
  co_await q;
  co_return "fine";
}

workflow<std::string> name_twice(placed, flow& flow) {
  auto p = call(flow, "p");
  auto again = call(flow, "p");
  co_await p;
  co_await again;
  co_return "fine";
}

workflow<std::string> another_command(placed, flow& flow) {
  auto p = flow.call("p", other_thing{"p"});
  co_await p;
  co_return "fine";
}

workflow<std::string> with_a_check(placed order, flow& flow) {
  auto p = call(flow, "p");
  co_await p;
  auto check = flow.call("fraud check", do_it{"check"});
  auto q = flow.call("q", do_it{p->what + "+q"});
  co_await check;
  co_await q;
  co_return order.id + ":" + check->what + "," + q->what;
}

workflow<std::string> without_q(placed order, flow& flow) {
  auto p = call(flow, "p");
  co_await p;
  auto r = call(flow, "r");
  co_await r;
  co_return order.id;
}

workflow<std::string> tells_time(placed, flow& flow) {
  const auto before = flow.now();
  auto numbers = flow.random() % 2 + flow.random() % 2;
  auto p = call(flow, "p");
  co_await p;
  const auto after = flow.now();
  numbers += flow.random() % 2;
  auto q = flow.call("q", do_it{std::to_string(numbers)});
  co_await q;
  co_return std::to_string((after - before) / 1s);
}

workflow<std::string> many(placed order, flow& flow) {
  std::vector<continuo::step<done>> steps;
  for (const auto& item : order.items) {
    steps.push_back(call(flow, "reserve/" + item));
  }
  auto all = flow.all(steps);
  co_await all;
  std::string said;
  for (const auto& one : steps) {
    said += one->what + ";";
  }
  co_return said;
}

workflow<std::string> casts(placed, flow& flow) {
  flow.cast("mail", tell_it{"mail"});
  flow.publish(approved{"another", "it"});
  auto p = call(flow, "p");
  co_await p;
  co_return "fine";
}

workflow<> no_result(placed, flow& flow) {
  auto p = call(flow, "p");
  co_await p;
}

int asked_how_often = 0;

workflow<std::string> counts_calls(placed, flow& flow) {
  auto p = call(flow, "p");
  co_await p;
  auto q = flow.call("q", do_it{std::to_string(++asked_how_often)});
  co_await q;
  co_return "fine";
}

} // namespace

/// Each test with its frame kept, and with the function run again at every message.
#define BOTH_WAYS for (const bool drops : {false, true})

CAF_TEST(steps run one after the other and the result is what the function returns) {
  BOTH_WAYS {
    begun one{type_of(in_turn), drops};
    CAF_CHECK_EQUAL(names_of(one.first), names{"p"});
    CAF_CHECK_EQUAL(one.first.what, "start");
    CAF_CHECK_EQUAL(names_of(one.reply("p")), names{"p+q"});
    const auto last = one.answered("q", done{"two"});
    CAF_CHECK_EQUAL(last.what, "reply");
    CAF_CHECK_EQUAL(one.status(), instance_status::completed);
    CAF_CHECK_EQUAL(one.result().text(), "o-1:two");
  }
}

CAF_TEST(a function without a result completes) {
  BOTH_WAYS {
    begun one{type_of(no_result), drops};
    one.reply("p");
    CAF_CHECK_EQUAL(one.status(), instance_status::completed);
    CAF_CHECK_EQUAL(one.result_text(), "");
  }
}

CAF_TEST(W1 an event that comes early is kept until it is awaited) {
  BOTH_WAYS {
    begun one{type_of(hears_late), drops};
    CAF_CHECK_EQUAL(one.approval("ann").what, "event");
    for (const auto& cause : one.waiting_for()) {
      CAF_CHECK_EQUAL(cause.kind, "reply");
    }
    one.reply("p");
    CAF_CHECK_EQUAL(one.status(), instance_status::completed);
    CAF_CHECK_EQUAL(one.result().text(), "ann");
  }
}

CAF_TEST(W2 an event that nothing takes follows its policy at the end) {
  BOTH_WAYS {
    for (const auto policy : {unknown_instance::discard, unknown_instance::dead_letter}) {
      begun one{type_of(hears_late, policy), drops};
      one.approval("ann");
      one.approval("bob");
      one.reply("p");
      CAF_CHECK_EQUAL(one.result().text(), "ann");
      CAF_CHECK_EQUAL(one.dead_letters(), policy == unknown_instance::discard ? 0u : 1u);
    }
  }
}

CAF_TEST(W2 the same where the instance is rolled back by a cancel) {
  BOTH_WAYS {
    begun one{type_of(hears_late, unknown_instance::dead_letter), drops};
    one.approval("ann");
    one.cancel();
    one.turn();
    one.withdrawn("p");
    CAF_CHECK_EQUAL(one.status(), instance_status::compensated);
    CAF_CHECK_EQUAL(one.dead_letters(), 1u);
  }
}

CAF_TEST(an event behind the return finds the instance over) {
  BOTH_WAYS {
    begun one{type_of(three, unknown_instance::dead_letter), drops};
    one.reply("p");
    one.decline("q");
    one.approval("ann");
    CAF_CHECK_EQUAL(one.status(), instance_status::running);
    CAF_CHECK_EQUAL(one.approval("bob").what, "event_after_end");
    CAF_CHECK_EQUAL(one.dead_letters(), 1u);
    one.withdrawn("r");
    CAF_CHECK_EQUAL(one.status(), instance_status::completed);
  }
}

CAF_TEST(W3 waits in a loop take the events in their order) {
  BOTH_WAYS {
    begun one{type_of(in_a_loop), drops};
    for (const auto* by : {"a", "b", "c", "d", "e"}) {
      CAF_CHECK_EQUAL(one.status(), instance_status::running);
      one.approval(by);
    }
    CAF_CHECK_EQUAL(one.result().text(), "abcde");
  }
}

CAF_TEST(W4 the wait that lost took nothing) {
  BOTH_WAYS {
    begun one{type_of(second_chance), drops};
    one.pass(73h);
    CAF_CHECK_EQUAL(one.status(), instance_status::running);
    one.approval("ann");
    CAF_CHECK_EQUAL(one.result().text(), "late by ann");
    begun in_time{type_of(second_chance), drops};
    in_time.pass(71h);
    in_time.approval("ann");
    CAF_CHECK_EQUAL(in_time.result().text(), "in time by ann");
    CAF_CHECK(in_time.waiting_for().empty());
  }
}

CAF_TEST(W5 the sender keeps what comes behind a thousand events) {
  begun one{type_of(hears_late), false};
  for (int i = 0; i < 1'000; ++i) {
    CAF_REQUIRE_EQUAL(one.approval("a").what, "event");
  }
  CAF_CHECK_EQUAL(one.approval("b").what, "hold");
  one.turn();
  one.leave_memory();
  CAF_CHECK_EQUAL(one.approval("c").what, "hold");
  CAF_CHECK_EQUAL(one.reply("p").what, "reply");
  CAF_CHECK_EQUAL(one.status(), instance_status::completed);
}

CAF_TEST(W6 a limit and its event end the wait in the order in which they came) {
  BOTH_WAYS {
    begun late{type_of(with_limit), drops};
    late.pass(72h);
    CAF_CHECK_EQUAL(late.result().text(), "nobody");
    begun early{type_of(with_limit), drops};
    early.approval("ann");
    CAF_CHECK_EQUAL(early.result().text(), "ann");
  }
}

CAF_TEST(W7 a call that nobody looked at is a mistake) {
  BOTH_WAYS {
    begun one{type_of(forgets), drops};
    const auto last = one.pass(2s);
    CAF_CHECK_EQUAL(last.withdrawals, 0u);
    CAF_CHECK_EQUAL(one.status(), instance_status::stuck);
    CAF_CHECK(one.reason().starts_with("\"p\" was begun and never awaited, withdrawn or cast"));
    begun answered{type_of(forgets), drops};
    answered.reply("p");
    CAF_CHECK_EQUAL(answered.status(), instance_status::stuck);
  }
}

CAF_TEST(W8 the first to end wins however late it is looked at) {
  BOTH_WAYS {
    begun one{type_of(q_wins), drops};
    one.reply("q");
    one.reply("p");
    one.reply("r");
    CAF_CHECK_EQUAL(one.result().text(), "q");
    begun failing{type_of(q_wins), drops};
    failing.decline("q");
    failing.reply("p");
    failing.reply("r");
    CAF_CHECK_EQUAL(failing.status(), instance_status::compensating);
    CAF_CHECK_EQUAL(failing.reason(), "q failed: no");
  }
}

CAF_TEST(W9 what is open beside a failure is given up and undone where it succeeds late) {
  BOTH_WAYS {
    begun one{type_of(three), drops};
    one.reply("p");
    const auto failing = one.decline("q");
    CAF_CHECK_EQUAL(failing.withdrawals, 1u);
    CAF_CHECK_EQUAL(one.status(), instance_status::running);
    const auto late = one.reply("r");
    CAF_CHECK_EQUAL(late.what, "given_up_success");
    CAF_CHECK_EQUAL(names_of(late), names{"undo r"});
    CAF_CHECK_EQUAL(one.status(), instance_status::running);
    CAF_CHECK_EQUAL(one.undone<undo_it>(done{}).what, "given_up_undone");
    one.turn();
    one.approval("ann");
    CAF_CHECK_EQUAL(one.status(), instance_status::completed);
    CAF_CHECK_EQUAL(one.result().text(), "q failed: no, r given_up");
  }
}

CAF_TEST(W10 the instance ends when what it gave up is settled) {
  BOTH_WAYS {
    begun one{type_of(three), drops};
    one.reply("p");
    one.decline("q");
    one.approval("ann");
    CAF_CHECK_EQUAL(one.status(), instance_status::running);
    const auto waits = one.waiting_for();
    CAF_REQUIRE_EQUAL(waits.size(), 1u);
    CAF_CHECK_EQUAL(waits.front().step, "r");
    CAF_CHECK_EQUAL(waits.front().what, "do_it");
    CAF_CHECK_EQUAL(names_of(one.reply("r")), names{"undo r"});
    CAF_CHECK_EQUAL(one.status(), instance_status::running);
    one.undone<undo_it>(done{});
    CAF_CHECK_EQUAL(one.status(), instance_status::completed);
    begun other{type_of(three), drops};
    other.reply("p");
    other.decline("q");
    other.approval("ann");
    other.withdrawn("r");
    CAF_CHECK_EQUAL(other.status(), instance_status::completed);
  }
}

CAF_TEST(W11 a failure that nobody catches rolls back newest first) {
  BOTH_WAYS {
    begun one{type_of(three_uncaught), drops};
    one.reply("p");
    const auto failing = one.decline("q");
    CAF_CHECK_EQUAL(failing.withdrawals, 1u);
    CAF_CHECK_EQUAL(one.status(), instance_status::compensating);
    CAF_CHECK_EQUAL(one.reason(), "q failed: no");
    CAF_CHECK_EQUAL(names_of(one.reply("r")), names{"undo r"});
    CAF_CHECK_EQUAL(names_of(one.undone<undo_it>(done{})), names{"undo p"});
    one.turn();
    one.undone<undo_it>(done{});
    CAF_CHECK_EQUAL(one.status(), instance_status::compensated);
  }
}

CAF_TEST(W12 a limit gives the step up and a late success is undone) {
  BOTH_WAYS {
    begun one{type_of(within_half_an_hour), drops};
    const auto over = one.pass(30min);
    CAF_CHECK_EQUAL(over.withdrawals, 1u);
    CAF_CHECK_EQUAL(names_of(over), names{"invoice"});
    one.pass(10min);
    CAF_CHECK_EQUAL(names_of(one.reply("p")), names{"undo p"});
    one.reply("invoice");
    CAF_CHECK_EQUAL(one.status(), instance_status::running);
    one.undone<undo_it>(done{});
    CAF_CHECK_EQUAL(one.result().text(), "invoiced: no answer within 30 min");
    begun early{type_of(within_half_an_hour), drops};
    early.pass(29min);
    early.reply("p");
    CAF_CHECK_EQUAL(early.result().text(), "paid");
    CAF_CHECK(early.waiting_for().empty());
  }
}

CAF_TEST(W14 a step that was withdrawn is undone once) {
  BOTH_WAYS {
    begun one{type_of(withdraws), drops};
    CAF_CHECK_EQUAL(names_of(one.reply("p")), names{"undo p"});
    one.undone<undo_it>(done{});
    one.turn();
    CAF_CHECK(names_of(one.approval("ann")).empty());
    CAF_CHECK_EQUAL(one.status(), instance_status::compensated);
    CAF_CHECK_EQUAL(one.reason(), "no more");
  }
}

CAF_TEST(W15 an undo that is refused while the function runs waits for a person) {
  BOTH_WAYS {
    for (const bool skips : {false, true}) {
      begun one{type_of(withdraws), drops};
      one.reply("p");
      CAF_CHECK_EQUAL(one.undo_declined<undo_it>("not so").what, "given_up_refused");
      one.turn();
      CAF_CHECK_EQUAL(one.status(), instance_status::stuck);
      if (skips) {
        one.skip();
      } else {
        CAF_CHECK_EQUAL(names_of(one.retry()), names{"undo p"});
        one.turn();
        one.undone<undo_it>(done{});
      }
      one.turn();
      CAF_CHECK_EQUAL(one.status(), instance_status::running);
      one.approval("ann");
      CAF_CHECK_EQUAL(one.status(), instance_status::compensated);
    }
  }
}

CAF_TEST(W15 messages are held while an undo waits for a person) {
  begun one{type_of(withdraws), false};
  one.reply("p");
  one.undo_declined<undo_it>("not so");
  CAF_CHECK_EQUAL(one.approval("ann").what, "hold");
}

CAF_TEST(W16 an undo under way is not withdrawn by a cancel) {
  BOTH_WAYS {
    begun one{type_of(three), drops};
    one.reply("p");
    one.decline("q");
    one.reply("r");
    const auto cancelled = one.cancel();
    one.turn();
    CAF_CHECK_EQUAL(cancelled.withdrawals, 0u);
    CAF_CHECK(names_of(cancelled).empty());
    CAF_CHECK_EQUAL(names_of(one.undone<undo_it>(done{})), names{"undo p"});
    one.turn();
    one.undone<undo_it>(done{});
    CAF_CHECK_EQUAL(one.status(), instance_status::compensated);
  }
}

CAF_TEST(a refused undo of a given - up step is carried out by a cancel) {
  BOTH_WAYS {
    begun one{type_of(withdraws), drops};
    one.reply("p");
    one.undo_declined<undo_it>("not so");
    one.turn();
    CAF_CHECK_EQUAL(names_of(one.cancel()), names{"undo p"});
    one.turn();
    one.undone<undo_it>(done{});
    CAF_CHECK_EQUAL(one.status(), instance_status::compensated);
  }
}

CAF_TEST(W17 a given-up step of unknown outcome that nothing undoes waits for a person) {
  BOTH_WAYS {
    const auto function = +[](placed, flow& flow) -> workflow<std::string> {
      auto p = flow.call("p", do_it{"p"});
      p.within(1min);
      auto outcome = p.outcome();
      co_await outcome;
      auto approval = flow.expect<approved>("approval");
      co_await approval;
      co_return "fine";
    };
    begun one{type_of(function), drops};
    one.pass(1min);
    CAF_CHECK_EQUAL(one.failed("p", "attempts exhausted").what, "given_up_failure");
    one.turn();
    CAF_CHECK_EQUAL(one.status(), instance_status::stuck);
    CAF_CHECK(one.reason().starts_with("p was given up, and its outcome is unknown"));
    one.retry();
    one.turn();
    CAF_CHECK_EQUAL(one.status(), instance_status::stuck); // nothing has changed
    one.skip();
    one.turn();
    one.approval("ann");
    CAF_CHECK_EQUAL(one.result().text(), "fine");
    auto harmless = type_of(function);
    harmless.nothing_to_undo<do_it>();
    begun other{harmless, drops};
    other.pass(1min);
    other.failed("p", "attempts exhausted");
    other.turn();
    CAF_CHECK_EQUAL(other.status(), instance_status::running);
  }
}

CAF_TEST(W18 an exception sends nothing and is a mistake) {
  BOTH_WAYS {
    begun one{type_of(throws_late), drops};
    CAF_CHECK_EQUAL(names_of(one.first), (names{"p", "q"}));
    const auto thrown = one.reply("p");
    CAF_CHECK(names_of(thrown).empty());
    CAF_CHECK_EQUAL(one.status(), instance_status::stuck);
    CAF_CHECK(one.reason().find("a slip") != std::string::npos);
    one.cancel();
    one.turn();
    CAF_CHECK_EQUAL(one.status(), instance_status::compensating);
  }
}

CAF_TEST(W19 who swallows a rollback gets it again) {
  BOTH_WAYS {
    begun one{type_of(swallows), drops};
    CAF_CHECK(one.first.sent.empty());
    CAF_CHECK_EQUAL(one.status(), instance_status::compensated);
    CAF_CHECK_EQUAL(one.reason(), "no");
  }
}

CAF_TEST(W20 a cancel destroys the frame and runs no catch block) {
  destroyed = 0;
  caught = 0;
  auto one = std::make_unique<begun>(type_of(nested), false);
  one->reply("p");
  const auto before = destroyed; // of the second run beside it
  CAF_CHECK_EQUAL(before, 2);
  CAF_CHECK_EQUAL(names_of(one->cancel()), names{});
  CAF_CHECK_EQUAL(destroyed, before + 2);
  CAF_CHECK_EQUAL(names_of(one->reply("q")), names{"undo q"});
  CAF_CHECK_EQUAL(names_of(one->undone<undo_it>(done{})), names{"undo p"});
  one->undone<undo_it>(done{});
  CAF_CHECK_EQUAL(one->status(), instance_status::compensated);
  CAF_CHECK_EQUAL(caught, 0);
}

CAF_TEST(W21 a word in a destructor has no effect while the frame goes) {
  begun one{type_of(guarded), true};
  CAF_CHECK_EQUAL(one.first.sent.size(), 1u);
  const auto left = one.reply("p");
  CAF_CHECK_EQUAL(left.all<tell_it>().size(), 1u);
  one.reply("q");
  CAF_CHECK_EQUAL(one.status(), instance_status::completed);
}

CAF_TEST(W26 a name stands for one step) {
  begun one{type_of(name_twice), false};
  CAF_CHECK_EQUAL(one.status(), instance_status::stuck);
  CAF_CHECK(one.reason().find("\"p\" was begun before: a name stands for one step") != std::string::npos);
  CAF_CHECK(one.first.sent.empty());
}

CAF_TEST(W26 a step that means something else under its name is a mistake) {
  begun one{type_of(in_turn), false};
  auto changed = type_of(another_command);
  changed.version(2);
  one.deploy(changed);
  one.reply("p");
  CAF_CHECK_EQUAL(one.status(), instance_status::stuck);
  CAF_CHECK(one.reason().find("\"p\" was a call of do_it before and is a call of other_thing now") !=
            std::string::npos);
  one.deploy(type_of(in_turn).version(3)); // mended
  CAF_CHECK_EQUAL(names_of(one.retry()), names{"p+q"});
  CAF_CHECK_EQUAL(one.status(), instance_status::running);
}

CAF_TEST(W28 a new step behind which the function is already needs a higher version) {
  for (const std::uint32_t version : {0, 2}) {
    begun one{type_of(in_turn), false};
    one.reply("p");
    auto changed = type_of(with_a_check);
    changed.version(version);
    one.deploy(changed);
    const auto next = one.reply("q");
    if (version == 0) {
      CAF_CHECK_EQUAL(one.status(), instance_status::stuck);
      CAF_CHECK(
          one.reason().find("\"fraud check\" was not begun here before; a changed workflow needs a higher "
                            "version") != std::string::npos);
      CAF_CHECK(next.sent.empty());
    } else {
      CAF_CHECK_EQUAL(one.status(), instance_status::running);
      CAF_CHECK_EQUAL(names_of(next), names{"check"});
      one.turn();
      one.leave_memory();
      one.reply("fraud check");
      CAF_CHECK_EQUAL(one.result().text(), "o-1:fraud check,q");
    }
  }
}

CAF_TEST(W29 a step that is open and is no more is withdrawn at the return ) {
  begun one{type_of(in_turn_and_hears), false};
  one.reply("p");
  one.deploy(type_of(without_q).version(2));
  one.approval("ann"); // the first message under the new version: it begins r, and q is never reached
  CAF_CHECK_EQUAL(one.status(), instance_status::running);
  const auto last = one.reply("r");
  CAF_CHECK_EQUAL(one.status(), instance_status::running);
  CAF_CHECK_EQUAL(last.withdrawals, 1u);
  CAF_CHECK_EQUAL(names_of(one.reply("q")), names{"undo q"});
  one.undone<undo_it>(done{});
  CAF_CHECK_EQUAL(one.status(), instance_status::completed);
}

CAF_TEST(W29 a step that has ended and is no more stays done) {
  begun one{type_of(in_turn_and_hears), false};
  one.reply("p");
  one.reply("q");
  one.deploy(type_of(without_q).version(2));
  one.approval("ann");
  CAF_CHECK_EQUAL(one.status(), instance_status::running);
  CAF_CHECK_EQUAL(one.reply("r").withdrawals, 0u);
  CAF_CHECK_EQUAL(one.status(), instance_status::completed);
}

CAF_TEST(what an older version gave up is given up for a newer one) {
  BOTH_WAYS {
    begun one{type_of(limited).version(1), drops};
    one.pass(1min);
    one.deploy(type_of(unlimited).version(2));
    CAF_CHECK_EQUAL(names_of(one.approval("ann")), names{"without p"});
    one.turn();
    CAF_CHECK_EQUAL(names_of(one.reply("p")), names{"undo p"});
    one.undone<undo_it>(done{});
    one.turn();
    one.reply("q");
    CAF_CHECK_EQUAL(one.result().text(), "q, an earlier version gave it up");
    begun sooner{type_of(limited).version(1), drops};
    sooner.pass(1min);
    sooner.reply("p"); // undone, and settled before the newer version comes to it
    sooner.undone<undo_it>(done{});
    sooner.deploy(type_of(unlimited_and_late).version(2));
    CAF_CHECK_EQUAL(names_of(sooner.approval("ann")), names{"without p"});
  }
}

CAF_TEST(W29 an older program leaves what a newer one has run) {
  begun one{type_of(in_turn).version(2), false};
  one.deploy(type_of(in_turn).version(1));
  CAF_CHECK_EQUAL(one.answered("p", done{"p"}).what, "unknown_here");
  one.deploy(type_of(in_turn).version(2));
  one.reply("p");
  CAF_CHECK_EQUAL(one.status(), instance_status::running);
}

CAF_TEST(neither a class of handlers nor a function takes over the instances of the other) {
  begun one{type_of(in_turn_and_hears), false};
  one.deploy(continuo::saga<fulfil>::describe());
  CAF_CHECK_EQUAL(one.approval("ann").what, "unknown_here");
  one.deploy(type_of(in_turn_and_hears));
  one.reply("p");
  CAF_CHECK_EQUAL(one.status(), instance_status::running);
  begun other{continuo::saga<fulfil>::describe(), false};
  CAF_CHECK_EQUAL(other.status(), instance_status::running);
  other.deploy(type_of(in_turn_and_hears));
  CAF_CHECK_EQUAL(other.approval("ann").what, "unknown_here");
  other.deploy(continuo::saga<fulfil>::describe());
  other.cancel();
  CAF_CHECK_EQUAL(other.status(), instance_status::compensated);
}

CAF_TEST(W27 names of steps have a form) {
  for (const auto& name : {std::string{}, std::string(201, 'a'), std::string{"a\nb"}, std::string{"\xff"}}) {
    static std::string given;
    given = name;
    begun one{type_of(+[](placed, flow& flow) -> workflow<std::string> {
                auto p = call(flow, given);
                co_await p;
                co_return "fine";
              }),
              false};
    CAF_CHECK_EQUAL(one.status(), instance_status::stuck);
    CAF_CHECK(one.reason().find("the name of a step has 1 to 200 bytes") != std::string::npos);
    CAF_CHECK(one.reason().find('\n') == std::string::npos);
  }
}

namespace {

// As g++ lets it pass.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wreturn-type"
workflow<std::string> never_returns(placed, flow& flow) {
  auto p = call(flow, "p");
  co_await p;
}
#pragma GCC diagnostic pop

workflow<std::string> inner(placed, flow& flow) {
  auto q = call(flow, "q");
  co_await q;
  co_return "inner";
}

workflow<std::string> calls_another(placed order, flow& flow) {
  auto p = call(flow, "p");
  co_await p;
  const auto lost = inner(order, flow);
  co_return "fine";
}

workflow<std::string> asks_for_no_failure(placed, flow& flow) {
  auto p = call(flow, "p");
  auto outcome = p.outcome();
  co_await outcome;
  co_return outcome.failure().reason();
}

workflow<std::string> first_of_nothing(placed, flow& flow) {
  const std::vector<continuo::step<done>> none;
  auto first = flow.first(none);
  co_await first;
  co_return "fine";
}

workflow<std::string> swallows_all(placed, flow& flow) {
  for (;;) {
    try {
      auto p = call(flow, "p");
      co_await p;
      auto again = call(flow, "p");
      co_await again;
    } catch (...) {
    }
  }
}

workflow<std::string> gives_up_many(placed, flow& flow) {
  auto p = flow.call("p", do_it{"p"});
  auto q = call(flow, "q");
  auto approval = flow.expect<approved>("approval");
  co_await approval;
  p.withdraw();
  q.withdraw();
  co_return "fine";
}

workflow<std::string> gives_up_two(placed, flow& flow) {
  auto p = flow.call("p", do_it{"p"});
  auto q = flow.call("q", do_it{"q"});
  auto approval = flow.expect<approved>("approval");
  co_await approval;
  p.withdraw();
  q.withdraw();
  co_return "fine";
}

workflow<std::string> outcome_wins(placed, flow& flow) {
  auto p = call(flow, "p");
  auto outcome = p.outcome();
  auto timer = flow.timer("timer", 1h);
  auto first = flow.first(outcome, timer);
  co_await first;
  co_return first.is(p) && first.is(outcome) && outcome ? outcome->what : "timer";
}

workflow<std::string> awaits_late(placed, flow& flow) {
  auto approval = flow.expect<approved>("approval", 1h);
  auto pause = flow.timer("pause", 2h);
  co_await pause;
  co_await approval;
  co_return approval ? approval->by : "nobody";
}

workflow<std::string> casts_twice_at_the_end(placed, flow& flow) {
  auto p = call(flow, "p");
  co_await p;
  {
    const casts_at_the_end one{&flow};
    const casts_at_the_end other{&flow};
  }
  auto q = call(flow, "q");
  co_await q;
  co_return "fine";
}

/// Stuck, for a reason that says this, and nothing sent.
void should_be_mistake(begun& one, const continuo::testing::saga_step& step, std::string_view reason) {
  CAF_CHECK_EQUAL(one.status(), instance_status::stuck);
  CAF_CHECK(step.sent.empty());
  CAF_CHECK(one.reason().find(reason) != std::string::npos);
  if (one.reason().find(reason) == std::string::npos) {
    CAF_MESSAGE(one.reason());
  }
}

} // namespace

CAF_TEST(mistakes of functions say what they are) {
  begun ended{type_of(never_returns), false};
  should_be_mistake(ended, ended.reply("p"), "the function ended without co_return");
  begun nested{type_of(calls_another), false};
  should_be_mistake(nested, nested.reply("p"), "calls another coroutine, which does not run");
  begun failing{type_of(asks_for_no_failure), false};
  should_be_mistake(failing, failing.reply("p"), "\"p\" succeeded: it has no failure");
  begun nothing{type_of(first_of_nothing), false};
  should_be_mistake(nothing, nothing.first, "flow.first of no steps");
  begun swallowing{type_of(swallows_all), false};
  should_be_mistake(swallowing, swallowing.reply("p"), "\"p\" was begun before");
  begun twice{type_of(casts_twice_at_the_end), false};
  should_be_mistake(twice, twice.reply("p"), "\"bye\" was begun before");
}

CAF_TEST(a step that was removed without a higher version is a mistake) {
  begun one{type_of(in_turn_and_hears), false};
  one.reply("p");
  one.deploy(type_of(without_q));
  should_be_mistake(one, one.approval("ann"), "\"r\" was not begun here before");
  begun shorter{type_of(in_turn_and_hears), false};
  shorter.reply("p");
  shorter.deploy(type_of(hears_late));
  should_be_mistake(shorter, shorter.approval("ann"), "\"approval\" was not begun here before");
}

CAF_TEST(a step that gets an instance stuck does not keep the others from being given up) {
  BOTH_WAYS {
    begun one{type_of(gives_up_many), drops};
    one.failed("p", "attempts exhausted");
    one.turn();
    const auto both = one.approval("ann");
    CAF_CHECK_EQUAL(one.status(), instance_status::stuck);
    CAF_CHECK_EQUAL(both.withdrawals, 1u);
    one.skip();
    one.turn();
    CAF_CHECK_EQUAL(names_of(one.reply("q")), names{"undo q"});
    one.undone<undo_it>(done{});
    CAF_CHECK_EQUAL(one.status(), instance_status::completed);
  }
}

CAF_TEST(the person is asked for each step that nothing undoes) {
  BOTH_WAYS {
    begun one{type_of(gives_up_two), drops};
    one.failed("p", "attempts exhausted");
    one.failed("q", "attempts exhausted");
    one.turn();
    one.approval("ann");
    CAF_CHECK_EQUAL(one.status(), instance_status::stuck);
    CAF_CHECK(one.reason().starts_with("q was given up") && one.reason().ends_with("(and 1 more)"));
    one.skip();
    one.turn();
    CAF_CHECK_EQUAL(one.status(), instance_status::stuck);
    CAF_CHECK(one.reason().starts_with("p was given up"));
    one.skip();
    CAF_CHECK_EQUAL(one.status(), instance_status::completed);
  }
}

CAF_TEST(the failure of one of many gives the others up) {
  std::vector<std::string> items;
  for (int i = 0; i < 1'000; ++i) {
    items.push_back(std::to_string(i));
  }
  begun one{type_of(many), true, items};
  const auto failing = one.decline("reserve/3");
  CAF_CHECK_EQUAL(failing.withdrawals, 999u);
  CAF_CHECK_EQUAL(one.status(), instance_status::compensating);
}

CAF_TEST(an outcome that wins may be looked at) {
  BOTH_WAYS {
    begun one{type_of(outcome_wins), drops};
    one.reply("p");
    CAF_CHECK_EQUAL(one.result().text(), "p");
  }
}

CAF_TEST(W6 an event that came before its limit is taken however late it is awaited) {
  BOTH_WAYS {
    begun one{type_of(awaits_late), drops};
    one.pass(30min);
    one.approval("ann");
    one.pass(3h);
    CAF_CHECK_EQUAL(one.result().text(), "ann");
    begun late{type_of(awaits_late), drops};
    late.pass(90min);
    late.approval("ann");
    late.pass(3h);
    CAF_CHECK_EQUAL(late.result().text(), "nobody");
  }
}

CAF_TEST(times and random numbers are the same again) {
  BOTH_WAYS {
    begun one{type_of(tells_time), drops};
    one.pass(5s);
    one.reply("p");
    one.pass(1h);
    one.answered("q", done{});
    CAF_CHECK_EQUAL(one.result().text(), "5");
  }
}

CAF_TEST(steps of a vector run side by side) {
  BOTH_WAYS {
    begun one{type_of(many), drops, {"a", "b", "c"}};
    CAF_CHECK_EQUAL(names_of(one.first), (names{"reserve/a", "reserve/b", "reserve/c"}));
    one.reply("reserve/b");
    one.reply("reserve/a");
    one.reply("reserve/c");
    CAF_CHECK_EQUAL(one.result().text(), "reserve/a;reserve/b;reserve/c;");
    begun nothing{type_of(many), drops, {}};
    CAF_CHECK_EQUAL(nothing.result().text(), "");
  }
}

CAF_TEST(casts and events go out once) {
  BOTH_WAYS {
    begun one{type_of(casts), drops};
    CAF_CHECK_EQUAL(one.first.all<tell_it>().size(), 1u);
    CAF_CHECK_EQUAL(one.first.all<approved>().size(), 1u);
    const auto last = one.reply("p");
    CAF_CHECK(last.sent.empty());
    CAF_CHECK_EQUAL(one.status(), instance_status::completed);
  }
}

CAF_TEST(a function that decides otherwise when it runs again is found) {
  asked_how_often = 0;
  begun one{type_of(counts_calls), false};
  one.reply("p");
  CAF_CHECK_EQUAL(one.status(), instance_status::stuck);
  CAF_CHECK(one.reason().find("run again from its beginning the function decides otherwise: \"q\", do_it has "
                              "another content") != std::string::npos);
}
