#define CAF_SUITE commands_to_sagas

#include <continuo/testing.hpp>
#include <continuo/workflow.hpp>

#include <continuo/testing_caf.hpp>

#include <caf/test/dsl.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

// Commands that sagas and workflows handle: children and updates, on one instance alone. The cases by their
// numbers.

using namespace std::chrono_literals;
using continuo::decline;
using continuo::ending;
using continuo::flow;
using continuo::instance_status;
using continuo::outcome;
using continuo::second_starter;
using continuo::unknown_instance;
using continuo::workflow;
using continuo::workflow_type;
using continuo::testing::saga_alone;
using continuo::testing::workflow_alone;

namespace {

struct refunded {
  std::int64_t cents = 0;
  CONTINUO_FIELDS(refunded, cents)
};

struct refund {
  using reply = refunded;
  std::string id;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(refund, id, cents)
};

struct done {
  std::string what;
  CONTINUO_FIELDS(done, what)
};

struct pay_back {
  using reply = done;
  std::string id;
  CONTINUO_FIELDS(pay_back, id)
};

struct take_again {
  using reply = done;
  std::string id;
  CONTINUO_FIELDS(take_again, id)
};

struct send_mail {
  using reply = done;
  std::string text;
  CONTINUO_FIELDS(send_mail, text)
};

struct moved {
  std::string from;
  CONTINUO_FIELDS(moved, from)
};

struct change_address {
  using reply = moved;
  std::string id;
  std::string to;
  CONTINUO_FIELDS(change_address, id, to)
};

struct placed {
  std::string id;
  CONTINUO_FIELDS(placed, id)
};

workflow<refunded> run_refund(refund of, flow& flow) {
  auto back = flow.call("pay back", pay_back{of.id});
  back.undone_by(take_again{of.id});
  co_await back;
  auto pause = flow.timer("bank", 1h);
  co_await pause;
  co_return refunded{of.cents};
}

auto refund_type(second_starter second = second_starter::declined) {
  workflow_type type{"refund", run_refund};
  type.starts_on_command<refund>(&refund::id, second);
  return type;
}

/// The same as a class of handlers.
class refund_saga : public continuo::saga<refund_saga> {
public:
  static void define(continuo::saga_definition<refund_saga>& saga) {
    saga.starts_on_command<refund>(&refund::id, second_starter::declined);
    saga.answers<change_address>(&change_address::id);
    saga.calls<pay_back>().undone_by([](const pay_back& sent, const done*) { return take_again{sent.id}; });
  }

private:
  void on(const refund& of, continuo::saga_context& context) {
    cents_ = of.cents;
    context.send(pay_back{of.id});
  }
  void on(const done& reply, continuo::saga_context& context) {
    if (reply.what == "wrong") {
      context.complete("a text");
    } else {
      context.complete(refunded{cents_});
    }
  }
  outcome<moved> on(const change_address& to, continuo::saga_context& context) {
    const auto from = std::exchange(address_, to.to);
    if (to.to == "moon") {
      context.send(pay_back{"never"});
      return decline("nobody lives there");
    }
    if (to.to == "throw") {
      throw std::runtime_error{"no such place"};
    }
    return moved{from};
  }

  std::int64_t cents_ = 0;
  std::string address_ = "home";

public:
  CONTINUO_FIELDS(refund_saga, cents_, address_)
  std::string address() const { return address_; }
};

struct order_flow {
  static workflow<std::string> run(placed order, flow& flow) {
    std::string address = "home";
    bool confirmed = false;
    auto first = flow.call("first", pay_back{order.id});
    co_await first;
    {
      auto open = flow.accept<change_address>([&](const change_address& to) -> outcome<moved> {
        const auto from = std::exchange(address, to.to);
        if (to.to == "moon") {
          return decline("nobody lives there");
        }
        if (to.to == "throw") {
          throw std::runtime_error{"no such place"};
        }
        if (to.to == "step") {
          flow.cast("mail", send_mail{"no"});
        }
        confirmed = to.to == "sure";
        return moved{from};
      });
      auto p = flow.call("p", pay_back{"p"});
      co_await p;
      auto q = flow.call("q", pay_back{"q to " + address});
      co_await q;
      auto sure = flow.until([&] { return confirmed; });
      co_await sure;
    }
    auto last = flow.call("last", pay_back{order.id});
    co_await last;
    co_return address;
  }

  static auto type() {
    workflow_type made{"order", run};
    made.starts_on<placed>(&placed::id).answers<change_address>(&change_address::id);
    return made;
  }
};

} // namespace

