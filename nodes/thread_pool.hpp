#pragma once

#include "actors/core.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace continuo::nodes {

/// Threads for handlers that block. Made as they are needed, at most `threads_max`; each service's own limit
/// bounds how many of its jobs come here at a time, so the queue is bounded by the sum of those limits.
class thread_pool : public actors::handler_pool {
public:
  explicit thread_pool(std::size_t threads_max) : threads_max_(threads_max) {}
  ~thread_pool() override { stop(); }

  void post(const messages::envelope& message, std::function<void()> job) override;
  void stop() override;

private:
  void work();
  void call_somebody(); // with the lock held

  std::size_t threads_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  bool waking_ = false; // somebody was called and is not here yet
  bool stopping_ = false;
};

} // namespace continuo::nodes
