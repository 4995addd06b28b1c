#include "actors/intake.hpp"

#include "actors/intake_keys.hpp"
#include "actors/misaddressed.hpp"
#include "engine/planted.hpp"
#include "engine/trace.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace continuo::actors {

namespace {

using intake = caf::stateful_actor<intake_state>;

std::vector<journal::release> when_durable(core& shared, std::function<void()> what) {
  std::vector<journal::release> releases;
  releases.push_back({shared.intake, caf::make_message(call{std::move(what)})});
  return releases;
}

std::unique_ptr<accepted_message> make_record(core& shared, engine::record_kind kind, const message_id& id) {
  engine::record stored;
  stored.kind = kind;
  stored.self = {std::string{kind == engine::record_kind::publish ? publish_type : send_type}, to_string(id)};
  stored.revision = id.revision;
  stored.started_at = shared.time->now().wall;
  stored.updated_at = stored.started_at;
  return std::make_unique<accepted_message>(std::move(stored));
}

/// The node's reason not to take an event or command now; empty if it takes it.
std::optional<error> objection(const intake_state& state) {
  if (!state.is_open) {
    return state.closed;
  }
  return std::nullopt;
}

/// Why an instance must not be started now.
std::optional<error> start_objection(const intake_state& state, const core& shared) {
  if (state.disk_low) {
    return error{errc::overloaded,
                 "the disk is nearly full (see disk-reserve): accepted work goes on, starts are refused"};
  }
  const auto now = shared.in_flight.load();
  if (now >= shared.bounds.in_flight) {
    return error{errc::overloaded,
                 fmt::format("{} instances are in flight, and {} are allowed: try again later", now,
                             shared.bounds.in_flight)};
  }
  return std::nullopt;
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
  engine::transition nothing;
  act(self, shared, nothing, {}, {}, 0,
      when_durable(shared, [answer = std::move(answer), again = std::move(*known)] { answer(again); }));
  return true;
}

/// The write that remembers a message's key, if it has one.
template <class Message>
std::vector<journal::operation> remembered(intake* self, const core& shared, const Message& message,
                                           const accepted& answer) {
  std::vector<journal::operation> beside;
  if (!message.key.empty()) {
    beside.push_back(remember_key(self->state, message.key, message.type, message.payload, answer,
                                  shared.time->now().wall));
  }
  return beside;
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

/// Whether nothing of an accepted event is for this node.
bool is_elsewhere(const core& shared, const engine::record& stored) {
  return stored.requests.empty() &&
         std::all_of(stored.outbox.begin(), stored.outbox.end(),
                     [&](const auto& sent) { return !shared.peer_of(sent.to).empty(); });
}

/// Brings back an accepted event that is not in memory; null where there is no such record.
accepted_message* bring_back(intake_state& state, const core& shared, const message_id& id) {
  const auto bytes = shared.store->get(engine::record_key({std::string{publish_type}, to_string(id)}));
  if (!bytes || !*bytes) {
    return nullptr;
  }
  auto stored = decode<engine::record>(**bytes);
  if (!stored) {
    return nullptr;
  }
  auto back = std::make_unique<accepted_message>(std::move(*stored));
  back->parked = true;
  return state.messages.insert_or_assign(id, std::move(back)).first->second.get();
}

bool starts_something(const core& shared, const publish& event,
                      const std::vector<engine::destination>& where) {
  return std::any_of(where.begin(), where.end(), [&](const engine::destination& to) {
    const auto saga = shared.sagas.find(to.to.type);
    if (saga == shared.sagas.end()) {
      return false;
    }
    const auto subscription = saga->second.subscriptions.find(event.type);
    return subscription != saga->second.subscriptions.end() && subscription->second.starts;
  });
}

/// A message that no record could hold.
std::optional<error> size_objection(const engine::record& stored) {
  const auto bytes = engine::approximate_size(stored);
  if (bytes <= engine::record_bytes_max) {
    return std::nullopt;
  }
  return error{errc::malformed, fmt::format("the message and what it takes to deliver it are {} bytes, and a "
                                            "record holds {}: send a reference to what is so large",
                                            bytes, engine::record_bytes_max)};
}

void take(intake* self, core& shared, publish& event, std::vector<engine::destination>&& where) {
  auto& state = self->state;
  const auto revision = shared.next_revision();
  const message_id id{shared.store_id, revision, 0};
  auto taken = make_record(shared, engine::record_kind::publish, id);
  accepted answer{id, {}};
  std::vector<journal::release> releases;
  const auto trace = begin_trace(shared, event, "publish", id, releases);
  std::uint32_t index = 0;
  for (auto& to : where) {
    if (shared.sagas.find(to.to.type) != shared.sagas.end()) {
      answer.instances.push_back(to.to);
    }
    taken->stored.outbox.push_back({{shared.store_id, revision, index++},
                                    engine::message_kind::event,
                                    std::move(to.to),
                                    {},
                                    event.type,
                                    event.payload,
                                    to.effects,
                                    trace});
  }
  if (auto reason = size_objection(taken->stored)) {
    event.answer(tl::unexpected(std::move(*reason)));
    return;
  }
  engine::transition decided;
  if (!taken->stored.outbox.empty()) {
    decided.write = engine::write_kind::put;
    decided.created = true;
    taken->mail.resend(decided, nullptr);
  }
  if (planted("accepted_before_durable")) {
    event.answer(answer);
  }
  auto answers = when_durable(shared, [self, key = event.key, reply = std::move(event.answer), answer] {
    self->state.new_keys.erase(key);
    reply(answer);
  });
  std::move(answers.begin(), answers.end(), std::back_inserter(releases));
  act(
      self, shared, decided, taken->stored.self, [&] { return encode(taken->stored); }, revision,
      std::move(releases), remembered(self, shared, event, answer));
  // What goes to other nodes only is parked: its record has it, and memory need not.
  if (!is_elsewhere(shared, taken->stored)) {
    shared.count_in_flight(self, 1); // until its receivers have it
    state.messages.emplace(id, std::move(taken));
  }
}

void on_publish(intake* self, const std::shared_ptr<core>& shared, publish& event) {
  auto& state = self->state;
  if (auto reason = objection(state)) {
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
  auto where = shared->routes.event(event.type, event.payload, {std::string{publish_type}, event.payload});
  if (!where) {
    event.answer(tl::unexpected(where.error()));
    return;
  }
  if (starts_something(*shared, event, *where)) {
    if (auto reason = start_objection(state, *shared)) {
      if (!event.options.wait_for_room || state.waiting.size() >= shared->bounds.waiting_publishers) {
        event.answer(tl::unexpected(std::move(*reason)));
        return;
      }
      state.waiting.push_back(std::move(event));
      shared->somebody_waits = true;
      if (!start_objection(state, *shared)) {
        self->send(self, room{}); // it became free between the two looks
      }
      return;
    }
  }
  take(self, *shared, event, std::move(*where));
}

void on_room(intake* self, const std::shared_ptr<core>& shared) {
  auto& state = self->state;
  while (!state.waiting.empty() && !start_objection(state, *shared)) {
    auto event = std::move(state.waiting.front());
    state.waiting.pop_front();
    auto where = shared->routes.event(event.type, event.payload, {std::string{publish_type}, event.payload});
    if (where) {
      take(self, *shared, event, std::move(*where));
    } else { // its key was read before, by a function that gives another answer now
      event.answer(tl::unexpected(std::move(where.error())));
    }
  }
  if (!state.waiting.empty()) {
    shared->somebody_waits = true;
    if (!start_objection(state, *shared)) {
      self->send(self, room{});
    }
  }
}

void on_send(intake* self, const std::shared_ptr<core>& shared, send_command& command) {
  auto& state = self->state;
  auto refused = objection(state);
  if (!refused && answer_again(self, *shared, command, command.taken)) {
    return;
  }
  if (!refused && !shared->routes.knows_command(command.type)) {
    refused = not_a_command(*shared, command.type);
  }
  if (!refused) {
    refused = start_objection(state, *shared);
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
                                                {std::string{send_type}, command.payload});
  if (!where) {
    refuse(where.error());
    return;
  }
  const auto revision = shared->next_revision();
  const message_id id{shared->store_id, revision, 0};
  auto taken = make_record(*shared, engine::record_kind::send, id);
  taken->stored.requests.push_back({id, where->to, command.type, command.payload, taken->stored.started_at,
                                    where->effects, false, false, false});
  if (const auto reason = size_objection(taken->stored)) {
    refuse(*reason);
    return;
  }
  taken->answer = std::move(command.answer);
  std::vector<journal::release> releases;
  taken->stored.requests.back().trace = begin_trace(*shared, command, "send", id, releases);
  engine::transition decided;
  decided.write = engine::write_kind::put;
  decided.created = true;
  taken->mail.resend(decided, nullptr);
  if (command.taken) {
    auto answers = when_durable(*shared, [self, key = command.key, reply = std::move(command.taken), id] {
      self->state.new_keys.erase(key);
      reply(accepted{id, {}});
    });
    std::move(answers.begin(), answers.end(), std::back_inserter(releases));
  }
  act(
      self, *shared, decided, taken->stored.self, [&] { return encode(taken->stored); }, revision,
      std::move(releases), remembered(self, *shared, command, accepted{id, {}}));
  shared->count_in_flight(self, 1); // until its outcome is here
  state.messages.emplace(id, std::move(taken));
}

/// A client's command whose node is down goes to another one.
void on_move(intake* self, const std::shared_ptr<core>& shared, const move_command& request) {
  engine::transition decided;
  std::vector<journal::release> releases;
  releases.push_back({request.link, caf::make_message(moved{request.of, request.id})});
  const auto found = self->state.messages.find(request.id);
  if (found == self->state.messages.end() || found->second->stored.requests.empty()) {
    act(self, *shared, decided, request.of, {}, 0, std::move(releases));
    return;
  }
  auto& stored = found->second->stored;
  auto& sent = stored.requests.front();
  const auto where = shared->routes.command(sent.type, sent.payload, {std::string{send_type}, sent.payload});
  if (!where || where->to == sent.to || sent.to.type != request.from) {
    act(self, *shared, decided, request.of, {}, 0, std::move(releases));
    return;
  }
  sent.to = where->to;
  sent.moved = sent.moved || request.handed_out;
  stored.revision = shared->next_revision();
  decided.write = engine::write_kind::put;
  found->second->mail.resend(decided, nullptr);
  act(
      self, *shared, decided, stored.self, [&] { return encode(stored); }, stored.revision,
      std::move(releases));
}

/// The outcome of a client's command.
void on_answer(intake* self, const std::shared_ptr<core>& shared, const messages::envelope& message) {
  auto& state = self->state;
  engine::transition decided;
  decided.receipts.push_back({message.to, message.from, message.id, {}, message.in_reply_to});
  const auto found = state.messages.find(message.in_reply_to);
  std::vector<journal::release> releases;
  give_credit_back(*shared, message, releases);
  if (found == state.messages.end()) { // handled before
    act(self, *shared, decided, message.to, {}, 0, std::move(releases));
    return;
  }
  auto& sent = *found->second;
  command_result outcome{message.in_reply_to, {}, {}, message.type, message.payload};
  if (message.kind == messages::message_kind::failure) {
    const auto body = decode<messages::failure_body>(message.payload);
    outcome.failed = body ? static_cast<failure_kind>(body->kind) : failure_kind::unknown;
    outcome.reason = body ? body->reason : "its reason is unreadable";
  }
  const auto revision = shared->next_revision();
  sent.mail.closed(sent.stored.requests.front().to, message.in_reply_to);
  sent.stored.requests.clear();
  sent.stored.status = outcome.failed ? instance_status::compensated : instance_status::completed;
  sent.stored.reason = outcome.reason;
  sent.stored.result_type = outcome.reply_type;
  sent.stored.result = outcome.payload;
  sent.stored.revision = revision;
  sent.stored.updated_at = shared->time->now().wall;
  decided.write = engine::write_kind::put;
  sent.mail.written(decided);
  if (sent.answer || !sent.waiters.empty()) {
    auto answers =
        when_durable(*shared, [reply = std::move(sent.answer), waiters = std::move(sent.waiters), outcome] {
          if (reply) {
            reply(outcome);
          }
          for (const auto& [number, answer] : waiters) {
            answer(std::optional{outcome});
          }
        });
    std::move(answers.begin(), answers.end(), std::back_inserter(releases));
  }
  act(
      self, *shared, decided, sent.stored.self, [&] { return encode(sent.stored); }, revision,
      std::move(releases));
  state.messages.erase(found); // the record stays for those who ask later; it expires
  shared->count_in_flight(self, -1);
}

/// The outcome of an ended command, from its record.
result<std::optional<command_result>> stored_outcome(const core& shared, const message_id& id) {
  const auto bytes = shared.store->get(engine::record_key({std::string{send_type}, to_string(id)}));
  if (!bytes) {
    return tl::unexpected(bytes.error());
  }
  if (!*bytes) {
    return fail(errc::not_found,
                fmt::format("there is no command {} of a client: the id may be wrong, or its "
                            "outcome is older than is kept",
                            to_string(id)));
  }
  auto stored = decode<engine::record>(**bytes);
  if (!stored) {
    return tl::unexpected(stored.error());
  }
  if (!stored->requests.empty()) {
    return std::optional<command_result>{};
  }
  command_result outcome{
      id, {}, std::move(stored->reason), std::move(stored->result_type), std::move(stored->result)};
  if (stored->status == instance_status::compensated) {
    const auto body = decode<messages::failure_body>(outcome.payload);
    outcome.failed = body ? static_cast<failure_kind>(body->kind) : failure_kind::unknown;
  }
  return std::optional{std::move(outcome)};
}

void on_await_command(intake* self, core& shared, await_command& asks) {
  const auto found = self->state.messages.find(asks.id);
  if (found == self->state.messages.end() || found->second->stored.requests.empty()) {
    // Written, or about to be: the store is asked once all that was handed over before is durable.
    engine::transition nothing;
    act(self, shared, nothing, {}, {}, 0,
        when_durable(shared, [&shared, id = asks.id, answer = std::move(asks.answer)] {
          answer(stored_outcome(shared, id));
        }));
    return;
  }
  const auto number = ++self->state.last_waiter;
  found->second->waiters.emplace_back(number, std::move(asks.answer));
  self->delayed_send(self, asks.timeout, await_command_over{asks.id, number});
}

void on_await_command_over(intake* self, const await_command_over& over) {
  const auto found = self->state.messages.find(over.id);
  if (found == self->state.messages.end()) {
    return;
  }
  auto& waiters = found->second->waiters;
  const auto one =
      std::find_if(waiters.begin(), waiters.end(), [&](const auto& w) { return w.first == over.number; });
  if (one != waiters.end()) {
    auto answer = std::move(one->second);
    waiters.erase(one);
    answer(std::optional<command_result>{});
  }
}

void on_receipt(intake* self, const std::shared_ptr<core>& shared, const messages::receipt& receipt) {
  auto& state = self->state;
  const auto id = parse_message_id(receipt.to.key);
  auto found = id ? state.messages.find(*id) : state.messages.end();
  if (found == state.messages.end() && id && !shared->links.empty() &&
      bring_back(state, *shared, *id) != nullptr) {
    found = state.messages.find(*id);
  }
  engine::transition decided;
  if (found == state.messages.end()) { // dropped durably before: the receiver need not remember it
    decided.receipts.push_back({receipt.to, receipt.from, {}, receipt.done, {}});
    act(self, *shared, decided, receipt.to, {}, 0);
    return;
  }
  auto& sent = *found->second;
  decided.receipts = sent.mail.receive(receipt).receipts;
  if (sent.stored.outbox.empty() && sent.stored.requests.empty()) {
    decided.write = engine::write_kind::erase;
    sent.mail.written(decided);
    const auto counted = !sent.parked;
    act(self, *shared, decided, sent.stored.self, {}, shared->next_revision());
    state.messages.erase(found);
    shared->count_in_flight(self, counted ? -1 : 0);
    return;
  }
  act(self, *shared, decided, sent.stored.self, {}, 0);
}

void on_call(intake* self, const std::shared_ptr<core>& shared, const messages::call_for& asks) {
  const auto id = parse_message_id(asks.to.key);
  const auto found = id ? self->state.messages.find(*id) : self->state.messages.end();
  engine::transition decided;
  if (found == self->state.messages.end()) {
    decided.receipts.push_back({asks.to, asks.from, {}, asks.id, {}});
  } else {
    decided = found->second->mail.called(asks);
  }
  act(self, *shared, decided, asks.to, {}, 0);
}

void on_adopt(intake* self, const std::shared_ptr<core>& shared, adopt& record) {
  const auto id = parse_message_id(record.stored.self.key);
  if (!id || (record.stored.requests.empty() && record.stored.outbox.empty())) {
    return; // an ended command, kept for those who ask
  }
  if (is_elsewhere(*shared, record.stored)) {
    return; // the links offer it
  }
  auto adopted = std::make_unique<accepted_message>(std::move(record.stored));
  engine::transition decided;
  adopted->mail.recover(decided);
  act(self, *shared, decided, adopted->stored.self, {}, 0);
  shared->count_in_flight(self, 1);
  self->state.messages.emplace(*id, std::move(adopted));
}

void on_close(intake* self, const close& end) {
  auto& state = self->state;
  state.is_open = false;
  state.closed = end.reason;
  for (auto& event : state.waiting) {
    event.answer(tl::unexpected(end.reason));
  }
  state.waiting.clear();
  for (auto& [id, message] : state.messages) {
    if (message->answer) {
      message->answer(tl::unexpected(end.reason));
      message->answer = nullptr;
    }
    for (auto& [number, answer] : std::exchange(message->waiters, {})) {
      answer(tl::unexpected(end.reason));
    }
  }
}

} // namespace

caf::behavior intake_actor(intake* self, std::shared_ptr<core> shared) {
  fail_node_on_exception(self, shared);
  return {
      [self, shared](publish& event) { on_publish(self, shared, event); },
      [self, shared](send_command& command) { on_send(self, shared, command); },
      [self, shared](await_command& asks) { on_await_command(self, *shared, asks); },
      [self](const await_command_over& over) { on_await_command_over(self, over); },
      [self, shared](const messages::envelope& message) { on_answer(self, shared, message); },
      [self, shared](const messages::receipt& receipt) { on_receipt(self, shared, receipt); },
      [self, shared](const messages::call_for& asks) { on_call(self, shared, asks); },
      [self, shared](const move_command& request) { on_move(self, shared, request); },
      [self, shared](room) { on_room(self, shared); },
      [self, shared](adopt& record) { on_adopt(self, shared, record); },
      [self, shared](const disk_space& space) {
        self->state.disk_low = space.low;
        shared->log(space.low ? log_level::warn : log_level::info,
                    space.low ? "the disk is nearly full: starts are refused" : "the disk has room again");
        on_room(self, shared);
      },
      [self](open) { self->state.is_open = true; },
      [self](const close& end) { on_close(self, end); },
      [](call& answer) { answer.what(); },
  };
}

} // namespace continuo::actors
