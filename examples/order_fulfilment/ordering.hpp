#pragma once

#include "messages.hpp"

#include <continuo/client.hpp>
#include <continuo/result.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

namespace order_fulfilment {

/// The ordering service: takes orders into the node by publishing `order_placed`, and counts how they end.
/// Whatever the node knows already from an earlier run is not placed again, only watched. (Nothing would
/// break if it were: `order_placed` starts an order once.) Not thread-safe.
class ordering {
public:
  /// How far the orders are. `placed` counts what the node has durably accepted, in this run or before.
  struct progress {
    std::size_t placed = 0;
    std::size_t shipped = 0;
    std::size_t compensated = 0;

    std::size_t waiting() const { return placed - shipped - compensated; }
  };

  /// `rate` is in orders a second; 0 places them as fast as the node takes them.
  ordering(continuo::client client, std::vector<order_placed> orders, double rate);

  // -- actions ------------------------------------------------------------------------
  /// Looks up which orders the node knows, so that only the others will be placed. Call it once, first.
  continuo::result<void> find_known();

  /// Places what is due and collects the node's answers; does not block. Call it until `done`.
  continuo::result<void> step(std::chrono::steady_clock::time_point now);

  // -- queries ------------------------------------------------------------------------
  progress so_far() const;

  /// Whether every order is placed and at its end.
  bool done() const;

private:
  // Changed by threads of the node, which may outlive this object for a moment.
  struct ends {
    std::atomic<std::size_t> shipped = 0;
    std::atomic<std::size_t> compensated = 0;
  };

  void watch(const continuo::instance_id& order);

  continuo::client client_;
  std::vector<order_placed> orders_; // still to be placed from `next_` on
  std::size_t next_ = 0;
  std::deque<continuo::publication> unanswered_; // bounded: at most `unanswered_max`
  std::size_t placed_ = 0;
  double rate_ = 0;
  std::optional<std::chrono::steady_clock::time_point> begun_; // of placing
  std::shared_ptr<ends> ends_ = std::make_shared<ends>();
};

} // namespace order_fulfilment
