#define CAF_SUITE orders

#include "examples/order_fulfilment/fulfilment.hpp"
#include "examples/order_fulfilment/orders.hpp"
#include "examples/order_fulfilment/payment.hpp"
#include "examples/order_fulfilment/report.hpp"
#include "examples/order_fulfilment/warehouse.hpp"
#include "tests/nodes/shop.hpp"
#include "tests/support/places.hpp"

#include <continuo/node.hpp>

#include <caf/test/dsl.hpp>

#include <fstream>

using namespace order_fulfilment;
using namespace std::chrono_literals;
using continuo::tests::gate;
using continuo::tests::line_of;
using continuo::tests::temporary_directory;
using continuo::tests::wait_for;

namespace {

/// The whole workflow on a node in memory; the bank keeps payments by the method "slow" waiting at one gate,
/// the printer labels of "heavy" things at another.
struct fixture {
  temporary_directory directory;
  gate slow_payments;
  gate heavy_labels;
  continuo::node node{continuo::node_config::in_memory()};

  fixture() {
    payment_options paying;
    paying.delay = [this](const make_payment& command) {
      if (command.method == "slow") {
        slow_payments.pass();
      }
    };
    warehouse_options shipping;
    shipping.delay = [this](const create_shipping_label& command) {
      if (command.item == "heavy") {
        heavy_labels.pass();
      }
    };
    const auto bank_book = ledger::open(bank_file(directory.path()));
    const auto label_book = ledger::open(label_file(directory.path()));
    CAF_REQUIRE(bank_book.has_value());
    CAF_REQUIRE(label_book.has_value());
    node.host(payment(std::make_shared<bank>(*bank_book), paying));
    node.host(warehouse(std::make_shared<label_printer>(*label_book, stock{{"lamp", 10}, {"heavy", 10}}),
                        shipping));
    node.host<fulfilment>();
    CAF_REQUIRE(node.start().has_value());
  }

  ~fixture() {
    slow_payments.open(); // a failed check must not leave a handler waiting
    heavy_labels.open();
  }

  continuo::publication place(const order_placed& order) const { return node.client().publish(order); }

  static std::string end_of(const continuo::publication& order) {
    return line_of(wait_for(order.result_of<fulfilment>()));
  }

  /// Whether the order comes to be rolled back.
  bool is_rolled_back(const std::string& order) const {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (std::chrono::steady_clock::now() < deadline) {
      const auto view = wait_for(node.client().show({"fulfilment", order}));
      if (view && view->status == continuo::instance_status::compensating) {
        return true;
      }
    }
    return false;
  }

  std::string kinds(const std::filesystem::path& file) const {
    std::string words;
    const auto entries = ledger::read(file);
    CAF_REQUIRE(entries.has_value());
    for (const auto& entry : *entries) {
      words += (words.empty() ? "" : " ") + entry.kind;
    }
    return words;
  }

