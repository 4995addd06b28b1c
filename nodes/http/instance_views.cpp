#include "nodes/http/instance_views.hpp"

#include "config/nearest.hpp"
#include "engine/placement.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace continuo::http {

using engine::placement;

// -- as JSON ----------------------------------------------------------------------------------

namespace {

json cause_json(const cause& one, const actors::core& core) {
  if (one.kind == "reply") {
    const auto service = placement::service_of(one.to.type);
    const auto node = core.routes.where().node_of(one.to);
    json shown{{"kind", one.kind},
               {"command", one.what},
               {"service", service},
               {"node", node},
               {"sent_at", text_of(one.since)},
               {"attempts", one.attempts},
               {"last_error", one.last_error}};
    if (!one.step.empty()) {
      shown["step"] = one.step;
    }
    if (!one.held.empty()) {
      shown["held"] = one.held;
    }
    return shown;
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

} // namespace

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

namespace {

std::string_view kind_of(const std::string& type, const actors::core& core) {
  return core.sagas.contains(type) ? "saga" : core.keyed_services.contains(type) ? "service" : "command";
}

} // namespace

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
  const auto named = [](const instance_id& id) { return json{{"type", id.type}, {"key", id.key}}; };
  auto whole = entry_json(view, core, node);
  whole["definition_version"] = view.definition_version;
  whole["state"] = json_or_null(view.state);
  whole["result"] = view.result.empty() ? json(nullptr) : json_or_null(view.result);
  whole["parent"] = view.parent ? named(*view.parent) : json(nullptr);
  whole["children"] = json::array();
  for (const auto& child : view.children) {
    whole["children"].push_back(named(child));
  }
  return whole;
}

// -- which instance ---------------------------------------------------------------------------

error unknown_instance_type(const std::string& type, const actors::core& core) {
  std::vector<std::string_view> known;
  for (const auto& [name, saga] : core.sagas) {
    known.push_back(name);
  }
  for (const auto& [name, service] : core.keyed_services) {
    known.push_back(name);
  }
  return {errc::unknown_type,
          fmt::format("there is no saga or service {}; {}", type, config::suggestion(type, known))};
}

bool is_instance_type(const std::string& type, const actors::core& core) {
  if (core.sagas.contains(type) || core.keyed_services.contains(type) || core.services.contains(type)) {
    return true;
  }
  const auto node = placement::node_in(type);
  const auto& nodes = core.cluster.nodes;
  return core.services.contains(placement::service_of(type)) &&
         std::any_of(nodes.begin(), nodes.end(), [&](const auto& one) { return one.name == node; });
}

} // namespace continuo::http
