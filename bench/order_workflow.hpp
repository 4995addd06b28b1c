#pragma once

#include <continuo/node.hpp>

#include <chrono>
#include <cstdint>
#include <string>

/// The order workflow of the benchmarks: OrderPlaced -> MakePayment -> PaymentCompleted ->
/// CreateShippingLabel -> ShippingLabelCreated -> completed. Its handlers do nothing, but count as having
/// effects in the outside world.
namespace continuo::bench {

struct payment_completed {
  std::string order_id;
  std::string payment_id;
  CONTINUO_FIELDS(payment_completed, order_id, payment_id)
};

struct make_payment {
  using reply = payment_completed;
  std::string order_id;
  std::string customer;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(make_payment, order_id, customer, cents)
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

struct shipping_label_created {
  std::string order_id;
  std::string tracking;
  CONTINUO_FIELDS(shipping_label_created, order_id, tracking)
};

struct create_shipping_label {
  using reply = shipping_label_created;
  std::string order_id;
  std::string address;
  CONTINUO_FIELDS(create_shipping_label, order_id, address)
};

struct order_placed {
  std::string order_id;
  std::string customer;
  std::string address;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(order_placed, order_id, customer, address, cents)
};

class fulfilment : public saga<fulfilment> {
public:
  static void define(saga_definition<fulfilment>& saga);

  /// How often a completion was decided in this process; after a crash one may be decided again.
  static std::uint64_t completions();

  void on(const order_placed& event, saga_context& context);
  void on(const payment_completed& reply, saga_context& context);
  void on(const shipping_label_created& reply, saga_context& context);
  void on(const payment_refunded&, saga_context&) {}

private:
  std::string order_id;
  std::string address;
  std::string payment_id;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(fulfilment, order_id, address, payment_id, cents)
};

/// How the process is written: as a class of handlers or as a coroutine, under the same name.
enum class written_as : std::uint8_t { saga, workflow };

/// Hosts the process and its two services, of which each runs so many handlers at a time.
void host_orders(node& target, std::uint32_t concurrency, written_as how = written_as::saga);

/// The order of this number: its bytes take about 100, its id 16.
order_placed make_order(std::uint64_t number, bool random_ids);

// -- waiting ------------------------------------------------------------------------------

struct subscription_ended {
  CONTINUO_FIELDS(subscription_ended)
};

struct subscribed {
  std::string id;
  std::string customer;
  CONTINUO_FIELDS(subscribed, id, customer)
};

/// Waits, for thirty days.
class subscription : public saga<subscription> {
public:
  static void define(saga_definition<subscription>& saga);
  void on(const subscribed& event, saga_context& context);
  void on(const subscription_ended&, saga_context& context);

private:
  std::string id;
  std::string customer;
  CONTINUO_FIELDS(subscription, id, customer)
};

} // namespace continuo::bench
