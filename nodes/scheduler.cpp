#include "nodes/scheduler.hpp"

#include <caf/config_value.hpp>
#include <caf/detail/set_thread_name.hpp>
#include <caf/detail/thread_safe_actor_clock.hpp>
#include <caf/execution_unit.hpp>
#include <caf/logger.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace continuo::nodes {

namespace {

class work_queue {
public:
  /// @param job null: the worker that takes it ends
  void put(caf::resumable* job) {
    {
      const std::lock_guard lock{mutex_};
      jobs_.push_back(job);
    }
    changed_.notify_one();
  }

  caf::resumable* take() {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [this] { return !jobs_.empty(); });
    auto* job = jobs_.front();
    jobs_.pop_front();
    return job;
  }

  /// What nobody will take any more.
  std::deque<caf::resumable*> rest() {
    const std::lock_guard lock{mutex_};
    return std::exchange(jobs_, {});
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<caf::resumable*> jobs_;
};

class worker : public caf::execution_unit {
public:
  worker(caf::actor_system& system, work_queue& queue) : caf::execution_unit(&system), queue_(&queue) {}

  void exec_later(caf::resumable* job) override { queue_->put(job); }

  void run(std::size_t throughput) {
    while (auto* job = queue_->take()) {
      switch (job->resume(this, throughput)) {
      case caf::resumable::resume_later:
        queue_->put(job); // with its reference
        break;
      case caf::resumable::done:
      case caf::resumable::awaiting_message:
      case caf::resumable::shutdown_execution_unit: // of CAF's own scheduler: nobody answers it here
        caf::intrusive_ptr_release(job);
        break;
      }
    }
  }

private:
  work_queue* queue_;
};

class sharing_scheduler : public caf::scheduler::abstract_coordinator {
public:
  using abstract_coordinator::abstract_coordinator;

  void start() override {
    for (std::size_t i = 0; i < num_workers(); ++i) {
      workers_.push_back(std::make_unique<worker>(system(), queue_));
      threads_.push_back(start_thread("caf.multiplexer",
                                      [this, one = workers_.back().get()] { one->run(max_throughput()); }));
    }
    timer_ = start_thread("caf.clock", [this] { clock_.run_dispatch_loop(); });
    abstract_coordinator::start();
  }

  void stop() override {
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      queue_.put(nullptr); // behind what is there: that is done yet
    }
    stop_actors();
    for (auto& thread : threads_) {
      thread.join();
    }
    clock_.cancel_dispatch_loop();
    timer_.join();
    for (auto rest = queue_.rest(); !rest.empty(); rest = queue_.rest()) {
      for (auto* job : rest) {
        cleanup_and_release(job);
      }
    }
  }

  void enqueue(caf::resumable* job) override { queue_.put(job); }

  caf::actor_clock& clock() noexcept override { return clock_; }

private:
  /// A thread as CAF starts one, with its name and its hooks.
  std::thread start_thread(const char* name, std::function<void()> work) {
    return std::thread{[this, name, work = std::move(work)] {
      CAF_SET_LOGGER_SYS(&system());
      caf::detail::set_thread_name(name);
      system().thread_started();
      work();
      system().thread_terminates();
    }};
  }

  work_queue queue_;
  caf::detail::thread_safe_actor_clock clock_;
  std::vector<std::unique_ptr<worker>> workers_;
  std::vector<std::thread> threads_;
  std::thread timer_;
};

} // namespace

void share_work(caf::actor_system_config& config) {
  if (caf::get_or(config, "scheduler.policy", caf::atom("stealing")) == caf::atom("sharing") &&
      !caf::get_or(config, "scheduler.enable-profiling", false)) {
    const auto make = [](caf::actor_system& system) -> caf::actor_system::module* {
      return new sharing_scheduler(system);
    };
    config.module_factories.insert(config.module_factories.begin(), make); // an application's own wins
  }
}

} // namespace continuo::nodes
