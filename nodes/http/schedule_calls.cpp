#include "nodes/http/desk.hpp"
#include "nodes/http/instance_views.hpp"
#include "nodes/http/opened.hpp"
#include "nodes/schedules.hpp"

#include "config/nearest.hpp"

#include <continuo/archive.hpp>

#include <caf/send.hpp>

#include <fmt/format.h>

#include <array>
#include <map>
#include <utility>

namespace continuo::http {

namespace {

using detail::node_runtime;
using schedule_verb = actors::operate_schedule::verb;

constexpr std::size_t next_times_shown = 5;
constexpr std::size_t schedule_who_max = 256;

json time_or_null(time_point at) {
  return at == time_point{} ? json(nullptr) : json(text_of(at));
}

json schedule_json(const engine::record& stored, const engine::schedule_state& state,
                   const node_runtime& node, const actors::core& core) {
  const auto paused = stored.status == instance_status::paused;
  auto next = json::array();
  if (!paused) {
    for (const auto at : engine::next_due(state, core.scheduled, next_times_shown)) {
      next.push_back(text_of(at));
    }
  }
  const auto last = state.last_due == time_point{} ? json(nullptr)
                                                   : json{{"due", text_of(state.last_due)},
                                                          {"at", text_of(state.last_at)},
                                                          {"message_id", to_string(state.last_message)}};
  return {{"name", stored.self.key},
          {"node", node.config().name},
          {"status", to_string(stored.status)},
          {"when", state.when},
          {"zone", state.zone.empty() ? "UTC" : state.zone},
          {"event", state.event},
          {"body", json_or_null(state.body)},
          {"catch_up", to_string(state.catch_up)},
          {"overlap", to_string(state.overlap)},
          {"next", std::move(next)},
          {"last", last},
          {"fired", state.fired},
          {"overlapped", state.overlapped},
          {"failed", state.failed},
          {"note", text_or_null(state.note)},
          {"noted_at", time_or_null(state.noted_at)},
          {"paused_by", paused ? json(stored.reason) : json(nullptr)}};
}

error no_schedule(const std::string& name) {
  return {errc::not_found,
          fmt::format("there is no schedule {}: it stands in no cluster file and in no program", name)};
}

/// What the store holds of a schedule, and of what it has left out.
result<json> read_schedule(std::string_view bytes, const node_runtime& node, const actors::core& core) {
  const auto stored = decode<engine::record>(bytes);
  const auto state = stored ? decode<engine::schedule_state>(stored->state) : tl::unexpected(stored.error());
  if (!state) {
    return fail(errc::corrupt, fmt::format("a schedule: {}", state.error().message));
  }
  return schedule_json(*stored, *state, node, core);
}

// -- GET /api/v1/schedules ---------------------------------------------------------------------------

response schedules_here(const std::string& after, std::size_t limit, const node_runtime& node,
                        const actors::core& core) {
  auto schedules = json::array();
  std::string last;
  bool more = false;
  std::optional<error> wrong;
  const auto scanned = core.store->scan(
      engine::record_prefix(engine::schedule_type),
      [&](std::string_view key, std::string_view bytes) {
        if (node.ending()) {
          wrong = error{errc::unavailable, "the node is stopping"};
          return false;
        }
        more = schedules.size() == limit;
        if (more) {
          return false;
        }
        auto one = read_schedule(bytes, node, core);
        if (!one) {
          wrong = one.error();
          return false;
        }
        last = key;
        schedules.push_back(std::move(*one));
        return true;
      },
      after);
  if (!scanned || wrong) {
    return error_response(wrong ? *wrong : scanned.error());
  }
  return ok(
      {{"schedules", std::move(schedules)}, {"next_cursor", more ? json(cursor_of(last)) : json(nullptr)}});
}

bool is_page_of_schedules(const json& body) {
  return has_text_or_null(body, "next_cursor") &&
         has_list(body, "schedules", [](const json& one) { return has_text(one, "name"); });
}

response merge_schedules(std::vector<part> parts, std::size_t limit) {
  std::multimap<std::string, json>
      sorted; // one that has moved may stand on a node that has not started since
  bool more = false;
  for (auto& [node, body] : bodies_of(parts, is_page_of_schedules)) {
    more = more || body["next_cursor"].is_string();
    for (auto& one : body["schedules"]) {
      sorted.emplace(one["name"].get<std::string>(), std::move(one));
    }
  }
  more = more || sorted.size() > limit;
  auto schedules = json::array();
  std::string last;
  for (auto& [name, one] : sorted) {
    if (schedules.size() == limit) {
      break;
    }
    last = name;
    schedules.push_back(std::move(one));
  }
  // A page that is cut has `limit` schedules: each node gives so many, or all that it has.
  const auto cursor = cursor_of(engine::record_key({std::string{engine::schedule_type}, last}));
  return ok({{"schedules", std::move(schedules)},
             {"next_cursor", more ? json(cursor) : json(nullptr)},
             {"unreachable", missing_of(parts)}});
}

void list_schedules(desk& at, call&& one) {
  constexpr std::array<std::string_view, 2> known{"limit", "cursor"};
  if (auto refusal = unknown_parameter(one.asked, known)) {
    one.done(std::move(*refusal));
    return;
  }
  const auto limit = page_limit(one.asked);
  const auto after = page_start(one.asked);
  if (!limit || !after) {
    one.done(error_response(limit ? after.error() : limit.error()));
    return;
  }
  at.gather(
      std::move(one),
      [after = *after, limit = *limit](const node_runtime& node, const actors::core& core) {
        return schedules_here(after, limit, node, core);
      },
      [limit = *limit](std::vector<part> parts) { return merge_schedules(std::move(parts), limit); });
}

// -- one schedule --------------------------------------------------------------------------------------

/// Answers where the schedule lives: here, by `local`, or on another node.
template <class Local>
void on_node_of_schedule(desk& at, call&& one, Local local) {
  if (auto refusal = unknown_parameter(one.asked, {})) {
    one.done(std::move(*refusal));
    return;
  }
  auto here = at.open(one.done);
  if (!here) {
    return;
  }
  const auto& core = *here->core;
  const auto name = one.names[0];
  if (!core.routes.where().is_alone()) {
    if (const auto home = nodes::home_of_schedule(name, core.cluster); home != core.routes.where().here()) {
      here.reset();
      at.pass_on(home, std::move(one));
      return;
    }
  }
  local(std::move(*here), name, std::move(one));
}

void show_schedule(desk& at, call&& one) {
  on_node_of_schedule(at, std::move(one), [&at](desk::opened&& here, const std::string& name, call&& local) {
    here.core.reset();
    at.blocking(local.done, [name](const node_runtime& node, actors::core& core) {
      const auto bytes = core.store->get(engine::record_key({std::string{engine::schedule_type}, name}));
      if (!bytes || !*bytes) {
        return error_response(bytes ? no_schedule(name) : bytes.error());
      }
      auto shown = read_schedule(**bytes, node, core);
      return shown ? ok(*shown) : error_response(shown.error());
    });
  });
}

/// Who asks, as the body says it.
result<std::string> who_asks(const request& asked) {
  constexpr std::array<std::string_view, 1> known{"who"};
  const auto body = object_body(asked, known);
  if (!body) {
    return tl::unexpected(body.error());
  }
  const auto who = body->value("who", json(""));
  if (!who.is_string()) {
    return fail(errc::malformed, "$.who: expected a string");
  }
  auto text = who.get<std::string>();
  if (text.size() > schedule_who_max) {
    return fail(errc::malformed, fmt::format("who has at most {} bytes", schedule_who_max));
  }
  return text;
}

template <schedule_verb What>
void operate_on_schedule(desk& at, call&& one) {
  const auto who = who_asks(one.asked);
  if (!who) {
    one.done(error_response(who.error()));
    return;
  }
  on_node_of_schedule(
      at, std::move(one), [who = *who](desk::opened&& here, const std::string& name, call&& local) {
        const instance_id id{std::string{engine::schedule_type}, name};
        if (!here.core->schedules.contains(name)) {
          local.done(error_response(no_schedule(name)));
          return;
        }
        caf::anon_send(
            here.core->shard_of(id),
            actors::operate_schedule{What, id, who,
                                     [name, done = std::move(local.done)](const result<message_id>& said) {
                                       json body{{"name", name}};
                                       if (What == schedule_verb::trigger && said) {
                                         body["message_id"] = to_string(*said);
                                       }
                                       done(said ? ok(body, 202) : error_response(said.error()));
                                     }});
      });
}

} // namespace

std::span<const route> schedule_routes() {
  static constexpr std::array routes{
      route{"GET", "/api/v1/schedules", list_schedules},
      route{"GET", "/api/v1/schedules/{}", show_schedule},
      route{"POST", "/api/v1/schedules/{}/pause", operate_on_schedule<schedule_verb::pause>},
      route{"POST", "/api/v1/schedules/{}/resume", operate_on_schedule<schedule_verb::resume>},
      route{"POST", "/api/v1/schedules/{}/trigger", operate_on_schedule<schedule_verb::trigger>},
  };
  return routes;
}

} // namespace continuo::http
