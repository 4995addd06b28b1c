#pragma once

#include "journal/memory_store.hpp"
#include "nodes/runtime.hpp"
#include "tests/support/virtual_time.hpp"

#include <continuo/client.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace continuo::tests {

/// What a call through the client came to, once the world has run.
template <class T>
class pending {
public:
  explicit pending(std::future<result<T>> from) : future_(from.share()) {}

  bool is_ready() const { return future_.wait_for(std::chrono::seconds{0}) == std::future_status::ready; }

  /// @pre `is_ready()`
  const result<T>& get() const {
    if (!is_ready()) {
      throw std::logic_error{"the answer has not come"};
    }
    return future_.get();
  }

private:
  std::shared_future<result<T>> future_;
};

/// One node in virtual time: CAF's test coordinator runs everything, the disk is a `memory_disk` that
/// outlives the node's lives. Nothing here takes real time, and the same calls give the same run.
class world {
public:
  using definitions = std::function<void(detail::node_runtime&)>;

  /// What every life of the node hosts.
  explicit world(definitions hosts);
  ~world();
  world(const world&) = delete;
  world& operator=(const world&) = delete;

  // -- the node's life -------------------------------------------------------------
  /// Starts a life of the node on the disk. @pre none is under way
  result<void> start();

  /// Ends it as a crash does: what was not synced is gone, no handler says goodbye.
  void crash();

  bool is_up() const { return runtime_ != nullptr; }
  continuo::client client() const { return continuo::client{runtime_}; }
  detail::node_runtime& node() const { return *runtime_; }
  node_config& config() { return config_; }
  journal::memory_disk& disk() { return *disk_; }

  // -- time ------------------------------------------------------------------------
  /// Runs until nothing can go on without time passing.
  void run();

  /// Runs until everything decided is durable as well: the journal lets what nobody waits for wait for a
  /// moment.
  void settle() { run_for(std::chrono::milliseconds{5}); }

  /// Runs one job; false where there is none.
  bool step() { return coordinator().try_run_once(); }

  /// As `run`, with the jobs in an order drawn from `seed`: so a sync may take long. Ends after so many jobs.
  void run_shuffled(std::uint64_t seed, std::uint64_t jobs_max = ~std::uint64_t{0});

  /// Lets time pass in which nothing runs: what fell due is ready to run then.
  void stall_for(std::chrono::nanoseconds time) { coordinator().clock().advance_time(time); }

  /// Lets time pass, with all that happens meanwhile.
  void run_for(std::chrono::nanoseconds time);

  /// Moves the wall clock alone.
  void jump_wall_clock(std::chrono::nanoseconds by);

  /// A reboot of the machine: another boot, whose boot time begins anew. @pre the node is down
  void reboot();

  time_point now() const;

  /// Messages that the node sends itself later: what its actors wake up for.
  std::size_t wake_ups() const { return coordinator().clock().schedule().size(); }

  // -- shorthands -------------------------------------------------------------------
  template <class Event>
  publication publish(const Event& event, publish_options options = {}) {
    auto sent = client().publish(event, options);
    settle();
    return sent;
  }

  template <class Command>
  pending<typename Command::reply> send(const Command& command) {
    pending<typename Command::reply> sent{client().send(command)};
    settle();
    return sent;
  }

  /// The instance as durable state shows it; nothing where there is none.
  std::optional<instance_view> show(const std::string& type, const std::string& key);

  /// Its status in one word, or `absent`.
  std::string status_of(const std::string& type, const std::string& key);

  /// What a call through the client comes to.
  template <class T>
  result<T> finish(std::future<result<T>> call) {
    settle();
    return pending<T>{std::move(call)}.get();
  }

private:
  caf::scheduler::test_coordinator& coordinator() const { return system_.coordinator(); }
  virtual_clock& clock() const { return *system_.clock(); }

  definitions hosts_;
  node_config config_;
  std::shared_ptr<journal::memory_disk> disk_;
  virtual_system system_;
  std::shared_ptr<coordinator_pool> pool_;
  std::shared_ptr<detail::node_runtime> runtime_;
};

} // namespace continuo::tests
