#define CAF_SUITE guide_first_saga

// doc: include
#include <continuo/node.hpp>
// doc: end

#include <caf/test/dsl.hpp>

#include <iostream>
#include <sstream>
#include <string>

// The chapter "Write your first saga" of docs/guide.md.
namespace guide_first_saga {

// doc: messages
struct order_placed { // an event: a fact, in the past tense
  std::string order_id;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(order_placed, order_id, cents)
};

struct payment_completed { // a reply
  std::string payment_id;
  CONTINUO_FIELDS(payment_completed, payment_id)
};

struct make_payment { // a command: a request to one service, and it names its reply
  using reply = payment_completed;
  std::string order_id;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(make_payment, order_id, cents)
};
// doc: end

// doc: more messages
struct payment_refunded {
  CONTINUO_FIELDS(payment_refunded)
};

struct refund_payment {
  using reply = payment_refunded;
  std::string order_id;
  CONTINUO_FIELDS(refund_payment, order_id)
};

struct label_created {
  std::string tracking;
  CONTINUO_FIELDS(label_created, tracking)
};

struct create_label {
  using reply = label_created;
  std::string order_id;
  CONTINUO_FIELDS(create_label, order_id)
};
// doc: end

// doc: saga
class fulfilment : public continuo::saga<fulfilment> {
public:
  static void define(continuo::saga_definition<fulfilment>& saga) {
    saga.starts_on<order_placed>(&order_placed::order_id);
    saga.calls<make_payment>().undone_by(
        [](const make_payment& sent, const payment_completed*) { return refund_payment{sent.order_id}; });
    saga.calls<create_label>().nothing_to_undo();
  }

  void on(const order_placed& event, continuo::saga_context& context) {
    order_id = event.order_id;
    context.send(make_payment{order_id, event.cents});
  }

  void on(const payment_completed&, continuo::saga_context& context) { context.send(create_label{order_id}); }

  void on(const label_created& reply, continuo::saga_context& context) { context.complete(reply.tracking); }

  std::string order_id;
  CONTINUO_FIELDS(fulfilment, order_id)
};
// doc: end

/// A bank that answers a repeated key with the first answer.
struct bank_account {
  std::string charge(std::int64_t, const std::string& key) { return "paid-" + key; }
  void refund(const std::string&, const std::string&) {}
} bank;

// doc: payment
continuo::service payment() {
  return continuo::service{"payment"}
      .handle([](const make_payment& command,
                 continuo::command_context& context) -> continuo::outcome<payment_completed> {
        if (command.cents > 100'000) {
          return continuo::decline("amount over the limit");
        }
        return payment_completed{bank.charge(command.cents, context.idempotency_key())};
      })
      .handle([](const refund_payment& command,
                 continuo::command_context& context) -> continuo::outcome<payment_refunded> {
        bank.refund(command.order_id, context.idempotency_key());
        return payment_refunded{};
      });
}
// doc: end

// doc: warehouse
continuo::service warehouse() {
  return continuo::service{"warehouse"}.handle(
      [](const create_label& command, continuo::command_context&) -> continuo::outcome<label_created> {
        return label_created{"track-" + command.order_id};
      });
}
// doc: end

// doc: run
int place_order(continuo::node_config config, const order_placed& order) {
  continuo::node node{std::move(config)};
  node.host(payment());
  node.host(warehouse());
  node.host<fulfilment>();
  if (auto started = node.start(); !started) {
    std::cerr << started.error().message << '\n';
    return 1;
  }
  auto sent = node.client().publish(order);
  auto end = sent.result_of<fulfilment>().get();
  if (!end) {
    std::cerr << end.error().message << '\n';
    return 1;
  }
  std::cout << to_string(end->instance) << ": " << to_string(end->status) << ' ' << end->text() << end->reason
            << '\n';
  return 0;
}
// doc: end

/// What the program prints.
std::string printed(const order_placed& order) {
  std::ostringstream text;
  auto* const before = std::cout.rdbuf(text.rdbuf());
  const auto code = place_order(continuo::node_config::in_memory(), order);
  std::cout.rdbuf(before);
  return code == 0 ? text.str() : "failed";
}

} // namespace guide_first_saga

using namespace guide_first_saga;

CAF_TEST(the first saga completes) {
  CAF_CHECK_EQUAL(printed({"o-1", 4200}), "fulfilment/o-1: completed track-o-1\n");
}

CAF_TEST(the first saga is rejected where the payment is declined) {
  CAF_CHECK_EQUAL(printed({"o-2", 100'001}),
                  "fulfilment/o-2: compensated make_payment failed: amount over the limit\n");
}
