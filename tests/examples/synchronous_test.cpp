#define CAF_SUITE synchronous
// ctest: timeout=60 labels=processes

#include "examples/order_fulfilment/orders.hpp"
#include "examples/order_fulfilment/payment.hpp"
#include "examples/order_fulfilment/report.hpp"
#include "tests/nodes/process.hpp"
#include "tests/nodes/shop.hpp"
#include "tests/support/places.hpp"

#include <caf/test/dsl.hpp>

#include <algorithm>
#include <fstream>
#include <memory>
#include <set>

using namespace order_fulfilment;
using continuo::tests::process;
using continuo::tests::temporary_directory;
using namespace std::chrono_literals;

namespace {

const std::string orders_file = continuo::tests::places::root() + "/examples/order_fulfilment/orders.csv";

/// A server and its port, which it keeps when it is started again.
struct server {
  std::string name;
  std::string port = "0";
  std::unique_ptr<process> running{};
};

struct fixture {
  temporary_directory directory;
  std::string ledgers = (directory.path() / "ledgers").string();
  std::string log = (directory.path() / "shop.log").string();
  server payment{"payment"};
  server warehouse{"warehouse"};

  static std::unique_ptr<process> run(std::vector<std::string> arguments) {
    return std::make_unique<process>(continuo::tests::places::synchronous_orders(), std::move(arguments));
  }

  bool start(server& one) const {
    one.running = run({"serve", one.name, "--port", one.port, "--ledgers", ledgers, "--provider-time", "5ms",
                       "--slow-time", "500ms"});
    const auto line = one.running->hear(process::clock::now() + 10s);
    const std::string begin = one.name + " listens on 127.0.0.1:";
    if (!line || !line->starts_with(begin)) {
      return false;
    }
    one.port = line->substr(begin.size());
    return true;
  }

  std::unique_ptr<process> place(std::vector<std::string> more) const {
    std::vector<std::string> arguments{"place",
                                       "--orders",
                                       orders_file,
                                       "--payment",
                                       "127.0.0.1:" + payment.port,
                                       "--warehouse",
                                       "127.0.0.1:" + warehouse.port,
                                       "--log",
                                       log};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(std::move(arguments));
  }

  /// The lines of `check`.
  std::vector<std::string> check(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"check", "--ledgers", ledgers});
    const auto counting = run(std::move(arguments));
    std::vector<std::string> lines;
    while (auto line = counting->hear(process::clock::now() + 10s)) {
      lines.push_back(*line);
    }
    CAF_CHECK(counting->wait().code == 0);
    return lines;
  }

  std::vector<ledger_entry> bank_entries() const { return *ledger::read(bank_file(ledgers)); }
  std::vector<ledger_entry> label_entries() const { return *ledger::read(label_file(ledgers)); }
};

/// The number at the end of the row that has this text.
std::size_t row(const std::vector<std::string>& table, const std::string& text) {
  for (const auto& line : table) {
    if (line.find(text) != std::string::npos) {
      return std::stoul(line.substr(line.rfind(' ') + 1));
    }
  }
  return 0;
}

