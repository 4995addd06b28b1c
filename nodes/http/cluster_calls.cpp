#include "nodes/http/desk.hpp"
#include "nodes/http/opened.hpp"
#include "nodes/metrics.hpp"

#include <continuo/version.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <unistd.h>

namespace continuo::http {

namespace {

using detail::node_runtime;

json http_of(const cluster_node& node) {
  return node.http ? json(address_text(node.http->host, node.http->port)) : json(nullptr);
}

/// None of these calls takes parameters. Answers the call that has some.
bool has_parameters(const call& one) {
  auto refusal = unknown_parameter(one.asked, {});
  if (refusal) {
    one.done(std::move(*refusal));
  }
  return refusal.has_value();
}

// -- life --------------------------------------------------------------------------------------

void healthz(desk&, call&& one) {
  one.done({200, "ok\n", "text/plain"});
}

void readyz(desk& at, call&& one) {
  const auto here = at.open(one.done);
  if (!here) {
    return;
  }
  if (const auto why = here->core->peers.stands_apart()) {
    one.done(error_response(
        {errc::unavailable, "no node that can be reached goes together with this one: " + *why}));
  } else {
    one.done({200, fmt::format("ready, process {}\n", ::getpid()), "text/plain"});
  }
}

// -- what it is, and what it sees ----------------------------------------------------------------

json node_json(const nodes::survey& counted, const node_runtime& node, const actors::core& core) {
  const auto& config = node.config();
  const auto& recovered = node.recovery();
  json instances = json::object();
  for (const auto& [what, count] : counted.instances) {
    instances[what.first][std::string{to_string(what.second)}] = count;
  }
  return {
      {"name", config.name},
      {"cluster", config.cluster ? json(config.cluster->name) : json(nullptr)},
      {"version", std::string{version()}},
      {"started_at", text_of(node.started_at())},
      {"store", fmt::format("{:016x}", core.store_id)},
      {"recovery",
       {{"records", recovered.records},
        {"resumed", recovered.resumed},
        {"timers", recovered.timers},
        {"suspects", recovered.suspects},
        {"took_ms", recovered.took.count()}}},
      {"memory_bytes", continuo::nodes::resident_bytes()},
      {"limits",
       {{"in_flight", config.in_flight},
        {"instances_in_memory", config.instances_in_memory},
        {"shards", config.shards},
        {"disk_reserve", config.disk_reserve},
        {"store_memory", config.store_memory}}},
      {"in_flight", core.in_flight.load()},
      {"orphaned", core.orphaned.load()},
      {"dead_letters", counted.dead_letters},
      {"instances", instances},
  };
}

void node(desk& at, call&& one) {
  if (has_parameters(one)) {
    return;
  }
  at.blocking(one.done, [self = at.shared_from_this()](const node_runtime& node, const actors::core& core) {
    const auto counted = self->survey_of(node, core);
    return counted ? ok(node_json(**counted, node, core)) : error_response(counted.error());
  });
}

json nodes_json(const node_runtime& node, const actors::core& core) {
  json all = json::array();
  const auto peers = node.peers();
  for (const auto& one : core.cluster.nodes) {
    json entry{{"name", one.name},
               {"address", address_text(one.host, one.port)},
               {"http", http_of(one)},
               {"hosts", one.hosts}};
    const auto peer = std::find_if(peers.begin(), peers.end(),
                                   [&](const peer_status& seen) { return seen.name == one.name; });
    if (peer == peers.end()) {
      entry.update(json{{"state", "up"},
                        {"since", text_of(node.started_at())},
                        {"version", std::string{version()}},
                        {"waiting", 0},
                        {"unacknowledged", 0},
                        {"connections", 0},
                        {"last_error", ""}});
    } else {
      entry.update(json{{"state", peer->up ? "up" : "down"},
                        {"since", text_of(peer->since)},
                        {"version", peer->version},
                        {"waiting", peer->waiting},
                        {"unacknowledged", peer->unanswered},
                        {"connections", peer->connections},
                        {"last_error", peer->up ? "" : peer->last_error}});
    }
    all.push_back(std::move(entry));
  }
  return {{"nodes", std::move(all)}};
}

void nodes(desk& at, call&& one) { // at once: it asks nobody
  if (has_parameters(one)) {
    return;
  }
  response made;
  {
    const auto here = at.open(one.done);
    if (!here) {
      return;
    }
    made = ok(nodes_json(*here->node, *here->core));
  }
  one.done(std::move(made));
}

void metrics(desk& at, call&& one) {
  if (has_parameters(one)) {
    return;
  }
  at.blocking(one.done, [self = at.shared_from_this()](const node_runtime& node, const actors::core& core) {
    const auto counted = self->survey_of(node, core);
    return counted ? response{200, continuo::nodes::metrics_text(core, node, **counted),
                              "text/plain; version=0.0.4"}
                   : error_response(counted.error());
  });
}

// -- services ---------------------------------------------------------------------------------------

json service_json(const std::string& name, const char* kind, const nodes::survey& counted,
                  const actors::core& core) {
  const auto& where = core.routes.where();
  auto nodes = json::array();
  bool up = where.is_alone();
  if (const auto hosts = where.hosts().find(name); hosts != where.hosts().end()) {
    for (const auto& node : hosts->second) {
      nodes.push_back(node);
      up = up || node == where.here() || core.peers.is_up(node);
    }
  }
  const auto open = counted.commands.find(name);
  const auto waits = open != counted.commands.end();
  const auto done = core.service_counts.find(name);
  const auto runs_here = done != core.service_counts.end();
  const auto pause = core.paused.pause_of(name);
  auto opened = json::array();
  if (runs_here && done->second.breaker_open.load()) {
    opened.push_back(where.here());
  }
  return {{"name", name},
          {"kind", kind},
          {"nodes", std::move(nodes)},
          {"state", up ? "up" : "down"},
          {"paused", pause ? json{{"by", pause->who}, {"note", pause->note}, {"since", text_of(pause->at)}}
                           : json(nullptr)},
          {"breaker_open_on", std::move(opened)},
          {"waiting", waits ? open->second.count : 0},
          {"in_execution", runs_here ? static_cast<std::uint64_t>(done->second.in_execution.load()) : 0},
          {"completed", runs_here ? done->second.completed.load() : 0},
          {"failed", runs_here ? done->second.declined.load() + done->second.gave_up.load() : 0},
          {"oldest_waiting", waits ? json(text_of(open->second.oldest)) : json(nullptr)}};
}

response services_here(desk& at, const node_runtime& node, const actors::core& core) {
  const auto counted = at.survey_of(node, core);
  if (!counted) {
    return error_response(counted.error());
  }
  auto all = json::array();
  for (const auto& [name, service] : core.services) {
    all.push_back(service_json(name, "stateless", **counted, core));
  }
  for (const auto& [name, service] : core.keyed_services) {
    all.push_back(service_json(name, "keyed", **counted, core));
  }
  return ok({{"services", std::move(all)}});
}

bool is_services(const json& body) {
  return has_list(body, "services", [](const json& its) {
    return has_text(its, "name") && has_text_or_null(its, "oldest_waiting") && has_count(its, "waiting") &&
           has_count(its, "in_execution") && has_count(its, "completed") && has_count(its, "failed") &&
           (!its.contains("breaker_open_on") || // of a program that has no breakers
            has_list(its, "breaker_open_on", [](const json& node) { return node.is_string(); }));
  });
}

/// Adds the counts of the nodes up. Names, nodes and states are as the asked node sees them.
response merge_services(std::vector<part> parts, const std::string& here) {
  std::map<std::string, json> sums;
  auto bodies = bodies_of(parts, is_services);
  // The asked node comes first, so that what is not added up is its.
  std::stable_partition(bodies.begin(), bodies.end(), [&](const auto& body) { return body.first == here; });
  for (auto& [node, body] : bodies) {
    for (auto& its : body["services"]) {
      const auto name = its["name"].get<std::string>();
      const auto [sum, is_new] = sums.try_emplace(name, its);
      if (is_new) {
        continue;
      }
      for (const auto* field : {"waiting", "in_execution", "completed", "failed"}) {
        sum->second[field] = sum->second[field].get<std::uint64_t>() + its[field].get<std::uint64_t>();
      }
      if (const auto opened = its.find("breaker_open_on"); opened != its.end()) {
        auto& all = sum->second["breaker_open_on"];
        std::move(opened->begin(), opened->end(), std::back_inserter(all));
      }
      auto& oldest = sum->second["oldest_waiting"];
      const auto& other = its["oldest_waiting"];
      if (other.is_string() && (!oldest.is_string() || other < oldest)) { // RFC 3339 in UTC sorts as text
        oldest = other;
      }
    }
  }
  auto all = json::array();
  for (auto& [name, sum] : sums) {
    all.push_back(std::move(sum));
  }
  return ok({{"services", std::move(all)}, {"unreachable", missing_of(parts)}});
}

void services(desk& at, call&& one) {
  if (has_parameters(one)) {
    return;
  }
  std::string name;
  {
    const auto here = at.open(one.done);
    if (!here) {
      return;
    }
    name = here->node->config().name;
  }
  at.gather(
      std::move(one),
      [self = at.shared_from_this()](const node_runtime& node, const actors::core& core) {
        return services_here(*self, node, core);
      },
      [name](std::vector<part> parts) { return merge_services(std::move(parts), name); });
}

} // namespace

std::span<const route> cluster_routes() {
  static constexpr std::array routes{
      route{"GET", "/healthz", healthz},    route{"GET", "/readyz", readyz},
      route{"GET", "/metrics", metrics},    route{"GET", "/api/v1/node", node},
      route{"GET", "/api/v1/nodes", nodes}, route{"GET", "/api/v1/services", services},
  };
  return routes;
}

} // namespace continuo::http
