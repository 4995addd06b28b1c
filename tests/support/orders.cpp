#include "tests/support/orders.hpp"

#include <algorithm>

namespace continuo::tests {

void outside_world::act(const std::string& kind, const std::string& order, const command_context& context) {
  ++calls;
  effect wanted{kind, order, context.idempotency_key()};
  if (before) {
    before(wanted, context.attempt());
  }
  if (std::find(effects.begin(), effects.end(), wanted) == effects.end()) {
    effects.push_back(std::move(wanted));
  }
}

std::size_t outside_world::count(const std::string& kind, const std::string& order) const {
  return static_cast<std::size_t>(std::count_if(effects.begin(), effects.end(), [&](const effect& one) {
    return one.kind == kind && (order.empty() || one.order == order);
  }));
}

service payment_service(outside_world& outside) {
  return service{"payment"}
      .handle(
          [&outside](const make_payment& command, command_context& context) -> outcome<payment_completed> {
            if (command.cents > 100'000) {
              return decline("amount over the limit");
            }
            outside.act("charge", command.order_id, context);
            return payment_completed{command.order_id};
          })
      .handle(
          [&outside](const refund_payment& command, command_context& context) -> outcome<payment_refunded> {
            if (outside.count("charge", command.order_id) > outside.count("refund", command.order_id)) {
              outside.act("refund", command.order_id, context);
            }
            return payment_refunded{command.order_id};
          })
      .retry({.attempts = 3,
              .first = std::chrono::milliseconds{100},
              .timeout = std::chrono::milliseconds{10'000}});
}

service warehouse_service(outside_world& outside) {
  return service{"warehouse"}.handle(
      [&outside](const create_label& command, command_context& context) -> outcome<label_created> {
        if (command.order_id.starts_with("none")) {
          return decline("out of stock");
        }
        outside.act("label", command.order_id, context);
        return label_created{"track-" + command.order_id};
      });
}

world::definitions order_workflow(outside_world& outside) {
  return [&outside](detail::node_runtime& node) {
    node.host(payment_service(outside).describe());
    node.host(warehouse_service(outside).describe());
    node.host(fulfilment::describe());
  };
}

} // namespace continuo::tests
