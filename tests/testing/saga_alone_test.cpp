#define CAF_SUITE saga_alone

#include "tests/testing/shop.hpp"

#include <continuo/testing_caf.hpp>

#include <caf/test/dsl.hpp>

#include <chrono>
#include <stdexcept>

using namespace std::chrono_literals;
using namespace shop;
using continuo::instance_status;
using continuo::testing::saga_alone;

namespace {

struct poll {
  CONTINUO_FIELDS(poll)
};

/// Does several things that a saga may not do, as its event says.
struct wish {
  std::string key;
  std::string what;
  CONTINUO_FIELDS(wish, key, what)
};

struct answered_wish {
  CONTINUO_FIELDS(answered_wish)
};

struct fulfil_wish {
  using reply = answered_wish;
  std::string what;
  CONTINUO_FIELDS(fulfil_wish, what)
};

struct granted {
  std::string what;
  std::int64_t times = 0;
  CONTINUO_FIELDS(granted, what, times)
};

class wishes : public continuo::saga<wishes> {
public:
  static void define(continuo::saga_definition<wishes>& saga) {
    saga.starts_on<wish>(&wish::key);
    saga.calls<fulfil_wish>();
    saga.timer<poll>();
  }

  void on(const wish& event, continuo::saga_context& context) {
    what = event.what;
    if (what == "throw") {
      throw std::runtime_error{"no such wish"};
    }
    if (what == "forget") {
      return;
    }
    if (what == "undeclared") {
      context.send(make_payment{"o-1", 1});
      return;
    }
    if (what == "wait for nobody") {
      context.expect<granted>();
      return;
    }
    if (what == "poll") {
      context.set_timer("poll", 10s, poll{});
      return;
    }
    if (what == "again") {
      context.set_timer("again", 0s, poll{});
      return;
    }
    if (what == "date") {
      context.set_timer_at("date", context.now() + 48h, poll{});
      return;
    }
    if (what == "never") {
      context.set_timer("never", std::chrono::hours::max(), poll{});
      return;
    }
    if (what == "number") {
      context.complete(3);
      return;
    }
    context.publish(granted{what, 1});
    context.send(fulfil_wish{what});
    context.send(fulfil_wish{what + "s"});
  }
  void on(const answered_wish&, continuo::saga_context& context) {
    if (++answers == 2) {
      context.complete(granted{what, 2});
    }
  }
  void on(const poll&, continuo::saga_context& context) {
    if (what == "again") {
      context.set_timer("again", 0s, poll{});
    } else if (++polls == 3) {
      context.complete();
    } else {
      context.set_timer("poll", 10s, poll{});
    }
  }

  std::string what;
  std::int64_t answers = 0;
  std::int64_t polls = 0;
  CONTINUO_FIELDS(wishes, what, answers, polls)
};

/// What an error says that calling this throws; empty: it throws none.
template <class Function>
std::string error_of(Function function) {
  try {
    function();
  } catch (const std::logic_error& thrown) {
    return thrown.what();
  }
  return {};
}

} // namespace

CAF_TEST(a saga starts and is answered step by step) {
  saga_alone<fulfilment> order{"o-1"};
  CAF_CHECK(!order.exists());
  const auto first = order.receives(order_placed{"o-1", 4200});
  CAF_CHECK_EQUAL(first.what, "start");
  CAF_CHECK_EQUAL(first.only<make_payment>().cents, 4200);
  CAF_REQUIRE_EQUAL(first.timers.size(), 1u);
  CAF_CHECK_EQUAL(first.timers.front(), "overdue");
  CAF_CHECK(order.exists());
  CAF_CHECK_EQUAL(order.value().order_id, "o-1");
  CAF_CHECK(order.status() == instance_status::running);
  CAF_CHECK_EQUAL(order.waiting_for().size(), 2u);

  const auto second = order.answered<make_payment>(payment_completed{"p-1"});
  CAF_CHECK_EQUAL(second.what, "reply");
  CAF_CHECK_EQUAL(second.only<create_label>().order_id, "o-1");

  const auto third = order.answered<create_label>(label_created{"parcel"});
  CAF_CHECK(third.sent.empty());
  CAF_CHECK(order.status() == instance_status::completed);
  CAF_CHECK_EQUAL(order.result_text(), "\"parcel\"");
}

CAF_TEST(a declined step is not undone and the one before it is) {
  saga_alone<fulfilment> order{"o-1"};
  order.receives(order_placed{"o-1", 4200});
  order.answered<make_payment>(payment_completed{"p-1"});
  const auto undo = order.declined<create_label>("out of stock");
  CAF_CHECK_EQUAL(undo.what, "failure_rolls_back");
  CAF_CHECK_EQUAL(undo.only<refund_payment>().order_id, "o-1");
  CAF_CHECK(order.status() == instance_status::compensating);
  order.answered<refund_payment>({});
  CAF_CHECK(order.status() == instance_status::compensated);
  CAF_CHECK_EQUAL(order.reason(), "create_label failed: out of stock");
}

