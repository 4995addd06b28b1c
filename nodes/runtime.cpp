#include "nodes/runtime.hpp"

#include "actors/gate.hpp"
#include "actors/intake.hpp"
#include "actors/link.hpp"
#include "actors/service.hpp"
#include "actors/shard.hpp"
#include "actors/starter.hpp"
#include "actors/timers.hpp"
#include "actors/trouble.hpp"
#include "config/http_url.hpp"
#include "engine/turnstile.hpp"
#include "journal/directory.hpp"
#include "journal/journal.hpp"
#include "journal/memory_store.hpp"
#include "journal/rocksdb_store.hpp"
#include "messages/application.hpp"
#include "nodes/certificates.hpp"
#include "nodes/http/api.hpp"
#include "nodes/http/desk.hpp"
#include "nodes/http/server.hpp"
#include "nodes/http/token.hpp"
#include "nodes/identity.hpp"
#include "nodes/layouts.hpp"
#include "nodes/log.hpp"
#include "nodes/middleman.hpp"
#include "nodes/owed_index.hpp"
#include "nodes/pauses.hpp"
#include "nodes/probe.hpp"
#include "nodes/quarantine.hpp"
#include "nodes/scheduler.hpp"
#include "nodes/schedules.hpp"
#include "nodes/span_writer.hpp"
#include "nodes/sweeper.hpp"
#include "nodes/system_clock.hpp"
#include "nodes/thread_names.hpp"
#include "nodes/thread_pool.hpp"
#include "nodes/threads.hpp"
#include "nodes/time_bounds.hpp"

#include <continuo/archive.hpp>
#include <continuo/version.hpp>

#include <caf/logger.hpp>
#include <caf/send.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <thread>

