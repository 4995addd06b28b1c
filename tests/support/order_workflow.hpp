#pragma once

#include <continuo/saga.hpp>

#include <chrono>
#include <cstdint>
#include <string>

/// The order workflow in small, for tests: its messages and its saga. Public headers alone.
namespace continuo::tests {

struct order_placed {
  std::string order_id;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(order_placed, order_id, cents)
};

struct order_cancelled {
  std::string order_id;
  CONTINUO_FIELDS(order_cancelled, order_id)
};

struct payment_completed {
  std::string order_id;
  CONTINUO_FIELDS(payment_completed, order_id)
};

struct make_payment {
  using reply = payment_completed;
  std::string order_id;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(make_payment, order_id, cents)
};

struct payment_refunded {
  std::string order_id;
  CONTINUO_FIELDS(payment_refunded, order_id)
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

struct payment_overdue {
  CONTINUO_FIELDS(payment_overdue)
};

class fulfilment : public saga<fulfilment> {
public:
  static void define(saga_definition<fulfilment>& saga) {
    saga.starts_on<order_placed>(&order_placed::order_id);
    saga.calls<make_payment>().undone_by(
        [](const make_payment& sent, const payment_completed*) { return refund_payment{sent.order_id}; });
    saga.calls<create_label>().nothing_to_undo();
    saga.timer<payment_overdue>();
    saga.on<order_cancelled>(&order_cancelled::order_id, unknown_instance::discard);
  }

  void on(const order_placed& event, saga_context& context) {
    order_id = event.order_id;
    context.send(make_payment{order_id, event.cents});
    context.set_timer("overdue", std::chrono::minutes{30}, payment_overdue{});
  }
  void on(const payment_completed&, saga_context& context) {
    context.cancel_timer("overdue");
    context.send(create_label{order_id});
  }
  void on(const label_created& reply, saga_context& context) { context.complete(reply.tracking); }
  void on(const payment_overdue&, saga_context& context) { context.roll_back("payment overdue"); }
  void on(const order_cancelled&, saga_context& context) { context.roll_back("cancelled by the customer"); }

  std::string order_id;
  CONTINUO_FIELDS(fulfilment, order_id)
};

} // namespace continuo::tests
