// ctest: timeout=300 plain
#define CAF_SUITE orders

#include "tests/support/cluster_world.hpp"
#include "tests/support/orders.hpp"

#include <caf/test/dsl.hpp>

#include <cstdlib>
#include <map>
#include <set>
#include <string_view>
#include <vector>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

const std::vector<std::pair<std::string, std::vector<std::string>>> three_nodes{
    {"ordering", {"fulfilment"}}, {"payment", {"payment"}}, {"warehouse", {"warehouse"}}};

struct fixture {
  outside_world outside;

  bool place(cluster_world& here, const order_placed& order) {
    const auto sent = here.client("ordering").publish(order);
    here.run_for(5ms);
    return sent.taken().wait_for(0s) == std::future_status::ready && sent.get().has_value();
  }

  std::size_t keys_of(const std::string& kind, const std::string& order) const {
    std::set<std::string> keys;
    for (const auto& effect : outside.effects) {
      if (effect.kind == kind && effect.order == order) {
        keys.insert(effect.key);
      }
    }
    return keys.size();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(cluster_tests, fixture)

CAF_TEST(an order goes through three nodes) {
  cluster_world here{order_workflow(outside), three_nodes};
  here.start_all();
  here.run_for(1s);
  CAF_REQUIRE(place(here, {"o-1", 100}));
  CAF_REQUIRE(place(here, {"o-2", 100'001}));
  CAF_REQUIRE(place(here, {"none-1", 100}));
  here.run_for(1s);
  CAF_CHECK_EQUAL(here.status_of("ordering", "fulfilment", "o-1"), "completed");
  CAF_CHECK_EQUAL(here.status_of("ordering", "fulfilment", "o-2"), "compensated");
  CAF_CHECK_EQUAL(here.status_of("ordering", "fulfilment", "none-1"), "compensated");
  CAF_CHECK_EQUAL(outside.count("charge"), 2u);
  CAF_CHECK_EQUAL(outside.count("refund"), 1u);
  CAF_CHECK_EQUAL(outside.count("label"), 1u);
}

CAF_TEST(nothing of a finished command stays on any node) {
  cluster_world here{order_workflow(outside), three_nodes};
  here.start_all();
  here.run_for(1s);
  for (int i = 0; i < 20; ++i) {
    CAF_REQUIRE(place(here, {"o-" + std::to_string(i), 100}));
  }
  here.run_for(5s);
  for (const auto& node : {"payment", "warehouse"}) {
    for (const auto& [key, value] : here.disk(node)->snapshot()) {
      CAF_CHECK(key.front() != 'r');
      CAF_CHECK(key.front() != 'o');
    }
  }
}

CAF_TEST(what is meant for a node that is down waits and goes on when it is back) {
  cluster_world here{order_workflow(outside), three_nodes};
  CAF_REQUIRE(here.start("ordering"));
  CAF_REQUIRE(here.start("warehouse"));
  here.run_for(1s);
  for (int i = 0; i < 50; ++i) {
    CAF_REQUIRE(place(here, {"o-" + std::to_string(i), 100}));
  }
  here.run_for(60s);
  CAF_CHECK_EQUAL(here.status_of("ordering", "fulfilment", "o-7"), "running");
  CAF_CHECK_EQUAL(outside.calls, 0u);
  here.crash("ordering");
  CAF_REQUIRE(here.start("ordering"));
  CAF_REQUIRE(here.start("payment"));
  here.run_for(5s);
  for (int i = 0; i < 50; ++i) {
    CAF_CHECK_EQUAL(here.status_of("ordering", "fulfilment", "o-" + std::to_string(i)), "completed");
  }
  CAF_CHECK_EQUAL(outside.count("charge"), 50u);
}

CAF_TEST(what was cancelled while its service was down is not done when the service is back) {
  cluster_world here{order_workflow(outside), three_nodes};
  here.start_all();
  here.run_for(1s);
  here.crash("payment");
  here.run_for(1s);
  for (int i = 0; i < 30; ++i) { // more than payment has slots
    CAF_REQUIRE(place(here, {"o-" + std::to_string(i), 100}));
  }
  for (int i = 0; i < 30; ++i) {
    here.client("ordering").publish(order_cancelled{"o-" + std::to_string(i)});
  }
  here.run_for(1s);
  CAF_REQUIRE(here.start("payment"));
  here.run_for(5s);
  for (int i = 0; i < 30; ++i) {
    CAF_CHECK_EQUAL(here.status_of("ordering", "fulfilment", "o-" + std::to_string(i)), "compensated");
  }
  CAF_CHECK_EQUAL(outside.calls, 0u); // neither charged nor refunded
}

CAF_TEST(more commands than a service has room for stay with their senders and all are handled) {
  cluster_world here{order_workflow(outside), three_nodes};
  CAF_REQUIRE(here.start("ordering"));
  CAF_REQUIRE(here.start("warehouse"));
  here.run_for(1s);
  for (int i = 0; i < 3'000; ++i) {
    here.client("ordering").publish(order_placed{"o-" + std::to_string(i), 100});
  }
  here.run_for(2s);
  CAF_REQUIRE(here.start("payment"));
  here.run_for(60s);
  std::size_t completed = 0;
  const auto all =
      here.finish(here.client("ordering").list("fulfilment", instance_status::completed, 10'000));
  CAF_REQUIRE(all.has_value());
  completed = all->size();
  CAF_CHECK_EQUAL(completed, 3'000u);
  CAF_CHECK_EQUAL(outside.count("charge"), 3'000u);
  CAF_CHECK_EQUAL(outside.calls, 6'000u);
}

CAF_TEST(what a link has no room for is read again from the store) {
  cluster_world here{order_workflow(outside), three_nodes};
  here.set_link_queue_max(20);
  here.start_all();
  here.run_for(1s);
  // All at once, beyond the credit and the queue of the link together.
  for (int i = 0; i < 6'000; ++i) {
    here.client("ordering").publish(order_placed{"o-" + std::to_string(i), 100});
  }
  here.run_for(60s);
  const auto all =
      here.finish(here.client("ordering").list("fulfilment", instance_status::completed, 10'000));
  CAF_REQUIRE(all.has_value());
  CAF_CHECK_EQUAL(all->size(), 6'000u);
  CAF_CHECK_EQUAL(outside.calls, 12'000u);
}

CAF_TEST(crashes and cuts at any moment lose nothing and repeat nothing under another key) {
  const auto* is_long = std::getenv("CONTINUO_LONG"); // CTest sets it to 0 or 1
  const auto seeds = is_long != nullptr && std::string_view{is_long} == "1" ? 2'000 : 40;
  for (int seed = 1; seed <= seeds; ++seed) {
    outside = {};
    cluster_world here{order_workflow(outside), three_nodes, static_cast<std::uint64_t>(seed)};
    here.start_all();
    std::set<std::string> accepted;
    std::set<std::string> wanted;
    const auto names = here.names();
    for (int round = 0; round < 12; ++round) {
      wanted.insert((round % 4 == 3 ? "none-" : "o-") + std::to_string(round));
      for (const auto& order : wanted) {
        if (here.is_up("ordering") && !accepted.contains(order) && place(here, {order, 100})) {
          accepted.insert(order);
        }
      }
      here.disturb();
      here.run_for(std::chrono::microseconds{here.draw(400'000)});
      for (const auto& name : names) {
        if (!here.is_up(name) && here.draw(2) == 0) {
          const auto started = here.start(name);
          CAF_REQUIRE(started.has_value());
        }
      }
    }
    here.heal();
    for (const auto& name : names) {
      if (!here.is_up(name)) {
        CAF_REQUIRE(here.start(name).has_value());
      }
    }
    here.run_for(30s);
    bool well = true;
    for (const auto& order : accepted) {
      const auto end = here.status_of("ordering", "fulfilment", order);
      const auto expected = order.starts_with("none") ? "compensated" : "completed";
      well = well && end == expected && keys_of("charge", order) == 1 && keys_of("label", order) <= 1;
      if (end != expected) {
        CAF_MESSAGE("seed " << seed << ": " << order << " is " << end);
      }
    }
    for (const auto& name : names) {
      well = well && here.node(name).figures().orphaned == 0;
    }
    CAF_CHECK(well);
    if (!well) {
      CAF_MESSAGE("seed " << seed);
      for (const auto& name : names) {
        const auto failed = here.node(name).failed();
        if (failed.wait_for(0s) == std::future_status::ready) {
          CAF_MESSAGE(name << " failed: " << failed.get().message);
        }
        for (const auto& peer : here.node(name).peers()) {
          CAF_MESSAGE(name << " sees " << peer.name << (peer.up ? " up" : " down") << ", connection "
                           << peer.connections << ", waiting " << peer.waiting << ", unanswered "
                           << peer.unanswered << ", last error: " << peer.last_error);
        }
      }
      break;
    }
  }
}

// -- amnesia -----------------------------------------------------------------------------------

CAF_TEST(a node whose data directory was wiped stops before it uses an id twice) {
  cluster_world here{order_workflow(outside), three_nodes};
  here.start_all();
  here.run_for(1s);
  CAF_REQUIRE(place(here, {"o-1", 100}));
  here.run_for(1s);
  here.crash("payment");
  here.disk("payment") = std::make_shared<journal::memory_disk>();
  CAF_REQUIRE(here.start("payment"));
  here.run_for(3s);
  const auto failed = here.node("payment").failed();
  CAF_REQUIRE(failed.wait_for(0s) == std::future_status::ready);
  CAF_CHECK(failed.get().code == errc::identity);
  const auto other = here.node("ordering").failed();
  CAF_CHECK(other.wait_for(0s) != std::future_status::ready);
}

CAF_TEST(a node on an old copy of its data stops before it uses an id twice) {
  for (const auto& forgetful : {"ordering", "payment"}) { // one dials, one is dialed
    cluster_world here{order_workflow(outside), three_nodes};
    here.start_all();
    here.run_for(1s);
    CAF_REQUIRE(place(here, {"o-1", 100}));
    here.run_for(2s);
    const auto old = here.disk(forgetful)->snapshot();
    CAF_REQUIRE(place(here, {"o-2", 100}));
    here.run_for(2s);
    here.crash(forgetful);
    here.disk(forgetful) = std::make_shared<journal::memory_disk>();
    journal::memory_store copy{here.disk(forgetful)};
    journal::batch all;
    for (const auto& [key, value] : old) {
      all.push_back({journal::operation::kind::put, key, value});
    }
    CAF_REQUIRE(copy.commit(all).has_value());
    CAF_REQUIRE(here.start(forgetful).has_value());
    here.run_for(3s);
    const auto failed = here.node(forgetful).failed();
    CAF_REQUIRE(failed.wait_for(0s) == std::future_status::ready);
    CAF_CHECK(failed.get().code == errc::identity);
  }
}

CAF_TEST(an ordinary crash is not taken for a loss) {
  cluster_world here{order_workflow(outside), three_nodes};
  here.start_all();
  for (int i = 0; i < 10; ++i) {
    here.run_for(300ms);
    CAF_REQUIRE(place(here, {"o-" + std::to_string(i), 100}));
    here.crash(here.names()[static_cast<std::size_t>(i) % 3]);
    CAF_REQUIRE(here.start(here.names()[static_cast<std::size_t>(i) % 3]).has_value());
  }
  here.run_for(5s);
  for (const auto& name : here.names()) {
    CAF_CHECK(here.node(name).failed().wait_for(0s) != std::future_status::ready);
  }
}

// -- strangers ------------------------------------------------------------------------------------

CAF_TEST(a node that places things elsewhere is refused and said so) {
  cluster_world here{order_workflow(outside), three_nodes};
  CAF_REQUIRE(here.start("ordering"));
  here.cluster().nodes[1].hosts = {"payment", "warehouse"};
  here.cluster().nodes[2].hosts = {};
  CAF_REQUIRE(here.start("payment"));
  here.run_for(3s);
  bool found = false;
  for (const auto& peer : here.node("ordering").peers()) {
    if (peer.name == "payment") {
      found = true;
      CAF_CHECK(!peer.up);
      CAF_CHECK(peer.last_error.find("places sagas or services on other nodes") != std::string::npos);
    }
  }
  CAF_CHECK(found);
}

CAF_TEST_FIXTURE_SCOPE_END()
