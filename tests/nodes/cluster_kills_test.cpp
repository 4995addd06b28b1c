#define CAF_SUITE cluster_kills
// ctest: timeout=400 labels=processes plain

#include "tests/nodes/shop_cluster.hpp"

#include <caf/test/dsl.hpp>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

// Two seconds are promised on a machine that has time for it; a busy one gets more.
constexpr auto reconnects_within = 6s;
constexpr auto notices_within = 5s;
constexpr auto notices_at_most = 8s;
#ifdef CONTINUO_SANITIZED
constexpr int kills_wanted = 80; // a start takes several times as long
#else
constexpr int kills_wanted = 200;
#endif

struct fixture {
  shop_cluster shop;

  /// Everything that was accepted has ended as it should, and nothing was done twice.
  void check_orders() {
    CAF_CHECK(shop.settle(60s));
    const auto wrongs = shop.wrongs();
    for (std::size_t i = 0; i < wrongs.size() && i < 10; ++i) {
      CAF_MESSAGE(wrongs[i]);
    }
    CAF_CHECK_EQUAL(wrongs.size(), 0u);
    CAF_MESSAGE(shop.accepted().size() << " orders");
  }

  void stop_all() {
    for (const auto& name : shop_nodes) {
      shop[name].kill(SIGTERM);
      CAF_CHECK_EQUAL(shop.end(name, 6s), 0);
    }
  }

  void show_logs() {
    for (const auto& name : shop_nodes) {
      CAF_MESSAGE(name << ":\n" << shop.said(name));
    }
  }
};

/// In ms, of what was measured.
std::string summary(std::vector<std::chrono::milliseconds> times) {
  if (times.empty()) {
    return "none";
  }
  std::sort(times.begin(), times.end());
  return "median " + std::to_string(times[times.size() / 2].count()) + " ms, longest " +
         std::to_string(times.back().count()) + " ms of " + std::to_string(times.size());
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(cluster_kills_tests, fixture)

CAF_TEST(kills of any nodes lose nothing and do nothing twice) {
  const int wanted = kills_wanted;
  const auto seed = std::random_device{}();
  CAF_MESSAGE("seed " << seed);
  std::mt19937 random{seed};
  shop.start_all();
  CAF_REQUIRE(shop.wait_for_ready());
  shop.order_rate(50);
  int kills = 0;
  std::vector<std::chrono::milliseconds> reconnected;
  while (kills < wanted) {
    const auto subset = 1 + random() % 7;
    const auto is_hit = [&](std::size_t node) { return (subset >> node & 1) != 0; };
    for (std::size_t i = 0; i < shop_nodes.size(); ++i) {
      if (is_hit(i)) {
        CAF_REQUIRE_EQUAL(shop.kill(shop_nodes[i]), -SIGKILL);
        ++kills;
      }
    }
    if (random() % 2 == 0) {
      shop.listen(std::chrono::milliseconds{random() % 300});
    }
    for (std::size_t i = 0; i < shop_nodes.size(); ++i) {
      if (is_hit(i)) {
        shop.start(shop_nodes[i]);
      }
    }
    if (random() % 3 == 0) { // kills again while they start
      shop.listen(std::chrono::milliseconds{random() % 500});
      continue;
    }
    const auto took = shop.time_to_all_up(30s);
    if (!took) {
      show_logs();
    }
    CAF_REQUIRE(took.has_value());
    reconnected.push_back(*took);
    shop.listen(std::chrono::milliseconds{random() % 500});
  }
  CAF_MESSAGE(kills << " kills; all connected again: " << summary(reconnected));
  std::sort(reconnected.begin(), reconnected.end());
  CAF_CHECK(reconnected[reconnected.size() / 2] < 2s);
  CAF_CHECK(reconnected.back() < reconnects_within);
  CAF_REQUIRE(shop.time_to_all_up(30s).has_value());
  check_orders();
  stop_all();
}

CAF_TEST(a node that is silent is noticed and comes back) {
  const auto seed = std::random_device{}();
  CAF_MESSAGE("seed " << seed);
  std::mt19937 random{seed};
  shop.start_all();
  CAF_REQUIRE(shop.wait_for_ready());
  CAF_REQUIRE(shop.time_to_all_up(10s).has_value());
  shop.order_rate(30);
  std::vector<std::chrono::milliseconds> noticed;
  std::vector<std::chrono::milliseconds> back;
  for (const auto& silent : shop_nodes) {
    shop.listen(500ms);
    shop.pause(silent, true);
    const auto stopped = process::clock::now();
    for (const auto& other : shop_nodes) {
      if (other == silent) {
        continue;
      }
      CAF_CHECK(shop.wait_until([&] { return shop.sees(other, silent, false, stopped); }, notices_at_most));
      noticed.push_back(
          std::chrono::duration_cast<std::chrono::milliseconds>(process::clock::now() - stopped));
    }
    shop.listen(std::chrono::milliseconds{random() % 2'000}); // dialed at any moment
    shop.pause(silent, false);
    const auto took = shop.time_to_all_up(30s);
    if (!took || *took > 2s) {
      show_logs();
    }
    CAF_REQUIRE(took.has_value());
    back.push_back(*took);
  }
  CAF_MESSAGE("noticed: " << summary(noticed) << "; connected again: " << summary(back));
  std::sort(noticed.begin(), noticed.end());
  CAF_CHECK(noticed[noticed.size() / 2] < notices_within);
  CAF_CHECK(*std::max_element(back.begin(), back.end()) < reconnects_within);
  check_orders();
  stop_all();
}

CAF_TEST_FIXTURE_SCOPE_END()
