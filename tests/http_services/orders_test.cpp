#define CAF_SUITE orders
// ctest: timeout=240 labels=processes

#include "examples/order_fulfilment/report.hpp"
#include "tests/http_services/provider_process.hpp"
#include "tests/http_services/scripted_server.hpp"
#include "tests/nodes/shop.hpp"
#include "tests/support/places.hpp"

#include <caf/test/dsl.hpp>

#include <algorithm>
#include <future>
#include <map>

using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t orders = 300;

/// The order node, with payment and warehouse as providers in Python that the cluster file names.
struct fixture {
  temporary_directory directory;
  std::filesystem::path ledgers = directory.path() / "ledgers";
  provider_process payment{"order_fulfilment", "payment", order_fulfilment::bank_file(ledgers)};
  provider_process warehouse{"order_fulfilment", "warehouse", order_fulfilment::label_file(ledgers)};
  reserved_port port;

  std::string write_file() const { return write_file(payment.url()); }

  std::string write_file(const std::string& payment_url, const std::string& more = {}) const {
    const auto file = directory.path() / "shop.conf";
    std::ofstream{file} << "[cluster]\nname=\"shop\"\ntls=\"off\"\n[nodes.shop]\naddress=\"127.0.0.1:"
                        << port.number() << "\"\nhosts=[\"fulfilment\", \"payment\", \"warehouse\"]\n"
                        << "[services.payment]\nurl=\"" << payment_url
                        << "\"\ntimeout=1s\nattempts=1000000\n[services.warehouse]\nurl=\"" << warehouse.url()
                        << "\"\ntimeout=1s\nattempts=1000000\n"
                        << more;
    return file.string();
  }

  std::unique_ptr<process> start_node(const std::string& file, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments{
        "--config", file, "--node", "shop", "--ledgers", ledgers.string(), "--payment-timeout", "2min"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return std::make_unique<process>(continuo::tests::places::order_node(), std::move(arguments));
  }

  std::size_t done() const { return payment.entries().size() + warehouse.entries().size(); }

  bool wait_until_done(process& node, std::size_t lines) const {
    const auto deadline = process::clock::now() + 60s;
    while (done() < lines && process::clock::now() < deadline) {
      node.hear(process::clock::now() + 5ms); // waits
    }
    return done() >= lines;
  }
};

/// How often each key stands in a ledger.
std::map<std::string, int> keys_of(const provider_process& provider) {
  std::map<std::string, int> counts;
  for (const auto& entry : provider.entries()) {
    ++counts[entry.at("idempotency_key")];
  }
  return counts;
}

bool all_once(const std::map<std::string, int>& counts) {
  return std::all_of(counts.begin(), counts.end(), [](const auto& entry) { return entry.second == 1; });
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(order_tests, fixture)

CAF_TEST(orders survive the deaths of their providers and of their node) {
  payment.start();
  warehouse.start();
  const auto file = write_file();
  std::vector<std::string> placing{"--generate", std::to_string(orders), "--report"};
  auto node = start_node(file, placing);
  CAF_REQUIRE(wait_until_done(*node, 60));
  payment.kill();
  payment.start({"--fail-first", "5", "--hang-first", "2"});
  CAF_REQUIRE(wait_until_done(*node, 150));
  warehouse.kill();
  CAF_REQUIRE(wait_until_done(*node, 170)); // payments go on
  node->kill(SIGKILL);
  CAF_REQUIRE_EQUAL(node->wait().signal, SIGKILL);
  payment.kill();
  std::ofstream{payment.ledger(), std::ios::app} << R"({"time": "2026)"; // half a line
  payment.start();
  node = start_node(file, placing);
  CAF_REQUIRE(wait_until_done(*node, 250));
  warehouse.start({"--fail-first", "3"});
  // What it compares: each order ended, charged once, shipped or refunded; no key is in a ledger twice.
  CAF_CHECK(node->wait_for_line("  no order lost", 120s));
  node->kill(SIGTERM);
  CAF_CHECK(node->wait().code == 0);
  CAF_CHECK(all_once(keys_of(payment)));
  CAF_CHECK(all_once(keys_of(warehouse)));
  CAF_CHECK_GREATER(warehouse.entries().size(), orders * 3 / 4);
}

CAF_TEST(a node with a call that hangs stops in time) {
  std::promise<void> called;
  scripted_server silent{[&](scripted_server::peer& to) {
    if (!to.request().empty() && to.number() == 1) {
      called.set_value();
    }
    to.hang();
  }};
  const auto node = start_node(write_file(silent.url()), {"--generate", "5"});
  CAF_REQUIRE(called.get_future().wait_for(20s) == std::future_status::ready);
  node->kill(SIGTERM);
  const auto begun = process::clock::now();
  CAF_CHECK(node->wait(10s).code == 0);
  CAF_CHECK(process::clock::now() - begun < 5s);
}

CAF_TEST(a service that cannot be called is refused with exit code 2) {
  const auto with = [&](const std::string& section) { return write_file(payment.url(), section); };
  CAF_CHECK(start_node(with("[services.fulfilment]\nurl=\"http://127.0.0.1:1\"\n"))->wait().code == 2);
  CAF_CHECK(start_node(with("[services.nobody]\nurl=\"http://127.0.0.1:1\"\n"))->wait().code == 2);
  CAF_CHECK(start_node(write_file("https://127.0.0.1"))->wait().code == 2);
}

CAF_TEST_FIXTURE_SCOPE_END()