// -- children ---------------------------------------------------------------------------------------------

CAF_TEST(a command starts a workflow and is answered when that ends) {
  for (const auto drops : {false, true}) {
    workflow_alone one{refund_type()};
    auto step = one.takes(refund{"r-1", 500});
    CAF_CHECK_EQUAL(step.what, "start");
    CAF_CHECK_EQUAL(step.only<pay_back>().id, "r-1");
    CAF_CHECK(step.answers.empty());
    if (drops) {
      one.leave_memory();
    }
    CAF_CHECK(one.answered("pay back", done{"x"}).answers.empty());
    if (drops) {
      one.leave_memory();
    }
    step = one.advance_time(1h);
    CAF_CHECK_EQUAL(one.status(), instance_status::completed);
    CAF_CHECK_EQUAL(step.answer<refunded>().cents, 500);
  }
}

CAF_TEST(a child that rolls back declines its command with the reason) {
  workflow_alone one{refund_type()};
  one.takes(refund{"r-1", 500});
  auto step = one.declined("pay back", "no money");
  CAF_CHECK_EQUAL(one.status(), instance_status::compensated);
  CAF_CHECK_EQUAL(step.refusal(), "pay back failed: no money");
}

CAF_TEST(W38 a second starter is declined while the first one lives and when it has completed) {
  workflow_alone one{refund_type()};
  one.takes(refund{"r-1", 500});
  auto second = one.takes(refund{"r-1", 700});
  CAF_CHECK_EQUAL(second.what, "declined");
  CAF_CHECK_EQUAL(second.refusal(), "refund/r-1 is there already: it is running");
  one.answered("pay back", done{"x"});
  CAF_CHECK_EQUAL(one.advance_time(1h).answer<refunded>().cents, 500);
  CAF_CHECK_EQUAL(one.takes(refund{"r-1", 700}).refusal(), "refund/r-1 is there already: it is completed");
}

CAF_TEST(W38 a second starter that joins gets the same result at the end and behind it) {
  workflow_alone one{refund_type(second_starter::joins)};
  one.takes(refund{"r-1", 500});
  CAF_CHECK_EQUAL(one.takes(refund{"r-1", 700}).what, "joined");
  one.leave_memory();
  one.answered("pay back", done{"x"});
  const auto end = one.advance_time(1h);
  CAF_REQUIRE_EQUAL(end.answers.size(), 2u);
  for (const auto& answer : end.answers) {
    const auto reply = continuo::decode<refunded>(answer.payload).value();
    CAF_CHECK_EQUAL(reply.cents, 500);
  }
  one.leave_memory();
  const auto late = one.takes(refund{"r-1", 900});
  CAF_CHECK_EQUAL(late.what, "joined");
  CAF_CHECK_EQUAL(late.answer<refunded>().cents, 500);
}

CAF_TEST(W38 behind a compensated child the key begins a new life) {
  for (const auto drops : {false, true}) {
    workflow_alone one{refund_type()};
    one.takes(refund{"r-1", 500});
    one.declined("pay back", "no money");
    CAF_REQUIRE_EQUAL(one.status(), instance_status::compensated);
    if (drops) {
      one.leave_memory();
    }
    const auto again = one.takes(refund{"r-1", 700});
    CAF_CHECK_EQUAL(again.what, "start");
    CAF_CHECK_EQUAL(one.status(), instance_status::running);
    CAF_CHECK_EQUAL(one.reason(), "");
    if (drops) {
      one.leave_memory();
    }
    one.answered("pay back", done{"x"});
    CAF_CHECK_EQUAL(one.advance_time(1h).answer<refunded>().cents, 700);
  }
}

CAF_TEST(W39 the withdrawal of its command cancels a child which undoes itself and declines) {
  for (const auto drops : {false, true}) {
    workflow_alone one{refund_type()};
    one.takes(refund{"r-1", 500});
    one.answered("pay back", done{"x"});
    if (drops) {
      one.leave_memory();
    }
    const auto step = one.command_withdrawn();
    CAF_CHECK_EQUAL(step.what, "cancel");
    CAF_CHECK_EQUAL(step.only<take_again>().id, "r-1");
    CAF_CHECK(step.answers.empty());
    CAF_CHECK_EQUAL(one.status(), instance_status::compensating);
    const auto end = one.undone<take_again>(done{"x"});
    CAF_CHECK_EQUAL(one.status(), instance_status::compensated);
    CAF_CHECK_EQUAL(end.refusal(), "cancelled: its command was withdrawn");
  }
}

