#pragma once

#include "bench/latencies.hpp"

#include <continuo/client.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace continuo::bench {

/// A closed loop of orders: so many are in flight at a time, and one that ends starts the next. Runs on the
/// node's threads, by callbacks; what it costs is part of what is measured. It must outlive the node's last
/// callback: call `finish` first.
class order_load {
public:
  struct options {
    std::uint32_t in_flight = 1;
    bool random_ids = false;
    std::uint64_t first_number = 0;
  };

  order_load(client target, options chosen);

  // -- the run -----------------------------------------------------------------------------
  /// Places the first orders.
  void start();

  /// From now on the ends of orders are counted and their latencies kept; before, it was warming up.
  void begin_measuring() { measuring_ = true; }
  void end_measuring() { measuring_ = false; }

  /// Starts nothing more and waits until every order has ended. False where that took longer than a minute.
  bool finish();

  // -- what came of it ---------------------------------------------------------------------
  /// Ended since it started, or in the measured time alone.
  std::uint64_t ended() const { return ended_; }
  std::uint64_t measured() const { return measured_; }

  /// From the call of `publish` until the order's durable result is there, for the orders measured.
  /// @pre `finish` has returned
  latencies taken() const;

  /// The first thing that went wrong: an order refused, or one that did not complete.
  std::optional<std::string> trouble() const;

private:
  using steady = std::chrono::steady_clock;

  /// One order at a time. Its fields belong to whichever callback runs for it.
  struct lane {
    steady::time_point begun;
    latencies taken;
  };

  void place(std::size_t lane_number);
  void end(std::size_t lane_number, const result<saga_result>& outcome);
  void leave(std::optional<std::string> trouble);

  client client_;
  options options_;
  std::vector<lane> lanes_;
  std::atomic<std::uint64_t> next_number_;
  std::atomic<std::uint64_t> ended_{0};
  std::atomic<std::uint64_t> measured_{0};
  std::atomic<bool> measuring_{false};
  std::atomic<bool> closing_{false};

  mutable std::mutex mutex_;
  std::condition_variable all_left_;
  std::uint32_t running_ = 0;
  std::optional<std::string> trouble_;
};

} // namespace continuo::bench
