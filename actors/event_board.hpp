#pragma once

#include "engine/moment.hpp"

#include <continuo/context.hpp>
#include <continuo/ids.hpp>
#include <continuo/status.hpp>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace continuo::actors {

/// Something that people want to see when it happens. Durable when it is noted.
struct node_event {
  enum class kind : std::uint8_t {
    instance,    ///< its status has changed
    node,        ///< a peer came up or went down
    dead_letter, ///< a new one
  };
  kind what = kind::instance;
  std::uint64_t number = 0; ///< given by the board
  time_point at{};
  instance_id instance; ///< of a dead letter: whom the message was for
  instance_status status = instance_status::running;
  std::string name; ///< the peer; the letter's id
  std::string note; ///< of a peer: `up`, or why it is down; of a letter: the reason
};

/// The last events of a node, for those who watch. While nobody does, nothing is kept. Written by actors,
/// read by any thread.
class event_board {
public:
  /// Events kept; who is further behind has lost some.
  static constexpr std::size_t kept_max = 4'096;

  struct page {
    std::vector<node_event> events;
    std::uint64_t last = 0; ///< the number of the newest event there is
    bool lost = false;      ///< some between the one asked for and these are not kept any more
  };

  /// Whether anybody watches, or did until now. Cheap: asked at each transition.
  bool is_watched() const { return watched_.load(std::memory_order_relaxed); }

  /// Watches until that boot time; who goes on watching says so again.
  void watch_until(engine::boot_time end);

  /// Keeps an event, and wakes who waits for one; at the first one that nobody watches any more it ends to be
  /// watched instead.
  void note(node_event event, engine::boot_time now);

  /// What came after an event, the oldest first, at most `most`.
  page after(std::uint64_t number, std::size_t most) const;

  /// Calls `more` once, from any thread, when there is something after an event, perhaps at once; not at all
  /// where `owner` has gone before.
  void when_after(std::uint64_t number, const std::shared_ptr<void>& owner, std::function<void()> more);

private:
  struct waiter {
    std::weak_ptr<void> owner;
    std::function<void()> more;
  };

  std::atomic<bool> watched_{false};
  mutable std::mutex mutex_; // guards what follows
  engine::boot_time until_;
  std::deque<node_event> events_;
  std::uint64_t last_ = 0;
  std::vector<waiter> waiters_;
};

} // namespace continuo::actors