CAF_TEST(W39 a child for which somebody else waits as well goes on) {
  workflow_alone one{refund_type(second_starter::joins)};
  one.takes(refund{"r-1", 500});
  one.takes(refund{"r-1", 700});
  const auto step = one.command_withdrawn();
  CAF_CHECK_EQUAL(step.what, "withdrawn");
  CAF_CHECK_EQUAL(step.refusal(), "withdrawn; it was started by others as well, and goes on");
  CAF_CHECK_EQUAL(one.status(), instance_status::running);
  one.answered("pay back", done{"x"});
  CAF_CHECK_EQUAL(one.advance_time(1h).answer<refunded>().cents, 500);
}

CAF_TEST(an instance that an event has started is not cancelled by a command that joined it) {
  workflow_type type{"refund", [](refund of, flow& flow) -> workflow<refunded> {
                       auto pause = flow.timer("pause", 1h);
                       co_await pause;
                       co_return refunded{of.cents};
                     }};
  type.starts_on<refund>(&refund::id).starts_on_command<refund>(&refund::id, second_starter::joins);
  workflow_alone one{type};
  one.receives(refund{"r-1", 500});
  CAF_CHECK_EQUAL(one.takes(refund{"r-1", 700}).what, "joined");
  CAF_CHECK_EQUAL(one.command_withdrawn().refusal(),
                  "withdrawn; it was started by others as well, and goes on");
  CAF_CHECK_EQUAL(one.status(), instance_status::running);
}

CAF_TEST(an operator who cancels a child lets its command fail) {
  workflow_alone one{refund_type()};
  one.takes(refund{"r-1", 500});
  one.cancel();
  CAF_CHECK_EQUAL(one.status(), instance_status::compensating);
  CAF_CHECK_EQUAL(one.withdrawn("pay back").refusal(), "cancelled");
}

CAF_TEST(a child as a class of handlers) {
  saga_alone<refund_saga> one;
  CAF_CHECK_EQUAL(one.takes(refund{"r-1", 500}).only<pay_back>().id, "r-1");
  one.leave_memory();
  CAF_CHECK_EQUAL(one.answered<pay_back>(done{"x"}).answer<refunded>().cents, 500);
}

CAF_TEST(a saga that completes with something else than its command is answered with is stuck) {
  saga_alone<refund_saga> one;
  one.takes(refund{"r-1", 500});
  one.answered<pay_back>(done{"wrong"});
  CAF_CHECK_EQUAL(one.status(), instance_status::stuck);
  CAF_CHECK_EQUAL(one.reason(),
                  "complete(): refund started it, which is answered with refunded, and not with string");
}

// -- updates ----------------------------------------------------------------------------------------------

CAF_TEST(an update of a saga is state and answer in one transition) {
  saga_alone<refund_saga> one;
  CAF_CHECK_EQUAL(one.takes(change_address{"r-1", "sea"}).refusal(), "there is no refund_saga/r-1");
  CAF_CHECK(!one.exists());
  one.takes(refund{"r-1", 500});
  auto step = one.takes(change_address{"r-1", "sea"});
  CAF_CHECK_EQUAL(step.what, "update");
  CAF_CHECK_EQUAL(step.answer<moved>().from, "home");
  step = one.takes(change_address{"r-1", "moon"});
  CAF_CHECK_EQUAL(step.what, "update_declined");
  CAF_CHECK_EQUAL(step.refusal(), "nobody lives there");
  CAF_CHECK(step.sent.empty());
  CAF_CHECK_EQUAL(one.value().address(), "sea");
  step = one.takes(change_address{"r-1", "throw"});
  CAF_CHECK_EQUAL(step.what, "update_fails");
  CAF_CHECK_EQUAL(step.refusal(), "its handler failed: no such place");
  CAF_CHECK_EQUAL(one.dead_letters(), 1u);
  CAF_CHECK_EQUAL(one.value().address(), "sea");
  CAF_CHECK_EQUAL(one.status(), instance_status::running);
  one.answered<pay_back>(done{"x"});
  CAF_CHECK_EQUAL(one.takes(change_address{"r-1", "land"}).refusal(), "refund_saga/r-1 is completed");
}

