#include "report.hpp"

#include "fulfilment.hpp"

#include <fmt/core.h>

#include <limits>
#include <map>
#include <set>
#include <string_view>
#include <utility>

namespace order_fulfilment {

namespace {

using continuo::instance_status;

/// What the ledgers hold of one order.
struct deeds {
  std::int64_t charges = 0;
  std::int64_t refunds = 0;
  std::int64_t labels = 0;
  std::int64_t voids = 0;
};

using problems = std::vector<std::string>;

void read_ledger(const std::vector<ledger_entry>& entries, std::map<std::string, deeds>& by_order,
                 problems& found) {
  std::set<std::string_view> keys;
  for (const auto& entry : entries) {
    if (!keys.insert(entry.idempotency_key).second) {
      found.push_back(fmt::format("order {}: the idempotency key {} has a second {}", entry.order,
                                  entry.idempotency_key, entry.kind));
    }
    auto& order = by_order[entry.order];
    order.charges += entry.kind == "charge";
    order.refunds += entry.kind == "refund";
    order.labels += entry.kind == "label";
    order.voids += entry.kind == "void";
  }
}

void check_order(const continuo::instance_view& order, const deeds& done, problems& found) {
  const auto wrong = [&](std::string_view what) {
    found.push_back(fmt::format("order {} is {}, but {} ({} charges, {} refunds, {} labels, {} voided)",
                                order.instance.key, to_string(order.status), what, done.charges, done.refunds,
                                done.labels, done.voids));
  };
  if (!is_terminal(order.status)) {
    wrong("should be at its end");
  } else if (order.status == instance_status::completed) {
    if (done.charges != 1 || done.refunds != 0) {
      wrong("was not paid exactly once");
    }
    if (done.labels != 1 || done.voids != 0) {
      wrong("does not have exactly one label");
    }
  } else {
    if (done.charges > 1 || done.charges != done.refunds) {
      wrong("its payment was not given back");
    }
    if (done.labels > 1 || done.labels != done.voids) {
      wrong("its label was not voided");
    }
  }
}

std::string outcome_of(const continuo::instance_view& order) {
  if (order.status == instance_status::completed) {
    return "shipped";
  }
  return fmt::format("{}: {}", to_string(order.status), order.reason);
}

} // namespace

std::filesystem::path bank_file(const std::filesystem::path& ledgers) {
  return ledgers / "payment.jsonl";
}

std::filesystem::path label_file(const std::filesystem::path& ledgers) {
  return ledgers / "warehouse.jsonl";
}

report compare(const std::vector<order_placed>& placed, const std::vector<continuo::instance_view>& orders,
               const std::vector<ledger_entry>& bank_entries,
               const std::vector<ledger_entry>& label_entries) {
  report made;
  std::map<std::string, deeds> by_order;
  read_ledger(bank_entries, by_order, made.problems);
  read_ledger(label_entries, by_order, made.problems);

  std::map<std::string, std::size_t> outcomes;
  std::set<std::string_view> known;
  deeds sum;
  for (const auto& order : orders) {
    known.insert(order.instance.key);
    ++outcomes[outcome_of(order)];
    const auto& done = by_order[order.instance.key];
    check_order(order, done, made.problems);
    sum.charges += done.charges;
    sum.refunds += done.refunds;
    sum.labels += done.labels;
    sum.voids += done.voids;
  }
  for (const auto& order : placed) {
    if (!known.contains(order.order_id)) {
      made.problems.push_back(fmt::format("order {} is lost: the node does not know it", order.order_id));
    }
  }
  for (const auto& [order, done] : by_order) {
    if (!known.contains(order)) {
      made.problems.push_back(
          fmt::format("order {} stands in a ledger, but the node does not know it", order));
    }
  }

  for (const auto& [outcome, count] : outcomes) {
    made.table += fmt::format("  {:<52} {:>8}\n", outcome, count);
  }
  made.table += fmt::format("  {:<52} {:>8}\n", "all orders", orders.size());
  made.table += fmt::format("  ledgers: {} charges, {} refunds, {} labels, {} voided labels\n", sum.charges,
                            sum.refunds, sum.labels, sum.voids);
  return made;
}

continuo::result<report> compare(const std::vector<order_placed>& placed, const continuo::client& client,
                                 const std::filesystem::path& ledgers) {
  const auto orders =
      client.list(continuo::message_name<fulfilment>(), std::nullopt, std::numeric_limits<std::size_t>::max())
          .get();
  if (!orders) {
    return tl::unexpected(orders.error());
  }
  const auto bank_entries = ledger::read(bank_file(ledgers));
  if (!bank_entries) {
    return tl::unexpected(bank_entries.error());
  }
  const auto label_entries = ledger::read(label_file(ledgers));
  if (!label_entries) {
    return tl::unexpected(label_entries.error());
  }
  return compare(placed, *orders, *bank_entries, *label_entries);
}

} // namespace order_fulfilment
