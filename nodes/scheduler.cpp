#include "nodes/scheduler.hpp"

#include <caf/abstract_actor.hpp>
#include <caf/config_value.hpp>
#include <caf/detail/set_thread_name.hpp>
#include <caf/detail/thread_safe_actor_clock.hpp>
#include <caf/execution_unit.hpp>
#include <caf/logger.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

namespace continuo::nodes {

namespace {

/// A worker that sleeps looks for jobs after such a time though nobody has called it: a signal that glibc
/// before 2.41 loses (its bug 25847) delays what it was for, and no more.
constexpr std::chrono::seconds sleeps_at_most{20};

/// Jobs in the order in which they came.
///
/// One worker is woken at a time, and who takes a job wakes the next where there are more: so nobody waits
/// behind a long one, and many short ones do not cost a wake-up each. A job that is there while a worker
/// sleeps always has somebody who sees to it: one that was called and is not here yet, or a worker at work
/// that takes it at the end of its run (`put_from_worker`, `put_back`).
class work_queue {
public:
  /// Any thread.
  /// @param job null: the worker that takes it ends
  void put(caf::resumable* job) {
    std::unique_lock lock{mutex_};
    jobs_.push_back(job);
    call_somebody(lock);
  }

  /// From a worker at work: what is alone in the queue it takes itself, as soon as it is done. False: it must
  /// not begin what may take long before it has called `announce`.
  bool put_from_worker(caf::resumable* job) {
    std::unique_lock lock{mutex_};
    jobs_.push_back(job);
    if (jobs_.size() == 1) {
      return false;
    }
    call_somebody(lock);
    return true;
  }

  /// From a worker that takes the next one now.
  void put_back(caf::resumable* job) {
    const std::lock_guard lock{mutex_};
    jobs_.push_back(job);
  }

  /// What waits for the end of a run does not wait for it any more.
  void announce() {
    std::unique_lock lock{mutex_};
    if (!jobs_.empty()) {
      call_somebody(lock);
    }
  }

  caf::resumable* take() {
    std::unique_lock lock{mutex_};
    while (jobs_.empty()) {
      ++idle_;
      called_.wait_for(lock, sleeps_at_most);
      --idle_;
      waking_ = false;
    }
    auto* job = jobs_.front();
    jobs_.pop_front();
    if (!jobs_.empty()) {
      call_somebody(lock);
    }
    return job;
  }

  /// What nobody will take any more.
  std::deque<caf::resumable*> rest() {
    const std::lock_guard lock{mutex_};
    return std::exchange(jobs_, {});
  }

private:
  /// @pre `lock` is held, and is needed no more
  void call_somebody(std::unique_lock<std::mutex>& lock) {
    if (idle_ == 0 || waking_) {
      return;
    }
    waking_ = true;
    lock.unlock(); // first: who wakes up would only wait for it
    called_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable called_;
  std::deque<caf::resumable*> jobs_;
  std::size_t idle_ = 0; ///< workers that wait, or were called and are not here yet
  bool waking_ = false;  ///< somebody was called and is not here yet
};

class worker : public caf::execution_unit {
public:
  worker(caf::actor_system& system, work_queue& queue) : caf::execution_unit(&system), queue_(&queue) {}

  /// CAF's, on this worker's thread in the run of an actor.
  void exec_later(caf::resumable* job) override { is_owed_ = !queue_->put_from_worker(job) || is_owed_; }

  /// Something long begins in this run: what waits for its end goes to others.
  void lets_others_work() {
    if (std::exchange(is_owed_, false)) {
      queue_->announce();
    }
    finish_run();
  }

  /// Until a null job.
  void run(std::size_t throughput) {
    here = this;
    while (auto* job = queue_->take()) {
      switch (job->resume(this, throughput)) {
      case caf::resumable::resume_later:
        queue_->put_back(job); // with its reference
        break;
      case caf::resumable::done:
      case caf::resumable::awaiting_message:
      case caf::resumable::shutdown_execution_unit: // of CAF's own scheduler: nobody answers it here
        caf::intrusive_ptr_release(job);            // may be its end, which is a part of the run
        break;
      }
      finish_run();
      is_owed_ = false; // it takes the next one now
    }
  }

  void when_run_is_over(const std::shared_ptr<void>& of, after_run what) {
    const auto is_it = [&](const afterwards& one) { return one.of == of && one.what == what; };
    if (std::none_of(afterwards_.begin(), afterwards_.end(), is_it)) {
      afterwards_.push_back({of, what});
    }
  }