CAF_TEST(a declined first step leaves nothing to undo) {
  saga_alone<fulfilment> order{"o-1"};
  order.receives(order_placed{"o-1", 4200});
  const auto undo = order.declined<make_payment>("no money");
  CAF_CHECK(undo.sent.empty());
  CAF_CHECK(order.status() == instance_status::compensated);
}

CAF_TEST(a step of unknown outcome is undone) {
  saga_alone<fulfilment> order{"o-1"};
  order.receives(order_placed{"o-1", 4200});
  const auto undo = order.failed<make_payment>("the bank is away");
  CAF_CHECK_EQUAL(undo.only<refund_payment>().order_id, "o-1");
}

CAF_TEST(a roll back waits for what is open and then undoes) {
  saga_alone<fulfilment> order{"o-1"};
  order.receives(order_placed{"o-1", 4200});
  const auto cancelled = order.receives(order_cancelled{"o-1"});
  CAF_CHECK(cancelled.all<refund_payment>().empty());
  CAF_CHECK(order.status() == instance_status::compensating);
  const auto late = order.answered<make_payment>(payment_completed{"p-1"}); // it was paid after all
  CAF_CHECK_EQUAL(late.only<refund_payment>().order_id, "o-1");
  order.answered<refund_payment>({});
  CAF_CHECK(order.status() == instance_status::compensated);
  CAF_CHECK_EQUAL(order.reason(), "cancelled by the customer");
}

CAF_TEST(a command that was withdrawn did not happen) {
  saga_alone<fulfilment> order{"o-1"};
  order.receives(order_placed{"o-1", 4200});
  order.receives(order_cancelled{"o-1"});
  const auto last = order.withdrawn<make_payment>();
  CAF_CHECK(last.sent.empty());
  CAF_CHECK(order.status() == instance_status::compensated);
}

CAF_TEST(timers fire when time advances and not before) {
  saga_alone<fulfilment> order{"o-1"};
  order.receives(order_placed{"o-1", 4200});
  const auto began = order.now();
  CAF_CHECK(order.advance_time(29min).sent.empty());
  CAF_CHECK(order.status() == instance_status::running);
  CAF_CHECK(order.now() - began == 29min);
  order.advance_time(1min);
  CAF_CHECK(order.status() == instance_status::compensating);
}

CAF_TEST(a timer that is set again fires again within one advance) {
  saga_alone<wishes> one;
  const auto first = one.receives(wish{"1", "poll"});
  CAF_CHECK_EQUAL(first.timers.size(), 1u);
  const auto all = one.advance_time(25s);
  CAF_CHECK_EQUAL(one.value().polls, 2);
  CAF_CHECK_EQUAL(all.timers.size(), 2u);
  one.advance_time(5s);
  CAF_CHECK(one.status() == instance_status::completed);
  CAF_CHECK_EQUAL(one.result_text(), "");
}

CAF_TEST(an operator cancels) {
  saga_alone<fulfilment> order{"o-1"};
  order.receives(order_placed{"o-1", 4200});
  order.answered<make_payment>(payment_completed{"p-1"});
  order.cancel();
  CAF_CHECK(order.status() == instance_status::compensating);
  order.withdrawn<create_label>();
  order.answered<refund_payment>({});
  CAF_CHECK(order.status() == instance_status::compensated);
}

CAF_TEST(an operator retries or skips a refused compensation) {
  for (const auto skips : {false, true}) {
    saga_alone<fulfilment> order{"o-1"};
    order.receives(order_placed{"o-1", 4200});
    order.answered<make_payment>(payment_completed{"p-1"});
    order.declined<create_label>("out of stock");
    order.declined<refund_payment>("the account is closed");
    CAF_CHECK(order.status() == instance_status::stuck);
    CAF_CHECK(order.reason().find("the account is closed") != std::string::npos);
    if (skips) {
      order.skip();
    } else {
      CAF_CHECK_EQUAL(order.retry().only<refund_payment>().order_id, "o-1");
      order.answered<refund_payment>({});
    }
    CAF_CHECK(order.status() == instance_status::compensated);
  }
}

CAF_TEST(a verb that does not fit is refused with its reason) {
  saga_alone<fulfilment> order{"o-1"};
  order.receives(order_placed{"o-1", 4200});
  CAF_CHECK(!error_of([&] { order.skip(); }).empty());
  CAF_CHECK(!error_of([&] { saga_alone<fulfilment>{"o-2"}.cancel(); }).empty());
}

CAF_TEST(a saga that forgets what goes on next is stuck at once) {
  saga_alone<wishes> one;
  one.receives(wish{"1", "forget"});
  CAF_CHECK(one.status() == instance_status::stuck);
  CAF_MESSAGE(one.reason());
  CAF_CHECK(!one.reason().empty());
}

CAF_TEST(a handler that throws is stuck with its words) {
  saga_alone<wishes> one;
  one.receives(wish{"1", "throw"});
  CAF_CHECK(one.status() == instance_status::stuck);
  CAF_CHECK(one.reason().find("no such wish") != std::string::npos);
}

