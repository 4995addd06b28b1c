#pragma once

#include "ledger.hpp"
#include "messages.hpp"

#include <continuo/service.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace order_fulfilment {

/// Pieces in stock, by item.
using stock = std::map<std::string, std::int64_t>;

/// What the shop of the example has: plenty of everything, but hardly any typewriters.
stock opening_stock();

/// A label printer in small, with the shelves beside it: a label takes its goods out of stock, a voided one
/// puts them back. It deduplicates by idempotency key. May be called from any thread; throws where its ledger
/// cannot be written.
class label_printer {
public:
  /// `opening` is what was in stock before the first entry of the ledger.
  label_printer(std::shared_ptr<ledger> book, stock opening);

  /// Prints an order's label and returns the parcel's tracking number; nothing if there is not enough in
  /// stock, or nothing is ordered.
  std::optional<std::string> print(const create_shipping_label& order, const std::string& idempotency_key);

  /// Voids an order's label. No label, or voided already: nothing happens.
  void take_back(const std::string& order_id, const std::string& idempotency_key);

private:
  std::shared_ptr<ledger> book_;
  std::mutex mutex_; // looking up and writing down are one step
  stock left_;
};

struct warehouse_options {
  /// Called before each label: how long the printer takes. May block, as each label has a thread of its own.
  std::function<void(const create_shipping_label&)> delay = [](const create_shipping_label&) {};
};

/// The warehouse service: `create_shipping_label` and `void_shipping_label`.
continuo::service warehouse(std::shared_ptr<label_printer> printer, warehouse_options options = {});

} // namespace order_fulfilment
