#include "nodes/http/instance_views.hpp"
#include "nodes/http/opened.hpp"

#include "actors/views.hpp"
#include "engine/placement.hpp"

#include <continuo/archive.hpp>
#include <continuo/json.hpp>

#include <caf/send.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

namespace continuo::http {

namespace {

using detail::node_runtime;
using engine::placement;

constexpr std::size_t attempts_asked_max = 20;

/// How a call is passed on to a node.
using passing = std::function<void(const std::string& node, call&& one)>;

/// Runs `here` with the instance that the call names, on the node where it lives; elsewhere lets that node
/// answer.
void on_its_node(desk& at, call&& one, const passing& pass_on,
                 const std::function<void(desk::opened&, instance_id, call&&)>& here) {
  auto node = at.open(one.done);
  if (!node) {
    return;
  }
  instance_id instance{one.names[0], one.names[1]};
  if (!is_instance_type(instance.type, *node->core)) {
    const auto why = unknown_instance_type(instance.type, *node->core);
    node.reset(); // nobody is answered while it is held: an answer may open it again
    one.done(error_response(why));
    return;
  }
  const std::string peer{node->core->peer_of(instance)};
  if (!peer.empty()) {
    node.reset();
    pass_on(peer, std::move(one));
    return;
  }
  here(*node, std::move(instance), std::move(one));
}

void on_its_node(desk& at, call&& one, std::chrono::milliseconds patience,
                 const std::function<void(desk::opened&, instance_id, call&&)>& here) {
  on_its_node(
      at, std::move(one),
      [&](const std::string& node, call&& local) { at.pass_on(node, std::move(local), patience); }, here);
}

// -- GET /api/v1/instances/{type}/{key} --------------------------------------------------------------

/// A command in execution has a record and no actor of its own.
response show_command(const instance_id& instance, const node_runtime& node, const actors::core& core) {
  const auto bytes = core.store->get(engine::record_key(instance));
  if (bytes && !*bytes) {
    const auto id = parse_message_id(instance.key);
    if (const auto reason = id ? core.unknown.reason_of(*id) : std::nullopt) { // its sender keeps it
      instance_view waits;
      waits.instance = instance;
      waits.state = "null";
      waits.reason = *reason;
      auto whole = whole_json(waits, core, node.config().name);
      whole["attempts"] = 0;
      return ok(whole);
    }
  }
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
        const auto body = foreign_json(said.body, [](const json& its) {
          return has_count(its, "attempts") && has_text_or_null(its, "reason");
        });
        if (!body.is_null()) {
          whole->view.waiting_for[i].attempts = body["attempts"];
          whole->view.waiting_for[i].last_error =
              body["reason"].is_string() ? body["reason"].get<std::string>() : std::string{};
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

void show_instance(desk& at, call&& one) {
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
        if (local.asked.in_bytes) {
          caf::anon_send(shard, actors::show{std::move(instance), [done = std::move(local.done)](
                                                                      const result<instance_view>& view) {
                                               done(view ? in_bytes(*view) : error_response(view.error()));
                                             }});
          return;
        }
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

json history_json(const engine::history_entry& stored, const actors::core& core) {
  const auto view = actors::view_of(stored, core);
  return {{"at", text_of(view.at)},
          {"revision", view.revision},
          {"kind", view.what},
          {"message_type", text_or_null(view.message)},
          {"message_id", view.id ? json(to_string(view.id)) : json(nullptr)},
          {"answers", view.answers_id ? json{{"type", text_or_null(view.answers)},
                                             {"message_id", to_string(view.answers_id)}}
                                      : json(nullptr)},
          {"from", stored.in ? json_of(view.from) : json(nullptr)},
          {"to", json_of(stored.self)},
          {"attempt", stored.attempt},
          {"payload", view.payload.empty() ? json(nullptr) : json_or_null(view.payload)},
          {"status", to_string(view.status)},
          {"sent", view.sent},
          {"note", view.note}};
}

/// A page begins with the oldest entry behind the cursor: no other one is read.
response history_here(const instance_id& instance, std::uint64_t after, std::size_t limit, bool bytes_wanted,
                      const node_runtime& node, const actors::core& core) {
  const auto bytes = core.store->get(engine::record_key(instance));
  if (!bytes || !*bytes) {
    return error_response(bytes ? actors::not_found(instance).value() : bytes.error());
  }
  auto entries = json::array();
  history_page whole;
  std::size_t count = 0;
  std::size_t bytes_kept = 0;
  std::uint64_t last = 0;
  bool more = false;
  std::optional<error> wrong;
  const auto scanned = core.store->scan(
      engine::history_prefix(instance),
      [&](std::string_view, std::string_view found) {
        bytes_kept += found.size();
        if (count == limit || (bytes_kept > page_bytes_max && count > 0)) {
          more = true;
          return false;
        }
        const auto entry = decode<engine::history_entry>(found);
        if (node.ending()) {
          wrong = error{errc::unavailable, "the node is stopping"};
        } else if (!entry) {
          wrong = entry.error();
        } else {
          if (bytes_wanted) {
            whole.entries.push_back(actors::view_of(*entry, core));
            bytes_kept += whole.entries.back().payload.size();
          } else {
            entries.push_back(history_json(*entry, core));
          }
          ++count;
          last = entry->revision;
        }
        return !wrong;
      },
      engine::history_key(instance, after));
  if (!scanned || wrong) {
    return error_response(wrong ? *wrong : scanned.error());
  }
  const auto next = more ? cursor_of(std::to_string(last)) : std::string{};
  if (bytes_wanted) {
    whole.next = next;
    return in_bytes(whole);
  }
  return ok({{"entries", std::move(entries)}, {"next_cursor", text_or_null(next)}});
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
        const auto bytes = local.asked.in_bytes;
        at.blocking(local.done, [=](const node_runtime& node, const actors::core& core) {
          return history_here(instance, after, limit, bytes, node, core);
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

/// The answer is the end, or after the last turn what it waits for.
void await_result(const std::weak_ptr<node_runtime>& runtime, const actors::core& at, instance_id instance,
                  turns wait, answer done) {
  const auto time = wait.next();
  auto answered = [runtime, instance, wait, done = std::move(done)](const result<saga_result>& end) {
    const auto is_open = !end && end.error().code == errc::timed_out;
    const auto node = runtime.lock();
    const auto core = node && (end || is_open) ? node->open_core() : detail::open_node{};
    if (core && end) {
      done(ok(result_json(*end, *core)));
    } else if (core && wait.more()) {
      await_result(runtime, *core, instance, wait, done);
    } else if (end || is_open) {
      not_ended(runtime, instance, done);
    } else {
      done(error_response(end.error()));
    }
  };
  caf::anon_send(at.shard_of(instance), actors::await_end{instance, std::move(answered), time});
}

/// Whether another node may say something else after one more turn.
bool is_not_ended(const response& said) {
  return said.status == 202 || (said.status == 404 && error_of(said).code == errc::not_found);
}

void instance_result(desk& at, call&& one) {
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
  const turns of_client{one.asked, *wait};
  on_its_node(
      at, std::move(one),
      [&](const std::string& node, call&& passed) {
        at.pass_on(node, std::move(passed), of_client, is_not_ended);
      },
      [&](desk::opened& here, instance_id instance, call&& local) {
        if (!here.core->sagas.contains(instance.type)) {
          local.done(error_response(
              {errc::unknown_type, fmt::format("{} is no saga: only sagas have an end", instance.type)}));
          return;
        }
        if (local.asked.in_bytes) { // who asks goes on asking
          caf::anon_send(here.core->shard_of(instance),
                         actors::await_end{instance,
                                           [done = std::move(local.done)](const result<saga_result>& end) {
                                             done(end ? in_bytes(*end) : error_response(end.error()));
                                           },
                                           *wait});
          return;
        }
        await_result(here.node, *here.core, std::move(instance), of_client, std::move(local.done));
      });
}

// -- an operator's verbs
// ------------------------------------------------------------------------------------------

constexpr std::array verb_names{"cancel", "pause", "resume", "retry", "skip"};

void operate(desk& at, call&& one, engine::verb what) {
  if (auto refusal = unknown_parameter(one.asked, {})) {
    one.done(std::move(*refusal));
    return;
  }
  const auto said = verb_of(one.asked);
  if (!said) {
    one.done(error_response(said.error()));
    return;
  }
  if (what == engine::verb::skip && said->note.empty()) {
    one.done(error_response(
        {errc::malformed, "skip needs a note, which is kept in the history: {\"note\": \"...\"}"}));
    return;
  }
  on_its_node(
      at, std::move(one), peer_patience,
      [what, said = *said](desk::opened& here, const instance_id& instance, call&& local) {
        if (!here.core->sagas.contains(instance.type)) {
          local.done(error_response(
              {errc::conflict, "an operator's verbs apply to sagas, not to services and commands"}));
          return;
        }
        caf::anon_send(
            here.core->shard_of(instance),
            actors::operate{instance, what, said.who, said.note,
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

} // namespace

std::span<const route> instance_routes() {
  static constexpr std::array routes{
      route{"GET", "/api/v1/instances/{}/{}", show_instance},
      route{"GET", "/api/v1/instances/{}/{}/history", history},
      route{"GET", "/api/v1/instances/{}/{}/result", instance_result},
      route{"POST", "/api/v1/instances/{}/{}/cancel", verb<engine::verb::cancel>},
      route{"POST", "/api/v1/instances/{}/{}/pause", verb<engine::verb::pause>},
      route{"POST", "/api/v1/instances/{}/{}/resume", verb<engine::verb::resume>},
      route{"POST", "/api/v1/instances/{}/{}/retry", verb<engine::verb::retry>},
      route{"POST", "/api/v1/instances/{}/{}/skip", verb<engine::verb::skip>},
  };
  return routes;
}

} // namespace continuo::http
