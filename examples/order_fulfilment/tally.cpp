#include "tally.hpp"

#include "payment.hpp"

#include <fmt/core.h>

#include <cstdint>
#include <map>
#include <string_view>

namespace order_fulfilment {

namespace {

/// What is left of an order when what was undone is taken off.
struct balance {
  std::int64_t paid = 0;
  std::int64_t shipped = 0;
  bool charged = false; ///< ever
};

using balances = std::map<std::string, balance>;

void add(const std::vector<ledger_entry>& entries, balances& by_order) {
  for (const auto& entry : entries) {
    auto& order = by_order[entry.order];
    order.paid += (entry.kind == "charge") - (entry.kind == "refund");
    order.shipped += (entry.kind == "label") - (entry.kind == "void");
    order.charged = order.charged || entry.kind == "charge";
  }
}

/// Where the order is counted.
std::size_t tally::*place_of(const order_placed& order, const balance& left, bool given_up) {
  if (left.paid > 1 || left.shipped > 1) {
    return &tally::twice;
  }
  if (left.paid > 0) {
    return left.shipped > 0 ? &tally::paid_and_shipped : &tally::only_paid;
  }
  if (left.shipped > 0) {
    return &tally::only_shipped;
  }
  if (left.charged) {
    return &tally::paid_and_refunded;
  }
  if (order.cents > payment_options{}.limit_cents) {
    return &tally::over_limit;
  }
  return given_up ? &tally::given_up : &tally::no_trace;
}

} // namespace

tally count(const std::vector<order_placed>& orders, const std::vector<ledger_entry>& bank_entries,
            const std::vector<ledger_entry>& label_entries, const std::set<std::string>& given_up) {
  balances by_order;
  add(bank_entries, by_order);
  add(label_entries, by_order);
  tally made;
  for (const auto& order : orders) {
    const auto left = by_order.extract(order.order_id);
    ++(made.*place_of(order, left.empty() ? balance{} : left.mapped(), given_up.contains(order.order_id)));
  }
  made.unknown = by_order.size(); // what nobody asked for
  return made;
}

std::string tally::table() const {
  std::string text;
  const auto row = [&](std::string_view what, std::size_t orders) {
    text += fmt::format("  {:<52} {:>8}\n", what, orders);
  };
  const auto wrong = [&](std::string_view what, std::size_t orders) {
    if (orders > 0) {
      row(fmt::format("WRONG: {}", what), orders);
    }
  };
  row("paid and shipped", paid_and_shipped);
  row("paid and refunded", paid_and_refunded);
  row("never paid: over the limit", over_limit);
  row("never paid: given up, the customer was told", given_up);
  wrong("paid, but neither shipped nor refunded", only_paid);
  wrong("shipped, but not paid", only_shipped);
  wrong("charged or shipped twice", twice);
  wrong("lost: not a trace of it", no_trace);
  wrong("in a ledger, but nobody ordered it", unknown);
  return text;
}

} // namespace order_fulfilment
