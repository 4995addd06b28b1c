#include "actors/views.hpp"
#include "nodes/identity.hpp"
#include "testing/simulation.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <map>

// What the disks of the simulated nodes hold, for claims and comparisons.
namespace continuo::testing {

member* simulation::home_of(const instance_id& id) const {
  if (members_.size() == 1) {
    return members_.front().get();
  }
  const auto where = nodes::place(topology_, members_.front()->name, [](std::string_view) { return true; });
  const auto name = where ? std::string{where->node_of(id)} : std::string{};
  for (const auto& one : members_) {
    if (one->name == name) {
      return one.get();
    }
  }
  return nullptr;
}

std::optional<engine::record> simulation::record(const instance_id& id) const {
  const auto* home = home_of(id);
  if (home == nullptr) {
    return std::nullopt;
  }
  const auto all = home->disk->snapshot();
  const auto found = all.find(engine::record_key(id));
  if (found == all.end()) {
    return std::nullopt;
  }
  auto stored = decode<engine::record>(found->second);
  return stored ? std::optional{std::move(*stored)} : std::nullopt;
}

/// Where all nodes run one program each can read what another one wrote.
detail::open_node simulation::any_core() const {
  for (const auto& one : members_) {
    if (one->is_up()) {
      if (auto core = one->runtime->open_core()) {
        return core;
      }
    }
  }
  fail("no node is up that could say what an instance is");
}

std::optional<instance_view> simulation::view(const instance_id& id) const {
  const auto stored = record(id);
  return stored ? std::optional{actors::view_of(*stored, *any_core())} : std::nullopt;
}

std::vector<history_view> simulation::history_of(const instance_id& id) const {
  std::vector<history_view> entries;
  const auto stored = record(id);
  if (!stored) {
    return entries;
  }
  const auto core = any_core();
  const auto all = home_of(id)->disk->snapshot();
  const auto prefix = engine::history_prefix(id);
  for (auto found = all.lower_bound(prefix); found != all.end() && found->first.starts_with(prefix);
       ++found) {
    const auto entry = decode<engine::history_entry>(found->second);
    if (!entry) {
      fail(fmt::format("the history of {} cannot be read", to_string(id)));
    }
    entries.push_back(actors::view_of(*entry, *core));
  }
  return entries;
}

/// A message as people read it.
std::string simulation::json_of(const std::string& type, const std::string& payload) const {
  const auto core = any_core();
  const auto* known = core->types.find(type);
  const auto json = known == nullptr ? result<std::string>{continuo::fail(errc::unknown_type, type)}
                                     : known->to_json(payload);
  return json.value_or("?");
}

std::string simulation::outcome() const {
  std::vector<std::string> ends;
  std::vector<std::string> effects;
  std::vector<std::string> events;
  for (const auto& one : members_) {
    for (const auto& [key, bytes] : one->disk->snapshot()) {
      const auto stored = key.starts_with('r') ? decode<engine::record>(bytes)
                                               : result<engine::record>{continuo::fail(errc::not_found, "")};
      if (stored && stored->kind == engine::record_kind::saga) {
        ends.push_back(fmt::format(
            "{}/{} {}{}\n", stored->self.type, stored->self.key, to_string(stored->status),
            stored->result.empty() ? "" : " with " + json_of(stored->result_type, stored->result)));
      }
    }
  }
  for (const auto& [key, effect] : promises_.effects()) {
    effects.push_back(fmt::format("done: {} {}\n", effect.type, json_of(effect.type, effect.payload)));
  }
  for (const auto& event : promises_.published()) {
    events.push_back(fmt::format("published: {} {}\n", event.type, json_of(event.type, event.payload)));
  }
  std::string all;
  for (auto* lines : {&ends, &effects, &events}) {
    std::sort(lines->begin(), lines->end());
    for (const auto& line : *lines) {
      all += line;
    }
  }
  return all;
}

std::string simulation::states() const {
  std::map<instance_id, std::string> lines;
  for (const auto& one : members_) {
    for (const auto& [key, bytes] : one->disk->snapshot()) {
      if (!key.starts_with('r')) {
        continue;
      }
      const auto stored = decode<engine::record>(bytes);
      if (!stored ||
          (stored->kind != engine::record_kind::saga && stored->kind != engine::record_kind::keyed)) {
        continue;
      }
      const message_type* state = nullptr;
      for (const auto& saga : own_.sagas) {
        state = saga.name == stored->self.type ? saga.state : state;
      }
      for (const auto& keyed : own_.keyed) {
        state = keyed.name == stored->self.type ? keyed.state : state;
      }
      const auto json = state != nullptr ? state->to_json(stored->state) : result<std::string>{std::string{}};
      lines[stored->self] = fmt::format("{}/{} {} {}\n", stored->self.type, stored->self.key,
                                        to_string(stored->status), json.value_or("?"));
    }
  }
  std::string all;
  for (const auto& [id, line] : lines) {
    all += line;
  }
  return all;
}

/// The first few instances that have not ended, a line each.
std::string simulation::work_left() const {
  std::string lines;
  std::size_t count = 0;
  for (const auto& one : members_) {
    for (const auto& [key, bytes] : one->disk->snapshot()) {
      const auto stored = key.starts_with('r') ? std::optional{decode<engine::record>(bytes)} : std::nullopt;
      if (!stored || !*stored || is_settled(**stored)) {
        continue;
      }
      if (++count > 5) {
        return lines + "\n  and more";
      }
      lines += fmt::format("\n  {} on {}: {}", to_string((*stored)->self), one->name,
                           told(actors::view_of(**stored, *any_core())));
    }
  }
  return lines;
}

} // namespace continuo::testing
