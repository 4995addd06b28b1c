#include "actors/service.hpp"

#include "actors/waiting.hpp"
#include "engine/planted.hpp"
#include "engine/trace.hpp"
#include "messages/application.hpp"

#include <continuo/archive.hpp>

#include <caf/send.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace continuo::actors {

namespace {

using service = caf::stateful_actor<service_state>;
using engine::execution;

constexpr std::chrono::milliseconds http_grace{500};

void carry_out(service* self, core& shared, execution& of, engine::transition&& decided,
               std::uint64_t revision, std::vector<journal::release> extra = {}) {
  const auto id = of.id();
  const auto gone = decided.write == engine::write_kind::erase;
  if (std::string_view{decided.edge} == "park" || std::string_view{decided.edge} == "quarantine") {
    shared.log(log_level::warn,
               fmt::format("{} {}: {}", to_string(of.current().self), decided.edge, of.current().reason));
  }
  const auto is_unknown = std::string_view{decided.edge} == "unknown_here";
  if (is_unknown) {
    shared.count_unknown(self->state.environment->type->name, of.message(), decided.verdict.error());
  }
  if (!is_unknown && !decided.verdict) {
    shared.tell_failed_attempt(self->state.counts->failures_told, of.current().self, of.message(),
                               of.current().attempts, decided.verdict.error(), decided.try_again);
  }
  self->state.counts->count(decided.settled);
  const auto again = decided.try_again;
  act(
      self, shared, decided, of.current().self, [&of] { return of.encoded(); }, revision, std::move(extra));
  if (again) {
    send_later(self, *again, attempt_due{id});
  }
  const auto leaves = is_unknown && !of.is_written(); // its sender's outbox has it
  if (leaves && self->state.unknown.size() < shared.bounds.commands_held) {
    self->state.unknown.insert_or_assign(
        id, put_off_message{of.message().from, of.message().unseen, of.message().withdrawn});
  }
  if (gone || leaves) {
    if (const auto entry = self->state.events.find(of.origin()); entry != self->state.events.end()) {
      entry->second.erase(id);
      if (entry->second.empty()) {
        self->state.events.erase(entry);
      }
    }
    self->state.executions.erase(id);
  }
}

void finish(service* self, core& shared, handler_done& done);

// -- room ---------------------------------------------------------------------------------

using engine::turnstile;

/// What its definition says of a message, with a note in the node's marker as for its handler; a function
/// that throws is the application's mistake, and logged.
template <class Reader>
auto read_turn(core& shared, const service_state& state, const Reader& reader,
               const messages::envelope& message) -> decltype(reader(message.payload)) {
  auto said = [&] {
    const instance_id self{state.environment->address(), to_string(message.id)};
    const marker::note running{shared.suspects.get(), self, message.id};
    return reader(message.payload);
  }();
  if (!said && !engine::is_unknown_here(said.error())) {
    if (const auto more = state.counts->failures_told.let_through(shared.time->now().up)) {
      shared.log(log_level::warn,
                 fmt::format("{}: {}{}", state.environment->type->name, said.error().message,
                             *more == 0 ? "" : fmt::format(" ({} like this were not logged)", *more)));
    }
  }
  return said;
}

const detail::turn_readers* readers_of(const service_state& state, const messages::envelope& message) {
  const auto& all = state.environment->type->turns;
  const auto found = all.find(message.type);
  return found == all.end() || message.kind != messages::message_kind::command ? nullptr : &found->second;
}

priority priority_of(core& shared, const service_state& state, const messages::envelope& message) {
  const auto* readers = readers_of(state, message);
  return readers != nullptr && readers->priority
             ? read_turn(shared, state, readers->priority, message).value_or(priority::normal)
             : priority::normal;
}

/// A hash, so that a key takes as little memory as any; two of the same hash wait for each other as well. 0:
/// none.
std::uint64_t key_of(core& shared, const service_state& state, const messages::envelope& message) {
  constexpr std::uint64_t unreadable = 1;
  const auto* readers = readers_of(state, message);
  if (readers == nullptr || !readers->key) {
    return 0;
  }
  const auto key = read_turn(shared, state, readers->key, message);
  return !key ? unreadable : key->empty() ? 0 : std::hash<std::string>{}(*key) | 2;
}

put_off_line& line_of(service_state& state, priority of) {
  return state.lines[turnstile::index_of(of)];
}

/// Those that wait here, and those that are on their way.
std::size_t expected(const service_state& state, priority of) {
  return state.turns->waiting(of) + state.lines[turnstile::index_of(of)].called.size();
}

bool calls_nothing(const service_state& state) {
  return std::all_of(state.lines.begin(), state.lines.end(),
                     [](const put_off_line& line) { return line.called.empty(); });
}

/// Takes one that was called for from where it is noted; nothing where it was not.
std::optional<put_off_message> take_called(service_state& state, const message_id& id) {
  for (auto& line : state.lines) {
    if (auto found = line.called.extract(id)) {
      return found.mapped();
    }
  }
  return std::nullopt;
}

/// Asks the senders for as many of the commands put off as there is room for, each class by itself.
void call_held(service* self, core& shared) {
  auto& state = self->state;
  const auto room = shared.bounds.commands_waiting;
  if (state.held.empty() && state.overflowed && calls_nothing(state)) {
    state.overflowed = false;
    for (const auto& [peer, link] : shared.links) {
      self->send(link, link_renew{});
    }
  }
  if (state.held.empty()) {
    return;
  }
  engine::transition asks;
  const instance_id me{state.environment->address(), {}};
  for (const auto of : {priority::high, priority::normal, priority::low}) {
    auto& line = line_of(state, of);
    if (expected(state, of) > room / 2) {
      continue;
    }
    while (!line.order.empty() && expected(state, of) < room) {
      const auto id = line.order.front();
      line.order.pop_front();
      if (auto found = state.held.extract(id)) {
        asks.calls.push_back({me, found.mapped().from, id});
        line.called.insert(std::move(found));
      }
    }
  }
  if (!asks.calls.empty()) {
    act(self, shared, asks, me, {}, 0);
  }
}

/// Whether a message stays with its sender for now, because too many of its class wait here already. One that
/// was called for is taken.
bool put_off(service* self, core& shared, messages::envelope& message, priority of) {
  auto& state = self->state;
  if (const auto back = take_called(state, message.id)) {
    message.unseen = message.unseen || back->unseen; // nobody here has begun it since
    return false;
  }
  if (state.turns->waiting(of) < shared.bounds.commands_waiting) {
    return false;
  }
  if (state.held.contains(message.id)) {
    return true;
  }
  if (message.link == 0 ||
      state.held.size() < shared.bounds.commands_held) { // senders here are bounded themselves
    state.held.emplace(message.id, put_off_message{message.from, message.unseen, false, of});
    line_of(state, of).order.push_back(message.id);
  } else {
    state.overflowed = true;
  }
  return true;
}

/// It waits for its turn from now on.
void join(service_state& state, core& shared, const messages::envelope& message) {
  state.turns->join(message.id, priority_of(shared, state, message), key_of(shared, state, message));
}

/// What of this others see.
void show_turns(const service_state& state) {
  const auto& turns = *state.turns;
  auto& shown = *state.counts;
  shown.in_execution.store(static_cast<std::int64_t>(turns.running()), std::memory_order_relaxed);
  for (const auto of : {priority::high, priority::normal, priority::low}) {
    shown.queued[turnstile::index_of(of)].store(turns.waiting(of), std::memory_order_relaxed);
  }
  shown.breaker_open.store(turns.is_open(), std::memory_order_relaxed);
  shown.breaker_opened.store(turns.times_opened(), std::memory_order_relaxed);
}

/// Asks a mounted actor of the application; its answer comes back as a `handler_done`.
void ask_mounted(service* self, const detail::command_handler& handler, const messages::envelope& message,
                 std::uint32_t attempt, std::chrono::milliseconds timeout) {
  const auto id = message.id;
  const auto begun = std::chrono::steady_clock::now();
  handler.mounted(
      static_cast<caf::event_based_actor*>(self), message.payload, timeout,
      [self, id, attempt, begun](result<detail::handled> outcome) {
        self->send(self, handler_done{
                             id, attempt, std::move(outcome), {}, std::chrono::steady_clock::now() - begun});
      });
}

bool is_running(const service_state& state, const deadline& entry) {
  const auto found = state.executions.find(entry.id);
  return found != state.executions.end() && found->second->now_in() == execution::phase::running &&
         found->second->attempt() == entry.attempt;
}

void arm_deadline(service* self, core& shared) {
  auto& state = self->state;
  while (!state.deadlines.empty() && !is_running(state, state.deadlines.front())) {
    state.deadlines.pop_front();
  }
  if (!state.deadlines.empty() && !state.deadline_armed) {
    state.deadline_armed = true;
    send_later(self, between(shared.time->now().up, state.deadlines.front().at), check_deadlines{});
  }
}

// -- suspects -----------------------------------------------------------------------------

constexpr unsigned suspects_max = 4;

/// Whether it may run beside the suspects that run already: a few at a time, and one in which the process has
/// ended twice beside no other, so that the next end says more.
bool has_room_for(const service_state& state, const execution& next) {
  if (next.interruptions() == 0) {
    return true;
  }
  auto sum = next.interruptions() > 1 ? suspects_max : 1;
  for (const auto& [id, weight] : state.suspects_running) {
    sum += weight;
  }
  return sum <= suspects_max;
}

/// One has come to its end, or has used up its time.
void suspect_is_over(service_state& state, const message_id& id) {
  if (state.suspects_running.erase(id) > 0) {
    for (const auto& one : std::exchange(state.suspects_waiting, {})) {
      state.turns->put_back(one);
    }
  }
}

/// One wake-up stands for all attempts that run.
void watch(service* self, core& shared, const message_id& id, std::uint32_t attempt) {
  const auto& type = *self->state.environment->type;
  auto end = later(shared.time->now().up, detail::any_duration{type.retry.timeout});
  if (std::any_of(type.commands.begin(), type.commands.end(),
                  [](const auto& entry) { return !entry.second.url.empty(); })) {
    end = later(end, http_grace); // a call ends by itself when its time is up, with a better reason
  }
  self->state.deadlines.push_back({end, id, attempt});
  arm_deadline(self, shared);
}

/// Has it looked again when time lets somebody start.
/// `now` is when nobody might start: a later moment could be the one at which somebody may.
void look_later(service* self, engine::boot_time now) {
  auto& state = self->state;
  const auto at = state.is_open ? state.turns->look_again(now) : std::nullopt;
  if (at && (!state.looks_again || *at < *state.looks_again)) {
    state.looks_again = at;
    send_later(self, between(now, *at), look_at_turns{*at});
  }
}

void start_waiting(service* self, const std::shared_ptr<core>& shared) {
  auto& state = self->state;
  const auto& type = *state.environment->type;
  auto& turns = *state.turns;
  auto now = shared->time->now().up;
  for (; state.is_open && !shared->ending; now = shared->time->now().up) {
    const auto* first = turns.next(now);
    if (first == nullptr) {
      break;
    }
    const auto id = first->id;
    const auto found = state.executions.find(id);
    if (found == state.executions.end() || found->second->now_in() != execution::phase::waiting) {
      turns.pass_over();
      continue;
    }
    auto& next = *found->second;
    if (!has_room_for(state, next)) {
      state.suspects_waiting.push_back(turns.pass_over());
      continue;
    }
    turns.begin(now);
    if (next.interruptions() > 0) {
      state.suspects_running.emplace(id, next.interruptions() > 1 ? suspects_max : 1);
    }
    const auto begun = next.begin();
    if (shared->took) {
      shared->took(next.current().self, begun.edge);
    }
    const auto& message = next.message();
    const auto attempt = next.attempt();
    if (attempt > 1) {
      state.counts->retries.fetch_add(1, std::memory_order_relaxed);
    }
    const auto handler = type.commands.find(message.type);
    if (handler != type.commands.end() && handler->second.mounted) {
      ask_mounted(self, handler->second, message, attempt, type.retry.timeout);
      continue;
    }
    if (type.pure) {
      auto done = [&] { // what it names may be gone after `finish`
        const running_handlers::entry running{*shared->handlers, next.current().self, message.type};
        return run_handler(*shared, *state.environment, next.current().self, message, attempt,
                           next.idempotency_key());
      }();
      finish(self, *shared, done);
      continue;
    }
    watch(self, *shared, id, attempt);
    // The job outlives the execution if the node stops: it has copies of all that it needs.
    shared->pool->post(message, [shared, environment = state.environment, me = next.current().self, attempt,
                                 key = next.idempotency_key()](const messages::envelope& message) {
      if (shared->ending) {
        return; // it waited for a thread meanwhile: it begins in the next life
      }
      auto done = run_handler(*shared, *environment, me, message, attempt, key);
      if (!done.outcome && done.outcome.error().code == errc::unavailable) {
        return; // the node stops in the middle of a call: that is no attempt, the next life makes it again
      }
      shared->handler_ended(environment->address(), std::move(done));
    });
  }
  show_turns(state);
  look_later(self, now);
}

/// Whether its handler's outcome says that what it calls works.
turnstile::ending ending_of(const handler_done& done) {
  return done.outcome                                    ? turnstile::ending::answered
         : engine::is_unknown_here(done.outcome.error()) ? turnstile::ending::unknown
                                                         : turnstile::ending::failed;
}

void finish(service* self, core& shared, handler_done& done) {
  auto& state = self->state;
  if (!state.turns->end(done.id, ending_of(done), shared.time->now().up)) {
    return; // it has answered before
  }
  suspect_is_over(state, done.id);
  state.counts->count_handler(done.took);
  const auto found = state.executions.find(done.id);
  if (found == state.executions.end()) {
    return;
  }
  auto& execution = *found->second;
  const auto phase = execution.now_in();
  // One that was parked when its time was up is open still: an outcome that comes late is taken, a failure
  // changes nothing.
  const auto late = phase == execution::phase::parked && done.outcome.has_value();
  if (phase != execution::phase::running && phase != execution::phase::overdue && !late) {
    return; // answered meanwhile: its attempts were exhausted before this one returned
  }
  const auto revision = shared.next_revision();
  const auto now = shared.time->now();
  std::vector<journal::release> extra;
  if (shared.spans && !execution.message().trace.empty()) {
    shared.tell_when_durable({execution.message().trace,
                              engine::span_of(done.id),
                              false,
                              fmt::format("{} {}", state.environment->type->name, execution.message().type),
                              now.wall - std::chrono::duration_cast<time_point::duration>(done.took),
                              now.wall,
                              !done.outcome.has_value(),
                              {{"continuo.message_id", to_string(done.id)},
                               {"continuo.requester", to_string(execution.message().from)},
                               {"continuo.attempt", std::to_string(done.attempt)}}},
                             extra);
  }
  carry_out(self, shared, execution, execution.finished(std::move(done.outcome), done.asked, now, revision),
            revision, std::move(extra));
}

void on_envelope(service* self, const std::shared_ptr<core>& shared, messages::envelope& message) {
  auto& state = self->state;
  const auto withdraws = message.kind == messages::message_kind::withdrawal;
  const auto id = withdraws ? message.in_reply_to : message.id;
  std::vector<journal::release> extra;
  if (!withdraws) {
    give_credit_back(*shared, message, extra);
  }
  const auto known = state.executions.find(id);
  if (known != state.executions.end()) {
    const auto revision = shared->next_revision();
    carry_out(self, *shared, *known->second, known->second->receive(message, shared->time->now(), revision),
              revision, std::move(extra));
    return;
  }
  if (withdraws) {
    // Its command was answered, and the requester has closed it; or it was put off, and comes with its
    // withdrawal behind it when it is called for.
    auto held = state.held.extract(id);
    if (const auto left = state.unknown.find(id);
        !held && left != state.unknown.end() && !left->second.withdrawn) {
      held = state.unknown.extract(left);
    }
    if (held) {
      engine::transition asks;
      const instance_id me{state.environment->address(), {}};
      asks.calls.push_back({me, held.mapped().from, id});
      line_of(state, held.mapped().of).called.insert(std::move(held));
      act(self, *shared, asks, me, {}, 0);
    }
    return;
  }
  if (!extra.empty()) {
    engine::transition nothing;
    act(self, *shared, nothing, message.from, {}, 0, std::move(extra));
  }
  if (const auto left = state.unknown.find(id); left != state.unknown.end()) {
    if (!message.withdrawn || left->second.withdrawn) {
      return; // offered again
    }
    state.unknown.erase(left);
  }
  const auto of = priority_of(*shared, state, message);
  if (put_off(self, *shared, message, of)) {
    return;
  }
  state.held.erase(id);
  if (message.kind == messages::message_kind::event) {
    state.events[message.from].insert(id);
  }
  const auto withdrawn = message.withdrawn;
  const auto made =
      state.executions.emplace(id, std::make_unique<execution>(*state.environment, std::move(message))).first;
  if (withdrawn) { // its sender has given it up meanwhile
    const auto revision = shared->next_revision();
    auto& fresh = *made->second;
    const auto given_up = fresh.message();
    carry_out(self, *shared, fresh, fresh.withdraw(given_up, shared->time->now(), revision), revision);
    if (fresh.now_in() == execution::phase::answered) {
      return;
    }
  }
  state.turns->join(id, of, key_of(*shared, state, made->second->message()));
  start_waiting(self, shared);
  call_held(self, *shared);
}

void on_receipt(service* self, const std::shared_ptr<core>& shared, const messages::receipt& receipt) {
  auto& state = self->state;
  state.unknown.erase(receipt.forget);
  if (take_called(state, receipt.forget)) { // its sender owes it no more
    call_held(self, *shared);
  }
  const auto give = [&](message_id id) {
    const auto known = state.executions.find(id);
    if (known == state.executions.end()) {
      return false;
    }
    const auto revision = shared->next_revision();
    carry_out(self, *shared, *known->second, known->second->receive(receipt, shared->time->now(), revision),
              revision);
    return true;
  };
  if (!receipt.to.key.empty()) { // of an event that an execution published
    const auto id = parse_message_id(receipt.to.key);
    if (!id || !give(*id)) {
      auto said = engine::absent(receipt);
      act(self, *shared, said, receipt.to, {}, 0);
    }
    return;
  }
  if (receipt.closes) {
    give(receipt.closes);
  }
  const auto sender = receipt.forget ? state.events.find(receipt.from) : state.events.end();
  if (sender == state.events.end()) {
    return;
  }
  const std::vector<message_id> forgotten{sender->second.begin(), sender->second.upper_bound(receipt.forget)};
  for (const auto& id : forgotten) {
    give(id);
  }
}

void on_call(service* self, const std::shared_ptr<core>& shared, const messages::call_for& call) {
  // For an event the execution that published it stands in the address; for a reply, which an instance that
  // was paused asks for, it is found by the reply's id.
  for (auto& [id, execution] : self->state.executions) {
    const auto& outbox = execution->current().outbox;
    const auto holds = std::any_of(outbox.begin(), outbox.end(),
                                   [&](const engine::stored_message& sent) { return sent.id == call.id; });
    if (holds) {
      carry_out(self, *shared, *execution, execution->called(call), 0);
      return;
    }
  }
  auto said = engine::absent(call);
  act(self, *shared, said, call.to, {}, 0);
}

/// A connection ended or began: what was called for on it is offered again when the peer is back, and so is
/// what was put off. Until then neither takes the room of others.
void on_renewed(service* self, core& shared) {
  auto& state = self->state;
  const auto is_lost = [&](const auto& entry) {
    const auto peer = shared.peer_of(entry.second.from);
    return !peer.empty() && !shared.peers.is_up(peer);
  };
  // What is called for of a peer that is up may have been lost with the connection before.
  std::erase_if(state.held, is_lost);
  for (auto& line : state.lines) {
    std::erase_if(line.called, [&](const auto& entry) { return !shared.peer_of(entry.second.from).empty(); });
    std::erase_if(line.order, [&](const message_id& id) { return !state.held.contains(id); });
  }
  call_held(self, shared);
}

void on_deadlines(service* self, const std::shared_ptr<core>& shared) {
  auto& state = self->state;
  state.deadline_armed = false;
  const auto now = shared->time->now();
  while (!state.deadlines.empty() && state.deadlines.front().at <= now.up) {
    const auto over = state.deadlines.front();
    state.deadlines.pop_front();
    if (is_running(state, over)) {
      suspect_is_over(state, over.id);
      state.turns->timed_out(over.id, now.up);
      auto& execution = *state.executions.find(over.id)->second;
      const auto revision = shared->next_revision();
      carry_out(self, *shared, execution, execution.timed_out(now, revision), revision);
    }
  }
  arm_deadline(self, *shared);
  start_waiting(self, shared);
}

void on_due(service* self, const std::shared_ptr<core>& shared, const attempt_due& due) {
  const auto found = self->state.executions.find(due.id);
  if (found != self->state.executions.end() && found->second->now_in() == execution::phase::backoff) {
    found->second->due();
    join(self->state, *shared, found->second->message());
    start_waiting(self, shared);
    call_held(self, *shared);
  }
}

/// After a restart: what was in execution, or is answered and not acknowledged.
void on_adopt(service* self, const std::shared_ptr<core>& shared, const adopt& portion) {
  for (const auto& record : portion.executions) {
    auto stored = read_record(*shared, record);
    if (!stored) {
      return; // the node fails
    }
    if (!*stored) {
      continue;
    }
    auto adopted = std::make_unique<execution>(*self->state.environment, std::move(**stored));
    const auto id = adopted->id();
    self->state.adopted.push_back(id);
    auto& execution = *self->state.executions.insert_or_assign(id, std::move(adopted)).first->second;
    if (!execution.is_command()) {
      self->state.events[execution.origin()].insert(id);
    }
  }
  self->send(caf::actor_cast<caf::actor>(self->current_sender()), handed_over{});
}

void on_pause(service* self, const std::shared_ptr<core>& shared) {
  const auto pause = shared->paused.pause_of(self->state.environment->type->name);
  self->state.turns->pause(pause.has_value() && !planted("pause_is_not_heard"));
  start_waiting(self, shared);
  call_held(self, *shared);
}

/// The node has recovered. What was adopted is said again, and goes on.
void on_open(service* self, const std::shared_ptr<core>& shared) {
  auto adopted = std::exchange(self->state.adopted, {});
  std::sort(adopted.begin(), adopted.end());
  for (const auto& id : adopted) {
    // Also where a receipt that came during the start has changed it: it owes the rest.
    if (const auto found = self->state.executions.find(id); found != self->state.executions.end()) {
      const auto revision = shared->next_revision();
      carry_out(self, *shared, *found->second, found->second->recover(shared->time->now(), revision),
                revision);
    }
  }
  self->state.is_open = true;
  on_pause(self, shared);
}

void on_operate(service* self, const std::shared_ptr<core>& shared, operate_command& request) {
  const auto found = self->state.executions.find(request.id);
  if (found == self->state.executions.end() || found->second->now_in() != execution::phase::parked) {
    const auto code = found == self->state.executions.end() ? errc::not_found : errc::conflict;
    request.answer(fail(code, fmt::format("no command {} is parked at {}", to_string(request.id),
                                          self->state.environment->type->name)));
    return;
  }
  if (!request.discard && self->state.turns->runs(request.id)) {
    request.answer(
        fail(errc::conflict, fmt::format("the last attempt of {} has not returned yet: its outcome is taken "
                                         "when it comes; retry it after that, or discard it",
                                         to_string(request.id))));
    return;
  }
  const auto revision = shared->next_revision();
  auto& execution = *found->second;
  auto decided = request.discard ? execution.discard(shared->time->now(), revision)
                                 : execution.retry(shared->time->now(), revision);
  std::vector<journal::release> extra;
  extra.push_back(
      {shared->intake, caf::make_message(call{[answer = std::move(request.answer)] { answer({}); }})});
  carry_out(self, *shared, execution, std::move(decided), revision, std::move(extra));
  if (!request.discard) {
    join(self->state, *shared, execution.message());
    start_waiting(self, shared);
  }
}

} // namespace