  static thread_local worker* here; ///< null on other threads

private:
  struct afterwards {
    std::shared_ptr<void> of;
    after_run what;
  };

  void finish_run() {
    while (!afterwards_.empty()) { // what is called may ask for more, and may come here again
      const auto one = std::move(afterwards_.back());
      afterwards_.pop_back();
      one.what(one.of);
    }
  }

  work_queue* queue_;
  bool is_owed_ = false; ///< a job waits for the end of this run
  std::vector<afterwards> afterwards_;
};

thread_local worker* worker::here = nullptr;

/// CAF's clock, without the wake-up that it takes to tell it that an actor has ended: most actors have never
/// set a limit that could be left. Who sets one does it in its own run, and ends only after that; both go to
/// CAF's clock in this order. So what is kept from the clock here, it would find nothing for. Messages sent
/// with a delay are not in this: CAF does not cancel them. Any thread.
class quiet_clock : public caf::detail::thread_safe_actor_clock {
public:
  void set_ordinary_timeout(time_point at, caf::abstract_actor* self, caf::atom_value type,
                            std::uint64_t id) override {
    remember(self);
    thread_safe_actor_clock::set_ordinary_timeout(at, self, type, id);
  }

  void set_multi_timeout(time_point at, caf::abstract_actor* self, caf::atom_value type,
                         std::uint64_t id) override {
    remember(self);
    thread_safe_actor_clock::set_multi_timeout(at, self, type, id);
  }

  void set_request_timeout(time_point at, caf::abstract_actor* self, caf::message_id id) override {
    remember(self);
    thread_safe_actor_clock::set_request_timeout(at, self, id);
  }

  void cancel_timeouts(caf::abstract_actor* self) override {
    {
      const std::lock_guard lock{mutex_};
      if (waiting_.erase(self->id()) == 0) {
        return;
      }
    }
    thread_safe_actor_clock::cancel_timeouts(self);
  }

private:
  void remember(const caf::abstract_actor* self) {
    const std::lock_guard lock{mutex_};
    waiting_.insert(self->id());
  }

  std::mutex mutex_;
  std::unordered_set<caf::actor_id> waiting_; ///< living actors that have set one
};

class sharing_scheduler : public caf::scheduler::abstract_coordinator {
public:
  using abstract_coordinator::abstract_coordinator;

  void start() override {
    for (std::size_t i = 0; i < num_workers(); ++i) {
      workers_.push_back(std::make_unique<worker>(system(), *queue_));
      threads_.push_back(start_thread("caf.multiplexer",
                                      [this, one = workers_.back().get()] { one->run(max_throughput()); }));
    }
    timer_ = start_thread("caf.clock", [this] { clock_.run_dispatch_loop(); });
    abstract_coordinator::start();
  }

  void stop() override {
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      queue_->put(nullptr); // behind what is there: that is done yet
    }
    stop_actors();
    for (auto& thread : threads_) {
      thread.join();
    }
    clock_.cancel_dispatch_loop();
    timer_.join();
    for (auto rest = queue_->rest(); !rest.empty(); rest = queue_->rest()) {
      for (auto* job : rest) {
        cleanup_and_release(job);
      }
    }
  }

  void enqueue(caf::resumable* job) override {
    const auto queue =
        queue_; // where the job is the last of the system, that may be gone before `put` returns
    queue->put(job);
  }

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

  const std::shared_ptr<work_queue> queue_ = std::make_shared<work_queue>();
  quiet_clock clock_;
  std::vector<std::unique_ptr<worker>> workers_;
  std::vector<std::thread> threads_;
  std::thread timer_;
};

} // namespace

bool when_run_is_over(const std::shared_ptr<void>& of, after_run what) {
  if (worker::here == nullptr) {
    return false;
  }
  worker::here->when_run_is_over(of, what);
  return true;
}

void let_others_work() {
  if (worker::here != nullptr) {
    worker::here->lets_others_work();
  }
}

void share_work(caf::actor_system_config& config) {
  if (caf::get_or(config, "scheduler.policy", caf::atom("stealing")) == caf::atom("sharing") &&
      !caf::get_or(config, "scheduler.enable-profiling", false)) {
    const auto make = [](caf::actor_system& system) -> caf::actor_system::module* {
      return new sharing_scheduler(system);
    };
    if (caf::get_if<std::size_t>(&config, "scheduler.max-throughput") == caf::none) {
      config.set("scheduler.max-throughput", messages_a_run);
    }
    config.module_factories.insert(config.module_factories.begin(), make); // an application's own wins
  }
}

} // namespace continuo::nodes
