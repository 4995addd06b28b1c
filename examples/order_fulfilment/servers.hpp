#pragma once

#include "payment.hpp"
#include "warehouse.hpp"

#include <string>

/// What the two servers answer to a call, on the same bank and label printer that the services of Continuo
/// use. A call is one line of JSON, `{"call": "charge", "order_id": ...}`; its answer is `{"done": TEXT}`,
/// `{"declined": REASON}` or `{"trouble": REASON}`. The idempotency key is made of the order and the step, so
/// a call may be repeated. All may be called from any thread; none throws.
namespace order_fulfilment {

/// `charge` (order_id, cents, method) and `refund` (order_id).
std::string answer_payment(const std::string& line, bank& provider, const payment_options& options);

/// `create_label` (order_id, item, quantity) and `void` (order_id).
std::string answer_warehouse(const std::string& line, label_printer& printer,
                             const warehouse_options& options);

} // namespace order_fulfilment