CAF_TEST(W35 a workflow answers an update only while it accepts it) {
  for (const auto drops : {false, true}) {
    workflow_alone one{order_flow::type()};
    const auto turn = [&] {
      if (drops) {
        one.leave_memory();
      }
    };
    CAF_CHECK_EQUAL(one.takes(change_address{"o-1", "sea"}).refusal(), "there is no order/o-1");
    CAF_CHECK(!one.exists());
    one.receives(placed{"o-1"});
    turn();
    CAF_CHECK_EQUAL(one.takes(change_address{"o-1", "sea"}).refusal(),
                    "order/o-1 does not accept change_address now");
    turn();
    one.answered("first", done{"x"});
    turn();
    CAF_CHECK_EQUAL(one.takes(change_address{"o-1", "sea"}).answer<moved>().from, "home");
    turn();
    CAF_CHECK_EQUAL(one.takes(change_address{"o-1", "moon"}).refusal(), "nobody lives there");
    turn();
    CAF_CHECK_EQUAL(one.takes(change_address{"o-1", "land"}).answer<moved>().from, "moon");
    turn();
    CAF_CHECK_EQUAL(one.answered("p", done{"x"}).only<pay_back>().id, "q to land");
    turn();
    one.answered("q", done{"x"});
    turn();
    CAF_CHECK_EQUAL(one.status(), instance_status::running);
    const auto causes = one.waiting_for();
    CAF_REQUIRE_EQUAL(causes.size(), 1u);
    CAF_CHECK_EQUAL(causes.front().what, "change_address");
    const auto sure = one.takes(change_address{"o-1", "sure"});
    CAF_CHECK_EQUAL(sure.answer<moved>().from, "land");
    CAF_CHECK_EQUAL(sure.only<pay_back>().id, "o-1");
    turn();
    CAF_CHECK_EQUAL(one.takes(change_address{"o-1", "sea"}).refusal(),
                    "order/o-1 does not accept change_address now");
    turn();
    one.answered("last", done{"x"});
    CAF_CHECK_EQUAL(one.result_text(), R"("sure")");
    CAF_CHECK_EQUAL(one.takes(change_address{"o-1", "sea"}).refusal(), "order/o-1 is completed");
  }
}

CAF_TEST(W35 an update of an instance that is rolled back is declined) {
  workflow_alone one{order_flow::type()};
  one.receives(placed{"o-1"});
  one.answered("first", done{"x"});
  one.cancel();
  CAF_CHECK_EQUAL(one.takes(change_address{"o-1", "sea"}).refusal(), "order/o-1 is compensating");
}

CAF_TEST(W37 an update that throws fails and the instance goes on as it was) {
  for (const auto drops : {false, true}) {
    workflow_alone one{order_flow::type()};
    one.receives(placed{"o-1"});
    one.answered("first", done{"x"});
    for (const auto* wrong : {"throw", "step"}) {
      const auto step = one.takes(change_address{"o-1", wrong});
      CAF_CHECK_EQUAL(step.what, "update_fails");
      CAF_CHECK(step.sent.empty());
      CAF_CHECK_EQUAL(one.status(), instance_status::running);
      if (drops) {
        one.leave_memory();
      }
    }
    CAF_CHECK_EQUAL(one.dead_letters(), 2u);
    CAF_CHECK_EQUAL(one.answered("p", done{"x"}).only<pay_back>().id, "q to home");
  }
}

CAF_TEST(an update that a newer version does not accept where it was answered is a mistake) {
  workflow_alone one{order_flow::type()};
  one.receives(placed{"o-1"});
  one.answered("first", done{"x"});
  one.takes(change_address{"o-1", "sea"});
  workflow_type newer{"order", [](placed order, flow& flow) -> workflow<std::string> {
                        auto first = flow.call("first", pay_back{order.id});
                        co_await first;
                        auto p = flow.call("p", pay_back{"p"});
                        co_await p;
                        co_return "x";
                      }};
  newer.starts_on<placed>(&placed::id).answers<change_address>(&change_address::id).version(1);
  one.deploy(newer);
  one.answered("p", done{"x"});
  CAF_CHECK_EQUAL(one.status(), instance_status::stuck);
  CAF_CHECK_EQUAL(one.reason(), "change_address was answered here before, and is not accepted here now");
}

