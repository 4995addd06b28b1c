#pragma once

#include "tests/nodes/shop_cluster.hpp"

#include <caf/test/dsl.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace continuo::tests {

/// The three nodes of the shop, and what shows that visitors have not disturbed them.
struct visited_shop {
  shop_cluster shop;

  /// How often which nodes were connected.
  std::map<std::string, std::uint64_t> connections() {
    CAF_REQUIRE(shop.time_to_all_up(std::chrono::seconds{10}).has_value());
    std::map<std::string, std::uint64_t> found;
    for (const auto& one : shop_nodes) {
      for (const auto& other : shop_nodes) {
        if (one != other) {
          found[one + " to " + other] = shop.seen(one, other)->connections;
        }
      }
    }
    return found;
  }

  /// Orders end, and no link between the three was lost since.
  void check_undisturbed(const std::map<std::string, std::uint64_t>& before, const std::string& by) {
    const auto ended = shop.ended().size();
    if (!shop.wait_until([&] { return shop.ended().size() >= ended + 5; }, std::chrono::seconds{10})) {
      CAF_ERROR("no orders end: " << by);
    }
    for (const auto& [link, count] : connections()) {
      if (count != before.at(link)) {
        CAF_ERROR(link << " was lost: " << by);
      }
    }
  }

  /// Whether ordering and payment have connected anew since.
  bool connects_anew(const std::map<std::string, std::uint64_t>& before) {
    return shop.wait_until(
        [&] {
          const auto* seen = shop.seen("ordering", "payment");
          return seen != nullptr && seen->connections > before.at("ordering to payment");
        },
        std::chrono::seconds{30});
  }

  /// Everything that was accepted ends as it should, nothing was done twice, and all stop in order.
  void check_orders_and_stop() {
    CAF_CHECK(shop.settle(std::chrono::seconds{60}));
    const auto wrongs = shop.wrongs();
    for (std::size_t i = 0; i < wrongs.size() && i < 10; ++i) {
      CAF_MESSAGE(wrongs[i]);
    }
    CAF_CHECK_EQUAL(wrongs.size(), 0u);
    for (const auto& name : shop_nodes) {
      shop[name].kill(SIGTERM);
      CAF_CHECK_EQUAL(shop.end(name, std::chrono::seconds{6}), 0);
    }
  }
};

} // namespace continuo::tests