  std::string paid() const { return kinds(bank_file(directory.path())); }
  std::string shipped() const { return kinds(label_file(directory.path())); }
};

std::string error_of(const std::filesystem::path& file, const std::string& text) {
  std::ofstream{file} << text;
  const auto orders = read_orders(file);
  return orders ? "no error" : orders.error().message.substr(file.string().size());
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(workflow_tests, fixture)

CAF_TEST(a paid order is shipped) {
  CAF_CHECK_EQUAL(end_of(place({"o-1", 4'200, "lamp"})), "completed: parcel-000001");
  CAF_CHECK_EQUAL(paid(), "charge");
  CAF_CHECK_EQUAL(shipped(), "label");
}

CAF_TEST(an order whose payment is declined is rejected and nothing happened) {
  const auto end = end_of(place({"o-1", 100'001, "lamp"}));
  CAF_CHECK(end.starts_with("compensated: "));
  CAF_CHECK(end.ends_with("amount over the limit"));
  CAF_CHECK_EQUAL(paid(), "");
  CAF_CHECK_EQUAL(shipped(), "");
}

CAF_TEST(an order of what is out of stock gets its money back) {
  const auto end = end_of(place({"o-1", 4'200, "lamp", 11}));
  CAF_CHECK(end.starts_with("compensated: "));
  CAF_CHECK(end.ends_with("out of stock"));
  CAF_CHECK_EQUAL(paid(), "charge refund");
  CAF_CHECK_EQUAL(shipped(), "");
}

CAF_TEST(an order whose payment comes too late is rolled back and refunded) {
  const auto order = place({"o-1", 4'200, "lamp", 1, "slow", 10ms});
  CAF_REQUIRE(is_rolled_back("o-1"));
  CAF_CHECK_EQUAL(paid(), "");
  slow_payments.open();
  CAF_CHECK_EQUAL(end_of(order), "compensated: payment overdue");
  CAF_CHECK_EQUAL(paid(), "charge refund");
  CAF_CHECK_EQUAL(shipped(), "");
}

CAF_TEST(an order cancelled while its label is printed has label and payment undone) {
  const auto order = place({"o-1", 4'200, "heavy"});
  CAF_REQUIRE(heavy_labels.wait_for_held(1));
  CAF_REQUIRE(node.client().publish(order_cancelled{"o-1"}).get().has_value());
  CAF_REQUIRE(is_rolled_back("o-1"));
  heavy_labels.open();
  CAF_CHECK_EQUAL(end_of(order), "compensated: cancelled by the customer");
  CAF_CHECK_EQUAL(paid(), "charge refund");
  CAF_CHECK_EQUAL(shipped(), "label void");
}

CAF_TEST(an order placed twice is fulfilled once) {
  CAF_CHECK_EQUAL(end_of(place({"o-1", 4'200, "lamp"})), "completed: parcel-000001");
  CAF_CHECK_EQUAL(end_of(place({"o-1", 4'200, "lamp"})), "completed: parcel-000001");
  CAF_CHECK_EQUAL(paid(), "charge");
  CAF_CHECK_EQUAL(shipped(), "label");
}

CAF_TEST(the report agrees with ledgers that tell the same) {
  std::vector<order_placed> orders{
      {"o-1", 4'200, "lamp"}, {"o-2", 100'001, "lamp"}, {"o-3", 4'200, "lamp", 11}};
  for (const auto& order : orders) {
    end_of(place(order));
  }
  const auto made = compare(orders, node.client(), directory.path());
  CAF_REQUIRE(made.has_value());
  CAF_CHECK_EQUAL(made->problems.size(), 0u);
  CAF_CHECK(made->table.find("shipped") != std::string::npos);
}

CAF_TEST_FIXTURE_SCOPE_END()

// -- the report finds what is wrong ----------------------------------------------------------

namespace {

/// How many problems a report finds with one order, `o-1`, that ended so and left these entries.
std::size_t problems_with(continuo::instance_status status, const std::vector<std::string>& bank_kinds,
                          const std::vector<std::string>& label_kinds, bool same_key = false) {
  const auto entries = [&](const std::vector<std::string>& kinds, const std::string& key) {
    std::vector<ledger_entry> made;
    for (const auto& kind : kinds) {
      made.push_back({same_key ? key : key + std::to_string(made.size()), "o-1", kind, "", "", 1});
    }
    return made;
  };
  continuo::instance_view view;
  view.instance = {"fulfilment", "o-1"};
  view.status = status;
  return compare({{"o-1", 1}}, {view}, entries(bank_kinds, "b"), entries(label_kinds, "l")).problems.size();
}

} // namespace

CAF_TEST(the report finds what should not be) {
  using enum continuo::instance_status;
  CAF_CHECK_EQUAL(problems_with(completed, {"charge"}, {"label"}), 0u);
  CAF_CHECK_EQUAL(problems_with(compensated, {"charge", "refund"}, {"label", "void"}), 0u);
  CAF_CHECK_EQUAL(problems_with(compensated, {}, {}), 0u);
  CAF_CHECK_EQUAL(problems_with(completed, {}, {"label"}), 1u);
  CAF_CHECK_EQUAL(problems_with(completed, {"charge"}, {}), 1u);
  CAF_CHECK_EQUAL(problems_with(completed, {"charge", "charge"}, {"label"}), 1u);
  CAF_CHECK_EQUAL(problems_with(completed, {"charge", "charge"}, {"label"}, true), 2u);
  CAF_CHECK_EQUAL(problems_with(completed, {"charge", "refund"}, {"label"}), 1u);
  CAF_CHECK_EQUAL(problems_with(compensated, {"charge"}, {}), 1u);
  CAF_CHECK_EQUAL(problems_with(compensated, {"charge", "refund"}, {"label"}), 1u);
  CAF_CHECK_EQUAL(problems_with(stuck, {}, {}), 1u);
}

CAF_TEST(the report finds orders that are lost and deeds that nobody ordered) {
  CAF_CHECK_EQUAL(compare({{"o-1", 1}}, {}, {}, {}).problems.size(), 1u);
  CAF_CHECK_EQUAL(compare({}, {}, {{"k", "o-1", "charge", "", "", 1}}, {}).problems.size(), 1u);
}

// -- the orders' file --------------------------------------------------------------------------

CAF_TEST(the file of the example holds 300 orders) {
  const auto orders = read_orders(continuo::tests::places::root() + "/examples/order_fulfilment/orders.csv");
  CAF_REQUIRE(orders.has_value());
  CAF_CHECK_EQUAL(orders->size(), 300u);
}

CAF_TEST(what is wrong in a file of orders is named by file and line) {
  const temporary_directory directory;
  const auto file = directory.path() / "orders.csv";
  const std::string header = "order_id,cents,item,quantity,method\n";
  CAF_CHECK(error_of(file, "") != "no error");
  CAF_CHECK(error_of(file, "id\n").starts_with(":1: "));
  CAF_CHECK(
      error_of(file, header + "o-1,100,lamp,1,card\no-2,abc,lamp,1,card\n").starts_with(":3: cents is "));
  CAF_CHECK(error_of(file, header + "o-1,100,lamp,0,card\n").starts_with(":2: quantity is "));
  CAF_CHECK(error_of(file, header + "o-1,100,lamp,1\n").starts_with(":2: a line has 5 fields"));
  CAF_CHECK(error_of(file, header + "o-1,100,lamp,1,card,\n").starts_with(":2: a line has 5 fields"));
  CAF_CHECK(error_of(file, header + ",100,lamp,1,card\n").starts_with(":2: order_id, "));
  CAF_CHECK(
      error_of(file, header + "\no-1,1,lamp,1,card\no-1,1,lamp,1,card\n").starts_with(":4: the order `o-1`"));
  CAF_CHECK_EQUAL(error_of(file, header + "o-1,100,lamp,1,card\r\n"), "no error");
  CAF_CHECK(!read_orders(directory.path() / "missing.csv").has_value());
}
