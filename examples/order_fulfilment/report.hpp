#pragma once

#include "ledger.hpp"
#include "messages.hpp"

#include <continuo/client.hpp>
#include <continuo/result.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace order_fulfilment {

/// The ledgers' files in a folder.
std::filesystem::path bank_file(const std::filesystem::path& ledgers);
std::filesystem::path label_file(const std::filesystem::path& ledgers);

/// How the orders ended, and what the outside world says about it.
struct report {
  std::string table;                 ///< of outcomes, for people; ends with a newline
  std::vector<std::string> problems; ///< one sentence each; empty: all is well
};

/// Compares what the node says of its orders with what the ledgers hold, when all of them are at their end:
/// - each of `placed` is known to the node, and ended;
/// - a shipped order was charged once and not refunded, and has one label that is not voided;
/// - of any other order every charge was refunded and every label voided;
/// - no idempotency key stands in a ledger twice, and nothing was charged or shipped that nobody ordered.
/// `orders` is what the node says (`client.list("fulfilment")`).
report compare(const std::vector<order_placed>& placed, const std::vector<continuo::instance_view>& orders,
               const std::vector<ledger_entry>& bank_entries, const std::vector<ledger_entry>& label_entries);

/// The same for a running node and a folder of ledgers, both read anew.
continuo::result<report> compare(const std::vector<order_placed>& placed, const continuo::client& client,
                                 const std::filesystem::path& ledgers);

} // namespace order_fulfilment
