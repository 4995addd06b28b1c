#pragma once

#include "ledger.hpp"
#include "messages.hpp"

#include <continuo/service.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace order_fulfilment {

/// A bank in small. It deduplicates by idempotency key, as real payment providers do: a repeated call gets
/// the first answer. May be called from any thread; throws where its ledger cannot be written.
class bank {
public:
  explicit bank(std::shared_ptr<ledger> book) : book_(std::move(book)) {}

  /// Charges the customer of an order and returns the payment's number.
  std::string charge(const std::string& order_id, std::int64_t cents, const std::string& idempotency_key);

  /// Gives back what was charged for an order. Nothing charged, or given back already: nothing happens.
  void refund(const std::string& order_id, const std::string& idempotency_key);

private:
  std::shared_ptr<ledger> book_;
  std::mutex mutex_; // looking up and writing down are one step
};

struct payment_options {
  std::int64_t limit_cents = 100'000; ///< more is declined

  /// Called before each charge: how long the bank takes. May block, as each charge has a thread of its own.
  std::function<void(const make_payment&)> delay = [](const make_payment&) {};
};

/// The payment service: `make_payment` and `refund_payment`.
continuo::service payment(std::shared_ptr<bank> provider, payment_options options = {});

} // namespace order_fulfilment
