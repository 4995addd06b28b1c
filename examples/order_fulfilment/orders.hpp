#pragma once

#include "messages.hpp"

#include <continuo/result.hpp>

#include <cstddef>
#include <filesystem>
#include <vector>

namespace order_fulfilment {

/// Reads orders from a CSV file whose first line is `order_id,cents,item,quantity,method`; fields are not
/// quoted, empty lines are skipped. Errors: `invalid_configuration` with file, line and what would be right.
/// An order id that stands twice is such an error.
continuo::result<std::vector<order_placed>> read_orders(const std::filesystem::path& file);

/// The first `count` of an endless row of orders, always the same: of each hundred, 4 are over the payment's
/// limit, 4 want what is soon out of stock, and 1 is paid too slowly.
std::vector<order_placed> generate_orders(std::size_t count);

} // namespace order_fulfilment
