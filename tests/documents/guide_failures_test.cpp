#define CAF_SUITE guide_failures

#include <continuo/node.hpp>

#include <caf/test/dsl.hpp>

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>

// The chapters "Retries and failures", "Rolling back", "Timers" and "Waiting for an event" of docs/guide.md.
namespace guide_failures {

using namespace std::chrono_literals;

struct order_placed {
  std::string order_id;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(order_placed, order_id, cents)
};

struct order_approved {
  std::string order_id;
  CONTINUO_FIELDS(order_approved, order_id)
};

struct payment_completed {
  std::string payment_id;
  CONTINUO_FIELDS(payment_completed, payment_id)
};

struct make_payment {
  using reply = payment_completed;
  std::string order_id;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(make_payment, order_id, cents)
};

struct payment_refunded {
  CONTINUO_FIELDS(payment_refunded)
};

struct refund_payment {
  using reply = payment_refunded;
  std::string order_id;
  CONTINUO_FIELDS(refund_payment, order_id)
};

struct invoice_sent {
  CONTINUO_FIELDS(invoice_sent)
};

struct send_invoice {
  using reply = invoice_sent;
  std::string order_id;
  CONTINUO_FIELDS(send_invoice, order_id)
};

// doc: failure
class order : public continuo::saga<order> {
public:
  static void define(continuo::saga_definition<order>& saga) {
    saga.starts_on<order_placed>(&order_placed::order_id);
    saga.calls<make_payment>().undone_by(
        [](const make_payment& sent, const payment_completed*) { return refund_payment{sent.order_id}; });
    saga.calls<send_invoice>().nothing_to_undo();
  }

  void on(const order_placed& event, continuo::saga_context& context) {
    order_id = event.order_id;
    context.send(make_payment{order_id, event.cents});
  }

  void on(const payment_completed& reply, continuo::saga_context& context) {
    context.complete(reply.payment_id);
  }

  void on(const continuo::failure<make_payment>& failed, continuo::saga_context& context) {
    if (failed.kind == continuo::failure_kind::declined) {
      context.send(send_invoice{order_id}); // the card was refused: let them pay by invoice
    } else {
      context.roll_back("no payment: " + failed.reason);
    }
  }

  void on(const invoice_sent&, continuo::saga_context& context) { context.complete("invoice"); }

  std::string order_id;
  CONTINUO_FIELDS(order, order_id)
};
// doc: end

std::atomic<bool> bank_is_down{true};
std::atomic<int> refunds{0};

std::string charge(const make_payment& command) {
  if (command.order_id.starts_with("slow") && bank_is_down) {
    throw std::runtime_error{"the bank does not answer"};
  }
  return "paid-" + command.order_id;
}

// doc: park
continuo::service payment() {
  return continuo::service{"payment"}
      .handle([](const make_payment& command,
                 continuo::command_context&) -> continuo::outcome<payment_completed> {
        if (command.cents > 100'000) {
          return continuo::decline("amount over the limit"); // a business failure: not retried
        }
        return payment_completed{charge(command)}; // what it throws is a technical failure: retried
      })
      .retry({.attempts = 3, .first = 10ms})
      .when_exhausted(continuo::exhausted::park);
}
// doc: end

continuo::service books() {
  return continuo::service{"books"}
      .handle([](const refund_payment&, continuo::command_context&) -> continuo::outcome<payment_refunded> {
        ++refunds;
        return payment_refunded{};
      })
      .handle([](const send_invoice&, continuo::command_context&) -> continuo::outcome<invoice_sent> {
        return invoice_sent{};
      });
}

// doc: timer
struct payment_overdue {
  CONTINUO_FIELDS(payment_overdue)
};

class order_in_time : public continuo::saga<order_in_time> {
public:
  static void define(continuo::saga_definition<order_in_time>& saga) {
    saga.starts_on<order_placed>(&order_placed::order_id);
    saga.calls<make_payment>().undone_by(
        [](const make_payment& sent, const payment_completed*) { return refund_payment{sent.order_id}; });
    saga.timer<payment_overdue>();
  }

  void on(const order_placed& event, continuo::saga_context& context) {
    context.send(make_payment{event.order_id, event.cents});
    context.set_timer("overdue", 50ms, payment_overdue{}); // in life: 30min
  }

  void on(const payment_completed&, continuo::saga_context& context) {
    context.cancel_timer("overdue");
    context.complete();
  }

  void on(const payment_overdue&, continuo::saga_context& context) { context.roll_back("payment overdue"); }

