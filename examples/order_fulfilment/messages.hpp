#pragma once

#include <continuo/fields.hpp>

#include <chrono>
#include <cstdint>
#include <string>

/// Everything that is said in the order workflow: events in the past tense, commands in the imperative, and
/// with each command the reply that answers it.
namespace order_fulfilment {

// -- events ------------------------------------------------------------------------

/// A customer placed an order; starts its fulfilment.
struct order_placed {
  std::string order_id{};
  std::int64_t cents = 0;
  std::string item{};
  std::int64_t quantity = 1;
  std::string method = "card";                                     ///< how the customer pays
  std::chrono::milliseconds pay_within = std::chrono::minutes{30}; ///< an order unpaid by then is given up
  CONTINUO_FIELDS(order_placed, order_id, cents, item, quantity, method, pay_within)
};

/// The customer wants the order no more; of use until it is shipped.
struct order_cancelled {
  std::string order_id{};
  CONTINUO_FIELDS(order_cancelled, order_id)
};

// -- payment -------------------------------------------------------------------------

struct payment_completed {
  std::string order_id{};
  std::string payment_id{};
  CONTINUO_FIELDS(payment_completed, order_id, payment_id)
};

struct make_payment {
  using reply = payment_completed;
  std::string order_id{};
  std::int64_t cents = 0;
  std::string method = "card";
  CONTINUO_FIELDS(make_payment, order_id, cents, method)
};

struct payment_refunded {
  std::string order_id{};
  CONTINUO_FIELDS(payment_refunded, order_id)
};

/// Gives back what was paid for an order. Succeeds where nothing was paid.
struct refund_payment {
  using reply = payment_refunded;
  std::string order_id{};
  CONTINUO_FIELDS(refund_payment, order_id)
};

// -- shipping --------------------------------------------------------------------------

struct shipping_label_created {
  std::string order_id{};
  std::string tracking{};
  CONTINUO_FIELDS(shipping_label_created, order_id, tracking)
};

struct create_shipping_label {
  using reply = shipping_label_created;
  std::string order_id{};
  std::string item{};
  std::int64_t quantity = 1;
  CONTINUO_FIELDS(create_shipping_label, order_id, item, quantity)
};

struct shipping_label_voided {
  std::string order_id{};
  CONTINUO_FIELDS(shipping_label_voided, order_id)
};

/// Takes an order's label back, and its goods into stock. Succeeds where there is no label.
struct void_shipping_label {
  using reply = shipping_label_voided;
  std::string order_id{};
  CONTINUO_FIELDS(void_shipping_label, order_id)
};

// -- timers --------------------------------------------------------------------------------

/// The time to pay has run out.
struct payment_overdue {
  CONTINUO_FIELDS(payment_overdue)
};

} // namespace order_fulfilment