CAF_TEST(an event that is waited for and was not declared is stuck and says what to add) {
  saga_alone<wishes> one;
  one.receives(wish{"1", "wait for nobody"});
  CAF_CHECK(one.status() == instance_status::stuck);
  CAF_CHECK_EQUAL(one.reason(), "expect<granted>(): the saga does not declare that event, so it never comes; "
                                "add saga.on<granted>(...) to define");
}

CAF_TEST(a command that was not declared is stuck and says what to add) {
  saga_alone<wishes> one;
  one.receives(wish{"1", "undeclared"});
  CAF_CHECK(one.status() == instance_status::stuck);
  CAF_CHECK(one.reason().find("calls<make_payment>") != std::string::npos);
}

CAF_TEST(results are shown as JSON) {
  saga_alone<wishes> number;
  CAF_CHECK_EQUAL(error_of([&] { number.result(); }), "wishes/ is running: it has no result");
  number.receives(wish{"1", "number"});
  CAF_CHECK_EQUAL(number.result_text(), "3");
  saga_alone<wishes> message;
  const auto first = message.receives(wish{"1", "horse"});
  CAF_CHECK_EQUAL(first.only<granted>().what, "horse");
  CAF_CHECK_EQUAL(first.all<fulfil_wish>().size(), 2u);
  CAF_REQUIRE_EQUAL(first.sent.size(), 3u);
  CAF_CHECK(first.sent.front().is_event); // in the order asked for
  message.answered<fulfil_wish>({});
  message.answered<fulfil_wish>({});
  CAF_CHECK(message.status() == instance_status::completed);
  const auto result = message.result().as<granted>();
  CAF_REQUIRE(result.has_value());
  CAF_CHECK_EQUAL(result->times, 2);
  CAF_CHECK(!message.result().as<answered_wish>().has_value());
}

CAF_TEST(what is asked of the bench wrongly is told) {
  saga_alone<fulfilment> order{"o-1"};
  const auto first = order.receives(order_placed{"o-1", 4200});
  CAF_CHECK_EQUAL(error_of([&] { first.only<create_label>(); }),
                  "0 create_label were sent by `start`, not one; all that was sent: make_payment");
  CAF_CHECK_EQUAL(error_of([&] { order.answered<create_label>({}); }),
                  "the saga has no open create_label; open are: make_payment");
}

CAF_TEST(an event for another instance is not taken by this one) {
  saga_alone<fulfilment> order{"o-1"};
  CAF_CHECK_EQUAL(error_of([&] {
                    order.receives(order_placed{"o-2", 1});
                  }),
                  "this order_placed goes to fulfilment/o-2, not to fulfilment/o-1");
  CAF_CHECK_EQUAL(error_of([&] {
                    order.receives(wish{"o-1", "horse"});
                  }),
                  "fulfilment declares no event wish");
}

CAF_TEST(an instance without a key gets that of its first event) {
  saga_alone<fulfilment> order;
  order.receives(order_placed{"o-7", 4200});
  CAF_CHECK_EQUAL(error_of([&] { order.receives(order_cancelled{"o-1"}); }),
                  "this order_cancelled goes to fulfilment/o-1, not to fulfilment/o-7");
}

CAF_TEST(a timer for a time of the wall clock moves with it) {
  saga_alone<wishes> one;
  const auto first = one.receives(wish{"1", "date"});
  CAF_REQUIRE_EQUAL(first.timers.size(), 1u);
  CAF_CHECK_EQUAL(first.timers.front(), "date");
  const auto causes = one.waiting_for();
  CAF_REQUIRE_EQUAL(causes.size(), 1u);
  CAF_CHECK(causes.front().since == one.now() + 48h);
  one.jump_wall_clock(-24h);
  one.advance_time(71h);
  CAF_CHECK_EQUAL(one.value().polls, 0);
  one.jump_wall_clock(2h);
  const auto fired = one.advance_time(0s);
  CAF_CHECK_EQUAL(fired.what, "timer");
  CAF_CHECK_EQUAL(one.value().polls, 1);
  one.jump_wall_clock(48h); // the timer set since is one that it does not move
  one.advance_time(9s);
  CAF_CHECK_EQUAL(one.value().polls, 1);
}

CAF_TEST(a timer that is set for never never fires) {
  saga_alone<wishes> one;
  one.receives(wish{"1", "never"});
  one.advance_time(std::chrono::nanoseconds::max());
  CAF_CHECK_EQUAL(one.value().polls, 0);
}

CAF_TEST(timers that are set again and again for the same moment are told in a sentence) {
  saga_alone<wishes> one;
  one.receives(wish{"1", "again"});
  CAF_CHECK_EQUAL(error_of([&] { one.advance_time(1s); }),
                  "more than 10000 timers fall due and no time passes: wishes/1 sets \"again\" again and "
                  "again for the same moment");
}
