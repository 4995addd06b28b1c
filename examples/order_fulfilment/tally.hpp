#pragma once

#include "ledger.hpp"
#include "messages.hpp"

#include <cstddef>
#include <set>
#include <string>
#include <vector>

namespace order_fulfilment {

/// How many orders ended how, counted from what the outside world knows of them and from nothing else.
struct tally {
  // -- consistent ----------------------------------------------------------------------
  std::size_t paid_and_shipped = 0;
  std::size_t paid_and_refunded = 0;
  std::size_t over_limit = 0; ///< never paid, as payment rightly declined it
  std::size_t given_up = 0;   ///< never paid, and the customer was told

  // -- inconsistent --------------------------------------------------------------------
  std::size_t only_paid = 0;    ///< neither shipped nor refunded
  std::size_t only_shipped = 0; ///< never paid, or refunded
  std::size_t twice = 0;        ///< charged or shipped more than once
  std::size_t no_trace = 0;     ///< never paid, though it could be: lost
  std::size_t unknown = 0;      ///< in a ledger, but nobody ordered it

  std::size_t inconsistent() const { return only_paid + only_shipped + twice + no_trace + unknown; }

  /// For people; ends with a newline.
  std::string table() const;
};

/// Counts each of `orders`, under the first of these that is true. `given_up`: the orders whose customers
/// were told that they failed. The ledgers alone cannot tell an order that was given up before it was paid
/// from one that was forgotten, so where nothing is known of that, `given_up` is empty and both are
/// `no_trace`.
tally count(const std::vector<order_placed>& orders, const std::vector<ledger_entry>& bank_entries,
            const std::vector<ledger_entry>& label_entries, const std::set<std::string>& given_up);

} // namespace order_fulfilment
