#include "nodes/http/desk.hpp"
#include "nodes/http/opened.hpp"

#include "actors/views.hpp"
#include "config/nearest.hpp"
#include "engine/placement.hpp"

#include <continuo/archive.hpp>
#include <continuo/json.hpp>

#include <caf/send.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <set>

namespace continuo::http {

namespace {

using detail::node_runtime;
using engine::placement;

/// A page that finds nothing ends after this time all the same, and says where to go on.
constexpr std::chrono::milliseconds page_time{1'000};
constexpr std::size_t attempts_asked_max = 20;

// -- as JSON ----------------------------------------------------------------------------------

json cause_json(const cause& one, const actors::core& core) {
  if (one.kind == "reply") {
    const auto service = placement::service_of(one.to.type);
    const auto node = core.routes.where().node_of(one.to);
    return {{"kind", one.kind},
            {"command", one.what},
            {"service", service},
            {"node", node},
            {"sent_at", text_of(one.since)},
            {"attempts", one.attempts},
            {"last_error", one.last_error}};
  }
  if (one.kind == "timer") {
    return {{"kind", one.kind}, {"name", one.what}, {"due", text_of(one.since)}};
  }
  if (one.kind == "event") {
    return {{"kind", one.kind}, {"types", json::array({one.what})}};
  }
  if (one.kind == "delivery") {
    return {{"kind", one.kind},
            {"message", one.what},
            {"node", core.routes.where().here()},
            {"since", text_of(one.since)},
            {"attempts", one.attempts},
            {"last_error", one.last_error}};
  }
  return {{"kind", one.kind}, {"reason", one.what}, {"since", text_of(one.since)}};
}

json causes_json(const std::vector<cause>& causes, const actors::core& core) {
  auto all = json::array();
  json* events = nullptr;
  for (const auto& one : causes) {
    if (one.kind == "event" && events != nullptr) { // one entry for all of them
      (*events)["types"].push_back(one.what);
      continue;
    }
    all.push_back(cause_json(one, core));
    if (one.kind == "event") {
      events = &all.back();
    }
  }
  return all;
}

std::string_view kind_of(const std::string& type, const actors::core& core) {
  return core.sagas.contains(type) ? "saga" : core.keyed_services.contains(type) ? "service" : "command";
}

json text_or_null(const std::string& text) {
  return text.empty() ? json(nullptr) : json(text);
}

json entry_json(const instance_view& view, const actors::core& core, const std::string& node) {
  return {{"type", view.instance.type},
          {"key", view.instance.key},
          {"kind", kind_of(view.instance.type, core)},
          {"node", node},
          {"status", to_string(view.status)},
          {"revision", view.revision},
          {"waiting_for", causes_json(view.waiting_for, core)},
          {"reason", text_or_null(view.reason)},
          {"started_at", text_of(view.started_at)},
          {"updated_at", text_of(view.updated_at)}};
}

json whole_json(const instance_view& view, const actors::core& core, const std::string& node) {
  auto whole = entry_json(view, core, node);
  whole["definition_version"] = view.definition_version;
  whole["state"] = json_or_null(view.state);
  whole["result"] = view.result.empty() ? json(nullptr) : json_or_null(view.result);
  return whole;
}

// -- which instance ---------------------------------------------------------------------------

std::vector<std::string_view> instance_types(const actors::core& core) {
  std::vector<std::string_view> all;
  for (const auto& [name, saga] : core.sagas) {
    all.push_back(name);
  }
  for (const auto& [name, service] : core.keyed_services) {
    all.push_back(name);
  }
  return all;
}

error unknown_type(const std::string& type, const std::vector<std::string_view>& known) {
  const auto like = config::nearest_of(type, known);
  return {errc::unknown_type,
          like.empty()
              ? fmt::format("there is no saga or service {}; there are: {}", type, fmt::join(known, ", "))
              : fmt::format("there is no saga or service {}; did you mean {}?", type, like)};
}

/// A saga, a service, or the address of a service on a node that there is.
bool is_known(const std::string& type, const actors::core& core) {
  if (core.sagas.contains(type) || core.keyed_services.contains(type) || core.services.contains(type)) {
    return true;
  }
  const auto node = placement::node_in(type);
  const auto& nodes = core.cluster.nodes;
  return core.services.contains(placement::service_of(type)) &&
         std::any_of(nodes.begin(), nodes.end(), [&](const auto& one) { return one.name == node; });
}

/// Runs `here` with the instance that the call names, on the node where it lives; elsewhere lets that node
/// answer.
void on_its_node(desk& at, call&& one, std::chrono::milliseconds patience,
                 const std::function<void(desk::opened&, instance_id, call&&)>& here) {
  auto node = at.open(one.done);
  if (!node) {
    return;
  }
  instance_id instance{one.names[0], one.names[1]};
  if (!is_known(instance.type, *node->core)) {
    const auto why = unknown_type(instance.type, instance_types(*node->core));
    node.reset(); // nobody is answered while it is held: an answer may open it again
    one.done(error_response(why));
    return;
  }
  const std::string peer{node->core->peer_of(instance)};
  if (!peer.empty()) {
    node.reset();
    at.pass_on(peer, std::move(one), patience);
    return;
  }
  here(*node, std::move(instance), std::move(one));
}

// -- GET /api/v1/instances ----------------------------------------------------------------------

struct list_query {
  std::string type;
  std::string kind = "saga";
  std::optional<instance_status> status;
  std::string waiting_for;
  std::size_t limit = 0;
  std::string after; ///< the key of a record
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
    auto why = unknown_type(query.type, instance_types(core));
    if (is_known(query.type, core)) {
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

bool waits_for(const engine::record& stored, const std::string& wanted) {
  const auto causes = actors::causes_of(stored);
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
  auto entries = json::array();
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
          const auto wanted = (!query.status || stored->status == *query.status) &&
                              (query.waiting_for.empty() || waits_for(*stored, query.waiting_for));
          if (wanted && entries.size() == query.limit) { // there is more
            whole = false;
            return false;
          }
          position = key;
          if (wanted) {
            entries.push_back(entry_json(actors::view_of(*stored, core, false), core, node.config().name));
            entries.back()["position"] = cursor_of(key); // for the merge: a key need not be text
          }
          whole = !node.ending() && std::chrono::steady_clock::now() < until;
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
  return ok({{"instances", std::move(entries)},
             {"next_cursor", whole ? json(nullptr) : json(cursor_of(position))}});
}

/// One page of the pages of all nodes: entries up to the first place that some node has not looked at.
response merge_lists(std::vector<part> parts, std::size_t limit) {
  std::optional<std::string> bound; // in the form of a cursor, which orders as what it stands for
  std::multimap<std::string, json> sorted;
  for (auto& [node, body] : bodies_of(parts)) {
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

void list(desk& at, call&& one) {
  constexpr std::array<std::string_view, 6> known{"type", "status", "waiting_for", "kind", "limit", "cursor"};
  if (auto refusal = unknown_parameter(one.asked, known)) {
    one.done(std::move(*refusal));
    return;
  }
  result<list_query> query;
  {
    const auto node = at.open(one.done);
    if (!node) {
      return;
    }
    query = read_list_query(one.asked, *node->core);
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
      [limit = query->limit](std::vector<part> parts) { return merge_lists(std::move(parts), limit); });
}

// -- GET /api/v1/instances/{type}/{key} --------------------------------------------------------------

/// A command in execution has a record and no actor of its own.
response show_command(const instance_id& instance, const node_runtime& node, const actors::core& core) {
  const auto bytes = core.store->get(engine::record_key(instance));
  if (!bytes || !*bytes) {
    return error_response(bytes ? actors::not_found(instance).value() : bytes.error());
  }
  const auto stored = decode<engine::record>(**bytes);
  if (!stored) {
    return error_response(stored.error());
  }
  auto whole = whole_json(actors::view_of(*stored, core), core, node.config().name);
  whole["attempts"] = stored->attempts;
  return ok(whole);
}

/// A view on its way to the client, whose open commands are asked after where they are handled.
struct shown {
  instance_view view;
  std::string node;
  answer done;
  std::weak_ptr<node_runtime> runtime;
  std::atomic<std::size_t> open{1};

  void finish() {
    if (open.fetch_sub(1) != 1) {
      return;
    }
    const auto alive = runtime.lock();
    const auto core = alive ? alive->open_core() : detail::open_node{};
    done(core ? ok(whole_json(view, *core, node))
              : error_response(error{errc::unavailable, "the node has stopped"}));
  }
};

/// Attempts and last errors stand in the records of the services, which may be elsewhere. What cannot be had
/// is left out.
void add_attempts(desk& at, const std::shared_ptr<shown>& whole) {
  std::size_t asked = 0;
  for (std::size_t i = 0; i < whole->view.waiting_for.size() && asked < attempts_asked_max; ++i) {
    auto& one = whole->view.waiting_for[i];
    if (one.kind != "reply" || !one.to.key.empty()) {
      continue;
    }
    ++asked;
    ++whole->open;
    call sub;
    sub.asked.method = "GET";
    sub.asked.segments = {"api", "v1", "instances", one.to.type, to_string(one.id)};
    sub.names = {one.to.type, to_string(one.id)};
    sub.done = [whole, i](const response& said) {
      if (said.status == 200) {
        const auto body = json_or_null(said.body);
        whole->view.waiting_for[i].attempts = body.value("attempts", 0u);
        if (body.contains("reason") && body["reason"].is_string()) {
          whole->view.waiting_for[i].last_error = body["reason"];
        }
      }
      whole->finish();
    };
    on_its_node(at, std::move(sub), std::chrono::seconds{1},
                [&at](desk::opened&, const instance_id& command, call&& local) {
                  at.blocking(local.done, [command](const node_runtime& node, const actors::core& core) {
                    return show_command(command, node, core);
                  });
                });
  }
  whole->finish();
}

void show(desk& at, call&& one) {
  if (auto refusal = unknown_parameter(one.asked, {})) {
    one.done(std::move(*refusal));
    return;
  }
  on_its_node(
      at, std::move(one), peer_patience, [&at](desk::opened& here, instance_id instance, call&& local) {
        const auto& core = *here.core;
        if (core.services.contains(placement::service_of(instance.type))) {
          at.blocking(local.done, [instance](const node_runtime& node, const actors::core& shared) {
            return show_command(instance, node, shared);
          });
          return;
        }
        const auto& shard = core.shard_of(instance);
        caf::anon_send(shard, actors::show{std::move(instance),
                                           [self = at.shared_from_this(), name = here.node->config().name,
                                            done = std::move(local.done)](result<instance_view> view) {
                                             if (!view) {
                                               done(error_response(view.error()));
                                               return;
                                             }
                                             const auto whole = std::make_shared<shown>();
                                             whole->view = std::move(*view);
                                             whole->node = name;
                                             whole->done = done;
                                             whole->runtime = self->node();
                                             add_attempts(*self, whole);
                                           }});
      });
}

// -- GET …/history ----------------------------------------------------------------------------------------

json history_json(const engine::history_entry& stored, const actors::core& core, std::size_t attempt) {
  const auto view = actors::view_of(stored, core);
  return {{"at", text_of(view.at)},
          {"revision", view.revision},
          {"kind", view.what},
          {"message_type", text_or_null(view.message)},
          {"message_id", view.id ? json(to_string(view.id)) : json(nullptr)},
          {"from", stored.in ? json_of(view.from) : json(nullptr)},
          {"to", json_of(stored.self)},
          {"attempt", attempt},
          {"payload", view.payload.empty() ? json(nullptr) : json_or_null(view.payload)},
          {"status", to_string(view.status)},
          {"sent", view.sent},
          {"note", view.note}};
}

/// The entries are chained from the newest to the oldest, and a page begins with the oldest: so the whole
/// chain is walked, and the last `limit` entries behind the cursor are kept.
response history_here(const instance_id& instance, std::uint64_t after, std::size_t limit,
                      const actors::core& core) {
  const auto bytes = core.store->get(engine::record_key(instance));
  if (!bytes || !*bytes) {
    return error_response(bytes ? actors::not_found(instance).value() : bytes.error());
  }
  const auto stored = decode<engine::record>(**bytes);
  if (!stored) {
    return error_response(stored.error());
  }
  std::deque<engine::history_entry> page;
  std::map<message_id, std::vector<std::uint64_t>> seen; // in which revisions a message was handled
  bool more = false;
  for (auto revision = stored->history; revision != 0;) {
    const auto entry_bytes = core.store->get(engine::history_key(revision));
    auto entry = entry_bytes && *entry_bytes
                     ? decode<engine::history_entry>(**entry_bytes)
                     : result<engine::history_entry>{
                           fail(errc::corrupt, fmt::format("the history entry {} is missing", revision))};
    if (!entry) {
      return error_response(entry.error());
    }
    if (entry->in) {
      seen[entry->in->id].push_back(revision);
    }
    const auto previous = entry->previous;
    if (revision > after) {
      page.push_back(std::move(*entry));
      if (page.size() > limit) {
        page.pop_front();
        more = true;
      }
    }
    revision = previous;
  }
  auto entries = json::array();
  for (auto entry = page.rbegin(); entry != page.rend(); ++entry) {
    std::size_t attempt = 0;
    if (entry->in) {
      const auto& all = seen[entry->in->id];
      attempt = static_cast<std::size_t>(std::count_if(
          all.begin(), all.end(), [&](std::uint64_t revision) { return revision <= entry->revision; }));
    }
    entries.push_back(history_json(*entry, core, attempt));
  }
  const auto next =
      more && !page.empty() ? json(cursor_of(std::to_string(page.front().revision))) : json(nullptr);
  return ok({{"entries", std::move(entries)}, {"next_cursor", next}});
}

void history(desk& at, call&& one) {
  constexpr std::array<std::string_view, 2> known{"limit", "cursor"};
  if (auto refusal = unknown_parameter(one.asked, known)) {
    one.done(std::move(*refusal));
    return;
  }
  const auto limit = page_limit(one.asked);
  const auto cursor = page_start(one.asked);
  if (!limit || !cursor) {
    one.done(error_response(limit ? cursor.error() : limit.error()));
    return;
  }
  const auto after = cursor->empty() ? result<std::uint64_t>{0} : from_json<std::uint64_t>(*cursor);
  if (!after) {
    one.done(error_response(
        {errc::malformed, "the cursor is none of this call's: give back next_cursor as it came"}));
    return;
  }
  on_its_node(
      at, std::move(one), peer_patience,
      [&at, after = *after, limit = *limit](desk::opened&, const instance_id& instance, call&& local) {
        at.blocking(local.done, [=](const node_runtime&, const actors::core& core) {
          return history_here(instance, after, limit, core);
        });
      });
}

// -- GET …/result -------------------------------------------------------------------------------------------

json result_json(const saga_result& end, const actors::core& core) {
  const auto* type = core.types.find(end.result_type);
  const auto text = type != nullptr ? type->to_json(end.payload) : result<std::string>{std::string{}};
  return {{"type", end.instance.type},
          {"key", end.instance.key},
          {"status", to_string(end.status)},
          {"result", text && !text->empty() ? json_or_null(*text) : json(nullptr)},
          {"reason", text_or_null(end.reason)}};
}

/// 202 with what the instance waits for, where it is there.
void not_ended(const std::weak_ptr<node_runtime>& runtime, const instance_id& instance, const answer& done) {
  const auto node = runtime.lock();
  const auto core = node ? node->open_core() : detail::open_node{};
  if (!core) {
    done(error_response({errc::unavailable, "the node has stopped"}));
    return;
  }
  caf::anon_send(
      core->shard_of(instance),
      actors::show{
          instance, [runtime, done](result<instance_view> view) {
            const auto alive = runtime.lock();
            const auto shared = alive ? alive->open_core() : detail::open_node{};
            if (!view || !shared) {
              done(error_response(view ? error{errc::unavailable, "the node has stopped"} : view.error()));
              return;
            }
            if (is_terminal(view->status)) { // it ended while it was looked at
              done(ok(
                  {{"type", view->instance.type},
                   {"key", view->instance.key},
                   {"status", to_string(view->status)},
                   {"result", view->result.empty() ? json(nullptr) : json_or_null(view->result)},
                   {"reason", text_or_null(view->status == instance_status::compensated ? view->reason
                                                                                        : std::string{})}}));
              return;
            }
            done(ok({{"type", view->instance.type},
                     {"key", view->instance.key},
                     {"status", to_string(view->status)},
                     {"result", nullptr},
                     {"reason", text_or_null(view->reason)},
                     {"waiting_for", causes_json(view->waiting_for, *shared)}},
                    202));
          }});
}

void outcome(desk& at, call&& one) {
  constexpr std::array<std::string_view, 1> known{"wait"};
  if (auto refusal = unknown_parameter(one.asked, known)) {
    one.done(std::move(*refusal));
    return;
  }
  const auto wait = wait_time(one.asked);
  if (!wait) {
    one.done(error_response(wait.error()));
    return;
  }
  on_its_node(
      at, std::move(one), *wait + peer_patience,
      [wait = *wait](desk::opened& here, const instance_id& instance, call&& local) {
        if (!here.core->sagas.contains(instance.type)) {
          local.done(error_response(
              {errc::unknown_type, fmt::format("{} is no saga: only sagas have an end", instance.type)}));
          return;
        }
        caf::anon_send(here.core->shard_of(instance),
                       actors::await_end{instance,
                                         [runtime = std::weak_ptr{here.node}, instance,
                                          done = std::move(local.done)](const result<saga_result>& end) {
                                           const auto node = runtime.lock();
                                           const auto core =
                                               node && end ? node->open_core() : detail::open_node{};
                                           if (core) {
                                             done(ok(result_json(*end, *core)));
                                           } else if (end || end.error().code == errc::timed_out) {
                                             not_ended(runtime, instance, done);
                                           } else {
                                             done(error_response(end.error()));
                                           }
                                         },
                                         wait});
      });
}

// -- an operator's verbs
// ------------------------------------------------------------------------------------------

constexpr std::array verb_names{"cancel", "pause", "resume", "retry", "skip"};

void operate(desk& at, call&& one, engine::verb what) {
  constexpr std::array<std::string_view, 2> known{"who", "note"};
  if (auto refusal = unknown_parameter(one.asked, {})) {
    one.done(std::move(*refusal));
    return;
  }
  const auto body = object_body(one.asked, known);
  if (!body) {
    one.done(error_response(body.error()));
    return;
  }
  std::array<std::string, 2> said;
  for (std::size_t i = 0; i < known.size(); ++i) {
    const auto value = body->value(std::string{known[i]}, json(""));
    if (!value.is_string()) {
      one.done(error_response({errc::malformed, fmt::format("$.{}: expected a string", known[i])}));
      return;
    }
    said[i] = value.get<std::string>();
  }
  if (what == engine::verb::skip && said[1].empty()) {
    one.done(error_response(
        {errc::malformed, "skip needs a note, which is kept in the history: {\"note\": \"...\"}"}));
    return;
  }
  on_its_node(
      at, std::move(one), peer_patience,
      [what, said](desk::opened& here, const instance_id& instance, call&& local) {
        if (!here.core->sagas.contains(instance.type)) {
          local.done(error_response(
              {errc::conflict, "an operator's verbs apply to sagas, not to services and commands"}));
          return;
        }
        caf::anon_send(
            here.core->shard_of(instance),
            actors::operate{instance, what, said[0], said[1],
                            [instance, what, done = std::move(local.done)](const result<void>& verdict) {
                              auto body = json_of(instance);
                              body["verb"] = verb_names[static_cast<std::size_t>(what)];
                              done(verdict ? ok(body, 202) : error_response(verdict.error()));
                            }});
      });
}

template <engine::verb What>
void verb(desk& at, call&& one) {
  operate(at, std::move(one), What);
}

constexpr std::array routes{
    route{"GET", "/api/v1/instances", list},
    route{"GET", "/api/v1/instances/{}/{}", show},
    route{"GET", "/api/v1/instances/{}/{}/history", history},
    route{"GET", "/api/v1/instances/{}/{}/result", outcome},
    route{"POST", "/api/v1/instances/{}/{}/cancel", verb<engine::verb::cancel>},
    route{"POST", "/api/v1/instances/{}/{}/pause", verb<engine::verb::pause>},
    route{"POST", "/api/v1/instances/{}/{}/resume", verb<engine::verb::resume>},
    route{"POST", "/api/v1/instances/{}/{}/retry", verb<engine::verb::retry>},
    route{"POST", "/api/v1/instances/{}/{}/skip", verb<engine::verb::skip>},
};

} // namespace

std::span<const route> instance_routes() {
  return routes;
}

} // namespace continuo::http