namespace continuo::detail {

namespace {

std::uint64_t draw() {
  std::random_device source;
  const auto number = (std::uint64_t{source()} << 32) ^ source();
  return number == 0 ? 1 : number;
}

/// Threads that the store starts.
constexpr std::size_t threads_of_store = 4;

/// Threads that a node has beside the workers of its actor system: of CAF (clock, network, the actors that it
/// detaches), the journal, the sweeper.
constexpr std::size_t threads_beside_workers = 10;

/// With paths that mean the same whatever the working directory becomes.
node_config anchored(node_config config) {
  const auto anchor = [](file_path& path) {
    std::error_code nowhere; // the working directory is gone: what opens the file says so
    const auto whole = std::filesystem::absolute(path.string(), nowhere);
    if (!path.empty() && !nowhere) {
      path = whole.lexically_normal();
    }
  };
  anchor(config.data);
  anchor(config.trace_file);
  if (config.backup_folder.empty() && !config.data.empty()) {
    const std::filesystem::path data{config.data};
    config.backup_folder = (data.has_filename() ? data : data.parent_path()).parent_path() / "backups";
  }
  anchor(config.backup_folder);
  if (config.http) {
    anchor(config.http->token_file);
    if (auto& tls = config.http->tls) {
      anchor(tls->certificate);
      anchor(tls->key);
    }
  }
  if (config.cluster && config.cluster->tls) {
    anchor(config.cluster->tls->certificate);
    anchor(config.cluster->tls->key);
    anchor(config.cluster->tls->authority);
  }
  return config;
}

/// While it lives the node starts, and its end waits.
class start_scope {
public:
  start_scope(std::atomic<unsigned>& starting, bool own_system)
      : starting_(starting), own_system_(own_system) {
    ++starting_;
  }
  ~start_scope() {
    if (own_system_) {
      // A thread that has made an actor system, or a scoped actor, holds its logger, and the end of the
      // system, on another thread, waits until nobody does.
      caf::logger::set_current_actor_system(nullptr);
    }
    --starting_;
    starting_.notify_all();
  }
  start_scope(const start_scope&) = delete;
  start_scope& operator=(const start_scope&) = delete;

private:
  std::atomic<unsigned>& starting_;
  bool own_system_;
};

} // namespace

node_runtime::node_runtime(node_config config)
    : config_(anchored(std::move(config))), core_(std::make_shared<actors::core>()) {
  core_->sink = nodes::make_log(config_.logger, config_.name);
  core_->handlers = std::make_shared<actors::running_handlers>(nodes::let_others_work);
}

// -- before start ---------------------------------------------------------------------------

/// What comes too late must not be known in part: an event would be taken that nobody has.
bool node_runtime::may_host(const std::string& name) {
  {
    const std::lock_guard lock{mutex_};
    if (phase_ == phase::fresh) {
      return true;
    }
  }
  log( // the application's logger may stop the node
      log_level::error,
      fmt::format("{} is not hosted: the node was started before; host everything, then start", name));
  return false;
}

void node_runtime::host(detail::saga_type definition) {
  if (!may_host(definition.name)) {
    return;
  }
  offered_.insert(definition.name);
  if (!runs_in_cluster(definition.name)) {
    return;
  }
  if (auto added = core_->routes.add(definition); !added) {
    mistakes_.push_back(added.error());
    return;
  }
  auto name = definition.name;
  core_->sagas.emplace(std::move(name), std::move(definition));
}

void node_runtime::host(detail::service_type definition) {
  if (!may_host(definition.name)) {
    return;
  }
  offered_.insert(definition.name);
  answer_by_http(definition);
  limit(definition);
  if (!runs_in_cluster(definition.name)) {
    return;
  }
  if (auto added = core_->routes.add(definition); !added) {
    mistakes_.push_back(added.error());
    return;
  }
  auto name = definition.name;
  core_->services.emplace(std::move(name), std::move(definition));
}

/// Puts an endpoint in the place of the program's handlers, if the service is to have one. Before it is
/// routed, and so on every node of the cluster.
void node_runtime::answer_by_http(detail::service_type& definition) const {
  const auto found = config_.http_services.find(definition.name);
  if (found == config_.http_services.end()) {
    return;
  }
  const auto& chosen = found->second;
  for (auto& [type, handler] : definition.commands) {
    handler.run = nullptr;
    handler.mounted = nullptr;
    handler.url = http::url_of(chosen.url, type);
  }
  definition.pure = false;
  definition.retry.attempts = chosen.attempts.value_or(definition.retry.attempts);
  definition.retry.timeout = chosen.timeout.value_or(definition.retry.timeout);
  definition.concurrency = chosen.connections.value_or(definition.concurrency);
}

void node_runtime::limit(detail::service_type& definition) const {
  const auto found = config_.service_limits.find(definition.name);
  if (found == config_.service_limits.end()) {
    return;
  }
  const auto& chosen = found->second;
  definition.concurrency = chosen.concurrency.value_or(definition.concurrency);
  definition.rate = chosen.rate ? chosen.rate : definition.rate;
  definition.breaker = chosen.breaker ? chosen.breaker : definition.breaker;
}

void node_runtime::host(detail::keyed_service_type definition) {
  if (!may_host(definition.name)) {
    return;
  }
  offered_.insert(definition.name);
  if (!runs_in_cluster(definition.name)) {
    return;
  }
  if (auto added = core_->routes.add(definition); !added) {
    mistakes_.push_back(added.error());
    return;
  }
  auto name = definition.name;
  core_->keyed_services.emplace(std::move(name), std::move(definition));
}

void node_runtime::host(schedule definition) {
  if (may_host(definition.name)) {
    config_.schedules.push_back(std::move(definition));
  }
}

/// In a cluster, only what some node hosts counts.
bool node_runtime::runs_in_cluster(const std::string& name) const {
  if (!config_.cluster) {
    return true;
  }
  return std::any_of(config_.cluster->nodes.begin(), config_.cluster->nodes.end(),
                     [&](const cluster_node& node) {
                       return std::find(node.hosts.begin(), node.hosts.end(), name) != node.hosts.end();
                     });
}

// -- start -------------------------------------------------------------------------------------

/// Where everything is, as the cluster says it.
result<void> node_runtime::place() {
  if (!config_.cluster) {
    return {};
  }
  auto& shared = *core_;
  auto where = nodes::place(*config_.cluster, config_.name,
                            [&](std::string_view name) { return offered_.find(name) != offered_.end(); });
  if (!where) {
    return tl::unexpected(where.error());
  }
  if (config_.cluster->tls) {
    if (auto usable = nodes::check_certificates(*config_.cluster->tls, config_.name); !usable) {
      return usable;
    }
  }
  shared.cluster = *config_.cluster;
  shared.routes.place(
      std::move(*where), [board = &shared.peers](std::string_view peer) { return board->is_up(peer); },
      [core = &shared](std::uint64_t store) {
        return store == core->store_id ? std::string_view{} : core->peers.peer_of_store(store);
      });
  return {};
}

result<void> node_runtime::check_definitions() {
  auto& mistakes = mistakes_;
  const auto object = [&](const std::string& what) { mistakes.push_back({errc::invalid_definition, what}); };
  const auto add_type = [&](const message_type* type) {
    if (auto added = core_->types.add(*type); !added) {
      mistakes.push_back(added.error());
    }
  };
  for (const auto* basic : {&message_type_of<std::string>(), &message_type_of<bool>(),
                            &message_type_of<std::int64_t>(), &message_type_of<double>()}) {
    add_type(basic);
  }
  for (auto& objection : nodes::objections_to_times(config_)) {
    mistakes.push_back({errc::invalid_configuration, std::move(objection)});
  }
  const auto check_policy = [&](const std::string& name, const retry_policy& policy) {
    if (const auto objection = engine::objection_to(policy); !objection.empty()) {
      object(fmt::format("service {}: {}", name, objection));
    }
  };
  for (const auto& [name, chosen] : config_.http_services) {
    const auto where = chosen.where.empty() ? "node_config::http_services." + name : chosen.where;
    const auto found = core_->services.find(name);
    if (found == core_->services.end()) {
      object(fmt::format("{}: the program offers no stateless service \"{}\"; name one that it hosts", where,
                         name));
    } else if (!found->second.events.empty()) {
      object(fmt::format("{}: the service {} handles events, which are not sent to HTTP endpoints; give them "
                         "to a service of their own",
                         where, name));
    }
  }
  for (const auto& [name, chosen] : config_.service_limits) {
    const auto where = chosen.where.empty() ? "node_config::service_limits." + name : chosen.where;
    if (!core_->services.contains(name)) {
      object(fmt::format("{}: the program offers no stateless service \"{}\"; name one that it hosts", where,
                         name));
    }
    if (chosen.concurrency == 0u) {
      object(fmt::format("{}: a concurrency of 0, so nothing could run", where));
    }
  }
  for (const auto& [name, service] : core_->services) {
    for (const auto& [command, entry] : service.commands) {
      add_type(entry.command);
      add_type(entry.reply);
      if (const auto url = config::read_http_url(entry.url); !entry.url.empty() && !url) {
        object(fmt::format("service {}: {}: {}", name, command, url.error().message));
      }
      if (!entry.url.empty() && service.pure) {
        object(fmt::format("service {} is pure, but an HTTP endpoint handles its {}", name, command));
      }
      if (entry.mounted && entry.mounted_system != system_) {
        object(fmt::format(
            "service {}: the actor mounted for {} lives in another actor system than the node; give the node "
            "that system with node_config::actor_system",
            name, command));
      }
    }
    for (const auto& [event, entry] : service.events) {
      add_type(entry.event);
    }
    check_policy(name, service.retry);
    if (const auto objection = engine::objection_to_turns(service); !objection.empty()) {
      object(fmt::format("service {}: {}", name, objection));
    }
    for (const auto& mistake : service.mistakes) {
      object("service " + mistake);
    }
  }
  for (const auto& [name, service] : core_->keyed_services) {
    add_type(service.state);
    for (const auto& [command, entry] : service.commands) {
      add_type(entry.command);
      add_type(entry.reply);
    }
    check_policy(name, service.retry);
    for (const auto& mistake : service.mistakes) {
      object("service " + mistake);
    }
  }
  for (const auto& [name, saga] : core_->sagas) {
    add_type(saga.state);
    for (const auto* type : saga.messages) {
      add_type(type);
    }
    for (const auto& [command, call] : saga.calls) {
      if (!core_->routes.knows_command(command)) {
        object(fmt::format("saga {} calls {}, which no service handles", name, command));
      }
      if (call.undo_command != nullptr && !core_->routes.knows_command(call.undo_command->name)) {
        object(fmt::format("saga {}: {} is undone by {}, which no service handles", name, command,
                           call.undo_command->name));
      }
    }
    for (const auto& command : saga.tells) {
      if (!core_->routes.knows_command(command)) {
        object(fmt::format("saga {} tells {}, which no service handles", name, command));
      }
    }
    for (const auto& mistake : saga.mistakes) {
      object("saga " + mistake);
    }
  }
  for (auto& objection : nodes::take_schedules(config_.schedules, config_.name, *core_)) {
    mistakes.push_back({errc::invalid_configuration, std::move(objection)});
  }
  if (mistakes.empty()) {
    return {};
  }
  std::string all;
  for (const auto& mistake : mistakes) {
    all += (all.empty() ? "" : "; ") + mistake.message;
  }
  return continuo::fail(mistakes.front().code, std::move(all));
}

/// Before anything is opened: what clients and strangers may take.
result<void> node_runtime::share_descriptors() {
  nodes::descriptor_demands demands;
  demands.on_disk = !means_.store && !config_.data.empty();
  demands.answers = config_.http.has_value();
  if (config_.cluster && !means_.reach) {
    demands.peers = config_.cluster->nodes.size() - 1;
    demands.strangers = true;
  }
  for (const auto& [name, service] : core_->services) {
    const auto calls_http = std::any_of(service.commands.begin(), service.commands.end(),
                                        [](const auto& one) { return !one.second.url.empty(); });
    demands.calls += calls_http && core_->routes.where().runs_here(name) ? service.concurrency : 0;
  }
  if (!demands.on_disk && !demands.answers && demands.peers == 0) {
    return {}; // nobody opens anything
  }
  return nodes::share_descriptors(demands).map(
      [this](const nodes::descriptor_shares& made) { shares_ = made; });
}

result<void> node_runtime::open_store() {
  auto& shared = *core_;
  if (means_.store) {
    shared.store = means_.store;
    return {};
  }
  if (config_.data.empty()) {
    shared.store = std::make_shared<journal::memory_store>(std::make_shared<journal::memory_disk>());
    return {};
  }
  if (config_.cluster) { // the folder that holds the data of all nodes is nobody's own
    if (auto made = journal::make_directory(std::filesystem::path{config_.data}.parent_path(), 0755); !made) {
      return continuo::fail(errc::invalid_configuration, made.error().message);
    }
  }
  auto directory = journal::data_directory::open(config_.data);
  if (!directory) {
    return tl::unexpected(directory.error());
  }
  directory_ = std::move(*directory);
  journal::rocksdb_options options;
  options.directory = config_.data / "journal";
  options.memory_bytes = config_.store_memory;
  options.open_tables = shares_.tables;
  auto opened = journal::rocksdb_store::open(options);
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  shared.store = std::move(*opened);
  return {};
}

/// Learns what ran when the process before ended, and counts it. Last of all that can refuse the start: the
/// notes are gone after it.
result<void> node_runtime::count_suspects() {
  auto& shared = *core_;
  auto found = means_.suspects;
  if (directory_) {
    auto opened = actors::marker::open((config_.data / "running").string());
    if (!opened) {
      return tl::unexpected(opened.error());
    }
    shared.suspects = std::move(*opened);
    found = shared.suspects->found();
  }
  if (found.empty()) {
    return {};
  }
  const auto counted = nodes::count_suspects(shared, found);
  if (!counted) {
    return tl::unexpected(counted.error());
  }
  recovery_.suspects = *counted;
  return {};
}

result<void> node_runtime::read_identity() {
  auto& shared = *core_;
  const auto me = nodes::begin_life(
      *shared.store, shared.routes.where(), shared.cluster, draw,
      means_.store_id != 0 ? means_.store_id : nodes::make_store_id(shared.time->now().wall, draw()));
  if (!me) {
    return tl::unexpected(me.error());
  }
  shared.store_id = me->store;
  shared.store_ids_tell_time = means_.store_id == 0;
  shared.last_revision = me->last_revision;
  if (shared.routes.where().is_alone()) {
    return {};
  }
  shared.incarnation = me->lives.back().number;
  engine::link_settings settings;
  settings.cluster = shared.cluster.name;
  settings.here = config_.name;
  settings.version = std::string{version()};
  settings.placement = shared.routes.where().hash();
  settings.store = me->store;
  settings.replaces = me->replaces;
  settings.starts = me->starts;
  if (means_.link_queue_max != 0) {
    settings.queue_max = means_.link_queue_max;
    settings.queue_low = means_.link_queue_max / 2;
  }
  settings.lives = me->lives;
  for (const auto& node : shared.cluster.nodes) {
    if (node.name == config_.name) {
      settings.hosts = node.hosts;
    }
  }
  for (const auto& node : shared.cluster.nodes) {
    if (node.name != config_.name) {
      settings.peer = node.name;
      shared.link_settings.emplace(node.name, settings);
      shared.peers.add(node.name, shared.time->now().wall);
      // Before anything runs: an instance that answers what a client sent to the peer must find the peer. A
      // store that is no peer's counts as this node's, which would say that it is owed nothing.
      const auto known = actors::read_known_peer(*shared.store, node.name);
      if (!known) {
        return tl::unexpected(known.error());
      }
      if (*known) {
        shared.peers.learn_store((*known)->store, node.name);
        for (const auto store : (*known)->former) {
          shared.peers.learn_store(store, node.name);
        }
      }
    }
  }
  return {};
}

namespace {

/// The node must stop where they cannot be read.
result<std::vector<std::string>> values_under(const actors::core& shared, const std::string& prefix) {
  std::vector<std::string> values;
  auto read = shared.store->scan(prefix, [&](std::string_view, std::string_view value) {
    values.emplace_back(value);
    return true;
  });
  if (!read) {
    shared.failed(read.error());
    return tl::unexpected(std::move(read.error()));
  }
  return values;
}

} // namespace

/// What the machines of this node's instances know of it.
void node_runtime::make_environments() {
  auto& shared = *core_;
  shared.contacts.met({shared.store_id, shared.last_revision.load()});
  shared.acceptances = {&shared.routes, shared.store_id};
  shared.dead_letters = {&shared.routes, shared.store_id};
  shared.scheduled.routes = &shared.routes;
  shared.scheduled.types = &shared.types;
  shared.scheduled.store = shared.store_id;
  shared.ask_whether_over = [weak = weak_from_this()](const std::vector<instance_id>& these,
                                                      std::function<void(bool)> done) {
    if (const auto self = weak.lock()) {
      self->ask_whether_over(these, std::move(done));
    }
  };
  const auto& where = shared.routes.where();
  for (const auto& [name, saga] : shared.sagas) {
    if (where.runs_here(name)) {
      shared.saga_environments[name] = {
          &saga,
          &shared.routes,
          shared.sink.get(),
          shared.store_id,
          shared.seed,
          config_.handler_attempts,
          config_.handler_delay,
          config_.history,
          [&shared](const std::string& prefix) { return values_under(shared, prefix); },
          means_.runs_workflows_twice};
    }
  }
  for (const auto& [name, service] : shared.keyed_services) {
    if (where.runs_here(name)) {
      shared.service_counts.try_emplace(name);
      shared.keyed_environments[name] = {&service,        &shared.routes, shared.sink.get(),
                                         shared.store_id, shared.seed,    config_.history};
    }
  }
  std::size_t threads = 0;
  for (auto& [name, service] : shared.services) {
    if (where.runs_here(name)) {
      shared.service_counts.try_emplace(name);
      for (auto& [command, handler] : service.commands) {
        if (!handler.url.empty()) {
          outgoing_.serve(handler, service.retry.timeout);
        }
      }
      engine::execution_environment environment{&service, &shared.routes, shared.store_id, shared.seed,
                                                &shared.contacts};
      shared.execution_environments[environment.address()] = environment;
      threads += service.pure ? 0 : service.concurrency;
    }
  }
  shared.pool =
      means_.pool
          ? means_.pool
          : std::make_shared<nodes::thread_pool>(threads, [weak = weak_from_this()](const error& reason) {
              if (const auto self = weak.lock()) {
                self->fail(reason);
              }
            });
}

result<void> node_runtime::write_spans() {
  if (config_.trace_file.empty() && config_.trace_url.empty()) {
    return {};
  }
  auto writer = nodes::span_writer::start(
      {config_.trace_file, config_.trace_url}, config_.name,
      [sink = core_->sink](const std::string& trouble) { sink->write(log_level::warn, trouble); });
  if (!writer) {
    return tl::unexpected(writer.error());
  }
  spans_ = std::move(*writer);
  core_->spans = [to = spans_.get()](actors::span&& one) { to->take(std::move(one)); };
  return {};
}

/// Whether peers can be listened for: CAF would only say that it failed.
result<void> node_runtime::look_at_address() const {
  if (!config_.cluster || means_.reach) {
    return {};
  }
  const auto& nodes = config_.cluster->nodes;
  const auto me = std::find_if(nodes.begin(), nodes.end(),
                               [&](const cluster_node& node) { return node.name == config_.name; });
  if (me == nodes.end()) {
    return {};
  }
  const auto listens = nodes::listener_of(*me);
  return nodes::try_to_listen(listens.host, listens.port);
}

/// Where clients reach it. @pre it answers HTTP
std::string node_runtime::http_url() const {
  const auto& at = *config_.http;
  return fmt::format("{}://{}", at.tls ? "https" : "http",
                     http::address_text(at.host, at.port == 0 ? server_->port() : at.port));
}

/// A simulation runs what may block as jobs of an actor, in virtual time; in a real node it has threads.
std::function<void(std::function<void()>)> node_runtime::jobs_of_simulation() const {
  if (means_.own_journal_thread) {
    return {};
  }
  return [weak = weak_from_this()](std::function<void()> job) {
    const auto self = weak.lock();
    if (const auto core = self ? self->open_core() : open_node{}) {
      caf::anon_send(core->intake, actors::call{std::move(job)});
    }
  };
}

/// Answers clients and peers, and listens for HTTP where that is wanted. Until the node has started, and once
/// it ends, its answers say that.
result<void> node_runtime::answer_http() {
  auto token = config_.http ? nodes::read_token(*config_.http) : result<std::string>{std::string{}};
  if (!token) {
    return tl::unexpected(token.error());
  }
  const auto cautions = config_.http ? nodes::cautions(*config_.http, *token) : std::vector<std::string>{};
  auto calls = std::make_unique<http::api>(weak_from_this(), std::move(*token), jobs_of_simulation());
  if (means_.own_journal_thread) {
    if (auto started = calls->start(); !started) {
      return started;
    }
  }
  answers_clients_ = calls->answers_clients();
  core_->answer_peer = calls->answers_peers(); // a node without an address answers its peers all the same
  if (!config_.http) {
    api_ = std::move(calls);
    return {};
  }
  http::server_limits limits;
  limits.spare = std::min(limits.spare, shares_.clients / 4);
  limits.connections = shares_.clients - limits.spare;
  auto listening = http::server::listen(*config_.http, calls->answers(), calls->admits(), limits);
  if (!listening) {
    return tl::unexpected(listening.error());
  }
  api_ = std::move(calls);
  server_ = std::move(*listening);
  for (const auto& caution : cautions) {
    log(log_level::warn, caution);
  }
  return directory_ ? directory_->tell_http(http_url()) : result<void>{};
}

result<void> node_runtime::start() {
  const start_scope running{starting_, config_.system == nullptr};
  {
    const std::lock_guard lock{mutex_};
    if (phase_ != phase::fresh || core_->ending) {
      return continuo::fail(errc::conflict, "a node is started once, and not after its end: make a new one");
    }
    phase_ = phase::starting;
  }
  const auto begun = std::chrono::steady_clock::now();
  auto& shared = *core_;
  system_ = config_.system;
  const auto checked = [&]() -> result<void> {
    if (auto placed = place(); !placed) {
      return placed;
    }
    shared.time = means_.time ? means_.time : nodes::system_clock();
    if (auto valid = check_definitions(); !valid) {
      return valid;
    }
    shared.bounds.shards = std::max<std::uint32_t>(1, config_.shards);
    shared.bounds.instances_in_memory = std::max<std::uint32_t>(1, config_.instances_in_memory);
    shared.bounds.in_flight = config_.in_flight;
    shared.seed = config_.seed != 0 ? config_.seed : draw();
    shared.took = means_.took;
    if (!config_.data.empty() && !means_.store) {
      if (auto enough = nodes::look_for_threads(threads_of_store); !enough) {
        return enough;
      }
    }
    if (auto shared_out = share_descriptors(); !shared_out) {
      return shared_out;
    }
    if (auto opened = open_store(); !opened) {
      return opened;
    }
    if (auto traces = write_spans(); !traces) {
      return traces;
    }
    started_at_ = shared.time->now().wall;
    if (auto answers = answer_http(); !answers) {
      return answers;
    }
    if (auto read = read_identity(); !read) {
      return read;
    }
    if (auto free = look_at_address(); !free) {
      return free;
    }
    if (auto indexed = nodes::index_what_is_owed(shared); !indexed) {
      return indexed;
    }
    if (auto read = nodes::read_pauses(shared); !read) {
      return read;
    }
    make_environments();
    if (auto same = nodes::check_layouts(*shared.store, shared.types); !same) {
      return same;
    }
    if (auto counted = count_suspects(); !counted) {
      return counted;
    }
    shared.failed = [weak = weak_from_this()](const error& reason) {
      if (const auto self = weak.lock()) {
        self->fail(reason);
      }
    };
    return {};
  }();
  if (!checked) {
    {
      const std::lock_guard lock{mutex_};
      phase_ = phase::failed;
      reason_ = checked.error();
    }
    server_.reset(); // its calls look at the phase
    api_.reset();
    shared.store.reset();
    directory_.reset();
    return checked;
  }
  if (auto made = make_system(); !made) {
    fail(made.error());
    return made;
  }
  spawn_actors();
  if (auto met = meet_peers(); !met) {
    fail(met.error());
    return met;
  }
  return recover(begun);
}

/// The actor system, and in a cluster the way to the peers.
result<void> node_runtime::make_system() {
  auto& shared = *core_;
  std::size_t workers = 0;
  if (system_ == nullptr) {
    own_config_ = std::make_unique<caf::actor_system_config>();
    const auto threads =
        config_.threads != 0 ? config_.threads : std::max(1u, std::thread::hardware_concurrency());
    own_config_->set("scheduler.max-threads", std::size_t{threads});
    // Work stealing polls, then sleeps up to 10 ms: one order alone took 1,039 us instead of 855 us, and more
    // in flight went no faster.
    own_config_->set("scheduler.policy", caf::atom("sharing"));
    if (config_.cluster && !means_.reach) {
      nodes::configure_middleman(*own_config_, *config_.cluster);
    }
    nodes::name_workers(*own_config_);
    if (config_.configure) {
      auto configured = call_application(
          errc::invalid_configuration, [&] { config_.configure(*own_config_); },
          "node_config::configure threw: ");
      if (!configured) {
        return configured;
      }
    }
    nodes::share_work(*own_config_);
    workers = caf::get_or(*own_config_, "scheduler.max-threads", std::size_t{threads});
  }
  // CAF ends the process where it gets no thread.
  if (auto enough =
          nodes::look_for_threads(workers + (means_.own_journal_thread ? threads_beside_workers : 0));
      !enough) {
    return enough;
  }
  if (own_config_) {
    own_system_ = std::make_unique<caf::actor_system>(*own_config_);
    nodes::name_network_thread(*own_system_);
    system_ = own_system_.get();
  }
  shared.reach = means_.reach;
  if (config_.cluster && !shared.reach) {
    auto made = nodes::make_middleman_connector(
        *system_, *config_.cluster, config_.name, shares_.strangers, shared.failed,
        [sink = shared.sink](log_level level, const std::string& what) {
          if (sink && sink->enabled(level)) {
            sink->write(level, what);
          }
        });
    if (!made) {
      return tl::unexpected(made.error());
    }
    shared.reach = std::move(*made);
  }
  return {};
}

/// Listens, dials, and gives the peers a moment: what they know of this node's journal is compared before
/// anything is taken or run.
result<void> node_runtime::meet_peers() {
  auto& shared = *core_;
  if (!shared.reach) {
    return {};
  }
  shared.reach->offer(shared.gate);
  for (const auto& [peer, link] : shared.links) {
    shared.reach->offer(link);
  }
  if (auto listening = shared.reach->listen(shared.gate); !listening) {
    return listening;
  }
  for (const auto& [peer, settings] : shared.link_settings) {
    caf::anon_send(shared.links.at(peer), actors::link_dial{});
  }
  if (means_.greet_peers.count() > 0) {
    shared.peers.wait_for_all(means_.greet_peers);
  }
  const std::shared_lock lock{mutex_};
  return phase_ == phase::failed ? result<void>{tl::unexpected(reason_)} : result<void>{};
}

void node_runtime::spawn_actors() {
  auto& shared = *core_;
  shared.begun_at = shared.last_revision.load(); // the count of suspects was written too
  shared.written->durable = shared.begun_at;
  journal::journal_options options;
  options.to = shared.store;
  options.done = shared.written;
  options.disk_reserve = config_.disk_reserve;
  options.failed = shared.failed;
  // The intake is made after the journal, so it is looked up when it is needed; a node without one has
  // nothing to refuse.
  options.disk_low = [weak = std::weak_ptr{core_}](bool low) {
    if (const auto core = weak.lock(); core && core->intake) {
      caf::anon_send(core->intake, actors::disk_space{low});
    }
  };
  shared.intake = system_->spawn(actors::intake_actor, core_);
  shared.timers = system_->spawn(actors::timers_actor, core_);
  for (std::size_t i = 0; i < shared.bounds.shards; ++i) {
    shared.shards.push_back(system_->spawn(actors::shard_actor, core_));
  }
  for (const auto& [address, environment] : shared.execution_environments) {
    shared.service_actors.emplace(address, system_->spawn(actors::service_actor, core_, address));
  }
  const auto journal = [options = std::move(options), own_thread = means_.own_journal_thread](
                           caf::stateful_actor<journal::journal_state>* self) {
    if (own_thread) {
      nodes::name_thread("journal");
    }
    actors::fail_node_on_trouble(self, options.failed);
    return journal::journal_actor(self, options);
  };
  if (means_.own_journal_thread) {
    shared.journal = system_->spawn<caf::detached>(journal);
    sweeper_ = system_->spawn<caf::detached>(
        [core = core_, keep = config_.keep_ended, every = config_.sweep_every](caf::event_based_actor* self) {
          nodes::name_thread("sweeper");
          return nodes::sweeper_actor(self, core, keep, every, true);
        });
  } else {
    shared.journal = system_->spawn(journal);
    sweeper_ = system_->spawn(nodes::sweeper_actor, core_, config_.keep_ended, config_.sweep_every, false);
  }
  shared.pauses = system_->spawn(nodes::pauses_actor, core_);
  for (const auto& [peer, settings] : shared.link_settings) {
    shared.links.emplace(peer, system_->spawn(actors::link_actor, core_, peer));
  }
  if (shared.reach) { // also in a cluster of one, whose address listens
    shared.gate = system_->spawn(actors::gate_actor, core_);
  }
}

/// For the log of a healthy node.
std::string node_runtime::what_it_found() const {
  auto said = fmt::format("ready after {} ms: {} record(s) read, {} instance(s) go on, {} timer(s) armed",
                          recovery_.took.count(), recovery_.records, recovery_.resumed, recovery_.timers);
  if (recovery_.suspects > 0) {
    said += fmt::format(", {} handler(s) run again that ran as the process ended", recovery_.suspects);
  }
  said += config_.data.empty() ? std::string{"; in memory"} : "; data in " + config_.data.string();
  if (server_) {
    said += fmt::format("; {} at {}", config_.http->tls ? "HTTPS" : "HTTP",
                        http::address_text(nodes::listener_of(*config_.http).host, server_->port()));
  }
  return said;
}

/// Has the records read and the node opened, and waits for that unless whoever drives the actors waits
/// himself.
result<void> node_runtime::recover(std::chrono::steady_clock::time_point begun) {
  const auto ready = [weak = weak_from_this(), begun](const recovery_figures& found) {
    const auto self = weak.lock();
    if (!self) {
      return;
    }
    {
      const std::lock_guard lock{self->mutex_};
      if (self->phase_ != phase::starting) {
        return;
      }
      const auto suspects = self->recovery_.suspects;
      self->recovery_ = found;
      self->recovery_.suspects = suspects;
      self->recovery_.took =
          std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
    }
    self->log(log_level::info, self->what_it_found()); // before anybody can have stopped it
    const std::lock_guard lock{self->mutex_};
    if (self->phase_ == phase::starting) {
      self->phase_ = phase::started;
      self->changed_.notify_all();
    }
  };
  const auto may_go_on = [weak = weak_from_this()] {
    const auto self = weak.lock();
    return self && self->is_starting();
  };
  {
    const std::lock_guard lock{mutex_};
    if (phase_ == phase::starting) {
      starter_ = system_->spawn(actors::starter_actor, core_, may_go_on, ready);
    }
  }
  // On CAF's test coordinator nothing runs but by the caller.
  const auto is_driven =
      caf::get_or(system_->config(), "scheduler.policy", caf::atom("sharing")) == caf::atom("testing");
  if (!means_.start_waits || is_driven) {
    return {};
  }
  std::unique_lock lock{mutex_};
  changed_.wait(lock, [this] { return phase_ != phase::starting || core_->ending; });
  if (phase_ == phase::starting) {
    return continuo::fail(errc::unavailable, "the node was stopped while it started");
  }
  return phase_ == phase::started ? result<void>{} : tl::unexpected(reason_);
}

// -- use --------------------------------------------------------------------------------------------

void node_runtime::ask(http::request&& asked, http::answer done) const {
  if (!open_core()) { // an open node has filled in who answers
    done(http::error_response(why_closed()));
    return;
  }
  answers_clients_(std::move(asked), std::move(done));
}

void node_runtime::ask_whether_over(std::vector<instance_id> these, std::function<void(bool)> done) const {
  if (these.empty()) {
    done(true);
    return;
  }
  const auto one = std::move(these.back());
  these.pop_back();
  http::request asked;
  asked.method = "GET";
  asked.segments = {"api", "v1", "instances", one.type, one.key, "result"};
  asked.path = fmt::format("/{}", fmt::join(asked.segments, "/"));
  ask(std::move(asked), [weak = weak_from_this(), these = std::move(these),
                         done = std::move(done)](const http::response& said) mutable {
    const auto self = weak.lock();
    if (!self || (said.status != 200 && said.status != 404)) { // it goes on, or nobody can say
      done(false);
    } else {
      self->ask_whether_over(std::move(these), std::move(done));
    }
  });
}

open_node node_runtime::open_core() const {
  if (core_->ending) { // who ends the node must not wait for a stream of readers
    return {};
  }
  const std::shared_lock lock{mutex_};
  return phase_ == phase::started ? open_node{users_, *core_} : open_node{};
}

error node_runtime::why_closed() const {
  const std::shared_lock lock{mutex_};
  return {errc::unavailable, phase_ == phase::started ? "the node is stopping" : reason_.message};
}

node_figures node_runtime::figures() const {
  const auto& written = *core_->written;
  return {written.commits,          written.syncs,           written.operations,    written.bytes,
          written.sync_times.sum(), core_->in_flight.load(), core_->orphaned.load()};
}

} // namespace continuo::detail
