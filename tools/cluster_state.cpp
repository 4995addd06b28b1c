#include "tools/cluster_state.hpp"

#include "nodes/probe.hpp"
#include "tools/http_client.hpp"
#include "tools/json_text.hpp"
#include "tools/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace continuo::tools {

namespace {

using json = nlohmann::json;
using std::chrono::system_clock;

constexpr std::chrono::milliseconds patience{1'000};
constexpr std::chrono::milliseconds patience_for_counts{20'000}; // it reads all of its records

node_address address_for(const node_state& node) {
  auto at = address_of(*node.entry);
  if (!node.token_file.empty()) {
    at.token_file = node.token_file;
    at.token_may_be_missing = false;
    at.token_is_chosen = true;
  }
  return at;
}

/// The JSON that a node answers; null where it does not.
json ask(const node_state& node, const std::string& target, std::chrono::milliseconds time) {
  if (!node.entry->seen_by_peers.http || !node.ready) {
    return nullptr;
  }
  const auto answer = http_get(address_for(node), target, time);
  auto read = answer && answer->status == 200 ? json::parse(answer->body, nullptr, false) : json{};
  return read.is_discarded() ? json{} : read;
}

void add_services(cluster_state& to, const json& answer) {
  for (const auto& one : answer) {
    const auto name = text_at(one, "name");
    auto found = std::find_if(to.services.begin(), to.services.end(),
                              [&](const service_state& known) { return known.name == name; });
    if (found == to.services.end()) {
      std::vector<std::string> nodes;
      for (const auto& node : list_at(one, "nodes")) {
        nodes.push_back(text_of(node));
      }
      to.services.push_back({name, std::move(nodes), field_at(one, "paused").is_object(), 0, std::nullopt});
      found = std::prev(to.services.end());
    }
    found->waiting += number_at(one, "waiting");
    if (const auto oldest = time_of(field_at(one, "oldest_waiting"));
        oldest && (!found->oldest || *oldest < *found->oldest)) {
      found->oldest = oldest;
    }
  }
}

void add_instances(cluster_state& to, const json& answer) {
  for (const auto& [type, counts] : answer.items()) {
    for (const auto& [status, count] : counts.items()) {
      to.instances[type][status] += number_at(counts, status.c_str());
    }
  }
}

std::string http_text(const config::node_entry& node) {
  const auto& http = node.seen_by_peers.http;
  return http ? fmt::format("{}:{}", http->host, http->port) : std::string{};
}

/// Peers that a node does not see, with since when and why.
std::string missing_peers(const node_state& node) {
  std::string made;
  for (const auto& peer : node.peers) {
    if (text_at(peer, "state") == "down") {
      const auto at = time_of(field_at(peer, "since"));
      const auto why = text_at(peer, "last_error");
      made += fmt::format("{}{} for {}{}", made.empty() ? "misses " : "; ", text_at(peer, "name"),
                          at ? age_text(since(*at)) : "?", why.empty() ? "" : " (" + why + ")");
    }
  }
  return made;
}

std::string_view word_of(const cluster_state& state, const service_state& service) {
  const auto any = [&](const auto& holds) {
    return std::any_of(service.nodes.begin(), service.nodes.end(), [&](const std::string& name) {
      const auto* node = state.find(name);
      return node != nullptr && holds(*node);
    });
  };
  return any([](const node_state& node) { return node.ready; })       ? (service.paused ? "paused" : "up")
         : any([](const node_state& node) { return node.is_hidden; }) ? "unknown"
                                                                      : "down";
}

} // namespace

std::string_view node_state::word() const {
  return ready ? "ready" : is_hidden ? "unknown" : process || answers ? "not ready" : "down";
}

const node_state* cluster_state::find(std::string_view name) const {
  const auto found = std::find_if(nodes.begin(), nodes.end(), [&](const node_state& node) {
    return node.entry->seen_by_peers.name == name;
  });
  return found == nodes.end() ? nullptr : &*found;
}

void look_at(node_state& node) {
  node.process = find_process(*node.entry);
  const auto believed = check_pid_file(*node.entry);
  const auto& seen = node.entry->seen_by_peers;
  if (!seen.http) {
    const auto listens = nodes::probe(seen.host, seen.port, patience);
    node.ready = listens.has_value();
    node.answers = node.ready;
    node.is_hidden = !listens && !believed;
    node.why = listens ? std::string{} : !believed ? believed.error().message : listens.error().message;
    return;
  }
  const auto answer = http_get(address_for(node), "/readyz", patience);
  constexpr std::string_view says_who = "ready, process ";
  node.ready = answer && answer->status == 200 && answer->body.starts_with(says_who);
  node.answers = node.ready || (answer && answer->status == 503);
  const auto is_kept_out = answer ? answer->status == 401 || answer->status == 403
                                  : answer.error().code != errc::unavailable || !believed;
  node.is_hidden = !node.answers && is_kept_out;
  if (node.ready && node.process && std::atol(answer->body.c_str() + says_who.size()) != node.process->pid) {
    node.ready = false;
    node.why = fmt::format("another process answers at its address: {}",
                           answer->body.substr(0, answer->body.find('\n')));
    return;
  }
  node.why.clear();
  if (!answer) {
    node.why = believed ? answer.error().message : believed.error().message;
  } else if (!node.ready) {
    node.why = text_at(field_at(json::parse(answer->body, nullptr, false), "error"), "message");
    if (node.why.empty()) {
      node.is_strange = true;
      node.why = fmt::format("what answers at {} is no node", http_text(*node.entry));
    }
  }
}

cluster_state look_at_all(const config::cluster_file& file, const std::filesystem::path& token_file) {
  cluster_state state;
  json fullest;
  for (const auto& entry : file.nodes) {
    node_state node;
    node.entry = &entry;
    node.token_file = token_file;
    look_at(node);
    node.holder = holder_without_pid_file(entry);
    if (const auto nodes = ask(node, "/api/v1/nodes", patience); nodes.is_object()) {
      node.peers = list_at(nodes, "nodes");
    }
    // Every node answers for all that it can reach: the fullest answer counts.
    if (fullest.is_null() || !list_at(fullest, "unreachable").empty()) {
      auto services = ask(node, "/api/v1/services", patience_for_counts);
      if (services.is_object() && (fullest.is_null() || list_at(services, "unreachable").size() <
                                                            list_at(fullest, "unreachable").size())) {
        fullest = std::move(services);
      }
    }
    const auto counts = ask(node, "/api/v1/node", patience_for_counts);
    if (counts.is_object()) {
      add_instances(state, field_at(counts, "instances"));
    } else if (node.process || node.ready) {
      state.silent.push_back(entry.seen_by_peers.name);
    }
    state.nodes.push_back(std::move(node));
  }
  add_services(state, list_at(fullest, "services"));
  return state;
}

std::string text_of(const cluster_state& state, const std::string& cluster) {
  table nodes{{"NODE", "STATE*", "PROCESS>", "RUNS FOR>", "PEERS AT", "HTTP AT", "HOSTS", ""}};
  for (const auto& node : state.nodes) {
    const auto& seen = node.entry->seen_by_peers;
    auto remark = missing_peers(node);
    if (!node.ready && (node.word() != "down" || node.is_strange)) {
      remark = node.why;
    }
    if (node.holder) {
      remark +=
          fmt::format("{}process {}, which no pid file names", remark.empty() ? "" : "; ", *node.holder);
    }
    nodes.add({seen.name, std::string{node.word()}, node.process ? std::to_string(node.process->pid) : "",
               node.process ? age_text(node.process->age()) : "", fmt::format("{}:{}", seen.host, seen.port),
               http_text(*node.entry), fmt::format("{}", fmt::join(seen.hosts, ", ")),
               remark.empty() ? " " : remark});
  }
  auto text = fmt::format("cluster {}\n\n{}", cluster, nodes.text());
  table services{{"SERVICE", "ON", "STATE*", "WAITING>", "OLDEST>"}};
  for (const auto& service : state.services) {
    services.add({service.name, fmt::format("{}", fmt::join(service.nodes, ", ")),
                  std::string{word_of(state, service)}, std::to_string(service.waiting),
                  service.oldest ? age_text(since(*service.oldest)) : ""});
  }
  if (!services.empty()) {
    text += "\n" + services.text();
  }
  table instances{
      {"INSTANCES", "RUNNING>", "COMPENSATING>", "PAUSED>", "STUCK>", "COMPLETED>", "COMPENSATED>"}};
  for (const auto& [type, counts] : state.instances) {
    const auto count = [&counts = counts](const char* status) {
      const auto found = counts.find(status);
      return std::to_string(found == counts.end() ? 0 : found->second);
    };
    instances.add({type, count("running"), count("compensating"), count("paused"), count("stuck"),
                   count("completed"), count("compensated")});
  }
  if (!instances.empty()) {
    text += "\n" + instances.text();
  }
  if (!state.silent.empty()) {
    text += fmt::format("\nnot counted, since they do not say: {}\n", fmt::join(state.silent, ", "));
  }
  return text;
}

nlohmann::ordered_json json_of(const cluster_state& state, const std::string& cluster) {
  using ordered = nlohmann::ordered_json;
  ordered nodes = ordered::array();
  for (const auto& node : state.nodes) {
    const auto& seen = node.entry->seen_by_peers;
    nodes.push_back({{"name", seen.name},
                     {"state", std::string{node.word()}},
                     {"pid", node.process ? ordered(node.process->pid) : ordered(nullptr)},
                     {"held_by", node.holder ? ordered(*node.holder) : ordered(nullptr)},
                     {"runs_for_ms", node.process ? ordered(node.process->age().count()) : ordered(nullptr)},
                     {"address", fmt::format("{}:{}", seen.host, seen.port)},
                     {"http", seen.http ? ordered(http_text(*node.entry)) : ordered(nullptr)},
                     {"hosts", seen.hosts},
                     {"why", node.why},
                     {"peers", ordered::parse(node.peers.dump())}});
  }
  ordered services = ordered::array();
  for (const auto& service : state.services) {
    services.push_back(
        {{"name", service.name},
         {"nodes", service.nodes},
         {"state", std::string{word_of(state, service)}},
         {"waiting", service.waiting},
         {"oldest_waiting_ms", service.oldest ? ordered(since(*service.oldest).count()) : ordered(nullptr)}});
  }
  return {{"cluster", cluster},
          {"nodes", nodes},
          {"services", services},
          {"instances", state.instances},
          {"not_counted", state.silent}};
}

} // namespace continuo::tools
