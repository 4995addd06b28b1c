#pragma once

#include "actors/core.hpp"

#include <condition_variable>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace continuo::nodes {

/// Threads for handlers that block. Made as they are needed, at most `threads_max`; each service's own limit
/// bounds how many of its jobs come here at a time, so the queue is bounded by the sum of those limits. A
/// handler that never returns keeps its thread, and what the thread works with, for ever: the pool may be
/// gone by then. A job posted in a run of an actor on a scheduler of ours gets a thread at the end of the
/// run, where code of the application begins in it, or when 16 wait; any other at once.
class thread_pool : public actors::handler_pool {
public:
  /// `failed` is told, on any thread, where the system has no thread for a job. The job then does not run.
  thread_pool(std::size_t threads_max, std::function<void(const error&)> failed);
  ~thread_pool() override;

  void post(messages::envelope message, actors::handler_job handler) override;
  std::vector<std::string> stop(std::chrono::milliseconds patience) override;

private:
  struct worker {
    std::thread thread;
    const messages::envelope* runs = nullptr; ///< what its handler handles; null: nothing
    bool ended = false;
  };

  struct job {
    messages::envelope message;
    actors::handler_job handler;
  };

  /// What the threads share; it lives as long as one of them does.
  struct shared {
    std::size_t threads_max = 0;
    std::function<void(const error&)> failed;

    std::mutex mutex;               ///< guards what follows
    std::condition_variable called; ///< somebody is to work, or all are to end
    std::condition_variable ended;
    std::deque<job> jobs;
    std::list<worker> workers;
    std::size_t idle = 0;
    bool waking = false;         ///< somebody was called and is not here yet
    std::size_t unannounced = 0; ///< jobs of this run of an actor that nobody was called for
    bool stopping = false;
  };

  static void call_somebody(const std::shared_ptr<shared>& state, std::unique_lock<std::mutex> lock);
  static void announce(const std::shared_ptr<void>& state);
  static void work(const std::shared_ptr<shared>& state, worker& self);

  std::shared_ptr<shared> state_ = std::make_shared<shared>();
};

} // namespace continuo::nodes
