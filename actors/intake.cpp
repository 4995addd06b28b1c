#include "actors/intake.hpp"

#include "actors/intake_keys.hpp"
#include "actors/misaddressed.hpp"
#include "engine/planted.hpp"
#include "engine/trace.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>
#include <utility>

namespace continuo::actors {

namespace {

using intake = caf::stateful_actor<intake_state>;

std::vector<journal::release> when_durable(core& shared, std::function<void()> what) {
  std::vector<journal::release> releases;
  releases.push_back({shared.intake, caf::make_message(call{std::move(what)})});
  return releases;
}

/// The node's reason not to take an event or command now; empty if it takes it.
std::optional<error> objection(const intake_state& state, const core& shared) {
  if (!state.is_open) {
    return state.closed;
  }
  return shared.apart_objection();
}

/// Answers a publish or send whose key was used before, and says whether it did.
template <class Message>
bool answer_again(intake* self, core& shared, Message& message,
                  std::function<void(result<accepted>)> answer) {
  if (message.key.empty()) {
    return false;
  }
  auto known = answer_of_key(self->state, shared, message.key, message.type, message.payload);
  if (!known) {
    return false;
  }
  if (*known && self->state.new_keys.contains(message.key)) {
    // Its record is on the way to a shard: a barrier of the intake's own would not stand behind it.
    self->state.repeats[message.key].push_back(
        [answer = std::move(answer), again = std::move(**known)](const result<void>& verdict) {
          answer(verdict ? result<accepted>{again} : tl::unexpected(verdict.error()));
        });
    return true;
  }
  engine::transition nothing;
  act(self, shared, nothing, {}, {}, 0,
      when_durable(shared, [answer = std::move(answer), again = std::move(*known)] { answer(again); }));
  return true;
}

/// The write that remembers a message's key, if it has one.
template <class Message>
std::vector<journal::operation> remembered(intake* self, const core& shared, const Message& message,
                                           const accepted& answer) {
  if (message.key.empty()) {
    return {};
  }
  return remember_key(self->state, message.key, message.type, message.payload, answer,
                      shared.time->now().wall);
}

/// The trace of what is sent for an accepted message. Where spans are wanted and the client has none, a trace
/// begins here.
template <class Message>
std::string begin_trace(const core& shared, const Message& message, const char* verb, const message_id& id,
                        std::vector<journal::release>& releases) {
  const auto begins = !engine::is_trace(message.trace);
  if (begins && !shared.spans) {
    return {};
  }
  const auto parent = begins ? engine::new_trace(id) : message.trace;
  const auto span = engine::span_of_transition(id.store, id.revision);
  const auto now = shared.time->now().wall;
  shared.tell_when_durable({parent,
                            span,
                            begins,
                            fmt::format("{} {}", verb, message.type),
                            now,
                            now,
                            false,
                            {{"continuo.message_id", to_string(id)}}},
                           releases);
  return engine::trace_behind(parent, span);
}

/// Whether the event starts that instance, unless it is there.
bool may_start(const core& shared, const publish& event, const engine::destination& to) {
  const auto saga = shared.sagas.find(to.to.type);
  if (saga == shared.sagas.end()) {
    return false;
  }
  const auto subscription = saga->second.subscriptions.find(event.type);
  return subscription != saga->second.subscriptions.end() && subscription->second.starts;
}

bool starts_something(const core& shared, const publish& event,
                      const std::vector<engine::destination>& where) {
  return std::any_of(where.begin(), where.end(),
                     [&](const engine::destination& to) { return may_start(shared, event, to); });
}

/// Hands it to the shard of its first receiver, counted: the bound holds for what is on the way as well.
/// `reply` says that it is accepted, or not.
template <class Message>
void hand_over(intake* self, core& shared, Message& message, const char* verb,
               std::vector<engine::destination>&& where,
               std::function<void(result<void>, const message_id& id)> reply,
               std::function<void(result<command_result>)> answer, std::vector<instance_id> instances) {
  const auto has_key = !where.empty() && !where.front().to.key.empty();
  const auto home = has_key ? shared.place_of(where.front().to)
                            : shared.last_revision.load(std::memory_order_relaxed) % shared.shards.size();
  accept handed;
  handed.id = {shared.store_id, shared.next_revision_in(home), 0};
  handed.wanted.is_command = std::is_same_v<Message, send_command>;
  handed.wanted.trace = begin_trace(shared, message, verb, handed.id, handed.releases);
  handed.beside = remembered(self, shared, message, accepted{handed.id, std::move(instances)});
  handed.wanted.type = std::move(message.type);
  handed.wanted.payload = std::move(message.payload);
  handed.wanted.where = std::move(where);
  handed.answer = std::move(answer);
  handed.taken = [self, key = std::move(message.key), id = handed.id,
                  reply = std::move(reply)](result<void> verdict) {
    self->state.new_keys.erase(key);
    if (const auto repeats = self->state.repeats.extract(key)) {
      for (const auto& again : repeats.mapped()) {
        again(verdict);
      }
    }
    reply(std::move(verdict), id);
  };
  shared.in_flight.fetch_add(1);
  self->send(shared.shards[home], std::move(handed));
}

void take(intake* self, core& shared, publish& event, std::vector<engine::destination>&& where) {
  std::vector<instance_id> instances;
  for (const auto& to : where) {
    if (may_start(shared, event, to)) {
      instances.push_back(to.to);
    }
  }
  auto reply = [answer = std::move(event.answer), instances](result<void> verdict, const message_id& id) {
    answer(verdict ? result<accepted>{accepted{id, instances}} : tl::unexpected(std::move(verdict.error())));
  };
  hand_over(self, shared, event, "publish", std::move(where), std::move(reply), {}, std::move(instances));
}

void on_publish(intake* self, const std::shared_ptr<core>& shared, publish& event) {
  auto& state = self->state;
  if (auto reason = objection(state, *shared)) {
    event.answer(tl::unexpected(std::move(*reason)));
    return;
  }
  if (answer_again(self, *shared, event, event.answer)) {
    return;
  }
  if (!shared->routes.knows_event(event.type)) {
    event.answer(tl::unexpected(not_an_event(*shared, event.type)));
    return;
  }
  auto where =
      shared->routes.event(event.type, event.payload, {std::string{engine::publish_type}, event.payload});
  if (!where) {
    event.answer(tl::unexpected(where.error()));
    return;
  }
  if (starts_something(*shared, event, *where)) {
    if (auto reason = shared->start_objection()) {
      if (!event.options.wait_for_room || state.waiting.size() >= shared->bounds.waiting_publishers) {
        event.answer(tl::unexpected(std::move(*reason)));
        return;
      }
      state.waiting.push_back(std::move(event));
      shared->somebody_waits = true;
      if (!shared->start_objection()) {
        self->send(self, room{}); // it became free between the two looks
      }
      return;
    }
  }
  take(self, *shared, event, std::move(*where));
}

void on_room(intake* self, const std::shared_ptr<core>& shared) {
  auto& state = self->state;
  while (!state.waiting.empty() && !shared->start_objection()) {
    auto event = std::move(state.waiting.front());
    state.waiting.pop_front();
    if (!planted("key_not_looked_at_after_waiting") && answer_again(self, *shared, event, event.answer)) {
      continue; // its key was taken while it waited
    }
    auto where =
        shared->routes.event(event.type, event.payload, {std::string{engine::publish_type}, event.payload});
    if (where) {
      take(self, *shared, event, std::move(*where));
    } else { // its key was read before, by a function that gives another answer now
      event.answer(tl::unexpected(std::move(where.error())));
    }
  }
  if (!state.waiting.empty()) {
    shared->somebody_waits = true;
    if (!shared->start_objection()) {
      self->send(self, room{});
    }
  }
}

void on_send(intake* self, const std::shared_ptr<core>& shared, send_command& command) {
  auto& state = self->state;
  auto refused = objection(state, *shared);
  if (!refused && answer_again(self, *shared, command, command.taken)) {
    return;
  }
  if (!refused && !shared->routes.knows_command(command.type)) {
    refused = not_a_command(*shared, command.type);
  }
  if (!refused) {
    refused = shared->start_objection();
  }
  const auto refuse = [&](const error& reason) {
    if (command.taken) {
      command.taken(tl::unexpected(reason));
    }
    if (command.answer) {
      command.answer(tl::unexpected(reason));
    }
  };
  auto where = refused ? result<engine::destination>{tl::unexpected(*refused)}
                       : shared->routes.command(command.type, command.payload,
                                                {std::string{engine::send_type}, command.payload});
  if (!where) {
    refuse(where.error());
    return;
  }
  auto reply = [taken = std::move(command.taken)](result<void> verdict, const message_id& id) {
    if (taken) {
      taken(verdict ? result<accepted>{accepted{id, {}}} : tl::unexpected(std::move(verdict.error())));
    }
  };
  std::vector<engine::destination> to;
  to.push_back(std::move(*where));
  auto answer = std::move(command.answer);
  hand_over(self, *shared, command, "send", std::move(to), std::move(reply), std::move(answer), {});
}

void on_close(intake* self, const close& end) {
  auto& state = self->state;
  state.is_open = false;
  state.is_over = true;
  state.closed = end.reason;
  for (auto& event : state.waiting) {
    event.answer(tl::unexpected(end.reason));
  }
  state.waiting.clear();
}

} // namespace

caf::behavior intake_actor(intake* self, std::shared_ptr<core> shared) {
  fail_node_on_trouble(self, shared);
  return {
      // CAF tries one after the other: the frequent ones come first.
      [](call& answer) { answer.what(); },
      [self, shared](publish& event) { on_publish(self, shared, event); },
      [self, shared](send_command& command) { on_send(self, shared, command); },
      [self, shared](room) { on_room(self, shared); },
      [self, shared](const disk_space& space) {
        shared->disk_low = space.low;
        shared->log(space.low ? log_level::warn : log_level::info,
                    space.low ? "the disk is nearly full: starts are refused" : "the disk has room again");
        on_room(self, shared);
      },
      [self](open) { self->state.is_open = !self->state.is_over; },
      [self](const close& end) { on_close(self, end); },
  };
}

} // namespace continuo::actors
