#include "actors/shard.hpp"

#include "actors/instance.hpp"
#include "actors/light.hpp"
#include "actors/schedules.hpp"
#include "actors/views.hpp"
#include "actors/waiting.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace continuo::actors {

namespace {

caf::actor spawn_instance(shard* self, const std::shared_ptr<core>& shared, const instance_id& id,
                          std::uint64_t stay) {
  instance_start start{id, caf::actor_cast<caf::actor>(self), stay};
  if (const auto saga = shared->saga_environments.find(id.type); saga != shared->saga_environments.end()) {
    return self->spawn<saga_actor, caf::lazy_init>(shared, &saga->second, std::move(start));
  }
  const auto keyed = shared->keyed_environments.find(id.type);
  return self->spawn<keyed_actor, caf::lazy_init>(shared, &keyed->second, std::move(start));
}

slot& activate(shard* self, const std::shared_ptr<core>& shared, const instance_id& id) {
  auto& state = self->state;
  auto [entry, fresh] = state.slots.try_emplace(id);
  auto& at = entry->second;
  if (!fresh) {
    state.recent.splice(state.recent.end(), state.recent, at.place);
    return at;
  }
  at.stay = ++state.last_stay;
  state.recent.push_back(id);
  at.place = std::prev(state.recent.end());
  if (is_light(id)) {
    at.held = load_light(*shared, id);
    if (at.held && at.held->recovers) {
      give(self, *shared, id, at, wake{});
    }
  } else {
    at.instance = spawn_instance(self, shared, id, at.stay);
  }
  return at;
}

/// Asks the least recently used instances to leave until the rest is within the shard's share.
void make_room(shard* self, const std::shared_ptr<core>& shared) {
  auto& state = self->state;
  const auto share = std::max<std::size_t>(1, shared->bounds.instances_in_memory / shared->bounds.shards);
  if (state.slots.size() <= share) {
    return;
  }
  auto excess =
      std::min<std::size_t>(state.slots.size() - share, 8); // a few with each message: no long pauses
  for (auto id = state.recent.begin(); id != state.recent.end() && excess > 0;) {
    auto& candidate = state.slots.at(*id);
    const auto here = id++;
    if (!candidate.asked_to_leave) {
      candidate.asked_to_leave = true;
      if (candidate.held) {
        ask_to_leave(self, *shared, *here, candidate);
      } else if (candidate.instance) {
        self->send(candidate.instance, please_leave{});
      }
    }
    // To the back: who cannot leave now is not asked again before the others.
    state.recent.splice(state.recent.end(), state.recent, here);
    --excess;
  }
}

/// Gives an instance, or a light endpoint, what is meant for it.
template <class T>
void forward(shard* self, const std::shared_ptr<core>& shared, const instance_id& id, T&& message) {
  auto& target = activate(self, shared, id);
  ++target.forwarded;
  constexpr auto for_light = requires {
    give(self, *shared, id, target, message);
  };
  if constexpr (for_light) {
    if (target.held) {
      give(self, *shared, id, target, message);
      make_room(self, shared);
      return;
    }
  }
  if (target.instance) {
    self->send(target.instance, std::forward<T>(message));
  } else if constexpr (requires { message.answer(fail(errc::not_found, "")); }) {
    message.answer(fail(errc::not_found, fmt::format("{} is no instance", to_string(id))));
  }
  make_room(self, shared);
}

/// Brings a portion of the start-up into memory.
void on_wake_some(shard* self, const std::shared_ptr<core>& shared, const wake_some& portion) {
  auto& state = self->state;
  state.starter = caf::actor_cast<caf::actor>(self->current_sender());
  for (const auto& id : portion.instances) {
    state.waking += is_light(id) ? 0 : 1;
    forward(self, shared, id, wake{});
  }
  if (state.waking == 0) {
    self->send(state.starter, handed_over{});
  }
}

void on_define_schedules(shard* self, const std::shared_ptr<core>& shared, const define_schedules& portion) {
  const auto starter = caf::actor_cast<caf::actor>(self->current_sender());
  for (const auto& name : portion.names) {
    forward(self, shared, {std::string{engine::schedule_type}, name}, define_schedule{});
  }
  self->send(starter, handed_over{});
}

void on_woken(shard* self) {
  auto& state = self->state;
  if (state.waking > 0 && --state.waking == 0) {
    self->send(state.starter, handed_over{});
  }
}

void on_may_leave(shard* self, const may_leave& asks) {
  auto& state = self->state;
  const auto found = state.slots.find(asks.from);
  if (found == state.slots.end() || found->second.stay != asks.stay) {
    return;
  }
  found->second.asked_to_leave = false;
  if (found->second.forwarded != asks.handled) {
    return; // messages are on their way to it
  }
  if (found->second.instance) {
    self->send_exit(found->second.instance, caf::exit_reason::user_shutdown); // `normal` would be ignored
  }
  state.recent.erase(found->second.place);
  state.slots.erase(found);
}

void on_ended(shard* self, ended& end) {
  auto waiting = self->state.waiters.extract(end.from);
  if (waiting.empty()) {
    return;
  }
  for (auto& one : waiting.mapped()) {
    one.answer(end.outcome);
  }
}

void on_await(shard* self, const std::shared_ptr<core>& shared, await_end& asks) {
  auto& state = self->state;
  if (state.closed) {
    asks.answer(tl::unexpected(*state.closed));
    return;
  }
  if (shared->saga_environments.find(asks.to.type) == shared->saga_environments.end()) {
    asks.answer(fail(errc::unknown_type, fmt::format("there is no saga {}", asks.to.type)));
    return;
  }
  const auto active = state.slots.find(asks.to);
  if (active == state.slots.end()) {
    // Not in memory, so everything it wrote is durable.
    const auto read = read_record(*shared, asks.to);
    if (!read) {
      asks.answer(tl::unexpected(read.error()));
      return;
    }
    if (const auto& stored = *read; stored && is_terminal(stored->status)) {
      asks.answer(saga_result{asks.to, stored->status,
                              stored->status == instance_status::compensated ? stored->reason : std::string{},
                              stored->result_type, stored->result});
      return;
    }
  } else {
    ++active->second.forwarded;
    self->send(active->second.instance, report_end{});
  }
  const auto number = ++state.next_number;
  state.waiters[asks.to].push_back({number, std::move(asks.answer)});
  if (asks.timeout) {
    send_later(self, *asks.timeout, await_timeout{asks.to, number});
  }
}

void on_await_timeout(shard* self, const await_timeout& over) {
  const auto entry = self->state.waiters.find(over.of);
  if (entry == self->state.waiters.end()) {
    return;
  }
  auto& waiting = entry->second;
  const auto one =
      std::find_if(waiting.begin(), waiting.end(), [&](const waiter& w) { return w.number == over.number; });
  if (one == waiting.end()) {
    return;
  }
  auto answer = std::move(one->answer);
  waiting.erase(one);
  if (waiting.empty()) {
    self->state.waiters.erase(entry);
  }
  answer(
      fail(errc::timed_out, fmt::format("{} has not ended yet, and may still: `show` says what it waits for",
                                        to_string(over.of))));
}

/// Everybody who waits is told that the node stops, and so is who comes later.
void on_close(shard* self, const close& end) {
  self->state.closed = end.reason;
  auto waiters = std::move(self->state.waiters);
  self->state.waiters.clear();
  for (auto& [id, waiting] : waiters) {
    for (auto& one : waiting) {
      one.answer(tl::unexpected(end.reason));
    }
  }
  for (auto& [id, waiting] : std::exchange(self->state.command_waiters, {})) {
    for (auto& one : waiting) {
      one.answer(tl::unexpected(end.reason));
    }
  }
}

} // namespace

