#include "nodes/http/instance_views.hpp"
#include "nodes/http/opened.hpp"

#include "actors/views.hpp"
#include "engine/placement.hpp"

#include <continuo/archive.hpp>
#include <continuo/json.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

// GET /api/v1/instances
namespace continuo::http {

namespace {

using detail::node_runtime;
using engine::placement;

/// A page that finds little ends after this time all the same, and says where to go on; so does one whose
/// entries wait for very much.
constexpr std::chrono::milliseconds page_time{1'000};
constexpr std::size_t causes_max = 20'000;

struct list_query {
  std::string type;
  std::string kind = "saga";
  std::optional<instance_status> status;
  std::string waiting_for;
  std::size_t limit = 0;
  std::string after; ///< the key of a record
  bool in_bytes = false;
};

constexpr std::array cause_kinds{"reply", "timer", "event", "delivery", "operator"};

result<list_query> read_list_query(const request& asked, const actors::core& core) {
  list_query query;
  const auto limit = page_limit(asked);
  const auto after = page_start(asked);
  if (!limit || !after) {
    return tl::unexpected(limit ? after.error() : limit.error());
  }
  query.limit = *limit;
  query.after = *after;
  query.in_bytes = asked.in_bytes;
  if (const auto kind = parameter(asked, "kind"); !kind.empty()) {
    if (kind != "saga" && kind != "service" && kind != "command") {
      return fail(errc::malformed, fmt::format("kind is {}, and must be saga, service or command", kind));
    }
    query.kind = kind;
  }
  if (const auto status = parameter(asked, "status"); !status.empty()) {
    const auto read = from_json<instance_status>(to_json(status));
    if (!read) {
      return fail(errc::malformed,
                  fmt::format("status is {}, and must be running, compensating, paused, stuck, "
                              "completed or compensated",
                              status));
    }
    query.status = *read;
  }
  query.type = parameter(asked, "type");
  const auto known = query.kind == "saga"      ? core.sagas.contains(query.type)
                     : query.kind == "service" ? core.keyed_services.contains(query.type)
                                               : core.services.contains(placement::service_of(query.type));
  if (!query.type.empty() && !known) {
    auto why = unknown_instance_type(query.type, core);
    if (is_instance_type(query.type, core)) {
      why.message = fmt::format("{} is no {}: choose another kind", query.type, query.kind);
    }
    return tl::unexpected(std::move(why));
  }
  query.waiting_for = parameter(asked, "waiting_for");
  if (!query.waiting_for.empty() && !core.services.contains(query.waiting_for) &&
      !core.keyed_services.contains(query.waiting_for) &&
      std::find(cause_kinds.begin(), cause_kinds.end(), query.waiting_for) == cause_kinds.end()) {
    return fail(errc::malformed, fmt::format("waiting_for is {}, and must be {} or the name of a service",
                                             query.waiting_for, fmt::join(cause_kinds, ", ")));
  }
  return query;
}

bool waits_for(const engine::record& stored, const std::string& wanted, const engine::routing_table& routes) {
  const auto causes = actors::causes_of(stored, routes);
  return std::any_of(causes.begin(), causes.end(), [&](const cause& one) {
    return one.kind == wanted || (one.kind == "reply" && placement::service_of(one.to.type) == wanted);
  });
}

/// The types whose records are looked through, in the order of their keys.
std::set<std::string> types_of(const list_query& query, const actors::core& core) {
  std::set<std::string> types;
  if (query.kind == "saga") {
    for (const auto& [name, saga] : core.sagas) {
      types.insert(name);
    }
  } else if (query.kind == "service") {
    for (const auto& [name, service] : core.keyed_services) {
      types.insert(name);
    }
  } else {
    for (const auto& [address, environment] : core.execution_environments) {
      types.insert(address);
    }
  }
  if (!query.type.empty()) {
    std::erase_if(types, [&](const std::string& type) {
      return type != query.type && placement::service_of(type) != query.type;
    });
  }
  return types;
}

/// What this node has of a page. `next_cursor` says up to where it has looked, and is null at the end.
response list_here(const list_query& query, const node_runtime& node, const actors::core& core) {
  const auto until = std::chrono::steady_clock::now() + page_time;
  std::vector<listed_instance> entries;
  std::size_t causes = 0;
  std::size_t bytes_listed = 0;
  std::string position;
  bool whole = true;
  std::optional<error> wrong;
  for (const auto& type : types_of(query, core)) {
    const auto scanned = core.store->scan(
        engine::record_prefix(type),
        [&](std::string_view key, std::string_view bytes) {
          const auto stored = decode<engine::record>(bytes);
          if (!stored) {
            wrong = error{errc::corrupt, fmt::format("a record of {}: {}", type, stored.error().message)};
            return false;
          }
          const auto wanted =
              stored->kind != engine::record_kind::absence &&
              (!query.status || stored->status == *query.status) &&
              (query.waiting_for.empty() || waits_for(*stored, query.waiting_for, core.routes));
          if (wanted && entries.size() == query.limit) { // there is more
            whole = false;
            return false;
          }
          position = key;
          if (wanted) {
            // The position is for the merge: a key need not be text.
            entries.push_back({cursor_of(key), actors::view_of(*stored, core, query.in_bytes)});
            causes += entries.back().view.waiting_for.size();
            const auto& view = entries.back().view;
            bytes_listed +=
                query.in_bytes ? std::max(bytes.size(), view.state.size() + view.result.size()) : 0;
          }
          whole = !node.ending() && causes < causes_max && bytes_listed < page_bytes_max &&
                  std::chrono::steady_clock::now() < until;
          return whole;
        },
        query.after);
    if (!scanned || wrong) {
      return error_response(wrong ? *wrong : scanned.error());
    }
    if (!whole) {
      break;
    }
  }
  const auto next = whole ? std::string{} : cursor_of(position);
  if (query.in_bytes) {
    return in_bytes(instance_page{std::move(entries), next});
  }
  auto shown = json::array();
  for (const auto& one : entries) {
    shown.push_back(entry_json(one.view, core, node.config().name));
    shown.back()["position"] = one.position;
  }
  return ok({{"instances", std::move(shown)}, {"next_cursor", text_or_null(next)}});
}

bool is_page(const json& body) {
  return has_text_or_null(body, "next_cursor") &&
         has_list(body, "instances", [](const json& entry) { return has_text(entry, "position"); });
}

/// One page of the pages of all nodes: entries up to the first place that some node has not looked at.
response merge_instances(std::vector<part> parts, std::size_t limit) {
  std::optional<std::string> bound; // in the form of a cursor, which orders as what it stands for
  std::multimap<std::string, json> sorted;
  for (auto& [node, body] : bodies_of(parts, is_page)) {
    if (body["next_cursor"].is_string()) {
      const auto its = body["next_cursor"].get<std::string>();
      bound = bound ? std::min(*bound, its) : its;
    }
    for (auto& entry : body["instances"]) {
      auto position = entry["position"].get<std::string>();
      entry.erase("position");
      sorted.emplace(std::move(position), std::move(entry));
    }
  }
  auto entries = json::array();
  std::string last;
  bool more = false;
  for (auto& [position, entry] : sorted) {
    if ((bound && position > *bound) || entries.size() == limit) {
      more = true;
      break;
    }
    last = position;
    entries.push_back(std::move(entry));
  }
  json next = nullptr;
  if (entries.size() == limit && more) {
    next = last;
  } else if (bound) {
    next = *bound;
  }
  return ok({{"instances", std::move(entries)},
             {"next_cursor", std::move(next)},
             {"unreachable", missing_of(parts)}});
}

void list_instances(desk& at, call&& one) {
  constexpr std::array<std::string_view, 6> known{"type", "status", "waiting_for", "kind", "limit", "cursor"};
  if (auto refusal = unknown_parameter(one.asked, known)) {
    one.done(std::move(*refusal));
    return;
  }
  result<list_query> query;
  std::vector<std::string> hosts; // of the one type that is asked for; empty: any node
  {
    const auto node = at.open(one.done);
    if (!node) {
      return;
    }
    query = read_list_query(one.asked, *node->core);
    const auto& all = node->core->routes.where().hosts();
    if (const auto its = all.find(parameter(one.asked, "type")); its != all.end()) {
      hosts = its->second;
    }
  }
  if (!query) {
    one.done(error_response(query.error()));
    return;
  }
  at.gather(
      std::move(one),
      [query = *query](const node_runtime& node, const actors::core& core) {
        return list_here(query, node, core);
      },
      [limit = query->limit, bytes = query->in_bytes, hosts = std::move(hosts)](std::vector<part> parts) {
        return bytes ? merge_pages<instance_page>(parts, limit,
                                                  [&](const std::string& node) {
                                                    return hosts.empty() ||
                                                           std::find(hosts.begin(), hosts.end(), node) !=
                                                               hosts.end();
                                                  })
                     : merge_instances(std::move(parts), limit);
      });
}

} // namespace

std::span<const route> list_routes() {
  static constexpr std::array routes{route{"GET", "/api/v1/instances", list_instances}};
  return routes;
}

} // namespace continuo::http