CAF_TEST(an update may keep something of its own) {
  workflow_type type{"order", [](placed, flow& flow) -> workflow<> {
                       auto open = flow.accept<change_address>(
                           [count = 0](const change_address&) mutable -> outcome<moved> {
                             return moved{std::to_string(++count)};
                           });
                       auto never = flow.until([] { return false; });
                       co_await never;
                     }};
  type.starts_on<placed>(&placed::id).answers<change_address>(&change_address::id);
  workflow_alone one{type};
  one.receives(placed{"o-1"});
  CAF_CHECK_EQUAL(one.takes(change_address{"o-1", "x"}).answer<moved>().from, "1");
  CAF_CHECK_EQUAL(one.takes(change_address{"o-1", "x"}).answer<moved>().from, "2");
  one.leave_memory();
  CAF_CHECK_EQUAL(one.takes(change_address{"o-1", "x"}).answer<moved>().from, "3");
}

CAF_TEST(what goes out with an end that fails goes out once) {
  workflow_type type{"order", [](placed order, flow& flow) -> workflow<> {
                       flow.at_end("one", send_mail{"one"});
                       auto p = flow.call("p", pay_back{order.id});
                       co_await p;
                     }};
  type.starts_on<placed>(&placed::id).hears<refund>(&refund::id, unknown_instance::dead_letter);
  workflow_alone one{type};
  one.receives(placed{"o-1"});
  one.receives(refund{"o-1", 1}); // kept, and never taken
  CAF_CHECK_EQUAL(one.answered("p", done{}).all<send_mail>().size(), 1u);
  CAF_CHECK_EQUAL(one.dead_letters(), 1u);
}

CAF_TEST(what is accepted twice or never declared is a mistake) {
  const auto reason_of = [](auto function, bool answers) {
    workflow_type type{"order", function};
    type.template starts_on<placed>(&placed::id);
    if (answers) {
      type.template answers<change_address>(&change_address::id);
    }
    workflow_alone one{type};
    one.receives(placed{"o-1"});
    return one.status() == instance_status::stuck ? one.reason() : std::string{"none"};
  };
  CAF_CHECK_EQUAL(reason_of(
                      [](placed, flow& flow) -> workflow<> {
                        auto open = flow.accept<change_address>(
                            [](const change_address&) -> outcome<moved> { return moved{}; });
                        auto never = flow.until([] { return false; });
                        co_await never;
                      },
                      false),
                  "it accepts change_address, which never comes: the workflow does not answer it; add "
                  ".answers<change_address>()");
  CAF_CHECK_EQUAL(reason_of(
                      [](placed, flow& flow) -> workflow<> {
                        const auto answer = [](const change_address&) -> outcome<moved> { return moved{}; };
                        auto open = flow.accept<change_address>(answer);
                        auto other = flow.accept<change_address>(answer);
                        auto never = flow.until([] { return false; });
                        co_await never;
                      },
                      true),
                  "change_address is accepted already: one acceptance for each type at a time");
}

CAF_TEST(a condition that nothing can make true is stuck) {
  workflow_type type{"order", [](placed, flow& flow) -> workflow<> {
                       auto never = flow.until([] { return false; });
                       co_await never;
                     }};
  type.starts_on<placed>(&placed::id);
  workflow_alone one{type};
  one.receives(placed{"o-1"});
  CAF_CHECK_EQUAL(one.status(), instance_status::stuck);
  CAF_CHECK(one.reason().starts_with("nothing can wake it"));
}

CAF_TEST(a condition ends the first of several) {
  workflow_type type{"order", [](placed, flow& flow) -> workflow<std::string> {
                       auto sure = false;
                       auto open = flow.accept<change_address>([&](const change_address&) -> outcome<moved> {
                         sure = true;
                         return moved{};
                       });
                       auto holds = flow.until([&] { return sure; });
                       auto overdue = flow.timer("overdue", 1h);
                       auto either = flow.first(holds, overdue);
                       co_await either;
                       co_return either.is(holds) ? "sure" : "overdue";
                     }};
  type.starts_on<placed>(&placed::id).answers<change_address>(&change_address::id);
  workflow_alone one{type};
  one.receives(placed{"o-1"});
  one.takes(change_address{"o-1", "x"});
  CAF_CHECK_EQUAL(one.result_text(), R"("sure")");
  workflow_alone other{type};
  other.receives(placed{"o-1"});
  other.advance_time(1h);
  CAF_CHECK_EQUAL(other.result_text(), R"("overdue")");
}

// -- other words
// ---------------------------------------------------------------------------------------------

