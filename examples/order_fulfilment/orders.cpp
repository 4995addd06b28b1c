#include "orders.hpp"

#include <fmt/core.h>

#include <array>
#include <charconv>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_set>
#include <utility>

namespace order_fulfilment {

namespace {

using continuo::result;

constexpr std::string_view header = "order_id,cents,item,quantity,method";
constexpr std::size_t columns = 5;

std::optional<std::int64_t> parse_positive(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  return whole && value > 0 ? std::optional{value} : std::nullopt;
}

/// An order, or what is wrong with the line.
tl::expected<order_placed, std::string> read_order(std::string_view line) {
  std::array<std::string_view, columns> fields;
  std::size_t count = 0;
  for (bool more = true; more; ++count) {
    const auto comma = line.find(',');
    if (count < columns) {
      fields[count] = line.substr(0, comma);
    }
    more = comma != std::string_view::npos;
    line.remove_prefix(more ? comma + 1 : line.size());
  }
  if (count != columns) {
    return tl::unexpected(fmt::format("a line has {} fields: {}", columns, header));
  }
  const auto [id, cents_text, item, quantity_text, method] = fields;
  const auto cents = parse_positive(cents_text);
  const auto quantity = parse_positive(quantity_text);
  if (!cents) {
    return tl::unexpected(fmt::format("cents is a whole number above 0, not `{}`", cents_text));
  }
  if (!quantity) {
    return tl::unexpected(fmt::format("quantity is a whole number above 0, not `{}`", quantity_text));
  }
  if (id.empty() || item.empty() || method.empty()) {
    return tl::unexpected(std::string{"order_id, item and method may not be empty"});
  }
  return order_placed{std::string{id}, *cents, std::string{item}, *quantity, std::string{method}};
}

} // namespace

result<std::vector<order_placed>> read_orders(const std::filesystem::path& file) {
  std::vector<order_placed> orders;
  std::unordered_set<std::string> ids;
  std::string line;
  std::size_t number = 0;
  const auto wrong = [&](std::string_view what) {
    return continuo::fail(continuo::errc::invalid_configuration,
                          fmt::format("{}:{}: {}", file.string(), number, what));
  };
  std::ifstream in{file};
  while (std::getline(in, line)) {
    ++number;
    if (line.ends_with('\r')) {
      line.pop_back();
    }
    if (number == 1 && line != header) {
      return wrong(fmt::format("the first line is `{}`", header));
    }
    if (number == 1 || line.empty()) {
      continue;
    }
    auto order = read_order(line);
    if (!order) {
      return wrong(order.error());
    }
    if (!ids.insert(order->order_id).second) {
      return wrong(fmt::format("the order `{}` stands here for the second time", order->order_id));
    }
    orders.push_back(std::move(*order));
  }
  if (in.bad() || number == 0) {
    number = 1;
    return wrong(fmt::format("cannot be read, or is empty; the first line is `{}`", header));
  }
  return orders;
}

std::vector<order_placed> generate_orders(std::size_t count) {
  constexpr std::array<const char*, 4> items{"book", "chair", "kettle", "lamp"};
  std::vector<order_placed> orders;
  orders.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    order_placed order{fmt::format("g-{:07}", i + 1), static_cast<std::int64_t>(1'000 + i * 37 % 90'000),
                       items[i % items.size()]};
    if (i % 25 == 7) {
      order.cents += 100'000;
    } else if (i % 25 == 13) {
      order.item = "typewriter";
    } else if (i % 100 == 40) {
      order.method = "slow";
    }
    orders.push_back(std::move(order));
  }
  return orders;
}

} // namespace order_fulfilment
