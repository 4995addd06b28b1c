#include "actors/timers.hpp"

#include "engine/planted.hpp"

#include <algorithm>

namespace continuo::actors {

namespace {

using timers = caf::stateful_actor<timers_state>;

/// The boot clock goes on while the machine sleeps and the actor clock does not: so no nap is longer than
/// this.
constexpr auto nap_max = std::chrono::seconds{60};

bool later(const armed_timer& a, const armed_timer& b) {
  return a.due_ns != b.due_ns ? a.due_ns > b.due_ns : a.id > b.id;
}

/// In the boot that set the timer its boot time decides, so that a jump of the wall clock moves nothing; in
/// another boot the wall clock is all there is.
std::int64_t due_here(const timer_set& timer, const engine::moment& now) {
  if (timer.boot == now.boot && !planted("timer_on_the_wall_clock")) {
    return timer.due_boot_time_ns;
  }
  const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(timer.due - now.wall).count();
  return now.boot_time_ns + std::max<std::int64_t>(left, 0);
}

void fire(timers* self, core& shared, const armed_timer& due) {
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

void look(timers* self, const std::shared_ptr<core>& shared) {
  auto& state = self->state;
  if (!state.is_open) {
    return;
  }
  const auto now = shared->time->now().boot_time_ns;
  while (!state.heap.empty() && state.fired < shared->bounds.timers_at_once) {
    const auto& nearest = state.heap.front();
    const auto known = state.known.find(nearest.id);
    const auto is_set = known != state.known.end() && !known->second;
    if (is_set && nearest.due_ns > now) {
      break;
    }
    if (is_set) {
      known->second = true;
      ++state.fired;
      fire(self, *shared, nearest);
    } else {
      state.stale -= state.stale > 0 ? 1 : 0;
    }
    std::pop_heap(state.heap.begin(), state.heap.end(), later);
    state.heap.pop_back();
  }
  if (state.heap.empty() || state.fired >= shared->bounds.timers_at_once) {
    return;
  }
  const auto wake = std::min(state.heap.front().due_ns, now + std::chrono::nanoseconds{nap_max}.count());
  if (state.wakes_at_ns == 0 || wake < state.wakes_at_ns) {
    state.wakes_at_ns = wake;
    self->delayed_send(self, std::chrono::nanoseconds{std::max<std::int64_t>(wake - now, 0)}, timers_due{});
  }
}

/// Rebuilds the heap without what was disarmed, once that is more than half of it.
void compact(timers_state& state) {
  if (state.stale < 1'024 || state.stale * 2 < state.heap.size()) {
    return;
  }
  std::erase_if(state.heap, [&](const armed_timer& entry) {
    const auto known = state.known.find(entry.id);
    return known == state.known.end() || known->second;
  });
  std::make_heap(state.heap.begin(), state.heap.end(), later);
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
    state.heap.push_back({due_here(timer, now), timer.id,
                          static_cast<std::uint32_t>(type - state.types.begin()), change.of.key});
    std::push_heap(state.heap.begin(), state.heap.end(), later);
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
      [self, shared](timers_due) {
        self->state.wakes_at_ns = 0;
        look(self, shared);
      },
  };
}

} // namespace continuo::actors
