#pragma once

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

namespace continuo::testing {

/// What `next_ns` says where nothing will happen.
inline constexpr auto at_no_time = std::numeric_limits<std::int64_t>::max();

/// The actor system of one life of a node, on CAF's test coordinator: its jobs run when they are told to, its
/// time passes when it is told to. What is special to this coordinator of CAF 0.17 is here.
class virtual_system {
public:
  /// @param now_ns the time on its clock
  explicit virtual_system(std::int64_t now_ns);

  caf::actor_system& system() const { return *system_; }

  // -- jobs --------------------------------------------------------------------------------
  std::size_t jobs() const { return coordinator_->jobs.size(); }

  /// Runs the `nth` job that waits: an actor handles one message.
  void run(std::size_t nth);

  /// Runs all jobs there are, until there are none.
  void drain();

  /// Where the job of this actor stands, if it waits.
  std::optional<std::size_t> job_of(const caf::actor& one) const;

  // -- time ---------------------------------------------------------------------------------
  /// Sets the clock, and sends what has fallen due.
  void advance_to(std::int64_t now_ns);

  /// When something falls due next, or `at_no_time`.
  std::int64_t next_ns() const;

  /// How many messages wait in the clock for this actor.
  std::size_t messages_due_for(const caf::actor& one) const;

  /// When the first message falls due that is for none of these actors, or `at_no_time`.
  std::int64_t next_beside_ns(const std::vector<caf::actor>& these) const;

  /// Time passes for these actors alone: their messages are due so much later. The clock goes on, and nothing
  /// is sent.
  void pass_over(std::int64_t time_ns, const std::vector<caf::actor>& these);

private:
  caf::actor_system_config config_;
  std::unique_ptr<caf::actor_system> system_;
  caf::scheduler::test_coordinator* coordinator_ = nullptr;
};

} // namespace continuo::testing
