#include "payment.hpp"

#include <fmt/core.h>

#include <utility>

namespace order_fulfilment {

using namespace std::chrono_literals;

std::string bank::charge(const std::string& order_id, std::int64_t cents,
                         const std::string& idempotency_key) {
  const std::lock_guard lock{mutex_};
  const auto number = fmt::format("pay-{:06}", book_->count("charge") + 1);
  return book_->append({idempotency_key, order_id, "charge", number, {}, cents}).reference;
}

void bank::refund(const std::string& order_id, const std::string& idempotency_key) {
  const std::lock_guard lock{mutex_};
  const auto charged = book_->last(order_id, "charge");
  if (charged && !book_->last(order_id, "refund")) {
    book_->append({idempotency_key, order_id, "refund", charged->reference, {}, charged->amount});
  }
}

continuo::service payment(std::shared_ptr<bank> provider, payment_options options) {
  return continuo::service{"payment"}
      .handle(
          [provider, options](const make_payment& command,
                              continuo::command_context& context) -> continuo::outcome<payment_completed> {
            if (command.cents < 0) {
              return continuo::decline("amount below 0");
            }
            if (command.cents > options.limit_cents) {
              return continuo::decline("amount over the limit");
            }
            options.delay(command);
            return payment_completed{command.order_id, provider->charge(command.order_id, command.cents,
                                                                        context.idempotency_key())};
          })
      .handle([provider](const refund_payment& command,
                         continuo::command_context& context) -> continuo::outcome<payment_refunded> {
        provider->refund(command.order_id, context.idempotency_key());
        return payment_refunded{command.order_id};
      })
      .idempotent()
      .concurrency(16)
      .retry({.attempts = 5, .first = 100ms, .factor = 2, .cap = 1min, .jitter = 0.1, .timeout = 1min});
}

} // namespace order_fulfilment
