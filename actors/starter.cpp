#include "actors/starter.hpp"

#include "engine/mailbox.hpp"
#include "engine/planted.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

namespace continuo::actors {

namespace {

using starter = caf::stateful_actor<starter_state>;
using phase = starter_state::phase;

/// Names of instances to wake that are held at a time. Those beyond are read once more.
constexpr std::size_t names_max = 50'000;

/// Instances that a shard brings into memory at a time.
constexpr std::size_t portion_max = 64;

/// Reads the records behind `cursor` and moves it on: some hundreds, or fewer where `visit` says so. Whether
/// these were the last. A store that cannot be read ends the node.
template <class Visit>
bool read_some(core& shared, std::string& cursor, Visit visit) {
  constexpr std::size_t records_a_scan = 500;
  std::size_t read = 0;
  bool whole = true;
  std::optional<error> wrong;
  const auto scanned = shared.store->scan(
      "r",
      [&](std::string_view key, std::string_view bytes) {
        auto stored = decode<engine::record>(bytes);
        if (!stored) {
          wrong = unreadable_record(key, stored.error());
          return false;
        }
        cursor = key;
        whole = visit(std::move(*stored)) && ++read < records_a_scan;
        return whole;
      },
      cursor);
  if (!scanned || wrong) {
    shared.failed(wrong ? *wrong : scanned.error());
    return true;
  }
  return whole;
}

/// Whether an instance has something to do or to say here after a restart, beyond waiting for its timers.
/// What it has to say to other nodes is offered by the links.
bool must_wake(const engine::record& stored, const engine::routing_table& routes) {
  const auto goes_on =
      stored.status == instance_status::running || stored.status == instance_status::compensating;
  const auto goes_here = [&](const engine::stored_message& sent) { return routes.is_here(sent.to); };
  const auto is_instance =
      stored.kind == engine::record_kind::saga || stored.kind == engine::record_kind::keyed;
  // Who sent to a service that has moved, or was renamed, sends it on when it recovers. The open requests of
  // a saga wait for a person.
  const auto lost_its_service = [&](const engine::stored_message& sent) {
    return !routes.is_hosted(sent.to) && !planted("what_lost_its_service_is_not_woken");
  };
  return (is_instance && stored.failed && goes_on) ||
         (stored.kind != engine::record_kind::saga &&
          std::any_of(stored.requests.begin(), stored.requests.end(), lost_its_service)) ||
         std::any_of(stored.outbox.begin(), stored.outbox.end(), lost_its_service) ||
         std::any_of(stored.requests.begin(), stored.requests.end(), goes_here) ||
         std::any_of(stored.outbox.begin(), stored.outbox.end(), goes_here) ||
         std::any_of(stored.inbox.begin(), stored.inbox.end(),
                     [&](const engine::inbox_entry& entry) { return routes.is_here(entry.from); });
}

/// Whether what the record is of runs on this node, as what it was when the record was written.
bool is_hosted(const core& shared, const engine::record& stored) {
  switch (stored.kind) {
  case engine::record_kind::saga:
  case engine::record_kind::absence:
    return shared.saga_environments.contains(stored.self.type);
  case engine::record_kind::keyed:
    return shared.keyed_environments.contains(stored.self.type);
  case engine::record_kind::command:
    return shared.service_actors.contains(stored.self.type);
  case engine::record_kind::publish:
  case engine::record_kind::send:
  case engine::record_kind::dead_letter:
  case engine::record_kind::schedule:
    break;
  }
  return true;
}

/// What one portion of the records asks for.
struct portion {
  std::map<std::string, adopt> executions; // by service
  adopt_timers timers;
};

void remember(starter_state& state, const core& shared, const instance_id& id, const std::string& cursor) {
  if (state.remembered < names_max && state.wake_from.empty()) {
    state.to_wake[shared.place_of(id)].push_back(id);
    ++state.remembered;
  } else if (state.wake_from.empty()) {
    state.wake_from = cursor;
  }
}

void note(starter_state& state, core& shared, engine::record&& stored, const std::string& before,
          portion& into) {
  ++state.found.records;
  if (!shared.is_of_earlier_life(stored)) {
    return; // written in this life: it is in memory, or was
  }
  if (stored.kind == engine::record_kind::schedule) { // what is defined now says when it is due
    if (!shared.schedules.contains(stored.self.key)) {
      state.to_define[shared.place_of(stored.self)].push_back(std::move(stored.self.key));
    }
    return;
  }
  if (!is_hosted(shared, stored)) {
    ++state.homeless[stored.self.type];
    return;
  }
  const auto look_for_its_host = [&](const engine::stored_message& sent) {
    if (!shared.routes.is_hosted(sent.to)) {
      ++state.unhosted[sent.to.type];
    }
  };
  std::for_each(stored.requests.begin(), stored.requests.end(), look_for_its_host);
  std::for_each(stored.outbox.begin(), stored.outbox.end(), look_for_its_host);
  if (engine::is_in_flight(stored, shared.routes)) {
    shared.in_flight.fetch_add(1);
  }
  if (stored.kind == engine::record_kind::command) {
    into.executions[stored.self.type].executions.push_back(std::move(stored.self));
    return;
  }
  if (must_wake(stored, shared.routes)) {
    ++state.found.resumed;
    remember(state, shared, stored.self, before);
  } else if (!stored.timers.empty()) {
    set_timers change{stored.self, {}, {}};
    for (const auto& timer : stored.timers) {
      change.armed.push_back({timer.id, timer.boot, timer.due_up, timer.due});
      ++state.found.timers;
    }
    into.timers.of.push_back(std::move(change));
  }
}

/// Reads some more records, and hands out what they ask for.
void read_on(starter* self, core& shared) {
  auto& state = self->state;
  portion found;
  auto before = state.cursor;
  const auto whole = read_some(shared, state.cursor, [&](engine::record&& stored) {
    note(state, shared, std::move(stored), std::exchange(before, state.cursor), found);
    return true;
  });
  for (auto& [service, executions] : found.executions) {
    ++state.open_portions;
    self->send(shared.service_actors.find(service)->second, std::move(executions));
  }
  if (!found.timers.of.empty()) {
    ++state.open_portions;
    self->send(shared.timers, std::move(found.timers));
  }
  if (whole) {
    state.now = phase::waking;
  }
}

/// Reads the names of those to wake that were too many to remember.
void remember_more(starter* self, core& shared) {
  auto& state = self->state;
  auto cursor = std::exchange(state.wake_from, {});
  bool whole = false;
  while (!whole && state.wake_from.empty()) {
    auto before = cursor;
    whole = read_some(shared, cursor, [&](engine::record&& stored) {
      const auto at = std::exchange(before, cursor);
      if (stored.kind != engine::record_kind::command && shared.is_of_earlier_life(stored) &&
          is_hosted(shared, stored) && must_wake(stored, shared.routes)) {
        remember(state, shared, stored.self, at);
      }
      return state.wake_from.empty();
    });
    whole = whole && state.wake_from.empty();
  }
}

void wake_on(starter* self, core& shared) {
  auto& state = self->state;
  if (state.remembered == 0 && !state.wake_from.empty()) {
    remember_more(self, shared);
  }
  for (std::size_t i = 0; i < state.to_wake.size(); ++i) {
    auto& waiting = state.to_wake[i];
    wake_some some;
    while (!waiting.empty() && some.instances.size() < portion_max) {
      some.instances.push_back(std::move(waiting.front()));
      waiting.pop_front();
      --state.remembered;
    }
    if (!some.instances.empty()) {
      ++state.open_portions;
      self->send(shared.shards[i], std::move(some));
    }
  }
}

/// Has schedules defined, and those that are not defined any more ended.
void define_on(starter* self, core& shared) {
  auto& state = self->state;
  for (std::size_t i = 0; i < state.to_define.size(); ++i) {
    auto& waiting = state.to_define[i];
    define_schedules some;
    while (!waiting.empty() && some.names.size() < portion_max) {
      some.names.push_back(std::move(waiting.front()));
      waiting.pop_front();
    }
    if (!some.names.empty()) {
      ++state.open_portions;
      self->send(shared.shards[i], std::move(some));
    }
  }
}

void open_all(starter* self, core& shared) {
  auto& state = self->state;
  state.now = phase::ready;
  for (const auto& [type, count] : state.homeless) {
    shared.log(log_level::warn, fmt::format("{} record(s) of {} wait: nothing here hosts it", count, type));
  }
  for (const auto& [type, count] : state.unhosted) {
    shared.log(
        log_level::warn,
        fmt::format(
            "{} message(s) were for {}, which no node hosts any more: those that something else "
            "handles now go there, the others wait until it is hosted again; what a saga has asked for "
            "waits for a person (retry, cancel)",
            count, type));
  }
  self->send(shared.timers, open{});
  for (const auto& [address, service] : shared.service_actors) {
    self->send(service, open{});
  }
  for (const auto& [peer, link] : shared.links) {
    self->send(link, open{}); // gives the peer its first credit
  }
  self->send(shared.intake, open{});
}

} // namespace

caf::behavior starter_actor(starter* self, std::shared_ptr<core> shared, std::function<bool()> may_go_on,
                            std::function<void(const recovery_figures&)> ready) {
  fail_node_on_trouble(self, shared);
  self->state.to_wake.resize(shared->shards.size());
  self->state.to_define.resize(shared->shards.size());
  for (const auto& [name, definition] : shared->schedules) {
    const instance_id id{std::string{engine::schedule_type}, name};
    self->state.to_define[shared->place_of(id)].push_back(name);
  }
  const auto go_on = [self, shared, may_go_on = std::move(may_go_on), ready = std::move(ready)] {
    auto& state = self->state;
    if (!may_go_on()) {
      return;
    }
    if (state.now == phase::reading) {
      read_on(self, *shared);
    } else if (state.now == phase::waking) {
      wake_on(self, *shared);
      state.now = state.open_portions == 0 ? phase::defining : phase::waking;
    }
    if (state.now == phase::defining) {
      define_on(self, *shared);
      if (state.open_portions == 0) {
        if (may_go_on()) { // else a record could not be read
          open_all(self, *shared);
          ready(state.found);
        }
        return;
      }
    }
    if (state.open_portions == 0) {
      self->send(self, start_on{});
    }
  };
  self->send(self, start_on{});
  return {
      [go_on](start_on) { go_on(); },
      [self, go_on](handed_over) {
        if (--self->state.open_portions == 0) {
          go_on();
        }
      },
  };
}

} // namespace continuo::actors
