#include "warehouse.hpp"

#include <fmt/core.h>

#include <utility>

namespace order_fulfilment {

using namespace std::chrono_literals;

stock opening_stock() {
  constexpr std::int64_t plenty = 1'000'000'000;
  return {{"book", plenty}, {"chair", plenty}, {"kettle", plenty}, {"lamp", plenty}, {"typewriter", 5}};
}

label_printer::label_printer(std::shared_ptr<ledger> book, stock opening)
    : book_(std::move(book)), left_(std::move(opening)) {
  for (const auto& entry : book_->entries()) {
    left_[entry.item] += entry.kind == "label" ? -entry.amount : entry.amount;
  }
}

std::optional<std::string> label_printer::print(const create_shipping_label& order,
                                                const std::string& idempotency_key) {
  const std::lock_guard lock{mutex_};
  if (const auto first = book_->find(idempotency_key)) {
    return first->reference;
  }
  auto& left = left_[order.item];
  if (order.quantity < 1 || left < order.quantity) {
    return std::nullopt;
  }
  const auto number = fmt::format("parcel-{:06}", book_->count("label") + 1);
  const auto entry =
      book_->append({idempotency_key, order.order_id, "label", number, order.item, order.quantity});
  left -= order.quantity;
  return entry.reference;
}

void label_printer::take_back(const std::string& order_id, const std::string& idempotency_key) {
  const std::lock_guard lock{mutex_};
  const auto label = book_->last(order_id, "label");
  if (label && !book_->last(order_id, "void")) {
    book_->append({idempotency_key, order_id, "void", label->reference, label->item, label->amount});
    left_[label->item] += label->amount;
  }
}

continuo::service warehouse(std::shared_ptr<label_printer> printer, warehouse_options options) {
  return continuo::service{"warehouse"}
      .handle([printer,
               options](const create_shipping_label& command,
                        continuo::command_context& context) -> continuo::outcome<shipping_label_created> {
        options.delay(command);
        const auto tracking = printer->print(command, context.idempotency_key());
        if (!tracking) {
          return continuo::decline("out of stock");
        }
        return shipping_label_created{command.order_id, *tracking};
      })
      .handle([printer](const void_shipping_label& command,
                        continuo::command_context& context) -> continuo::outcome<shipping_label_voided> {
        printer->take_back(command.order_id, context.idempotency_key());
        return shipping_label_voided{command.order_id};
      })
      .idempotent()
      .concurrency(16)
      .retry({.attempts = 5, .first = 100ms, .factor = 2, .cap = 1min, .jitter = 0.1, .timeout = 1min});
}

} // namespace order_fulfilment
