#pragma once

#include <continuo/client.hpp>
#include <continuo/cluster.hpp>
#include <continuo/file_path.hpp>
#include <continuo/saga.hpp>
#include <continuo/schedule.hpp>
#include <continuo/service.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace caf {
class actor_system;
class actor_system_config;
} // namespace caf

namespace spdlog {
class logger;
}

namespace continuo {

/// What takes the place of what the program says of a stateless service, so that it can be set without
/// another program. What is empty leaves the program's.
struct service_limits {
  std::optional<std::uint32_t> concurrency{}; ///< see `service::concurrency`
  std::optional<rate_limit> rate{};           ///< see `service::rate`
  std::optional<breaker_policy> breaker{};    ///< see `service::breaker`
  std::string where{};                        ///< where it was written down, for errors: `FILE:LINE: KEY`
};

/// How a node runs. Every value has a default that suits a service of middling size.
struct node_config {
  node_config();
  node_config(const node_config&);
  node_config(node_config&&) noexcept;
  node_config& operator=(const node_config&);
  node_config& operator=(node_config&&) noexcept;
  ~node_config();

  /// The node's name in logs.
  std::string name = "node";

  /// The cluster it belongs to; empty: it stands alone. `name` is then its name there.
  std::optional<cluster_config> cluster;

  /// Where it answers HTTP (see docs/http.md); empty: nowhere. Loopback addresses only, unless it has a
  /// token.
  std::optional<http_address> http;

  /// Services that are answered by HTTP endpoints, by name; the same on all nodes of a cluster. The program
  /// offers each of them, for its commands and its retry policy.
  std::map<std::string, http_service> http_services;

  /// Beside those that the program hosts (`node::host`); the same on all nodes of a cluster. At most 100,000
  /// in all.
  std::vector<schedule> schedules;

  /// Limits of services, by name. The program offers each of them. They are of this node: what runs on
  /// several has them on each.
  std::map<std::string, continuo::service_limits> service_limits;

  /// Where the journal lives; created if missing. Empty: in memory, gone with the node.
  file_path data;

  /// Where backups go that are asked for over HTTP: into this folder, which is made for the node's user
  /// alone, or folders in it. Empty: the folder `backups` beside `data`.
  file_path backup_folder{};

  /// Instances accepted and not yet parked (waiting for a timer, an event or a person). Beyond it starts are
  /// refused with `errc::overloaded`, or wait.
  std::uint32_t in_flight = 10'000;

  /// Instances whose actors are kept in memory; idle ones beyond it leave, and come back when a message
  /// comes.
  std::uint32_t instances_in_memory = 10'000;

  /// Actors that share the instances among them.
  std::uint32_t shards = 4;

  /// Bytes that should stay free on the disk; below it starts are refused.
  std::uint64_t disk_reserve = 256u << 20;

  /// Memory of the store's caches and buffers, in bytes.
  std::uint64_t store_memory = 128u << 20;

  /// How long what is over is kept; at least 0. `max()`: for ever. Ended instances, ended keys of keyed
  /// services and outcomes of clients' commands are deleted with their histories when that has passed since
  /// their end, and nobody waits for anything of them. The history of a key that goes on is trimmed to this
  /// age, give or take an eighth.
  std::chrono::hours keep_ended{7 * 24};

  /// How often is looked for what may go; at least 1 ms. `max()`: never.
  std::chrono::milliseconds sweep_every{std::chrono::hours{1}};

  /// Whether the history of instances is written.
  bool history = true;

  /// Where spans of what is done for traced messages go, as OTLP JSON: lines of a file, and an HTTP collector
  /// (`http://HOST:PORT/v1/traces`). Empty: nowhere. Where either is set, a client's message without a trace
  /// begins one.
  file_path trace_file{};
  std::string trace_url{};

  /// Attempts of a failing saga handler before its instance is `stuck`, and the delay before the second one:
  /// at most an hour, doubled for each that follows.
  std::uint32_t handler_attempts = 3;
  std::chrono::milliseconds handler_delay{100};

  /// Of the handlers' random numbers and the retry policies' jitter. 0: drawn at start.
  std::uint64_t seed = 0;

  /// Where log lines go. Null: a logger of the node's own, to standard error, of level `warn`.
  std::shared_ptr<spdlog::logger> logger;

  /// The application's own actor system. Null: the node makes one. It must outlive the node.
  caf::actor_system* system = nullptr;

  /// Threads of the node's own actor system. 0: as many as there are processors.
  std::uint32_t threads = 0;

  /// Called in `start` with the configuration of the node's own actor system, to change what the node has set
  /// there: for people who measure. Not called where `system` is set. What it throws is an error of `start`.
  std::function<void(caf::actor_system_config&)> configure;

  /// Called once, on a thread of its own, when the node must stop (see `node::failed`). It may stop or
  /// destroy the node, whose end waits for it as for a callback. What it throws is logged.
  std::function<void(const error&)> on_failure;

