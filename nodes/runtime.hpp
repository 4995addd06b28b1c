#pragma once

#include "actors/core.hpp"
#include "nodes/descriptors.hpp"
#include "nodes/ending.hpp"
#include "nodes/http/outgoing.hpp"
#include "nodes/http/server.hpp"

#include <continuo/node.hpp>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <vector>

namespace continuo::journal {
class data_directory;
}

namespace continuo::nodes {
class span_writer;
}

namespace continuo::http {
class api;
} // namespace continuo::http

namespace continuo::detail {

/// What production and the tests do differently: where things are kept, what time it is, where handlers run.
struct node_means {
  std::shared_ptr<journal::store> store;      ///< null: by the configuration
  std::shared_ptr<const actors::clock> time;  ///< null: the system's
  std::shared_ptr<actors::handler_pool> pool; ///< null: threads
  bool own_journal_thread = true;
  std::uint64_t store_id = 0;                                       ///< 0: as stored, or drawn
  std::shared_ptr<actors::connector> reach;                         ///< null: CAF's middleman
  std::size_t link_queue_max = 0;                                   ///< 0: the link's own bound
  std::function<void(const instance_id& of, const char* row)> took; ///< see `core::took`
  bool runs_workflows_twice = false;     ///< see `engine::saga_environment::runs_twice`
  std::vector<actors::suspect> suspects; ///< what ran as the last life ended, where no marker knows
  std::chrono::milliseconds greet_peers{
      2'000};              ///< how long `start` waits for peers; 0 where it must not block
  bool start_waits = true; ///< false: `start` returns when the start-up has begun, since whoever calls it
                           ///< drives the actors
};

/// Counts who is done with an open node.
class users {
public:
  users() = default;
  explicit users(std::atomic<unsigned>& count) : count_(&count) {}
  void operator()(actors::core*) const {
    --*count_;
    count_->notify_all();
  }

private:
  std::atomic<unsigned>* count_ = nullptr;
};

/// A node that takes calls, for as long as this lives: it may stop or fail meanwhile, but its actors and its
/// store stay. Empty where it takes none. Whoever has one holds the runtime as well.
class open_node {
public:
  open_node() = default;

  /// Counts itself in and out.
  open_node(std::atomic<unsigned>& count, actors::core& core) : core_(&core, users{count}) { ++count; }

  void reset() { core_.reset(); }
  explicit operator bool() const { return core_ != nullptr; }
  actors::core& operator*() const { return *core_; }
  actors::core* operator->() const { return core_.get(); }

private:
  std::unique_ptr<actors::core, users> core_;
};

/// The assembly of a node: definitions in, actors out. Behind `continuo::node` and its clients, which may
/// outlive it.
class node_runtime : public std::enable_shared_from_this<node_runtime> {
public:
  explicit node_runtime(node_config config);
  ~node_runtime();

  // -- before start -----------------------------------------------------------------
  node_means& means() { return means_; }
  void host(detail::saga_type definition);
  void host(detail::service_type definition);
  void host(detail::keyed_service_type definition);
  void host(schedule definition);

  // -- life --------------------------------------------------------------------------
  result<void> start();

  /// As `node::stop`. A node that is `destroyed` is waited for once: not after somebody has given up.
  void stop(bool destroyed = false);

  /// The node must stop: it takes and releases nothing more. Any thread, any number of times.
  void fail(const error& reason);

  /// For the simulation: ends as a crash would, at this very moment. The actors get their exit before
  /// anything else and write nothing more; who drives their scheduler lets them go.
  void crash();

  std::shared_future<error> failed() const { return failed_; }

  /// Outlives the node.
  const std::shared_ptr<actors::running_handlers>& handlers() const { return core_->handlers; }

  /// Whether `start` has begun and the node does not take calls yet.
  bool is_starting() const {
    const std::shared_lock lock{mutex_};
    return phase_ == phase::starting && !core_->ending;
  }

