#include "actors/light.hpp"

#include "actors/schedules.hpp"
#include "actors/waiting.hpp"
#include "engine/dead_letter.hpp"
#include "engine/planted.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <type_traits>
#include <utility>

namespace continuo::actors {

namespace {

std::vector<journal::release> when_durable(const core& shared, std::function<void()> what) {
  std::vector<journal::release> releases;
  releases.push_back({shared.intake, caf::make_message(call{std::move(what)})});
  return releases;
}

/// The outcome of a client's command as its record has it; nothing while there is none.
std::optional<command_result> outcome_of(const message_id& id, const engine::record& stored) {
  if (!stored.requests.empty()) {
    return std::nullopt;
  }
  command_result outcome{id, {}, stored.reason, stored.result_type, stored.result};
  if (stored.status == instance_status::compensated) {
    const auto body = decode<messages::failure_body>(outcome.payload);
    outcome.failed = body ? static_cast<failure_kind>(body->kind) : failure_kind::unknown;
  }
  return outcome;
}

/// A command has its outcome: whoever waits for it is told, once it is durable.
void tell_waiters(shard* self, const core& shared, const engine::record& stored,
                  std::vector<journal::release>& extra) {
  const auto id = parse_message_id(stored.self.key);
  const auto waiting = id ? self->state.command_waiters.find(*id) : self->state.command_waiters.end();
  if (waiting == self->state.command_waiters.end()) {
    return;
  }
  auto waiters = std::move(waiting->second);
  self->state.command_waiters.erase(waiting);
  extra.push_back({shared.intake,
                   caf::make_message(call{[waiters = std::move(waiters), outcome = outcome_of(*id, stored)] {
                     for (const auto& one : waiters) {
                       one.answer(outcome);
                     }
                   }})});
}

/// Carries out what its machine decided. One of which nothing is under way here leaves memory with the write.
template <class Machine>
void carry_out(shard* self, core& shared, const instance_id& id, slot& at, Machine& machine,
               engine::transition&& decided, std::uint64_t revision, std::vector<journal::release> extra = {},
               std::vector<journal::operation> beside = {}) {
  const auto now_counted = machine.in_flight();
  shared.count_in_flight(self, std::exchange(at.held->counted, now_counted), now_counted);
  if (decided.ended) {
    tell_waiters(self, shared, machine.current(), extra);
  }
  const auto leaves = machine.is_over() && machine.may_passivate();
  if (leaves) {
    extra.push_back(
        {caf::actor_cast<caf::actor>(self), caf::make_message(may_leave{id, at.stay, at.forwarded})});
  }
  act(
      self, shared, decided, id, [&machine] { return machine.encoded(); }, revision, std::move(extra),
      std::move(beside));
  if (machine.is_over() && machine.exists() && !leaves) { // a receipt changed what waits for other nodes only
    const auto next = shared.next_revision();
    carry_out(self, shared, id, at, machine, machine.flush(shared.time->now(), next), next);
  } else if (!machine.may_passivate() && !std::exchange(at.held->ticks, true)) {
    self->send(self, wants_tick{id});
  }
}

/// Calls `decide` with the machine and a fresh revision, and carries out what it says.
template <class Decide>
void decide(shard* self, core& shared, const instance_id& id, slot& at, std::vector<journal::release> extra,
            Decide call) {
  const auto with = [&](auto& machine) {
    const auto revision = shared.next_revision();
    carry_out(self, shared, id, at, machine, call(machine, revision), revision, std::move(extra));
  };
  if (at.held->accepted) {
    with(*at.held->accepted);
  } else if (at.held->schedule) {
    with(*at.held->schedule);
  } else {
    with(*at.held->letter);
  }
}

/// The verb of an operator: answered when it is durable, or with why not.
std::vector<journal::release> told(const core& shared, std::function<void(result<void>)> answer,
                                   const result<void>& verdict) {
  return when_durable(shared, [answer = std::move(answer), verdict] { answer(verdict); });
}

} // namespace

bool is_light(const instance_id& id) {
  return id.type == engine::publish_type || id.type == engine::send_type ||
         id.type == engine::dead_letter_type || id.type == engine::schedule_type;
}

std::unique_ptr<light> load_light(const core& shared, const instance_id& id) {
  auto read = read_record(shared, id);
  if (!read) {
    return nullptr;
  }
  auto& stored = *read;
  auto made = std::make_unique<light>();
  made->recovers = stored && shared.is_of_earlier_life(*stored);
  if (id.type == engine::schedule_type) {
    if (const auto state = decode<engine::schedule_state>(stored ? stored->state : std::string{});
        stored && !state) {
      shared.failed(unreadable_record(engine::record_key(id), state.error()));
      return nullptr;
    }
    made->schedule = std::make_unique<engine::schedule_machine>(shared.scheduled, id, std::move(stored));
  } else if (id.type == engine::dead_letter_type) {
    made->letter = std::make_unique<engine::letter>(shared.dead_letters, id, std::move(stored));
  } else {
    made->counted = stored && engine::is_in_flight(*stored, shared.routes);
    made->accepted = std::make_unique<engine::acceptance>(shared.acceptances, id, std::move(stored));
  }
  return made;
}

std::vector<messages::envelope> take(shard* self, core& shared, accept& wanted) {
  const instance_id id{std::string{wanted.wanted.is_command ? engine::send_type : engine::publish_type},
                       to_string(wanted.id)};
  auto [entry, fresh] = self->state.slots.try_emplace(id);
  auto& at = entry->second;
  at.stay = ++self->state.last_stay;
  if (!fresh) { // somebody has asked for it before it was there
    self->state.recent.erase(at.place);
  }
  self->state.recent.push_back(id);
  at.place = std::prev(self->state.recent.end());
  at.held = std::make_unique<light>();
  at.held->counted = true; // the intake did
  at.held->accepted = std::make_unique<engine::acceptance>(shared.acceptances, id, std::nullopt);
  ++at.forwarded;
  auto decided = at.held->accepted->accept(std::move(wanted.wanted), shared.time->now(), wanted.id.revision);
  auto extra = std::move(wanted.releases);
  if (planted("accepted_before_durable") && decided.verdict) {
    wanted.taken({});
  }
  if (!decided.verdict) { // nothing is there, and nothing is kept beside it
    wanted.beside.clear();
    if (wanted.answer) {
      wanted.answer(tl::unexpected(decided.verdict.error()));
    }
  } else if (wanted.answer && self->state.closed) {
    wanted.answer(tl::unexpected(*self->state.closed));
  } else if (wanted.answer) {
    self->state.command_waiters[wanted.id].push_back(
        {0, [answer = std::move(wanted.answer)](result<std::optional<command_result>> said) {
           answer(said ? result<command_result>{std::move(**said)} : tl::unexpected(std::move(said.error())));
         }});
  }
  if (wanted.taken) {
    auto answers = when_durable(
        shared, [taken = std::move(wanted.taken), verdict = decided.verdict] { taken(verdict); });
    std::move(answers.begin(), answers.end(), std::back_inserter(extra));
  }
  const auto me = caf::actor_cast<caf::actor>(self);
  const auto is_mine = [&](const messages::envelope& message) {
    return !shared.watched.contains(message.to) && shared.home_of(message.to) == me;
  };
  std::vector<messages::envelope> mine;
  const auto others = std::stable_partition(decided.sent.begin(), decided.sent.end(), is_mine);
  mine.assign(std::make_move_iterator(decided.sent.begin()), std::make_move_iterator(others));
  decided.sent.erase(decided.sent.begin(), others);
  carry_out(self, shared, id, at, *at.held->accepted, std::move(decided), wanted.id.revision,
            std::move(extra), std::move(wanted.beside));
  return mine;
}

void give(shard* self, core& shared, const instance_id& id, slot& at, const messages::envelope& message) {
  if (message.kind == messages::message_kind::timer && message.link == 0 && at.held->schedule) {
    give(self, shared, id, at, look_at_schedule{id, {}});
    return;
  }
  std::vector<journal::release> extra;
  give_credit_back(shared, message, extra);
  decide(self, shared, id, at, std::move(extra), [&](auto& machine, std::uint64_t revision) {
    return machine.receive(message, shared.time->now(), revision);
  });
}

void give(shard* self, core& shared, const instance_id& id, slot& at, const messages::receipt& receipt) {
  decide(self, shared, id, at, {}, [&](auto& machine, std::uint64_t) { return machine.receive(receipt); });
}

void give(shard* self, core& shared, const instance_id& id, slot& at, const messages::call_for& call) {
  decide(self, shared, id, at, {}, [&](auto& machine, std::uint64_t) { return machine.called(call); });
}

void give(shard* self, core& shared, const instance_id& id, slot& at, wake) {
  decide(self, shared, id, at, {}, [&](auto& machine, std::uint64_t revision) {
    return std::exchange(at.held->recovers, false) ? machine.recover(shared.time->now(), revision)
                                                   : engine::transition{};
  });
}

void give(shard* self, core& shared, const instance_id& id, slot& at, tick) {
  at.held->ticks = false;
  decide(self, shared, id, at, {},
         [&](auto& machine, std::uint64_t revision) { return machine.flush(shared.time->now(), revision); });
}

void give(shard* self, core& shared, const instance_id& id, slot& at, const move_command& request) {
  std::vector<journal::release> extra;
  extra.push_back({request.link, caf::make_message(moved{request.of, request.id})});
  decide(self, shared, id, at, std::move(extra), [&](auto& machine, std::uint64_t revision) {
    if constexpr (std::is_same_v<std::decay_t<decltype(machine)>, engine::acceptance>) {
      return machine.move(request.id, request.from, request.handed_out, shared.time->now(), revision);
    } else {
      return engine::transition{}; // a letter's message stays where it failed
    }
  });
}

void give(shard* self, core& shared, const instance_id& id, slot& at, const expire& request) {
  std::vector<journal::release> extra;
  if (request.asks) {
    extra.push_back({request.asks, caf::make_message(looked_after{})});
  }
  decide(self, shared, id, at, std::move(extra), [&](auto& machine, std::uint64_t) {
    if constexpr (std::is_same_v<std::decay_t<decltype(machine)>, engine::acceptance>) {
      return machine.expire(request.before);
    } else {
      return engine::transition{};
    }
  });
}

void give(shard* self, core& shared, const instance_id& id, slot& at, redrive& request) {
  auto& letter = *at.held->letter;
  const auto revision = shared.next_revision();
  auto decided = letter.redrive(std::move(request.corrected), shared.time->now(), revision);
  auto extra = told(shared, std::move(request.answer), decided.verdict);
  carry_out(self, shared, id, at, letter, std::move(decided), revision, std::move(extra));
}

void give(shard* self, core& shared, const instance_id& id, slot& at, discard_letter& request) {
  auto& letter = *at.held->letter;
  auto decided = letter.discard();
  auto extra = told(shared, std::move(request.answer), decided.verdict);
  carry_out(self, shared, id, at, letter, std::move(decided), shared.next_revision(), std::move(extra));
}

void give(shard* self, core& shared, const instance_id& id, slot& at, await_command& asks) {
  auto& sent = *at.held->accepted;
  std::vector<journal::release> extra;
  if (self->state.closed) {
    asks.answer(tl::unexpected(*self->state.closed));
  } else if (!sent.exists()) {
    extra = when_durable(shared, [answer = std::move(asks.answer), id = asks.id] {
      answer(
          fail(errc::not_found, fmt::format("there is no command {} of a client: the id may be wrong, or its "
                                            "outcome is older than is kept",
                                            to_string(id))));
    });
  } else if (auto outcome = outcome_of(asks.id, sent.current())) {
    extra = when_durable(shared, [answer = std::move(asks.answer), outcome = std::move(*outcome)] {
      answer(std::optional{outcome});
    });
  } else {
    const auto number = ++self->state.next_number;
    self->state.command_waiters[asks.id].push_back({number, std::move(asks.answer)});
    send_later(self, asks.timeout, await_command_over{asks.id, number});
  }
  carry_out(self, shared, id, at, sent, {}, 0, std::move(extra));
}

void ask_to_leave(shard* self, core& shared, const instance_id& id, slot& at) {
  const auto may = at.held->accepted ? at.held->accepted->may_passivate()
                   : at.held->letter ? at.held->letter->may_passivate()
                                     : at.held->schedule->may_passivate();
  at.asked_to_leave = false;
  if (may) {
    engine::transition nothing;
    std::vector<journal::release> extra;
    extra.push_back(
        {caf::actor_cast<caf::actor>(self), caf::make_message(may_leave{id, at.stay, at.forwarded})});
    act(self, shared, nothing, id, {}, 0, std::move(extra));
  }
}

void on_await_command_over(shard* self, const await_command_over& over) {
  const auto found = self->state.command_waiters.find(over.id);
  if (found == self->state.command_waiters.end()) {
    return;
  }
  auto& waiters = found->second;
  const auto one =
      std::find_if(waiters.begin(), waiters.end(), [&](const auto& w) { return w.number == over.number; });
  if (one != waiters.end()) {
    auto answer = std::move(one->answer);
    waiters.erase(one);
    answer(std::optional<command_result>{});
  }
  if (waiters.empty()) {
    self->state.command_waiters.erase(found);
  }
}

} // namespace continuo::actors