  /// How long `node::stop` waits for handlers of stateless services that have not returned.
  std::chrono::milliseconds stop_within{30'000};

  /// A node inside an application, with its journal in `data`.
  static node_config embedded(file_path data);

  /// A node that forgets everything when it ends: for trying things out, and for tests.
  static node_config in_memory();

  /// The same on the application's actor system.
  node_config& actor_system(caf::actor_system& application) {
    system = &application;
    return *this;
  }
};

/// What a node did at start.
struct recovery_figures {
  std::uint64_t records = 0;  ///< read
  std::uint64_t resumed = 0;  ///< instances with something to send again
  std::uint64_t timers = 0;   ///< armed
  std::uint64_t suspects = 0; ///< handlers that ran when the process ended; each is counted, and runs again
  std::chrono::milliseconds took{0};
};

/// What a node has done and holds. A snapshot; the parts may be of slightly different moments.
struct node_figures {
  std::uint64_t transitions = 0;
  std::uint64_t syncs = 0;
  std::uint64_t operations = 0; ///< keys written
  std::uint64_t bytes = 0;      ///< of keys and values written
  std::uint64_t sync_ns = 0;    ///< spent in the store
  std::int64_t in_flight = 0;
  std::uint64_t orphaned = 0; ///< instances found without a cause to wake; 0 unless a saga has a bug
};

/// A durable workflow runtime inside a program: a journal, shards and services on an actor system. Host
/// everything, then `start`, then use `client()`. A node has no global state, takes no signals and never ends
/// the process: what forces it to stop is reported by `failed()`. Several nodes may live in one process, each
/// with its own data directory. All members may be called from any thread, but `host` only before `start`.
/// Whatever code of the application throws (handlers, functions that read keys, `serialize` members,
/// callbacks, the logger) is an error of what it was called for, and does not end the node.
class node {
public:
  explicit node(node_config config);

  /// Stops it, as `stop` does.
  ~node();

  node(const node&) = delete;
  node& operator=(const node&) = delete;

  // -- what runs here --------------------------------------------------------------
  // Before `start`: what comes later is not hosted, which the log says as an error.
  void host(const service& definition);

  template <message State>
  void host(const keyed_service<State>& definition) {
    host(definition.describe());
  }

  template <class Saga>
  void host() {
    host(saga<Saga>::describe());
  }

  /// Fires on one node of the cluster, which follows from its name: the program hosts it on all of them. A
  /// schedule that is not hosted any more ends with the next start of its node.
  void host(const schedule& definition);

  void host(detail::saga_type definition);
  void host(detail::keyed_service_type definition);

  /// Whether the program's own handlers of that saga or service run on this node: the cluster places it here,
  /// perhaps beside others, or the node stands alone; and no HTTP endpoint answers in their place
  /// (`node_config::http_services`). For a program that opens only what its own handlers need.
  bool runs_here(std::string_view name) const;

  // -- life ---------------------------------------------------------------------------
  /// Checks the definitions, opens the journal, recovers, and takes messages when it returns. In a cluster it
  /// first shakes hands with the peers that it can reach, for at most 2 s. Errors: contradicting or
  /// incomplete definitions (`invalid_definition`, each named), a data directory that is in use, of a newer
  /// format, foreign or not writable, corrupt data (with the place), a cluster that the node is not in or
  /// that contradicts its data, an address that is taken, peers that know more of its journal than it holds.
  /// After an error the node may be destroyed, not started again.
  result<void> start();

  /// Takes no more messages, waits for handlers that run, writes what is decided, and ends. What waits goes
  /// on after the next start. Idempotent; from any thread, also while `start` runs, for whose end it waits.
  ///
  /// - Within code that a node has called (a handler, a callback, the logger, `on_failure`) it returns at
  ///   once, and the node ends when that code has returned. So does the destructor. Call it again from
  ///   elsewhere to wait for the end.
  /// - It waits for handlers of stateless services for `node_config::stop_within`. Those that have not
  ///   returned are named in the log, and the node ends without them: their outcomes are dropped, their
  ///   commands run again after the next start. Their threads go on. Until they have returned, what the node
  ///   consists of (its configuration and definitions included) stays in memory, and its data directory stays
  ///   in use, so that no second attempt runs beside the first. Who cannot wait for them ends the process, by
  ///   `_exit` if they use what has static storage.
  /// - Where a handler of a saga or of a keyed service, or a callback, does not return, `stop` returns two
  ///   seconds after that time and says so on standard error. The same stays in use then, and a worker of the
  ///   actor system (`node_config::system`) as well; the node ends when it returns.
  void stop();

  /// Whether it has been told to stop, or must.
  bool is_ending() const;

  /// Gets the reason when the node must stop: its disk failed, or a broken invariant. From then on it
  /// releases nothing and refuses every call. Never gets a value if the node stops in order.
  std::shared_future<error> failed() const;

  // -- use ---------------------------------------------------------------------------------
  continuo::client client() const;
  const recovery_figures& recovery() const;
  node_figures figures() const;

  /// The other nodes of its cluster, as it sees them.
  std::vector<peer_status> peers() const;

private:
  std::shared_ptr<detail::node_runtime> runtime_;
};

/// What a node program offers to run.
using node_builder = node;

/// The `main` of a node program: reads `--data DIR`, `--name NAME`, `--disk-reserve BYTES`, or the cluster
/// file and the node's name (`--config FILE --node NAME`), and `--help`, and leaves what follows `--` to the
/// program; starts a node with what `offer` hosts, and runs until SIGTERM or SIGINT, or until the program's
/// own code stops it; then ends in order. The result is the exit code: 0 stopped in order, 1 trouble that may
/// pass (no thread to be had, `beside` threw), 2 wrong arguments or definitions, 3 corrupt data, 4 the disk
/// failed or is full, 5 the peers know more of its journal than it holds, 6 the data directory is in use, 7
/// its address is. One line on standard error says why and what to do. It ends the process if the node cannot
/// stop within 5 seconds (a handler that still runs runs again).
///
/// `beside`, if there is one, is called once the node has started, on a thread of its own; the node may be
/// used there. It may return at any time, and must within 4 seconds once its token is stopped. What it throws
/// ends the node.
int run_node(int argc, char** argv, const std::function<void(node_builder&)>& offer,
             const std::function<void(node&, std::stop_token)>& beside = {});

/// The same for a program that reads its arguments itself.
int run_node(node_config config, const std::function<void(node_builder&)>& offer,
             const std::function<void(node&, std::stop_token)>& beside = {});

} // namespace continuo
