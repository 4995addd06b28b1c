#include "actors/timers.hpp"

#include "actors/waiting.hpp"
#include "engine/planted.hpp"

#include <algorithm>
#include <chrono>

namespace continuo::actors {

namespace {

using timers = caf::stateful_actor<timers_state>;

/// The boot clock goes on while the machine sleeps and the actor clock does not, and nobody says when the
/// wall clock jumps: so no nap is longer than this.
constexpr std::chrono::seconds nap_max{60};

/// For so long after a boot the wall clock is not believed: until then it may have been set by the network.
constexpr engine::boot_time wall_clock_holds{std::chrono::seconds{60}};

template <class Time>
bool is_later(const armed_timer<Time>& a, const armed_timer<Time>& b) {
  return a.due != b.due ? a.due > b.due : a.id > b.id;
}

/// See the rule in the header.
bool is_by_boot_time(const timer_set& timer, const engine::moment& now) {
  return timer.boot == now.boot && !planted("timer_on_the_wall_clock");
}

template <class Time>
void put(std::vector<armed_timer<Time>>& heap, Time due, const message_id& id, std::uint32_t type,
         const std::string& key) {
  heap.push_back({due, id, type, key});
  std::push_heap(heap.begin(), heap.end(), is_later<Time>);
}

template <class Time>
void fire(timers* self, core& shared, const armed_timer<Time>& due) {
  auto& state = self->state;
  messages::envelope message;
  message.id = due.id;
  message.kind = messages::message_kind::timer;
  message.to = {state.types[due.type], due.key};
  message.from = message.to;
  if (const auto& home = shared.home_of(message.to)) {
    self->send(home, std::move(message));
  }
}

bool may_fire(const timers_state& state, const core& shared) {
  return state.fired < shared.bounds.timers_at_once;
}

/// Fires what is due, as many as may be on their way.
template <class Time>
void fire_due(timers* self, core& shared, std::vector<armed_timer<Time>>& heap, Time now) {
  auto& state = self->state;
  while (!heap.empty() && may_fire(state, shared)) {
    const auto& nearest = heap.front();
    const auto known = state.known.find(nearest.id);
    const auto is_set = known != state.known.end() && !known->second;
    if (is_set && nearest.due > now) {
      break;
    }
    if (is_set) {
      known->second = true;
      ++state.fired;
      fire(self, shared, nearest);
    } else {
      state.stale -= state.stale > 0 ? 1 : 0;
    }
    std::pop_heap(heap.begin(), heap.end(), is_later<Time>);
    heap.pop_back();
  }
}

/// How long nothing falls due, as the clocks go now.
std::chrono::nanoseconds next_nap(const timers_state& state, const engine::moment& now) {
  std::chrono::nanoseconds nap = nap_max;
  if (!state.by_boot_time.empty()) {
    nap = std::min(nap, between(now.up, state.by_boot_time.front().due));
  }
  if (!state.by_wall_clock.empty()) {
    const auto left = engine::between(now.wall, state.by_wall_clock.front().due);
    nap = std::min(nap, std::max(left, between(now.up, wall_clock_holds)));
  }
  return nap;
}

void look(timers* self, const std::shared_ptr<core>& shared) {
  auto& state = self->state;
  if (!state.is_open) {
    return;
  }
  const auto now = shared->time->now();
  fire_due(self, *shared, state.by_boot_time, now.up);
  if (now.up >= wall_clock_holds) {
    fire_due(self, *shared, state.by_wall_clock, now.wall);
  }
  if ((state.by_boot_time.empty() && state.by_wall_clock.empty()) || !may_fire(state, *shared)) {
    return;
  }
  const auto nap = next_nap(state, now);
  const auto wakes = later(now.up, nap);
  if (!state.is_armed || wakes < state.wakes) {
    state.is_armed = true;
    state.wakes = wakes;
    send_later(self, nap, timers_due{++state.wake_up});
  }
}

/// Rebuilds the heaps without what was disarmed, once that is more than half of them.
void compact(timers_state& state) {
  if (state.stale < 1'024 || state.stale * 2 < state.by_boot_time.size() + state.by_wall_clock.size()) {
    return;
  }
  const auto rebuild = [&]<class Time>(std::vector<armed_timer<Time>>& heap) {
    std::erase_if(heap, [&](const armed_timer<Time>& entry) {
      const auto known = state.known.find(entry.id);
      return known == state.known.end() || known->second;
    });
    std::make_heap(heap.begin(), heap.end(), is_later<Time>);
  };
  rebuild(state.by_boot_time);
  rebuild(state.by_wall_clock);
  state.stale = 0;
}

void on_set(timers* self, const std::shared_ptr<core>& shared, set_timers& change) {
  auto& state = self->state;
  for (const auto& id : change.disarmed) {
    const auto known = state.known.find(id);
    if (known == state.known.end()) {
      continue;
    }
    if (known->second) {
      --state.fired;
    } else {
      ++state.stale;
    }
    state.known.erase(known);
  }
  const auto now = shared->time->now();
  for (const auto& timer : change.armed) {
    const auto [known, fresh] = state.known.try_emplace(timer.id, false);
    if (!fresh) {
      if (!known->second) {
        continue; // it is set already
      }
      known->second = false; // its message was put off; it is due again
      --state.fired;
    }
    auto type = std::find(state.types.begin(), state.types.end(), change.of.type);
    if (type == state.types.end()) {
      type = state.types.insert(state.types.end(), change.of.type);
    }
    const auto index = static_cast<std::uint32_t>(type - state.types.begin());
    if (is_by_boot_time(timer, now)) {
      put(state.by_boot_time, timer.due_up, timer.id, index, change.of.key);
    } else {
      put(state.by_wall_clock, timer.due, timer.id, index, change.of.key);
    }
  }
  compact(state);
  look(self, shared);
}

} // namespace

caf::behavior timers_actor(timers* self, std::shared_ptr<core> shared) {
  fail_node_on_trouble(self, shared);
  return {
      [self, shared](set_timers& change) { on_set(self, shared, change); },
      [self, shared](adopt_timers& portion) {
        for (auto& change : portion.of) {
          on_set(self, shared, change);
        }
        self->send(caf::actor_cast<caf::actor>(self->current_sender()), handed_over{});
      },
      [self, shared](open) {
        self->state.is_open = true;
        look(self, shared);
      },
      [self, shared](const timers_due& due) {
        if (due.wake_up == self->state.wake_up ||
            planted("wake_ups_for_timers_multiply")) { // else a nearer timer has sent another one since
          self->state.is_armed = false;
          look(self, shared);
        }
      },
  };
}

} // namespace continuo::actors
