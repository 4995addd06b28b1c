#pragma once

#include "actors/core.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace continuo::tests {

/// The coordinator's time as a node sees it. The wall clock can be moved by itself.
class virtual_clock : public actors::clock {
public:
  explicit virtual_clock(const caf::scheduler::test_coordinator& from) : from_(&from) {}

  engine::moment now() const override {
    const auto passed =
        const_cast<caf::scheduler::test_coordinator*>(from_)->clock().now().time_since_epoch();
    return {time_point{std::chrono::hours{24 * 365 * 56}} +
                std::chrono::duration_cast<time_point::duration>(passed) +
                std::chrono::duration_cast<time_point::duration>(wall_offset),
            {passed - boot_offset},
            boot};
  }

  std::chrono::nanoseconds wall_offset{0};
  std::chrono::nanoseconds boot_offset{0};
  std::uint64_t boot = 1;

private:
  const caf::scheduler::test_coordinator* from_;
};

/// Runs handlers as jobs of the coordinator. Handlers hang when the test wants it: those posted meanwhile run
/// when they are let go.
class coordinator_pool : public actors::handler_pool {
public:
  explicit coordinator_pool(caf::actor_system& system)
      : runner_(system.spawn([](caf::event_based_actor*) -> caf::behavior {
          return {[](actors::call& job) { job.what(); }};
        })) {}

  void hang() { hangs_ = true; }

  /// Ends that, and lets all go.
  void go_on() {
    hangs_ = false;
    let_go(hanging_.size());
  }

  /// Lets the first so many go; others hang still.
  void let_go(std::size_t count) {
    for (; count > 0 && !hanging_.empty(); --count) {
      caf::anon_send(runner_, actors::call{std::move(hanging_.front())});
      hanging_.pop_front();
    }
  }

  /// The same with the last ones, newest first.
  void let_go_last(std::size_t count) {
    for (; count > 0 && !hanging_.empty(); --count) {
      caf::anon_send(runner_, actors::call{std::move(hanging_.back())});
      hanging_.pop_back();
    }
  }

  std::size_t hanging() const { return hanging_.size(); }

  void post(messages::envelope message, actors::handler_job job) override {
    auto run = [message = std::move(message), job = std::move(job)] { job(message); };
    if (hangs_) {
      hanging_.push_back(std::move(run));
    } else if (runner_) {
      caf::anon_send(runner_, actors::call{std::move(run)});
    }
  }

  std::vector<std::string> stop(std::chrono::milliseconds) override {
    hanging_.clear();
    if (runner_) {
      caf::anon_send_exit(runner_, caf::exit_reason::kill);
      runner_ = nullptr;
    }
    return {};
  }

private:
  caf::actor runner_;
  bool hangs_ = false;
  std::deque<std::function<void()>> hanging_;
};

/// An actor system that runs in virtual time, one job after the other.
class virtual_system {
public:
  virtual_system() {
    config_.set("scheduler.policy", caf::atom("testing"));
    system_ = std::make_unique<caf::actor_system>(config_);
    clock_ = std::make_shared<virtual_clock>(coordinator());
    coordinator().clock().current_time += std::chrono::hours{1};
  }

  caf::actor_system& system() const { return *system_; }
  const std::shared_ptr<virtual_clock>& clock() const { return clock_; }

  caf::scheduler::test_coordinator& coordinator() const {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system_->scheduler());
  }

  /// Draws the order of the jobs from a seed from here on: so a sync may take long, and actors overtake each
  /// other. What one actor sends another stays in order.
  void shuffle(std::uint64_t seed) { order_ = seed; }

  /// Is called after each job, which is an actor's handling of one message.
  void watch_jobs(std::function<void()> after_job) { after_job_ = std::move(after_job); }

  /// Runs one job; false where there is none.
  bool step() {
    auto& jobs = coordinator().jobs;
    if (order_ && !jobs.empty()) {
      std::swap(jobs.front(), jobs[detail::next_random(*order_) % jobs.size()]);
    }
    const auto ran = coordinator().try_run_once();
    if (ran && after_job_) {
      after_job_();
    }
    return ran;
  }

  /// Runs until nothing can go on without time passing.
  void run() {
    while (step()) {
    }
  }

  /// Lets time pass, with all that happens meanwhile.
  void run_for(std::chrono::nanoseconds time) {
    auto& clock = coordinator().clock();
    const auto until = clock.current_time + time;
    run();
    while (!clock.schedule().empty() && clock.schedule().begin()->first <= until) {
      const auto next = clock.schedule().begin()->first;
      clock.advance_time(
          std::max(next - clock.current_time, caf::detail::test_actor_clock::duration_type{0}));
      run();
    }
    clock.advance_time(until - clock.current_time);
    run();
  }

private:
  caf::actor_system_config config_;
  std::unique_ptr<caf::actor_system> system_;
  std::shared_ptr<virtual_clock> clock_;
  std::optional<std::uint64_t> order_;
  std::function<void()> after_job_;
};

} // namespace continuo::tests
