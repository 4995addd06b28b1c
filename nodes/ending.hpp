#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace continuo::nodes {

/// How far the end of a node has come, for those who wait for it. It outlives the node. Any thread.
class ending {
public:
  enum class step {
    none,        ///< nobody has stopped the node
    application, ///< it waits for code of the application to return, which may take for ever
    storage,     ///< that is over: what was decided is written, the store closed
    over,
  };

  /// Whether the caller is the first to stop the node, and so has to see to its end.
  bool begins() {
    const std::lock_guard lock{mutex_};
    const auto first = step_ == step::none;
    step_ = first ? step::application : step_;
    return first;
  }

  void reach(step now) {
    const std::lock_guard lock{mutex_};
    step_ = now;
    changed_.notify_all();
  }

  /// Waits until the node has ended, for code of the application no longer than `patience`; not at all for
  /// that where somebody has given up before, unless `once_more`. Says whether it is the caller who gives up.
  bool wait_or_give_up(std::chrono::milliseconds patience, bool once_more) {
    std::unique_lock lock{mutex_};
    if (given_up_ && !once_more && step_ == step::application) {
      return false;
    }
    if (!changed_.wait_for(lock, patience, [this] { return step_ != step::application; })) {
      given_up_ = true;
      return true;
    }
    changed_.wait(lock, [this] { return step_ == step::over; });
    return false;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  step step_ = step::none;
  bool given_up_ = false;
};

} // namespace continuo::nodes
