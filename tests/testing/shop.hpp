#pragma once

#include "tests/support/order_workflow.hpp"

#include <continuo/testing.hpp>

#include <string>

/// The order workflow as a user tests it, with fakes. Public headers alone, as a user has them.
namespace shop {

using namespace continuo::tests;

/// Three nodes and three fakes: what most tests begin with.
struct fakes {
  continuo::testing::fake<make_payment>& payment;
  continuo::testing::fake<refund_payment>& refund;
  continuo::testing::fake<create_label>& label;
};

inline fakes build(continuo::testing::cluster& here) {
  here.offer<fulfilment>();
  auto& payment = here.fake<make_payment>("payment").answers(payment_completed{"p-1"});
  auto& refund = here.fake<refund_payment>("payment");
  auto& label = here.fake<create_label>("warehouse").answers([](const create_label& command) {
    return label_created{"track-" + command.order_id};
  });
  here.add("ordering", {"fulfilment"});
  here.add("payment", {"payment"});
  here.add("warehouse", {"warehouse"});
  return {payment, refund, label};
}

/// Each test begins with them.
struct with_fakes : continuo::testing::fixture {
  shop::fakes fakes = build(*this);

  /// Places an order, and runs to its end.
  continuo::testing::saga_ref placed(const std::string& order = "o-1") {
    publish(order_placed{order, 4200});
    run();
    return saga_of<fulfilment>(order);
  }
};

/// The same with order `o-1` placed.
inline fakes order(continuo::testing::cluster& here) {
  auto all = build(here);
  here.publish(order_placed{"o-1", 4200});
  return all;
}

} // namespace shop