bool calls_http(const engine::execution_environment& environment, const messages::envelope& message) {
  const auto handler = environment.type->commands.find(message.type);
  return message.kind != messages::message_kind::event && handler != environment.type->commands.end() &&
         !handler->second.url.empty();
}

handler_done run_handler(core& shared, const engine::execution_environment& environment,
                         const instance_id& self, const messages::envelope& message, std::uint32_t attempt,
                         const std::string& key) {
  handler_done done;
  done.id = message.id;
  done.attempt = attempt;
  detail::invocation call;
  call.self = &self;
  call.cause = message.id;
  call.now = shared.time->now().wall;
  call.random_seed = shared.seed ^ std::hash<message_id>{}(message.id);
  call.sink = shared.sink.get();
  command_context context{call, message.from, attempt, key,
                          engine::trace_behind(message.trace, engine::span_of(message.id))};
  // A call of another process cannot end this one.
  const marker::note running{calls_http(environment, message) ? nullptr : shared.suspects.get(), self,
                             message.id};
  const auto begun = std::chrono::steady_clock::now();
  const auto unknown = [&] {
    return fail(errc::unknown_type, "the service does not handle " + message.type);
  };
  done.outcome = call_application(errc::handler_failed, [&]() -> result<detail::handled> {
    if (message.kind == messages::message_kind::event) {
      const auto handler = environment.type->events.find(message.type);
      if (handler == environment.type->events.end()) {
        return unknown();
      }
      return handler->second.run(message.payload, context).map([] { return detail::handled{}; });
    }
    const auto handler = environment.type->commands.find(message.type);
    return handler == environment.type->commands.end() || !handler->second.run
               ? result<detail::handled>{unknown()}
               : handler->second.run(message.payload, context);
  });
  done.took = std::chrono::steady_clock::now() - begun;
  done.asked = std::move(context.asked());
  return done;
}

