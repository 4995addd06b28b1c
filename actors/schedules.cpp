#include "actors/schedules.hpp"

#include "actors/waiting.hpp"

#include <caf/send.hpp>

#include <fmt/format.h>

#include <chrono>
#include <utility>

namespace continuo::actors {

namespace {

/// How soon a schedule looks again that could not fire.
constexpr std::chrono::seconds look_again_after{1};

/// Carries out what has its write, or needs none; the schedule leaves memory with it.
void let_go(shard* self, core& shared, const instance_id& id, slot& at, engine::transition&& decided,
            std::uint64_t revision, std::vector<journal::release> extra = {}) {
  extra.push_back(
      {caf::actor_cast<caf::actor>(self), caf::make_message(may_leave{id, at.stay, at.forwarded})});
  auto& machine = *at.held->schedule;
  act(
      self, shared, decided, id, [&machine] { return machine.encoded(); }, revision, std::move(extra));
}

/// The event is accepted and the schedule's record says so, in one write: a crash takes both, or none.
void accept_event(shard* self, core& shared, const instance_id& id, slot& at,
                  engine::schedule_machine::look&& looked, std::uint64_t revision,
                  std::function<void(result<void>)> taken) {
  accept accepted;
  accepted.id = {shared.store_id, revision, 0};
  accepted.wanted = std::move(*looked.publish);
  accepted.taken = std::move(taken);
  auto& machine = *at.held->schedule;
  add_writes(
      looked.decided, id, [&machine] { return machine.encoded(); }, accepted.beside);
  looked.decided.write = engine::write_kind::none;
  shared.in_flight.fetch_add(1);
  for (auto& message : take(self, shared, accepted)) {
    self->send(self, std::move(message));
  }
  let_go(self, shared, id, at, std::move(looked.decided), 0);
}

void tell_trouble(core& shared, const instance_id& id, const std::string& trouble) {
  if (const auto untold =
          trouble.empty() ? std::nullopt : shared.schedules_told.let_through(shared.time->now().up)) {
    shared.log(log_level::warn,
               fmt::format("schedule {}: {}{}", id.key, trouble,
                           *untold > 0 ? fmt::format(" ({} more since this was said last)", *untold) : ""));
  }
}

/// Whether an event of this shard is still on its way to somebody.
bool is_under_way(shard* self, core& shared, const instance_id& event) {
  if (const auto here = self->state.slots.find(event); here != self->state.slots.end()) {
    return here->second.held && here->second.held->accepted && here->second.held->accepted->exists();
  }
  const auto read = read_record(shared, event);
  return read && *read;
}

} // namespace

void give(shard* self, core& shared, const instance_id& id, slot& at, define_schedule) {
  const auto now = shared.time->now();
  if (self->state.begun == engine::boot_time{}) {
    self->state.begun = now.up;
  }
  auto& machine = *at.held->schedule;
  const auto defined = shared.schedules.find(id.key);
  const auto revision = shared.next_revision();
  if (defined != shared.schedules.end()) {
    let_go(self, shared, id, at, machine.define(defined->second, now, revision), revision);
  } else {
    shared.log(log_level::info,
               fmt::format("schedule {} ends: it is not defined for this node any more", id.key));
    let_go(self, shared, id, at, machine.retire(), revision);
  }
}

void give(shard* self, core& shared, const instance_id& id, slot& at, const look_at_schedule& look) {
  auto& machine = *at.held->schedule;
  if (!machine.current().timers.empty()) { // others must not wait until this one is dealt with
    self->send(shared.timers, set_timers{id, {}, {machine.current().timers.front().id}});
  }
  if (machine.exists() && (shared.start_objection() || shared.apart_objection())) {
    send_later(self, look_again_after, look_at_schedule{id, {}});
    let_go(self, shared, id, at, {}, 0);
    return;
  }
  const auto now = shared.time->now();
  const auto in_service = between(self->state.begun, now.up);
  const auto revision = shared.next_revision_in(shared.place_of(id));
  auto looked = machine.due(now, in_service, look.is_over, revision);
  if (looked.asks) {
    auto reached = machine.state().reached;
    const auto under_way = is_under_way(self, shared, reached.front());
    reached.erase(reached.begin());
    if (!under_way && !reached.empty()) {
      shared.ask_whether_over(std::move(reached),
                              [me = caf::actor_cast<caf::actor>(self), id](bool are_over) {
                                caf::anon_send(me, look_at_schedule{id, are_over});
                              });
      let_go(self, shared, id, at, {}, 0);
      return;
    }
    looked = machine.due(now, in_service, !under_way, revision);
  }
  tell_trouble(shared, id, looked.trouble);
  if (looked.publish) {
    accept_event(self, shared, id, at, std::move(looked), revision, {});
  } else {
    let_go(self, shared, id, at, std::move(looked.decided), revision);
  }
}

void give(shard* self, core& shared, const instance_id& id, slot& at, operate_schedule& request) {
  auto& machine = *at.held->schedule;
  const auto now = shared.time->now();
  const auto answer = [&](const result<void>& verdict, const message_id& made) {
    return [said = std::move(request.answer), verdict, made] {
      said(verdict ? result<message_id>{made} : tl::unexpected(verdict.error()));
    };
  };
  const auto tell = [&](engine::transition&& decided, std::uint64_t revision) {
    std::vector<journal::release> extra;
    extra.push_back({shared.intake, caf::make_message(call{answer(decided.verdict, {})})});
    let_go(self, shared, id, at, std::move(decided), revision, std::move(extra));
  };
  if (request.what != operate_schedule::verb::trigger) {
    const auto revision = shared.next_revision();
    tell(request.what == operate_schedule::verb::pause ? machine.pause(request.who, now, revision)
                                                       : machine.resume(now, revision),
         revision);
    return;
  }
  auto objection = shared.start_objection();
  objection = objection ? objection : shared.apart_objection();
  if (objection && machine.exists()) {
    engine::transition refused;
    refused.edge = "refused";
    refused.verdict = tl::unexpected(*objection);
    tell(std::move(refused), 0);
    return;
  }
  const auto revision = shared.next_revision_in(shared.place_of(id));
  auto looked = machine.trigger(now, revision);
  tell_trouble(shared, id, looked.trouble);
  if (!looked.publish) {
    tell(std::move(looked.decided), revision);
    return;
  }
  const message_id made{shared.store_id, revision, 0};
  accept_event(self, shared, id, at, std::move(looked), revision,
               [said = std::move(request.answer), made](const result<void>& taken) {
                 said(taken ? result<message_id>{made} : tl::unexpected(taken.error()));
               });
}

} // namespace continuo::actors
