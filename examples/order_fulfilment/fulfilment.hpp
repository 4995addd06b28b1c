#pragma once

#include "messages.hpp"

#include <continuo/saga.hpp>

namespace order_fulfilment {

/// Sees one order through: takes the payment, has the label printed, done. Whatever fails on the way, the
/// steps before it are undone in reverse order, and the order ends as compensated, with the reason.
class fulfilment : public continuo::saga<fulfilment> {
public:
  static void define(continuo::saga_definition<fulfilment>& saga) {
    saga.starts_on<order_placed>(&order_placed::order_id);
    // The undo works by order and succeeds where nothing had happened, so the reply may be missing: a payment
    // of which nobody knows whether it was taken is refunded as well.
    saga.calls<make_payment>().undone_by(
        [](const make_payment& sent, const payment_completed*) { return refund_payment{sent.order_id}; });
    saga.calls<create_shipping_label>().undone_by(
        [](const create_shipping_label& sent, const shipping_label_created*) {
          return void_shipping_label{sent.order_id};
        });
    saga.timer<payment_overdue>();
    saga.on<order_cancelled>(&order_cancelled::order_id, continuo::unknown_instance::discard);
  }

  void on(const order_placed& event, continuo::saga_context& context) {
    order_ = event;
    context.send(make_payment{event.order_id, event.cents, event.method});
    context.set_timer("overdue", event.pay_within, payment_overdue{});
  }

  void on(const payment_completed&, continuo::saga_context& context) {
    context.cancel_timer("overdue");
    context.send(create_shipping_label{order_.order_id, order_.item, order_.quantity});
  }

  void on(const shipping_label_created& reply, continuo::saga_context& context) {
    context.complete(reply.tracking);
  }

  void on(const payment_overdue&, continuo::saga_context& context) { context.roll_back("payment overdue"); }

  void on(const order_cancelled&, continuo::saga_context& context) {
    context.roll_back("cancelled by the customer");
  }

  // There is no on(const continuo::failure<make_payment>&, ...): a declined command rolls back with the
  // service's reason.

private:
  order_placed order_;

public:
  CONTINUO_FIELDS(fulfilment, order_)
};

} // namespace order_fulfilment