caf::behavior service_actor(service* self, std::shared_ptr<core> shared, std::string name) {
  fail_node_on_trouble(self, shared);
  self->state.environment = &shared->execution_environments.find(name)->second;
  self->state.turns.emplace(*self->state.environment->type, shared->time->now().up);
  self->state.counts = &shared->service_counts.find(self->state.environment->type->name)->second;
  return {
      // CAF tries one after the other: the frequent ones come first.
      [self, shared](messages::envelope& message) { on_envelope(self, shared, message); },
      [self, shared](handler_done& done) {
        finish(self, *shared, done);
        start_waiting(self, shared);
        call_held(self, *shared);
      },
      [self, shared](const messages::receipt& receipt) { on_receipt(self, shared, receipt); },
      [self, shared](const messages::call_for& call) { on_call(self, shared, call); },
      [self, shared](check_deadlines) { on_deadlines(self, shared); },
      [self, shared](const look_at_turns& look) {
        if (self->state.looks_again == look.at) {
          self->state.looks_again.reset();
          start_waiting(self, shared);
          call_held(self, *shared);
        }
      },
      [self, shared](const attempt_due& due) { on_due(self, shared, due); },
      [self, shared](const adopt& portion) { on_adopt(self, shared, portion); },
      [self, shared](open) { on_open(self, shared); },
      [self, shared](const pause_changed& changed) {
        on_pause(self, shared);
        changed.answer({});
      },
      [self, shared](operate_command& request) { on_operate(self, shared, request); },
      [self, shared](link_renew) { on_renewed(self, *shared); },
      [self](link_mark mark) { self->send(caf::actor_cast<caf::actor>(self->current_sender()), mark); },
  };
}

} // namespace continuo::actors
