#pragma once

#include <continuo/testing.hpp>

#include <chrono>
#include <cstdint>
#include <string>

/// A user's order workflow in small, for tests of the testing kit. Public headers alone, as a user has them.
namespace shop {

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

class fulfilment : public continuo::saga<fulfilment> {
public:
  static void define(continuo::saga_definition<fulfilment>& saga) {
    saga.starts_on<order_placed>(&order_placed::order_id);
    saga.calls<make_payment>().undone_by(
        [](const make_payment& sent, const payment_completed*) { return refund_payment{sent.order_id}; });
    saga.calls<create_label>().nothing_to_undo();
    saga.timer<payment_overdue>();
    saga.on<order_cancelled>(&order_cancelled::order_id, continuo::unknown_instance::discard);
  }

  void on(const order_placed& event, continuo::saga_context& context) {
    order_id = event.order_id;
    context.send(make_payment{order_id, event.cents});
    context.set_timer("overdue", std::chrono::minutes{30}, payment_overdue{});
  }
  void on(const payment_completed&, continuo::saga_context& context) {
    context.cancel_timer("overdue");
    context.send(create_label{order_id});
  }
  void on(const label_created& reply, continuo::saga_context& context) { context.complete(reply.tracking); }
  void on(const payment_overdue&, continuo::saga_context& context) { context.roll_back("payment overdue"); }
  void on(const order_cancelled&, continuo::saga_context& context) {
    context.roll_back("cancelled by the customer");
  }

  std::string order_id;
  CONTINUO_FIELDS(fulfilment, order_id)
};

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

/// The same with order `o-1` placed.
inline fakes order(continuo::testing::cluster& here) {
  auto all = build(here);
  here.publish(order_placed{"o-1", 4200});
  return all;
}

} // namespace shop
