#pragma once

#include "engine/moment.hpp"
#include "engine/transition.hpp"
#include "journal/histogram.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace continuo::actors {

/// Lets one of many through: the first, then one in ten seconds. Any thread.
class seldom {
public:
  /// How many were kept back since one was let through; nothing where this one is kept back as well.
  std::optional<std::uint64_t> let_through(engine::boot_time now) {
    constexpr std::int64_t pause = std::chrono::nanoseconds{std::chrono::seconds{10}}.count();
    const auto at = now.since_boot.count();
    auto last = last_.load(std::memory_order_relaxed);
    if ((last != 0 && at - last < pause) || !last_.compare_exchange_strong(last, at)) {
      kept_back_.fetch_add(1, std::memory_order_relaxed);
      return std::nullopt;
    }
    return kept_back_.exchange(0, std::memory_order_relaxed);
  }

private:
  std::atomic<std::int64_t> last_{0};
  std::atomic<std::uint64_t> kept_back_{0};
};

/// What one service has done on this node since it started. Written by the service's actor, those of a keyed
/// service by all its instances; read by any thread. Each on cache lines of its own, so that services do not
/// slow each other down.
struct alignas(64) service_counters {
  std::atomic<std::int64_t> in_execution{0}; ///< handlers that have not returned; of a stateless service
  std::atomic<std::uint64_t> completed{0};   ///< commands with a reply, events that were handled
  std::atomic<std::uint64_t> declined{0};    ///< by the handler
  std::atomic<std::uint64_t> gave_up{0};     ///< after the last attempt
  std::atomic<std::uint64_t> retries{0};     ///< attempts after the first one that began
  std::array<std::atomic<std::uint64_t>, 3> queued{}; ///< in memory for their turn, by `priority`
  std::atomic<bool> breaker_open{false};
  std::atomic<std::uint64_t> breaker_opened{0};
  journal::histogram handler_times{journal::time_bounds_ns};
  seldom failures_told;

  void count(engine::settlement what) {
    switch (what) {
    case engine::settlement::none:
      break;
    case engine::settlement::completed:
      completed.fetch_add(1, std::memory_order_relaxed);
      break;
    case engine::settlement::declined:
      declined.fetch_add(1, std::memory_order_relaxed);
      break;
    case engine::settlement::gave_up:
      gave_up.fetch_add(1, std::memory_order_relaxed);
      break;
    }
  }

  void count_handler(std::chrono::nanoseconds took) {
    handler_times.add(static_cast<std::uint64_t>(took.count()));
  }
};

} // namespace continuo::actors