caf::behavior shard_actor(shard* self, std::shared_ptr<core> shared) {
  fail_node_on_trouble(self, shared);
  self->set_exit_handler([self](caf::exit_msg& end) {
    for (auto& [id, entry] : self->state.slots) {
      if (entry.instance) {
        self->send_exit(entry.instance, end.reason);
      }
    }
    self->state.slots.clear();
    self->state.recent.clear();
    self->state.starter = nullptr;
    self->quit(end.reason);
  });
  return {
      // CAF tries one after the other: the frequent ones come first.
      [self, shared](messages::envelope& message) {
        const auto id = message.to;
        forward(self, shared, id, std::move(message));
      },
      [self, shared](messages::receipt& receipt) {
        const auto id = receipt.to;
        forward(self, shared, id, std::move(receipt));
      },
      [self, shared](accept& wanted) {
        for (auto& message : take(self, *shared, wanted)) {
          const auto id = message.to;
          forward(self, shared, id, std::move(message));
        }
        make_room(self, shared);
      },
      [self](const may_leave& asks) { on_may_leave(self, asks); },
      [self](link_mark mark) { self->send(caf::actor_cast<caf::actor>(self->current_sender()), mark); },
      [self](ended& end) { on_ended(self, end); },
      [self](wants_tick& asks) {
        auto& waiting = self->state.to_tick;
        if (waiting.empty()) {
          self->delayed_send(self, std::chrono::seconds{1}, tick{});
        }
        waiting.push_back(std::move(asks.from));
      },
      [self, shared](await_end& asks) { on_await(self, shared, asks); },
      [self, shared](messages::call_for& call) {
        const auto id = call.to;
        forward(self, shared, id, std::move(call));
      },
      [self, shared](operate& request) {
        const auto id = request.to;
        forward(self, shared, id, std::move(request));
      },
      [self, shared](move_command& request) {
        const auto id = request.of;
        forward(self, shared, id, std::move(request));
      },
      [self, shared](show& request) {
        const auto id = request.to;
        forward(self, shared, id, std::move(request));
      },
      [self, shared](expire& request) {
        const auto id = request.to;
        forward(self, shared, id, std::move(request));
      },
      [self, shared](trim& request) {
        const auto id = request.to;
        forward(self, shared, id, std::move(request));
      },
      [self, shared](redrive& request) {
        const auto id = request.letter;
        forward(self, shared, id, std::move(request));
      },
      [self, shared](discard_letter& request) {
        const auto id = request.letter;
        forward(self, shared, id, std::move(request));
      },
      [self, shared](const look_at_schedule& look) { forward(self, shared, look.of, look); },
      [self, shared](operate_schedule& request) {
        const auto id = request.to;
        forward(self, shared, id, std::move(request));
      },
      [self, shared](const define_schedules& portion) { on_define_schedules(self, shared, portion); },
      [self, shared](await_command& asks) {
        const instance_id id{std::string{engine::send_type}, to_string(asks.id)};
        forward(self, shared, id, std::move(asks));
      },
      [self](const await_command_over& over) { on_await_command_over(self, over); },
      [self, shared](const wake_some& portion) { on_wake_some(self, shared, portion); },
      [self](woken) { on_woken(self); },
      [self, shared](tick) {
        const auto waiting = std::move(self->state.to_tick);
        self->state.to_tick.clear();
        for (const auto& id : waiting) {
          const auto here = self->state.slots.find(id);
          if (here == self->state.slots.end()) {
            continue;
          }
          if (here->second.held) {
            give(self, *shared, id, here->second, tick{});
          } else if (here->second.instance) {
            self->send(here->second.instance, tick{});
          }
        }
      },
      [self](const await_timeout& over) { on_await_timeout(self, over); },
      [self](const close& end) { on_close(self, end); },
  };
}

} // namespace continuo::actors
