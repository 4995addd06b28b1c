#define CAF_SUITE crash
// ctest: timeout=120 labels=processes

#include "examples/order_fulfilment/report.hpp"
#include "tests/nodes/process.hpp"
#include "tests/nodes/shop.hpp"
#include "tests/support/places.hpp"

#include <caf/test/dsl.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>

using continuo::tests::process;
using continuo::tests::temporary_directory;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t orders = 200;

std::size_t lines_of(const std::filesystem::path& file) {
  std::ifstream in{file};
  return static_cast<std::size_t>(std::count(std::istreambuf_iterator<char>{in}, {}, '\n'));
}

struct fixture {
  temporary_directory directory;
  std::string data = (directory.path() / "data").string();
  std::string ledgers = (directory.path() / "ledgers").string();

  std::unique_ptr<process> start(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments{
        "--data", data, "--ledgers", ledgers, "--generate", std::to_string(orders), "--provider-time", "5ms"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return std::make_unique<process>(continuo::tests::places::order_node(), std::move(arguments));
  }

  /// Kills the node when its ledgers hold so many lines; false if it ends before.
  bool kill_at(process& node, std::size_t lines) const {
    const auto deadline = process::clock::now() + 30s;
    while (process::clock::now() < deadline) {
      node.hear(process::clock::now() + 2ms); // waits
      if (lines_of(order_fulfilment::bank_file(ledgers)) + lines_of(order_fulfilment::label_file(ledgers)) >=
          lines) {
        node.kill(SIGKILL);
        return node.wait().signal == SIGKILL;
      }
    }
    return false;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(crash_tests, fixture)

CAF_TEST(killed at random moments the order node loses nothing and charges nothing twice) {
  const auto* is_long = std::getenv("CONTINUO_LONG");
  const int rounds = is_long != nullptr && std::string{is_long} == "1" ? 60 : 3;
  const auto seed = std::random_device{}();
  CAF_MESSAGE("seed " << seed);
  std::mt19937 random{seed};
  for (int round = 0; round < rounds; ++round) {
    std::filesystem::remove_all(data);
    std::filesystem::remove_all(ledgers);
    std::size_t lines = 0;
    for (int kills = 0; kills < 3; ++kills) {
      lines += 1 + random() % (orders / 2);
      const auto node = start();
      CAF_REQUIRE(kill_at(*node, lines));
    }
    CAF_CHECK(start({"--report"})->wait(60s).code == 0);
  }
}

CAF_TEST(stopped in order the order node exits with 0 and goes on later) {
  const auto node = start({"--rate", "50", "--progress"});
  CAF_REQUIRE(node->wait_for_line("placed"));
  node->kill(SIGTERM);
  CAF_CHECK(node->wait().code == 0);
  CAF_CHECK(start({"--report"})->wait(60s).code == 0);
}

CAF_TEST(a ledger that does not agree makes the report fail) {
  CAF_REQUIRE(start()->wait(60s).code == 0);
  const auto book = order_fulfilment::bank_file(ledgers);
  std::ifstream in{book};
  std::string first;
  std::getline(in, first);
  std::ofstream{book, std::ios::app} << first << '\n';
  CAF_CHECK(start({"--report"})->wait(60s).code == 1);
}

CAF_TEST(wrong arguments and files create nothing and exit with 2) {
  CAF_CHECK(start({"--rate", "fast"})->wait().code == 2);
  CAF_CHECK(process(continuo::tests::places::order_node(), {"--data", data, "--orders", "missing.csv"})
                .wait()
                .code == 2);
  CAF_CHECK(process(continuo::tests::places::order_node(), {"--help"}).wait().code == 0);
  CAF_CHECK(!std::filesystem::exists(data));
}

CAF_TEST(a folder in use exits with 6) {
  const auto node = start({"--rate", "50", "--progress"});
  CAF_REQUIRE(node->wait_for_line("placed"));
  CAF_CHECK(start()->wait().code == 6);
  node->kill(SIGTERM);
  CAF_CHECK(node->wait().code == 0);
}

CAF_TEST_FIXTURE_SCOPE_END()
