#include "actors/views.hpp"

#include "engine/dead_letter.hpp"

#include <continuo/archive.hpp>
#include <continuo/json.hpp>

#include <fmt/format.h>

namespace continuo::actors {

namespace {

/// Bytes as JSON, or a note why not: a view never fails for the sake of one field.
std::string json_of(const message_type* type, std::string_view bytes) {
  if (type == nullptr) {
    return {};
  }
  auto text = type->to_json(bytes);
  return text ? std::move(*text) : "null";
}

/// A failure has no type of the application's: what it says is ours.
std::string failure_json(std::string_view bytes) {
  const auto body = decode<messages::failure_body>(bytes);
  if (!body) {
    return "null";
  }
  return fmt::format(R"({{"kind":"{}","reason":{}}})", to_string(static_cast<failure_kind>(body->kind)),
                     to_json(body->reason));
}

const message_type* state_type(const core& shared, const std::string& name) {
  if (const auto saga = shared.sagas.find(name); saga != shared.sagas.end()) {
    return saga->second.state;
  }
  const auto keyed = shared.keyed_services.find(name);
  return keyed == shared.keyed_services.end() ? nullptr : keyed->second.state;
}

} // namespace

tl::unexpected<error> not_found(const instance_id& id) {
  return fail(errc::not_found, fmt::format("there is no instance {}", to_string(id)));
}

std::vector<cause> causes_of(const engine::record& stored, const engine::routing_table& routes) {
  std::vector<cause> causes;
  if (is_terminal(stored.status)) {
    return causes;
  }
  if (stored.status == instance_status::paused || stored.status == instance_status::stuck) {
    causes.push_back({"operator",
                      stored.status == instance_status::paused ? "paused" : stored.reason,
                      {},
                      {},
                      {},
                      stored.updated_at,
                      stored.attempts,
                      stored.status == instance_status::stuck ? stored.reason : std::string{}});
  }
  for (const auto& sent : stored.requests) {
    if (stored.kind == engine::record_kind::saga && !sent.refused && !routes.is_hosted(sent.to)) {
      const auto why =
          fmt::format("{} went to {}, which nothing hosts any more: retry sends it to who handles it "
                      "now, cancel gives it up",
                      sent.type, sent.to.type);
      causes.push_back({"operator", why, to_string(sent.to), sent.id, sent.to, sent.sent_at, 0, why});
      continue;
    }
    causes.push_back(
        {"reply", sent.type, to_string(sent.to), sent.id, sent.to, sent.sent_at, 0, {}, sent.step});
  }
  for (const auto& timer : stored.timers) {
    causes.push_back({"timer", timer.name, {}, {}, {}, timer.due});
  }
  for (const auto& event : stored.expected) {
    causes.push_back({"event", event, {}, {}, {}, stored.updated_at});
  }
  if (stored.failed && stored.status != instance_status::stuck) {
    causes.push_back({"delivery",
                      stored.failed->type,
                      to_string(stored.failed->from),
                      stored.failed->id,
                      {},
                      stored.updated_at,
                      stored.attempts,
                      stored.reason});
  }
  return causes;
}

instance_view view_of(const engine::record& stored, const core& shared, bool with_state) {
  instance_view view;
  view.instance = stored.self;
  view.status = stored.status;
  view.revision = stored.revision;
  view.definition_version = stored.definition_version;
  view.state = stored.state.empty() || !with_state
                   ? "null"
                   : json_of(state_type(shared, stored.self.type), stored.state);
  view.waiting_for = causes_of(stored, shared.routes);
  for (auto& one : view.waiting_for) {
    const auto pause = one.kind == "reply"
                           ? shared.paused.pause_of(engine::placement::service_of(one.to.type))
                           : std::nullopt;
    one.held = pause ? engine::to_sentence(*pause) : std::string{};
  }
  view.reason = stored.reason;
  view.result = stored.result_type.empty() ? std::string{}
                                           : json_of(shared.types.find(stored.result_type), stored.result);
  view.started_at = stored.started_at;
  view.updated_at = stored.updated_at;
  if (!stored.ancestors.empty()) {
    view.parent = stored.ancestors.back();
  }
  for (const auto& sent : stored.requests) {
    if (shared.routes.goes_to_saga(sent.type)) {
      view.children.push_back(sent.to);
    }
  }
  return view;
}

history_view view_of(const engine::history_entry& stored, const core& shared) {
  history_view view;
  view.at = stored.at;
  view.revision = stored.revision;
  view.what = stored.what;
  view.status = stored.status;
  if (stored.in) {
    view.message = stored.in->type;
    view.id = stored.in->id;
    view.from = stored.in->peer;
    view.answers = stored.in->answers;
    view.answers_id = stored.in->in_reply_to;
    view.payload = stored.in->kind == engine::message_kind::failure
                       ? failure_json(stored.in->payload)
                       : json_of(shared.types.find(stored.in->type), stored.in->payload);
  }
  for (const auto& sent : stored.out) {
    view.sent.push_back(sent.kind == engine::message_kind::withdrawal ? "withdrawal" : sent.type);
  }
  view.note = stored.note;
  return view;
}

dead_letter_view letter_view_of(const engine::record& stored, const core& shared) {
  dead_letter_view view;
  view.id = stored.self.key;
  view.reason = stored.reason;
  view.attempts = stored.attempts;
  view.since = stored.started_at;
  view.may_redrive = !engine::requester_was_told(stored);
  if (stored.failed) {
    view.type = stored.failed->type;
    view.from = stored.failed->from;
    view.to = stored.failed->to;
    view.payload = json_of(shared.types.find(stored.failed->type), stored.failed->payload);
  }
  return view;
}

} // namespace continuo::actors
