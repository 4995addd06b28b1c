#define CAF_SUITE cluster_stop
// ctest: timeout=240 labels=processes plain

#include "tests/nodes/tcp_gate.hpp"

#include <caf/test/dsl.hpp>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

/// A port of loopback where connections are neither accepted nor refused: its backlog is full.
class unreachable_port {
public:
  unreachable_port() {
    CAF_REQUIRE(::listen(port_.file(), 0) == 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port_.number());
    for (int i = 0; i < 4; ++i) {
      files_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      ::connect(files_.back(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
    }
  }

  ~unreachable_port() {
    for (const int file : files_) {
      ::close(file);
    }
  }

  std::uint16_t number() const { return port_.number(); }

private:
  reserved_port port_;
  std::vector<int> files_;
};

struct fixture {
  shop_cluster shop;

  void start_all() {
    shop.start_all();
    CAF_REQUIRE(shop.wait_for_ready());
    CAF_REQUIRE(shop.time_to_all_up(10s).has_value());
  }

  /// Stops a node, which must end within 5 s; where no handler runs, of its own accord.
  void check_stop(const std::string& name, const std::string& when, bool handler_runs = false) {
    const auto begun = process::clock::now();
    shop[name].kill(SIGTERM);
    CAF_CHECK_EQUAL(shop.end(name, 5s), 0);
    const auto took =
        std::chrono::duration_cast<std::chrono::milliseconds>(process::clock::now() - begun).count();
    CAF_MESSAGE(name << " ends " << when << " after " << took << " ms");
    const bool was_forced = shop.said(name).find("a handler still runs") != std::string::npos;
    if (was_forced != handler_runs) {
      CAF_ERROR(name << " " << when << ": " << shop.said(name));
    }
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(cluster_stop_tests, fixture)

CAF_TEST(a node ends while its peers are stopped) {
  start_all();
  shop.order_rate(30);
  shop.listen(500ms);
  shop.pause("payment", true);
  shop.pause("warehouse", true);
  for (int i = 0; i < 30; ++i) { // more than the connection takes
    shop["ordering"].say("charge big-" + std::to_string(i) + " 500000");
  }
  shop.order_rate(0);
  shop.listen(1s);
  check_stop("ordering", "with stopped peers that it takes for up");
  // A new life, which greets them in vain.
  shop.start("ordering");
  shop.listen(500ms);
  check_stop("ordering", "while it starts and greets stopped peers");
  shop.start("ordering");
  CAF_CHECK(shop.wait_until([&] { return shop.is_ready("ordering"); }, 10s));
  shop.listen(1500ms);
  check_stop("ordering", "while it dials stopped peers");
  // And the one that is dialed.
  shop.start("ordering");
  CAF_CHECK(shop.wait_until([&] { return shop.is_ready("ordering"); }, 10s));
  shop.pause("warehouse", false);
  CAF_CHECK(shop.wait_until([&] { return shop.sees("warehouse", "ordering", true, {}); }, 10s));
  shop.pause("ordering", true);
  check_stop("warehouse", "with stopped peers that dialed it");
}

CAF_TEST(a node ends while its peers cannot be reached) {
  const unreachable_port one;
  const unreachable_port other;
  std::ofstream{shop.file("ordering")}
      << shop.file_text({{"payment", one.number()}, {"warehouse", other.number()}});
  shop.start("ordering");
  shop.listen(300ms);
  check_stop("ordering", "while it starts and peers cannot be reached");
  shop.start("ordering");
  CAF_CHECK(shop.wait_until([&] { return shop.is_ready("ordering"); }, 10s));
  for (int i = 0; i < 30; ++i) {
    shop["ordering"].say("place o-" + std::to_string(i) + " 100");
  }
  shop.listen(700ms);
  check_stop("ordering", "while peers cannot be reached");
}

CAF_TEST(a node ends while its peers are in a black hole) {
  tcp_gate payment{shop.port("payment")};
  tcp_gate warehouse{shop.port("warehouse")};
  std::ofstream{shop.file("ordering")}
      << shop.file_text({{"payment", payment.port()}, {"warehouse", warehouse.port()}});
  start_all();
  payment.hold(true, true);
  warehouse.hold(true, true);
  for (int i = 0; i < 30; ++i) {
    shop["ordering"].say("charge big-" + std::to_string(i) + " 500000");
  }
  shop.listen(1s);
  check_stop("ordering", "with a black hole that it has not noticed");
  shop.start("ordering");
  CAF_CHECK(shop.wait_until([&] { return shop.is_ready("ordering"); }, 10s));
  shop.listen(500ms);
  check_stop("ordering", "while it dials into a black hole");
}

CAF_TEST(a node ends while a handler runs that peers wait for) {
  start_all();
  shop["ordering"].say("place hang-1 100");
  CAF_REQUIRE(shop.wait_for_line("ordering", "accepted hang-1"));
  CAF_REQUIRE(shop.wait_for_line("payment", "hanging"));
  check_stop("ordering", "while a peer works for it");
  check_stop("payment", "while a handler runs", true);
  check_stop("warehouse", "alone");
}

CAF_TEST_FIXTURE_SCOPE_END()
