#define CAF_SUITE moving

#include "tests/support/cluster_world.hpp"
#include "tests/support/orders.hpp"

#include <caf/test/dsl.hpp>

#include <string>
#include <vector>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t orders = 20;

/// Two nodes make payments. Every order stays with one of them, as long as that is up.
struct fixture {
  outside_world outside;
  const std::vector<std::pair<std::string, std::vector<std::string>>> nodes{{"ordering", {"fulfilment"}},
                                                                            {"payment-1", {"payment"}},
                                                                            {"payment-2", {"payment"}},
                                                                            {"warehouse", {"warehouse"}}};

  cluster_world::definitions workflow(bool idempotent) {
    return [this, idempotent](detail::node_runtime& node) {
      auto payment = payment_service(outside);
      if (idempotent) {
        payment.idempotent();
      }
      node.host(payment.describe());
      node.host(warehouse_service(outside).describe());
      node.host(fulfilment::describe());
    };
  }

  static void start(cluster_world& here, const std::vector<std::string>& names) {
    for (const auto& name : names) {
      CAF_REQUIRE(here.start(name).has_value());
    }
    here.run_for(1s);
  }

  static void place(cluster_world& here) {
    for (std::size_t i = 0; i < orders; ++i) {
      here.client("ordering").publish(order_placed{"o-" + std::to_string(i), 100});
    }
    here.run_for(100ms);
  }

  static std::size_t count(cluster_world& here, instance_status status) {
    const auto found = here.finish(here.client("ordering").list("fulfilment", status, 1'000));
    CAF_REQUIRE(found.has_value());
    return found->size();
  }

  /// Commands that are handed to payment-1 when it dies, before it has an answer out.
  void lose_payment_1(cluster_world& here) {
    outside.before = [&here](const outside_world::effect&, std::uint32_t) {
      if (here.is_up("payment-1")) {
        throw std::runtime_error{"not now"}; // it has them, and tries again later
      }
    };
    place(here);
    here.crash("payment-1");
    outside.before = nullptr;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(moving_tests, fixture)

CAF_TEST(what was never handed out goes to a node that is up) {
  cluster_world here{workflow(false), nodes};
  start(here, {"ordering", "warehouse"});
  place(here);
  here.run_for(60s);
  CAF_CHECK_EQUAL(count(here, instance_status::running), orders);
  start(here, {"payment-2"});
  here.run_for(10s);
  CAF_CHECK_EQUAL(count(here, instance_status::completed), orders);
  CAF_CHECK_EQUAL(outside.count("charge"), orders);
  start(here, {"payment-1"});
  here.run_for(10s);
  CAF_CHECK_EQUAL(outside.calls, 2 * orders);
}

CAF_TEST(what was sent while no node was up moves though the same one is back at once) {
  cluster_world here{workflow(false), nodes};
  start(here, {"ordering", "warehouse", "payment-2"});
  here.run_for(40s); // payment-1 is down, and overdue
  here.crash("payment-2");
  place(here);
  CAF_REQUIRE(here.start("payment-2").has_value());
  here.run_for(20s);
  CAF_CHECK_EQUAL(count(here, instance_status::completed), orders);
}

CAF_TEST(case 17 - what may have been handed out stays with its node) {
  cluster_world here{workflow(false), nodes};
  start(here, {"ordering", "warehouse", "payment-1", "payment-2"});
  lose_payment_1(here);
  here.run_for(120s);
  const auto left = count(here, instance_status::running);
  CAF_CHECK(left > 0 && left < orders);
  start(here, {"payment-1"});
  here.run_for(10s);
  CAF_CHECK_EQUAL(count(here, instance_status::completed), orders);
  CAF_CHECK_EQUAL(outside.count("charge"), orders);
}

CAF_TEST(case 17 - after a restart of its sender everything counts as handed out) {
  cluster_world here{workflow(false), nodes};
  start(here, {"ordering", "warehouse"});
  place(here);
  here.crash("ordering");
  start(here, {"ordering", "payment-2"});
  here.run_for(120s);
  const auto left = count(here, instance_status::running);
  CAF_CHECK(left > 0 && left < orders);
  start(here, {"payment-1"});
  here.run_for(10s);
  CAF_CHECK_EQUAL(count(here, instance_status::completed), orders);
  CAF_CHECK_EQUAL(outside.count("charge"), orders);
}

CAF_TEST(commands of an idempotent service move after a while though they were handed out) {
  cluster_world here{workflow(true), nodes};
  start(here, {"ordering", "warehouse", "payment-1", "payment-2"});
  lose_payment_1(here);
  here.run_for(25s);
  CAF_CHECK(count(here, instance_status::running) > 0);
  here.run_for(10s); // move-after is 30 s
  CAF_CHECK_EQUAL(count(here, instance_status::completed), orders);
  // It comes back and finds that nobody waits for what it has; its key keeps it from doing harm.
  start(here, {"payment-1"});
  here.run_for(30s);
  CAF_CHECK_EQUAL(outside.count("charge"), orders);
  CAF_CHECK_EQUAL(count(here, instance_status::completed), orders);
  for (const auto* node : {"payment-1", "payment-2"}) {
    for (const auto& [key, value] : here.disk(node)->snapshot()) {
      CAF_CHECK(key.front() != 'r'); // every command was answered and forgotten
      CAF_CHECK(key.front() != 'o');
    }
  }
}

CAF_TEST(moves survive crashes and cuts at any moment) {
  for (int seed = 1; seed <= 30; ++seed) {
    outside = {};
    cluster_world here{workflow(true), nodes, static_cast<std::uint64_t>(seed)};
    here.cluster().move_after = 2s;
    start(here, {"ordering", "warehouse", "payment-1", "payment-2"});
    std::size_t accepted = 0;
    std::vector<publication> sent;
    for (int round = 0; round < 10; ++round) {
      for (int i = 0; i < 5; ++i) {
        sent.push_back(
            here.client("ordering")
                .publish(order_placed{"o-" + std::to_string(round) + "-" + std::to_string(i), 100}));
      }
      here.run_for(std::chrono::microseconds{here.draw(5'000)});
      const auto* one = here.draw(2) == 0 ? "payment-1" : "payment-2";
      if (here.draw(3) == 0) {
        here.cut("ordering", one, here.draw(2) == 0);
      } else if (here.is_up(one)) {
        here.crash(one);
      }
      here.run_for(std::chrono::milliseconds{here.draw(5'000)});
      for (const auto* node : {"payment-1", "payment-2"}) {
        if (!here.is_up(node) && here.draw(2) == 0) {
          CAF_REQUIRE(here.start(node).has_value());
        }
      }
    }
    for (const auto* node : {"payment-1", "payment-2"}) {
      if (!here.is_up(node)) {
        CAF_REQUIRE(here.start(node).has_value());
      }
    }
    here.run_for(60s);
    for (const auto& one : sent) {
      accepted += one.get().has_value() ? 1 : 0;
    }
    const auto completed = count(here, instance_status::completed);
    CAF_CHECK_EQUAL(completed, accepted);
    CAF_CHECK_EQUAL(outside.count("charge"), accepted); // one for each key, and one key for each order
    if (completed != accepted || outside.count("charge") != accepted) {
      CAF_MESSAGE("seed " << seed);
      break;
    }
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