CAF_TEST(commands that go out with the end) {
  const auto type = [] {
    workflow_type made{"order", [](placed order, flow& flow) -> workflow<> {
                         flow.at_end("mail", send_mail{"over"});
                         flow.at_end("praise", send_mail{"done"}, ending::completed);
                         flow.at_end("excuse", send_mail{"not done"}, ending::compensated);
                         auto p = flow.call("p", pay_back{order.id});
                         p.undone_by(take_again{order.id});
                         co_await p;
                         flow.at_end("mail", send_mail{"over at last"});
                         auto q = flow.call("q", pay_back{order.id});
                         co_await q;
                       }};
    made.starts_on<placed>(&placed::id);
    return made;
  }();
  const auto texts = [](const continuo::testing::saga_step& step) {
    std::string all;
    for (const auto& mail : step.all<send_mail>()) {
      all += (all.empty() ? "" : ", ") + mail.text;
    }
    return all;
  };
  for (const auto drops : {false, true}) {
    workflow_alone one{type};
    CAF_CHECK_EQUAL(texts(one.receives(placed{"o-1"})), "");
    if (drops) {
      one.leave_memory();
    }
    CAF_CHECK_EQUAL(texts(one.answered("p", done{})), "");
    if (drops) {
      one.leave_memory();
    }
    CAF_CHECK_EQUAL(texts(one.answered("q", done{})), "done, over at last");
  }
  workflow_alone cancelled{type};
  cancelled.receives(placed{"o-1"});
  cancelled.leave_memory();
  cancelled.cancel();
  CAF_CHECK_EQUAL(texts(cancelled.withdrawn("p")), "over, not done");
}

CAF_TEST(a rollback undoes only what came behind settle) {
  for (const auto drops : {false, true}) {
    workflow_type type{"order", [](placed, flow& flow) -> workflow<> {
                         for (const auto* name : {"one", "two", "three"}) {
                           auto step = flow.call(name, pay_back{name});
                           step.undone_by(take_again{name});
                           co_await step;
                           if (name == std::string{"two"}) {
                             flow.settle();
                           }
                         }
                         flow.roll_back("enough");
                       }};
    type.starts_on<placed>(&placed::id);
    workflow_alone one{type};
    one.receives(placed{"o-1"});
    for (const auto* name : {"one", "two"}) {
      one.answered(name, done{});
      if (drops) {
        one.leave_memory();
      }
    }
    CAF_CHECK_EQUAL(one.answered("three", done{}).only<take_again>().id, "three");
    one.undone<take_again>(done{});
    CAF_CHECK_EQUAL(one.status(), instance_status::compensated);
  }
}

CAF_TEST(a settled step cannot be withdrawn) {
  workflow_type type{"order", [](placed, flow& flow) -> workflow<> {
                       auto step = flow.call("one", pay_back{"one"});
                       co_await step;
                       flow.settle();
                       step.withdraw();
                       auto pause = flow.timer("pause", 1h);
                       co_await pause;
                     }};
  type.starts_on<placed>(&placed::id);
  workflow_alone one{type};
  one.receives(placed{"o-1"});
  one.answered("one", done{});
  CAF_CHECK_EQUAL(one.reason(), "\"one\" is settled, and cannot be withdrawn any more");
}

namespace {

std::string seen_since; // what the function was told

workflow<> asks_since(placed, flow& flow) {
  auto one = flow.call("one", pay_back{"one"});
  co_await one;
  seen_since = flow.since(1, "gift wrap") ? "new" : "old";
  auto two = flow.call("two", pay_back{"two"});
  co_await two;
  seen_since += flow.since(1, "gift wrap") ? " new" : " old";
  seen_since += flow.since(1, "ribbon") ? " new" : " old";
}

workflow<> asks_since_later(placed, flow& flow) {
  auto one = flow.call("one", pay_back{"one"});
  co_await one;
  auto two = flow.call("two", pay_back{"two"});
  co_await two;
}

} // namespace

CAF_TEST(what a newer version brought is for those who come to it under that version) {
  workflow_type older{"order", asks_since_later};
  older.starts_on<placed>(&placed::id);
  workflow_type newer{"order", asks_since};
  newer.starts_on<placed>(&placed::id).version(1);
  workflow_alone one{older};
  one.receives(placed{"o-1"});
  one.answered("one", done{});
  one.deploy(newer);
  one.answered("two", done{});
  CAF_CHECK_EQUAL(seen_since, "old old new");
  workflow_alone other{newer};
  other.receives(placed{"o-1"});
  other.answered("one", done{});
  other.leave_memory();
  other.answered("two", done{});
  CAF_CHECK_EQUAL(seen_since, "new new new");
}
