#include "order.hpp"

#include <chrono>
#include <utility>
#include <vector>

namespace orders_with_items {

using continuo::flow;
using continuo::outcome;
using continuo::workflow;
using namespace std::chrono_literals;

workflow<std::string> fulfil(order_placed order, flow& flow) {
  auto open = flow.accept<change_address>([&](const change_address& wish) -> outcome<address_changed> {
    if (wish.address.empty()) {
      return continuo::decline("an address is missing");
    }
    return address_changed{std::exchange(order.address, wish.address)};
  });
  flow.at_end("mail", send_mail{order.id, "Your order could not be fulfilled."},
              continuo::ending::compensated);

  flow.says("reserving the items");
  std::vector<continuo::step<done>> reservations;
  for (const auto& one : order.items) {
    auto& step = reservations.emplace_back(flow.call("reserve/" + one.sku, reserve{order.id, one}));
    step.undone_by(release{order.id, one.sku});
  }
  auto all = flow.all(reservations);
  co_await all;

  auto payment = flow.call("pay", make_payment{order.id, order.cents});
  payment.undone_by(refund_payment{order.id});
  co_await payment;

  if (order.cents > 100'000) {
    flow.says("waiting for an approval");
    auto approval = flow.expect<order_approved>("approval", 72h);
    co_await approval;
    if (!approval) {
      flow.roll_back("nobody approved");
    }
  }

  flow.says("packing");
  auto packed = flow.call("pack", pack{order.id, order.items});
  packed.undone_by(put_back{order.id, {}});
  co_await packed;

  auto made = flow.call("label", create_label{order.id, packed->grams, order.address});
  co_await made;
  flow.cast("tell", send_mail{order.id, "Your order is on its way: " + made->tracking});
  co_return made->tracking;
}

workflow<parcel> pack_parcel(pack wish, flow& flow) {
  parcel whole;
  for (const auto& one : wish.items) {
    auto picked = flow.call("pick/" + one.sku, pick{wish.order, one});
    picked.undone_by(put_back{wish.order, one.sku});
    co_await picked;
    whole.grams += picked->grams;
  }
  co_return whole;
}

workflow<> report(report_due due, flow& flow) {
  auto count = flow.call("count", count_orders{due.day});
  co_await count;
  flow.cast("mail", send_mail{"manager", std::to_string(count->orders) + " orders on " + due.day});
}

continuo::workflow_type<std::string, order_placed> order_type() {
  continuo::workflow_type type{"order", fulfil};
  type.starts_on<order_placed>(&order_placed::id)
      .hears<order_approved>(&order_approved::id, continuo::unknown_instance::discard)
      .answers<change_address>(&change_address::order)
      .calls<pack>();
  return type;
}

continuo::workflow_type<parcel, pack> packing_type() {
  continuo::workflow_type type{"packing", pack_parcel};
  type.starts_on_command<pack>(&pack::order, continuo::second_starter::declined);
  return type;
}

continuo::workflow_type<void, report_due> report_type() {
  continuo::workflow_type type{"report", report};
  type.starts_on<report_due>(&report_due::day);
  return type;
}

} // namespace orders_with_items
