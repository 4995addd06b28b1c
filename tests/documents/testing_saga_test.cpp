#define CAF_SUITE testing_saga

#include "tests/testing/shop.hpp"

#include <continuo/testing_caf.hpp>

#include <caf/test/dsl.hpp>

#include <chrono>

// docs/testing.md: a saga alone.

using namespace std::chrono_literals;
using namespace shop;

// doc: alone
CAF_TEST(an order that is out of stock is refunded) {
  continuo::testing::saga_alone<fulfilment> order{"o-1"};

  auto step = order.receives(order_placed{"o-1", 4200});
  CAF_CHECK_EQUAL(step.only<make_payment>().cents, 4200);

  step = order.answered<make_payment>(payment_completed{"p-1"});
  CAF_CHECK_EQUAL(step.only<create_label>().order_id, "o-1");

  step = order.declined<create_label>("out of stock");
  CAF_CHECK_EQUAL(step.only<refund_payment>().order_id, "o-1");

  order.answered<refund_payment>({});
  CAF_CHECK(order.status() == continuo::instance_status::compensated);
  CAF_CHECK_EQUAL(order.reason(), "create_label failed: out of stock");
}
// doc: end

// doc: alone in time
CAF_TEST(an order that nobody pays is given up after half an hour) {
  continuo::testing::saga_alone<fulfilment> order{"o-1"};
  order.receives(order_placed{"o-1", 4200});
  order.advance_time(30min);
  order.withdrawn<make_payment>(); // the payment service had not begun
  CAF_CHECK(order.status() == continuo::instance_status::compensated);
  CAF_CHECK_EQUAL(order.reason(), "payment overdue");
}
// doc: end