/// The orders that have something of the kind.
std::set<std::string> with(const std::vector<ledger_entry>& entries, const std::string& kind) {
  std::set<std::string> found;
  for (const auto& entry : entries) {
    if (entry.kind == kind) {
      found.insert(entry.order);
    }
  }
  return found;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(synchronous_tests, fixture)

CAF_TEST(as long as nothing fails plain calls leave every order consistent) {
  CAF_REQUIRE(start(payment) && start(warehouse));
  CAF_REQUIRE(place({"--timeout", "2s"})->wait().code == 0);
  const auto table = check({"--orders", orders_file});
  CAF_CHECK_EQUAL(row(table, "never paid: over the limit"), 12u);
  CAF_CHECK_EQUAL(row(table, "paid and shipped") + row(table, "paid and refunded"), 288u);
  CAF_CHECK_EQUAL(table.back(), "inconsistent 0");
  for (auto* one : {&payment, &warehouse}) {
    one->running->kill(SIGTERM);
    CAF_CHECK(one->running->wait().code == 0);
  }
}

CAF_TEST(a payment slower than the timeout is given up and given back) {
  CAF_REQUIRE(start(payment) && start(warehouse));
  CAF_REQUIRE(place({"--timeout", "400ms"})->wait().code == 0);
  const auto table = check({"--orders", orders_file});
  CAF_CHECK_EQUAL(row(table, "paid and refunded"), with(bank_entries(), "refund").size());
  CAF_CHECK(with(bank_entries(), "refund").size() >= 6u); // the slow ones
  CAF_CHECK_EQUAL(table.back(), "inconsistent 0");
}

CAF_TEST(with payment killed in the middle check counts what the ledgers show) {
  CAF_REQUIRE(start(payment) && start(warehouse));
  const auto placing = place({"--rate", "150", "--progress"});
  const auto deadline = process::clock::now() + 20s;
  while (bank_entries().size() < 60 && process::clock::now() < deadline) {
    placing->hear(process::clock::now() + 5ms); // waits
  }
  payment.running->kill(SIGKILL);
  CAF_REQUIRE(payment.running->wait().signal == SIGKILL);
  placing->hear(process::clock::now() + 500ms); // meanwhile calls fail
  CAF_REQUIRE(start(payment));
  CAF_REQUIRE(placing->wait().code == 0);

  const auto charged = with(bank_entries(), "charge");
  const auto refunded = with(bank_entries(), "refund");
  const auto shipped = with(label_entries(), "label");
  const auto only_paid =
      static_cast<std::size_t>(std::count_if(charged.begin(), charged.end(), [&](const auto& order) {
        return !refunded.contains(order) && !shipped.contains(order);
      }));
  const auto never_paid = 300 - 12 - charged.size();
  const auto table = check({"--orders", orders_file, "--log", log});
  CAF_MESSAGE(only_paid << " only paid, " << never_paid << " given up");
  CAF_CHECK_EQUAL(row(table, "neither shipped nor refunded"), only_paid);
  CAF_CHECK_EQUAL(row(table, "given up, the customer was told"), never_paid);
  CAF_CHECK_EQUAL(table.back(), "inconsistent " + std::to_string(only_paid));
  // Nobody told `check` what the customers were told: it cannot count those as settled.
  const auto untold = check({"--orders", orders_file});
  CAF_CHECK_EQUAL(untold.back(), "inconsistent " + std::to_string(only_paid + never_paid));
}

CAF_TEST(killed and started again the placer forgets the orders it had in hand) {
  CAF_REQUIRE(start(payment) && start(warehouse));
  payment.running->kill(SIGSTOP); // so that there are some
  auto placing = place({"--progress", "--timeout", "10s"});
  CAF_REQUIRE(placing->wait_for_line("begun     16"));
  placing->kill(SIGKILL);
  CAF_REQUIRE(placing->wait().signal == SIGKILL);
  payment.running->kill(SIGKILL); // none of the calls was carried out
  payment.running->wait();
  CAF_REQUIRE(start(payment));
  placing = place({});
  CAF_CHECK(placing->wait_for_line("16 orders were in hand when an earlier run ended"));
  CAF_REQUIRE(placing->wait().code == 0);
  const auto orders = *read_orders(orders_file);
  const auto payable =
      static_cast<std::size_t>(std::count_if(orders.begin(), orders.begin() + 16, [](const auto& order) {
        return order.cents <= payment_options{}.limit_cents;
      }));
  CAF_CHECK_EQUAL(row(check({"--orders", orders_file, "--log", log}), "lost: not a trace of it"), payable);
}

CAF_TEST(check counts each kind of inconsistency) {
  const auto orders = generate_orders(8); // the last one is over the limit
  const auto bank_book = *ledger::open(bank_file(ledgers));
  const auto label_book = *ledger::open(label_file(ledgers));
  const auto charge = [&](int order, const char* key = "charge") {
    const auto& id = orders[static_cast<std::size_t>(order)].order_id;
    bank_book->append({id + key, id, "charge", "pay-1", {}, 1});
  };
  const auto refund = [&](int order) {
    const auto& id = orders[static_cast<std::size_t>(order)].order_id;
    bank_book->append({id + "refund", id, "refund", "pay-1", {}, 1});
  };
  const auto label = [&](int order) {
    const auto& id = orders[static_cast<std::size_t>(order)].order_id;
    label_book->append({id + "label", id, "label", "parcel-1", "book", 1});
  };
  charge(0), label(0);            // well
  charge(1), refund(1);           // well
  charge(2);                      // paid for nothing
  label(3);                       // shipped for nothing
  charge(4), refund(4), label(4); // shipped, and the money is back
  charge(5), charge(5, "again"), label(5);
  bank_book->append({"x", "of nobody", "charge", "pay-1", {}, 1});
  std::ofstream{log} << "begun g-0000007\nfailed g-0000007\n"; // never paid, and the customer knows

  const auto table = check({"--generate", "8", "--log", log});
  CAF_CHECK_EQUAL(row(table, "paid and shipped"), 1u);
  CAF_CHECK_EQUAL(row(table, "paid and refunded"), 1u);
  CAF_CHECK_EQUAL(row(table, "over the limit"), 1u);
  CAF_CHECK_EQUAL(row(table, "the customer was told"), 1u);
  CAF_CHECK_EQUAL(row(table, "neither shipped nor refunded"), 1u);
  CAF_CHECK_EQUAL(row(table, "shipped, but not paid"), 2u);
  CAF_CHECK_EQUAL(row(table, "twice"), 1u);
  CAF_CHECK_EQUAL(row(table, "nobody ordered it"), 1u);
  CAF_CHECK_EQUAL(table.back(), "inconsistent 5");
  const auto lines = check({"--generate", "8"});
  CAF_CHECK_EQUAL(lines.back(), "inconsistent 6");
}

CAF_TEST(wrong arguments and files exit with 2) {
  CAF_CHECK(run({})->wait().code == 2);
  CAF_CHECK(run({"serve", "bank", "--ledgers", ledgers})->wait().code == 2);
  CAF_CHECK(run({"place", "--generate", "1", "--payment", "here", "--warehouse", "there:1", "--log", log})
                ->wait()
                .code == 2);
  CAF_CHECK(run({"check", "--orders", "missing.csv", "--ledgers", ledgers})->wait().code == 2);
  CAF_CHECK(!std::filesystem::exists(ledgers) && !std::filesystem::exists(log));
}

CAF_TEST_FIXTURE_SCOPE_END()
