#pragma once

#include "tests/support/order_workflow.hpp"
#include "tests/support/world.hpp"

#include <continuo/service.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

/// The services of the order workflow: every effect on the outside world is noted in a book that outlives
/// crashes.
namespace continuo::tests {

/// The outside world: what the handlers did to it, under which key. A repeated key does nothing a second
/// time.
struct outside_world {
  struct effect {
    std::string kind; ///< charge, refund, label
    std::string order;
    std::string key;

    friend bool operator==(const effect&, const effect&) = default;
  };

  std::vector<effect> effects;
  std::uint64_t calls = 0; ///< of handlers, repeated ones included

  /// Called by each handler first: a test throws, or looks at the node, from here.
  std::function<void(const effect&, std::uint32_t attempt)> before;

  void act(const std::string& kind, const std::string& order, const command_context& context);
  std::size_t count(const std::string& kind, const std::string& order = {}) const;
};

/// Payment (declines over 100,000 cents) and warehouse (has no stock for orders whose id begins with "none").
service payment_service(outside_world& outside);
service warehouse_service(outside_world& outside);

/// A world that hosts the order workflow.
world::definitions order_workflow(outside_world& outside);

} // namespace continuo::tests
