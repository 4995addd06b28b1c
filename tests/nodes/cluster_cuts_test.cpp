#define CAF_SUITE cluster_cuts
// ctest: timeout=240 labels=processes plain

#include "tests/nodes/tcp_gate.hpp"
#include "tests/nodes/visited_shop.hpp"

#include <caf/test/dsl.hpp>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

using milliseconds = std::chrono::milliseconds;

// Five and two seconds are promised on a machine that has time for it; a busy one gets more.
constexpr auto notices_within = 8s;
constexpr auto reconnects_within = 6s;

/// A cluster with a gate in each of its connections, and orders that come in all the time.
struct fixture : visited_shop {
  tcp_gate ordering_payment{shop.port("payment")};
  tcp_gate ordering_warehouse{shop.port("warehouse")};
  tcp_gate payment_warehouse{shop.port("warehouse")};
  std::array<tcp_gate*, 3> gates{&ordering_payment, &ordering_warehouse, &payment_warehouse};

  fixture() {
    std::ofstream{shop.file("ordering")}
        << shop.file_text({{"payment", ordering_payment.port()}, {"warehouse", ordering_warehouse.port()}});
    std::ofstream{shop.file("payment")} << shop.file_text({{"warehouse", payment_warehouse.port()}});
    shop.start_all();
    CAF_REQUIRE(shop.wait_for_ready());
    CAF_REQUIRE(shop.time_to_all_up(10s).has_value());
    shop.order_rate(30);
  }

  /// How long it takes until all see all as down.
  milliseconds time_to_all_down() {
    const auto begun = process::clock::now();
    CAF_CHECK(shop.wait_until(
        [&] {
          return std::all_of(shop_nodes.begin(), shop_nodes.end(), [&](const auto& one) {
            return std::all_of(shop_nodes.begin(), shop_nodes.end(), [&](const auto& other) {
              return one == other || shop.sees(one, other, false, begun);
            });
          });
        },
        notices_within));
    return std::chrono::duration_cast<milliseconds>(process::clock::now() - begun);
  }

  milliseconds heal() {
    for (auto* gate : gates) {
      gate->heal();
    }
    const auto took = shop.time_to_all_up(30s);
    if (!took) {
      for (const auto& name : shop_nodes) {
        CAF_MESSAGE(name << ":\n" << shop.said(name));
      }
    }
    CAF_REQUIRE(took.has_value());
    CAF_CHECK(*took < reconnects_within);
    return *took;
  }

  /// They go on, and end as they should.
  void check_all_goes_on() {
    const auto before = shop.ended().size();
    CAF_CHECK(shop.wait_until([&] { return shop.ended().size() > before + 20; }, 10s));
    check_orders_and_stop();
    CAF_MESSAGE(shop.accepted().size() << " orders");
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(cluster_cuts_tests, fixture)

CAF_TEST(cut connections come back and lose nothing) {
  const auto seed = std::random_device{}();
  CAF_MESSAGE("seed " << seed);
  std::mt19937 random{seed};
  const int cuts = is_long() ? 300 : 40;
  for (int i = 0; i < cuts; ++i) {
    auto& gate = *gates[random() % gates.size()];
    gate.cut(random() % 3 == 0);
    shop.listen(milliseconds{random() % 250});
    gate.heal();
    shop.listen(milliseconds{random() % 150});
  }
  CAF_MESSAGE(cuts << " cuts; connected again after " << heal().count() << " ms");
  check_all_goes_on();
}

CAF_TEST(a black hole in any direction is noticed and left) {
  for (std::size_t round = 0; round < gates.size(); ++round) {
    gates[round]->hold(true, true);
    gates[(round + 1) % 3]->hold(true, false);
    gates[(round + 2) % 3]->hold(false, true);
    const auto noticed = time_to_all_down();
    shop.listen(milliseconds{1'000 * round}); // redialing into it
    const auto back = heal();
    CAF_MESSAGE("noticed after " << noticed.count() << " ms, connected again after " << back.count()
                                 << " ms");
  }
  check_all_goes_on();
}

CAF_TEST(a connection of which one side is gone is replaced) {
  for (const bool dialers : {true, false}) {
    for (auto* gate : gates) {
      dialers ? gate->cut_dialers() : gate->cut_targets();
    }
    shop.listen(200ms);
    const auto took = shop.time_to_all_up(10s);
    CAF_REQUIRE(took.has_value());
    CAF_MESSAGE((dialers ? "the dialing" : "the other")
                << " side cut: connected again after " << took->count() << " ms");
  }
  check_all_goes_on();
}

CAF_TEST(a slow network is slow and nothing else) {
  for (auto* gate : gates) {
    gate->delay(400ms);
  }
  shop.listen(2s);
  for (auto* gate : gates) {
    gate->cut();
  }
  shop.listen(100ms);
  const auto took = shop.time_to_all_up(20s); // with a handshake at 800 ms for each round trip
  CAF_REQUIRE(took.has_value());
  CAF_MESSAGE("connected again after " << took->count() << " ms");
  const auto since = process::clock::now();
  shop.listen(6s);
  for (const auto& one : shop_nodes) {
    for (const auto& other : shop_nodes) {
      CAF_CHECK(one == other || shop.sees(one, other, true, since + 5s));
    }
  }
  heal();
  check_all_goes_on();
}

CAF_TEST_FIXTURE_SCOPE_END()
