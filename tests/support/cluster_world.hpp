#pragma once

#include "tests/support/virtual_time.hpp"

#include "engine/record.hpp"
#include "journal/memory_store.hpp"
#include "messages/frames.hpp"
#include "nodes/runtime.hpp"

#include <continuo/client.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace continuo::tests {

/// The network between the nodes of a `cluster_world`. A connection delivers in order until it is cut. What
/// was under way is then lost, or delivered later all the same, as the buffer of an old connection may be.
class simulated_network;

/// What a node has read of its disk.
struct reads {
  std::size_t records = 0;
  std::size_t bytes = 0; ///< of these records
};

/// Several nodes in one process, in virtual time: each with a disk that outlives its lives, all on one test
/// coordinator. The same calls and the same seed give the same run.
class cluster_world {
public:
  using definitions = std::function<void(detail::node_runtime&)>;

  /// Every node offers the same; `hosts` says for each node what runs there.
  cluster_world(definitions offers, std::vector<std::pair<std::string, std::vector<std::string>>> hosts,
                std::uint64_t seed = 1);
  ~cluster_world();
  cluster_world(const cluster_world&) = delete;
  cluster_world& operator=(const cluster_world&) = delete;

  // -- nodes -----------------------------------------------------------------------------
  result<void> start(const std::string& name);
  void start_all();
  void crash(const std::string& name);
  bool is_up(const std::string& name) const;
  continuo::client client(const std::string& name) const;
  detail::node_runtime& node(const std::string& name) const;
  std::shared_ptr<journal::memory_disk>& disk(const std::string& name);
  cluster_config& cluster() { return cluster_; }
  void set_link_queue_max(std::size_t messages) { link_queue_max_ = messages; }

  /// Sets the bounds of each node that starts from here on.
  void set_limits(std::function<void(actors::limits&)> set) { set_limits_ = std::move(set); }
  std::vector<std::string> names() const;

  /// Whether the handlers of the node's stateless services hang. Those that hang go on in order.
  coordinator_pool& handlers(const std::string& name) const;

  /// What the node has read in its present life. May be set back.
  reads& read_by(const std::string& name) const;

  /// What the node's disk holds, as a start after a crash would find it.
  std::vector<engine::record> records(const std::string& name) const;
  std::optional<engine::record> record(const std::string& name, const instance_id& id) const;

  // -- the network -------------------------------------------------------------------------
  /// Cuts every connection between the two; they connect anew. With `late` what was under way arrives a
  /// second later.
  void cut(const std::string& a, const std::string& b, bool late = false);
  /// As `cut`, and no new connection comes about until `heal`.
  void separate(const std::string& a, const std::string& b);
  void heal();

  /// One bad thing, perhaps, to nodes that are drawn: a crash, a cut, a separation; or all is healed.
  void disturb();

  /// Shows every frame on its way, which may be changed; where it answers false the frame is lost.
  using inspector = std::function<bool(const std::string& from, const std::string& to, messages::frame&)>;
  void inspect(inspector what);

  // -- time --------------------------------------------------------------------------------
  void run_for(std::chrono::nanoseconds time);

  /// From here on the order of the jobs is drawn from the seed.
  void shuffle() { system_.shuffle(draw(~std::uint64_t{0})); }

  /// Is called after each job.
  void watch_jobs(std::function<void()> after_job) { system_.watch_jobs(std::move(after_job)); }

  /// Runs so many jobs, or as many as there are before time must pass.
  void step(std::size_t jobs);
  std::uint64_t draw(std::uint64_t below);

  /// What a call through a client comes to, within 10 s.
  template <class T>
  result<T> finish(std::future<result<T>> call) {
    const auto is_ready = [&] { return call.wait_for(std::chrono::seconds{0}) == std::future_status::ready; };
    for (int waited = 0; waited < 1'000 && !is_ready(); ++waited) {
      run_for(std::chrono::milliseconds{10});
    }
    return is_ready() ? call.get() : fail(errc::timed_out, "the test has waited for 10 s");
  }

  std::string status_of(const std::string& node, const std::string& type, const std::string& key);

private:
  result<void> begin(const std::string& name);
  result<void> finish_start(const std::string& name);

  struct member;

  void run();

  definitions offers_;
  cluster_config cluster_;
  std::uint64_t random_;
  std::uint64_t store_ids_; // another source of the same seed
  std::size_t link_queue_max_ = 0;
  std::function<void(actors::limits&)> set_limits_;
  virtual_system system_;
  std::shared_ptr<simulated_network> network_;
  std::map<std::string, std::unique_ptr<member>> members_;
};

} // namespace continuo::tests
