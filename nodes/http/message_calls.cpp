#include "nodes/http/desk.hpp"
#include "nodes/http/opened.hpp"

#include "config/nearest.hpp"
#include "engine/remembered_key.hpp"
#include "engine/trace.hpp"

#include <caf/send.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace continuo::http {

namespace {

using detail::node_runtime;

/// The client's key; empty where it gives none.
result<std::string> idempotency_key(const request& asked) {
  const auto given = asked.headers.find("idempotency-key");
  if (given == asked.headers.end()) {
    return std::string{};
  }
  const auto& key = given->second;
  const auto visible = [](char letter) { return letter > ' ' && letter < '\x7f'; };
  if (key.empty() || key.size() > engine::idempotency_key_max ||
      !std::all_of(key.begin(), key.end(), visible)) {
    return fail(errc::malformed, fmt::format("an Idempotency-Key has 1 to {} visible characters of ASCII",
                                             engine::idempotency_key_max));
  }
  return key;
}

/// The client's trace; empty where it gives none, or one that cannot be read: a trace is no reason to refuse.
std::string trace_of(const request& asked) {
  const auto given = asked.headers.find("traceparent");
  return given != asked.headers.end() && engine::is_trace(given->second) ? given->second : std::string{};
}

/// An event or a command as it came, in bytes of its type; the message says where it is wrong.
result<event_body> body_of(const request& asked, const message_type& type) {
  if (asked.in_bytes) {
    return decode<event_body>(asked.body);
  }
  if (asked.body.empty()) {
    return fail(errc::malformed, fmt::format("the body is empty, and must be the {} as JSON", type.name));
  }
  return type.from_json(asked.body).map([](std::string payload) {
    return event_body{std::move(payload), false};
  });
}

/// The node of the whole cluster that keeps a key which belongs to no instance.
std::string home_of_key(const std::string& key, const actors::core& core) {
  std::string best;
  std::uint64_t weight = 0;
  for (const auto& node : core.cluster.nodes) {
    const auto its = engine::rendezvous_weight(node.name, {"continuo.key", key});
    if (best.empty() || its > weight || (its == weight && node.name < best)) {
      best = node.name;
      weight = its;
    }
  }
  return best;
}

/// The instances of an acceptance that the event starts, and not only reaches.
std::vector<instance_id> started_by(const std::string& event, std::vector<instance_id> reached,
                                    const actors::core& core) {
  std::erase_if(reached, [&](const instance_id& one) {
    const auto saga = core.sagas.find(one.type);
    if (saga == core.sagas.end()) {
      return true;
    }
    const auto subscription = saga->second.subscriptions.find(event);
    return subscription == saga->second.subscriptions.end() || !subscription->second.starts;
  });
  return reached;
}

// -- POST /api/v1/publish/{type} ------------------------------------------------------------

error unknown_event(const std::string& type, const actors::core& core) {
  if (core.routes.knows_command(type)) {
    return {
        errc::unknown_type,
        fmt::format("{} is a command, not an event: send it to its service with POST /api/v1/send", type)};
  }
  std::vector<std::string> events;
  for (const auto* known : core.types.all()) {
    if (core.routes.knows_event(known->name)) {
      events.push_back(known->name);
    }
  }
  return {errc::unknown_type, fmt::format("no saga and no service subscribes to an event {}; {}", type,
                                          config::suggestion(type, events))};
}

/// Where a publish with a key belongs: to the first instance that it starts, else to the key's own home.
result<std::string> home_of_publish(const std::string& type, const std::string& payload,
                                    const std::string& key, const actors::core& core) {
  const auto where = core.routes.event(type, payload, {std::string{engine::publish_type}, payload});
  if (!where) {
    return tl::unexpected(where.error());
  }
  std::vector<instance_id> reached;
  for (const auto& one : *where) {
    reached.push_back(one.to);
  }
  const auto started = started_by(type, std::move(reached), core);
  return started.empty() ? home_of_key(key, core) : std::string{core.routes.where().node_of(started.front())};
}

void publish(desk& at, call&& one) {
  if (auto refusal = unknown_parameter(one.asked, {})) {
    one.done(std::move(*refusal));
    return;
  }
  auto here = at.open(one.done);
  if (!here) {
    return;
  }
  const auto& core = *here->core;
  const auto& name = one.names[0];
  const auto* type = core.routes.knows_event(name) ? core.types.find(name) : nullptr;
  if (type == nullptr) {
    one.done(error_response(unknown_event(name, core)));
    return;
  }
  auto key = idempotency_key(one.asked);
  auto body = key ? body_of(one.asked, *type) : result<event_body>{tl::unexpected(key.error())};
  if (!body) {
    one.done(error_response(body.error()));
    return;
  }
  if (!key->empty() && !core.routes.where().is_alone() && !one.passed_on) {
    const auto home = home_of_publish(name, body->payload, *key, core);
    if (!home) {
      one.done(error_response(home.error()));
      return;
    }
    if (*home != core.routes.where().here()) {
      here.reset();
      at.pass_on(*home, std::move(one));
      return;
    }
  }
  auto trace = trace_of(one.asked);
  caf::anon_send(
      core.intake,
      actors::publish{
          name,
          std::move(body->payload),
          {.wait_for_room = body->wait_for_room},
          [runtime = std::weak_ptr{here->node}, name, bytes = one.asked.in_bytes,
           done = std::move(one.done)](const result<accepted>& taken) {
            if (bytes) {
              done(taken ? in_bytes(*taken) : error_response(taken.error()));
              return;
            }
            const auto node = runtime.lock();
            const auto shared = node && taken ? node->open_core() : detail::open_node{};
            if (!shared) {
              done(error_response(taken ? error{errc::unavailable, "the node has stopped"} : taken.error()));
              return;
            }
            auto instances = json::array();
            for (const auto& id : taken->instances) {
              instances.push_back(json_of(id));
            }
            done(ok({{"message_id", to_string(taken->id)}, {"instances", std::move(instances)}}, 202));
          },
          std::move(*key),
          std::move(trace)});
}

// -- POST /api/v1/send/{service}/{type} ---------------------------------------------------------

/// The command's type, if the service handles it.
result<const message_type*> command_of(const std::string& service, const std::string& command,
                                       const actors::core& core) {
  std::vector<std::string> known;
  const auto look = [&](const auto& services) -> const message_type* {
    const auto found = services.find(service);
    if (found == services.end()) {
      return nullptr;
    }
    for (const auto& [name, handler] : found->second.commands) {
      known.push_back(name);
    }
    const auto handled = found->second.commands.find(command);
    return handled == found->second.commands.end() ? nullptr : handled->second.command;
  };
  const auto* type = look(core.services);
  type = type != nullptr ? type : look(core.keyed_services);
  type = type != nullptr ? type : look(core.sagas);
  if (type != nullptr) {
    return type;
  }
  if (core.services.contains(service) || core.keyed_services.contains(service) || !known.empty()) {
    return fail(errc::unknown_type, fmt::format("the service {} handles no command {}; {}", service, command,
                                                config::suggestion(command, known)));
  }
  known.clear();
  for (const auto& [name, one] : core.services) {
    known.push_back(name);
  }
  for (const auto& [name, one] : core.keyed_services) {
    known.push_back(name);
  }
  for (const auto& [name, one] : core.sagas) {
    if (!one.commands.empty()) {
      known.push_back(name);
    }
  }
  return fail(errc::unknown_type,
              fmt::format("there is no service {}; {}", service, config::suggestion(service, known)));
}

void send(desk& at, call&& one) {
  if (auto refusal = unknown_parameter(one.asked, {})) {
    one.done(std::move(*refusal));
    return;
  }
  auto here = at.open(one.done);
  if (!here) {
    return;
  }
  const auto& core = *here->core;
  const auto type = command_of(one.names[0], one.names[1], core);
  auto key = idempotency_key(one.asked);
  if (!type || !key) {
    one.done(error_response(type ? key.error() : type.error()));
    return;
  }
  auto body = body_of(one.asked, **type);
  if (!body) {
    one.done(error_response(body.error()));
    return;
  }
  if (!key->empty() && !core.routes.where().is_alone() && !one.passed_on) {
    const auto home = home_of_key(*key, core);
    if (home != core.routes.where().here()) {
      here.reset();
      at.pass_on(home, std::move(one));
      return;
    }
  }
  auto trace = trace_of(one.asked);
  caf::anon_send(core.intake,
                 actors::send_command{
                     (*type)->name, std::move(body->payload),
                     [bytes = one.asked.in_bytes, done = std::move(one.done)](const result<accepted>& taken) {
                       if (!taken) {
                         done(error_response(taken.error()));
                       } else {
                         done(bytes ? in_bytes(*taken) : ok({{"message_id", to_string(taken->id)}}, 202));
                       }
                     },
                     nullptr, std::move(*key), std::move(trace)});
}

// -- GET /api/v1/commands/{message_id} --------------------------------------------------------------

json command_json(const command_result& end, const actors::core& core) {
  const auto* type = end.failed ? nullptr : core.types.find(end.reply_type);
  const auto reply = type != nullptr ? type->to_json(end.payload) : result<std::string>{std::string{}};
  return {{"message_id", to_string(end.id)},
          {"status", end.failed ? "failed" : "completed"},
          {"reply_type", end.failed ? json(nullptr) : json(end.reply_type)},
          {"reply", reply && !reply->empty() ? json_or_null(*reply) : json(nullptr)},
          {"failure",
           end.failed ? json{{"kind", to_string(*end.failed)}, {"reason", end.reason}} : json(nullptr)}};
}

response end_in_bytes(const result<std::optional<command_result>>& end) {
  if (!end) {
    return error_response(end.error());
  }
  if (!*end) { // who asks goes on asking
    return error_response({errc::timed_out, "the command has no outcome yet; it goes on"});
  }
  const auto& one = **end;
  const auto failed = one.failed ? std::optional{static_cast<std::uint8_t>(*one.failed)} : std::nullopt;
  return in_bytes(command_end{one.id, failed, one.reason, one.reply_type, one.payload});
}

/// The answer is the outcome, or after the last turn that there is none yet.
void await_outcome(const std::weak_ptr<node_runtime>& runtime, const actors::core& at, const message_id& id,
                   turns wait, bool bytes, answer done) {
  const auto time = wait.next();
  auto answered = [runtime, id, wait, bytes,
                   done = std::move(done)](const result<std::optional<command_result>>& end) {
    if (bytes) {
      done(end_in_bytes(end));
      return;
    }
    const auto node = runtime.lock();
    const auto shared = node && end ? node->open_core() : detail::open_node{};
    if (!shared) {
      done(error_response(end ? error{errc::unavailable, "the node has stopped"} : end.error()));
    } else if (*end) {
      done(ok(command_json(**end, *shared)));
    } else if (wait.more()) {
      await_outcome(runtime, *shared, id, wait, bytes, done);
    } else {
      done(ok({{"message_id", to_string(id)},
               {"status", "running"},
               {"reply_type", nullptr},
               {"reply", nullptr},
               {"failure", nullptr}},
              202));
    }
  };
  caf::anon_send(at.home_of({std::string{engine::send_type}, to_string(id)}),
                 actors::await_command{id, time, std::move(answered)});
}

void command_outcome(desk& at, call&& one) {
  constexpr std::array<std::string_view, 1> known{"wait"};
  if (auto refusal = unknown_parameter(one.asked, known)) {
    one.done(std::move(*refusal));
    return;
  }
  const auto wait = wait_time(one.asked);
  const auto id = parse_message_id(one.names[0]);
  if (!wait || !id) {
    one.done(error_response(
        wait ? error{errc::malformed,
                     fmt::format("{} is no message id: give the one that the send was answered with",
                                 one.names[0])}
             : wait.error()));
    return;
  }
  auto here = at.open(one.done);
  if (!here) {
    return;
  }
  const auto& core = *here->core;
  if (id->store != core.store_id) {
    const std::string peer{core.peers.peer_of_store(id->store)};
    here.reset();
    if (peer.empty()) {
      one.done(error_response(
          {errc::not_found, fmt::format("no node of this cluster has made the id {}", one.names[0])}));
    } else {
      const turns of_client{one.asked, *wait};
      at.pass_on(peer, std::move(one), of_client, [](const response& said) { return said.status == 202; });
    }
    return;
  }
  await_outcome(here->node, core, *id, turns{one.asked, *wait}, one.asked.in_bytes, std::move(one.done));
}

// -- GET /api/v1/message-types --------------------------------------------------------------------------

void types(desk& at, call&& one) {
  if (auto refusal = unknown_parameter(one.asked, {})) {
    one.done(std::move(*refusal));
    return;
  }
  at.blocking(one.done, [](const node_runtime&, const actors::core& core) {
    auto all = json::array();
    for (const auto* type : core.types.all()) {
      auto fields = json::array();
      for (const auto& field : type->fields) {
        fields.push_back({{"name", field.name}, {"type", field.type}});
      }
      all.push_back({{"name", type->name}, {"version", type->version}, {"fields", std::move(fields)}});
    }
    return ok({{"message_types", std::move(all)}});
  });
}

} // namespace

std::span<const route> message_routes() {
  static constexpr std::array routes{
      route{"POST", "/api/v1/publish/{}", publish},
      route{"POST", "/api/v1/send/{}/{}", send},
      route{"GET", "/api/v1/commands/{}", command_outcome},
      route{"GET", "/api/v1/message-types", types},
  };
  return routes;
}

} // namespace continuo::http