  CONTINUO_FIELDS(order_in_time)
};
// doc: end

// doc: expect
class approval : public continuo::saga<approval> {
public:
  static void define(continuo::saga_definition<approval>& saga) {
    saga.starts_on<order_placed>(&order_placed::order_id);
    saga.on<order_approved>(&order_approved::order_id, continuo::unknown_instance::discard);
  }

  void on(const order_placed&, continuo::saga_context& context) { context.expect<order_approved>(); }

  void on(const order_approved&, continuo::saga_context& context) { context.complete("approved"); }

  CONTINUO_FIELDS(approval)
};
// doc: end

/// The node of a test; `Saga` alone hears of the orders.
template <class Saga>
struct shop {
  shop() {
    node.host(payment());
    node.host(books());
    node.host<Saga>();
    CAF_REQUIRE(node.start().has_value());
  }

  std::string end_of(const order_placed& order) {
    const auto end = node.client().publish(order).template result_of<Saga>().get();
    return end ? std::string{to_string(end->status)} + ": " + end->text() + end->reason : end.error().message;
  }

  continuo::node node{continuo::node_config::in_memory()};
};

} // namespace guide_failures

using namespace guide_failures;

CAF_TEST(a declined payment is paid by invoice) {
  CAF_CHECK_EQUAL(shop<order>{}.end_of({"o-1", 100'001}), "completed: invoice");
}

CAF_TEST(a parked command waits for a person) {
  bank_is_down = true;
  shop<order> here;
  const auto client = here.node.client();
  const auto sent = client.publish(order_placed{"slow-1", 100});
  CAF_REQUIRE(sent.get().has_value());
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (client.list("payment", continuo::instance_status::stuck).get()->empty() &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  bank_is_down = false;
  // doc: parked
  auto parked = client.list("payment", continuo::instance_status::stuck).get();
  for (const auto& command : parked.value()) {
    const auto id = continuo::parse_message_id(command.instance.key).value();
    auto retried = client.retry_command("payment", id).get(); // or discard_command
    CAF_CHECK(retried.has_value());
  }
  // doc: end
  const auto end = sent.result_of<order>().get();
  CAF_REQUIRE(end.has_value());
  CAF_CHECK_EQUAL(end->text(), "paid-slow-1");
}

CAF_TEST(a payment that is overdue is rolled back) {
  bank_is_down = true;
  refunds = 0;
  shop<order_in_time> here;
  const auto client = here.node.client();
  const auto sent = client.publish(order_placed{"slow-2", 100});
  CAF_REQUIRE(sent.get().has_value());
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  const continuo::instance_id id{"order_in_time", "slow-2"};
  while (client.show(id).get()->status == continuo::instance_status::running &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  CAF_CHECK_EQUAL(to_string(client.show(id).get()->status), "compensating");
  CAF_MESSAGE("its request is abandoned, not closed: the outcome decides what has to be undone");
  while (client.list("payment", continuo::instance_status::stuck).get()->empty() &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  const auto parked = client.list("payment", continuo::instance_status::stuck).get();
  for (const auto& command : parked.value()) {
    const auto given_up =
        client.discard_command("payment", continuo::parse_message_id(command.instance.key).value()).get();
    CAF_CHECK(given_up.has_value());
  }
  const auto end = sent.result_of<order_in_time>().get();
  CAF_REQUIRE(end.has_value());
  CAF_CHECK_EQUAL(to_string(end->status), "compensated");
  CAF_CHECK_EQUAL(end->reason, "payment overdue");
  CAF_CHECK_EQUAL(refunds.load(), 1);
}

CAF_TEST(a payment in time completes the order) {
  CAF_CHECK_EQUAL(shop<order_in_time>{}.end_of({"o-3", 100}), "completed: ");
}

CAF_TEST(an order that waits for its approval says so and goes on with it) {
  shop<approval> here;
  const auto client = here.node.client();
  const auto sent = client.publish(order_placed{"o-4", 100});
  CAF_REQUIRE(sent.get().has_value());
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (!client.show({"approval", "o-4"}).get() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  // doc: waiting
  auto view = client.show({"approval", "o-4"}).get();
  for (const auto& cause : view->waiting_for) {
    CAF_MESSAGE(cause.kind << ' ' << cause.what); // event order_approved
  }
  // doc: end
  CAF_REQUIRE(view.has_value());
  CAF_REQUIRE_EQUAL(view->waiting_for.size(), 1u);
  CAF_CHECK_EQUAL(view->waiting_for[0].kind, "event");
  CAF_CHECK_EQUAL(view->waiting_for[0].what, "order_approved");
  CAF_CHECK(client.publish(order_approved{"o-4"}).get().has_value());
  const auto end = sent.result_of<approval>().get();
  CAF_REQUIRE(end.has_value());
  CAF_CHECK_EQUAL(end->text(), "approved");
}