  // -- use ----------------------------------------------------------------------------
  /// The actors of a node that takes calls; empty before `start` and after `stop`.
  open_node open_core() const;

  /// Why there is no open core.
  error why_closed() const;

  /// Makes a call of the HTTP interface for a client of this process: it answers for the cluster. Never
  /// blocks; `done` is called once, from any thread or within this call, or dropped where the node ends. Not
  /// while an open node is held: the answer may open it again.
  void ask(http::request&& asked, http::answer done) const;

  /// See `core::ask_whether_over`.
  void ask_whether_over(std::vector<instance_id> these, std::function<void(bool)> done) const;

  bool may_host(const std::string& name);
  void log(log_level level, std::string_view text) const { core_->log(level, text); }

  /// Those that live as long as the node does; the journal is the last one. @pre it has started, and nobody
  /// ends it meanwhile
  std::vector<caf::actor> all_actors() const;

  const recovery_figures& recovery() const { return recovery_; }
  const node_config& config() const { return config_; }
  time_point started_at() const { return started_at_; }

  /// Set before the node waits for calls to end: one that takes long gives up.
  const std::atomic<bool>& ending() const { return core_->ending; }
  node_figures figures() const;
  std::vector<peer_status> peers() const { return core_->peers.all(); }

private:
  // -- start ---------------------------------------------------------------------------
  result<void> check_definitions();
  result<void> share_descriptors();
  result<void> open_store();
  bool runs_in_cluster(const std::string& name) const;
  void answer_by_http(detail::service_type& definition) const;
  void limit(detail::service_type& definition) const;
  result<void> place();
  result<void> read_identity();
  std::function<void(std::function<void()>)> jobs_of_simulation() const;
  result<void> answer_http();
  std::string http_url() const;
  result<void> look_at_address() const;
  result<void> write_spans();
  void make_environments();
  result<void> count_suspects();
  result<void> make_system();
  result<void> meet_peers();
  void spawn_actors();
  result<void> recover(std::chrono::steady_clock::time_point begun);
  std::string what_it_found() const;
  void end();
  void end_actors();
  void tell_failure(const error& reason);
  void say_outside_of_the_log(const std::string& text) const;
  node_config config_;
  node_means means_;
  std::vector<error> mistakes_;
  std::set<std::string, std::less<>> offered_; // names of all that the program can run
  std::shared_ptr<actors::core> core_;
  std::unique_ptr<caf::actor_system_config> own_config_;
  std::unique_ptr<caf::actor_system> own_system_;
  caf::actor_system* system_ = nullptr;
  std::shared_ptr<journal::data_directory> directory_; // keeps it locked; null in memory
  caf::actor sweeper_;
  caf::actor starter_;
  nodes::descriptor_shares shares_;
  recovery_figures recovery_;
  time_point started_at_{};
  http::outgoing outgoing_;
  std::unique_ptr<nodes::span_writer> spans_;
  std::unique_ptr<http::api> api_;
  http::handler answers_clients_;        ///< set before the node opens, then only read
  std::unique_ptr<http::server> server_; // ends before what it asks

  // The end waits for them: calls of `start` that run, open nodes, and `on_failure`.
  std::atomic<unsigned> starting_{0};
  mutable std::atomic<unsigned> users_{0};
  std::atomic<unsigned> telling_{0};
  std::shared_ptr<nodes::ending> end_ = std::make_shared<nodes::ending>();
  std::shared_ptr<node_runtime> kept_;  // itself, while nobody can end it
  mutable std::shared_mutex mutex_;     // guards what follows
  std::condition_variable_any changed_; ///< the phase
  enum class phase { fresh, starting, started, failed, stopped } phase_ = phase::fresh;
  error reason_{errc::unavailable, "the node has not started"};
  std::promise<error> failure_;
  std::shared_future<error> failed_{failure_.get_future().share()};
  bool failure_reported_ = false;
};

} // namespace continuo::detail
