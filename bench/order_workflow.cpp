#include "bench/order_workflow.hpp"

#include <continuo/workflow.hpp>

#include <fmt/core.h>

#include <atomic>

namespace continuo::bench {

namespace {

std::atomic<std::uint64_t> completed{0};

} // namespace

void fulfilment::define(saga_definition<fulfilment>& saga) {
  saga.starts_on<order_placed>(&order_placed::order_id);
  saga.calls<make_payment>().undone_by(
      [](const make_payment& sent, const payment_completed*) { return refund_payment{sent.order_id}; });
  saga.calls<create_shipping_label>().nothing_to_undo();
}

void fulfilment::on(const order_placed& event, saga_context& context) {
  order_id = event.order_id;
  address = event.address;
  cents = event.cents;
  context.send(make_payment{order_id, event.customer, cents});
}

void fulfilment::on(const payment_completed& reply, saga_context& context) {
  payment_id = reply.payment_id;
  context.send(create_shipping_label{order_id, address});
}

std::uint64_t fulfilment::completions() {
  return completed;
}

void fulfilment::on(const shipping_label_created& reply, saga_context& context) {
  ++completed;
  context.complete(reply.tracking);
}

namespace {

workflow<std::string> fulfil(order_placed order, flow& flow) {
  auto payment = flow.call("pay", make_payment{order.order_id, order.customer, order.cents});
  payment.undone_by(refund_payment{order.order_id});
  co_await payment;
  auto label = flow.call("label", create_shipping_label{order.order_id, order.address});
  co_await label;
  ++completed;
  co_return label->tracking;
}

} // namespace

void host_orders(node& target, std::uint32_t concurrency, written_as how) {
  auto payment = service{"payment"};
  payment.concurrency(concurrency);
  payment.handle([](const make_payment& command, command_context& context) -> outcome<payment_completed> {
    return payment_completed{command.order_id, context.idempotency_key()};
  });
  payment.handle([](const refund_payment& command, command_context&) -> outcome<payment_refunded> {
    return payment_refunded{command.order_id};
  });
  auto warehouse = service{"warehouse"};
  warehouse.concurrency(concurrency);
  warehouse.handle(
      [](const create_shipping_label& command, command_context&) -> outcome<shipping_label_created> {
        return shipping_label_created{command.order_id, "tracking-" + command.order_id};
      });
  target.host(payment);
  target.host(warehouse);
  if (how == written_as::saga) {
    target.host<fulfilment>();
    return;
  }
  workflow_type type{std::string{message_name<fulfilment>()}, fulfil};
  type.starts_on<order_placed>(&order_placed::order_id).nothing_to_undo<create_shipping_label>();
  target.host(type);
}

order_placed make_order(std::uint64_t number, bool random_ids) {
  auto state = number;
  const auto id =
      random_ids ? fmt::format("{:016x}", detail::next_random(state)) : fmt::format("o-{:014}", number);
  return {id, fmt::format("customer-{:06}", number % 1'000'000), "1 Long Street, 12345 Some Town", 4200};
}

// -- waiting ------------------------------------------------------------------------------

void subscription::define(saga_definition<subscription>& saga) {
  saga.starts_on<subscribed>(&subscribed::id);
  saga.timer<subscription_ended>();
}

void subscription::on(const subscribed& event, saga_context& context) {
  id = event.id;
  customer = event.customer;
  context.set_timer("end", std::chrono::hours{30 * 24}, subscription_ended{});
}

void subscription::on(const subscription_ended&, saga_context& context) {
  context.complete();
}

} // namespace continuo::bench
