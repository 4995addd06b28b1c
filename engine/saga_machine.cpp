#include "engine/saga_machine.hpp"

#include "engine/dead_letter.hpp"
#include "engine/planted.hpp"
#include "engine/saga_draft.hpp"
#include "engine/saga_life.hpp"
#include "messages/application.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace continuo::engine {

namespace {

bool is_answer(const envelope& message) {
  return message.kind == message_kind::reply || message.kind == message_kind::failure;
}

/// Planted: a reply is taken whose request is closed.
bool takes_again(const record& of, const envelope& message) {
  return message.kind == message_kind::reply &&
         (is_terminal(of.status)
              ? planted("late_answer_moves_a_terminal_saga")
              : of.status == instance_status::running && planted("duplicate_reply_handled_twice"));
}

} // namespace

std::span<const char* const> saga_edges() {
  static constexpr std::array edges{
      "start",
      "start_fails",
      "unknown_discard",
      "unknown_dead_letter",
      "stale",
      "event",
      "event_dropped",
      "event_after_end",
      "reply",
      "failure",
      "failure_rolls_back",
      "told",
      "timer",
      "timer_stale",
      "duplicate",
      "hold",
      "unknown_here",
      "retry_later",
      "handler_fails",
      "late_success",
      "late_failure",
      "undone",
      "undo_refused",
      "cancel",
      "pause",
      "resume",
      "retry",
      "rerouted",
      "skip",
      "verb_refused",
      "quarantine",
      "flush",
      "move",
      "stays",
      "expire",
  };
  return edges;
}

std::span<const char* const> workflow_edges() {
  static constexpr std::array edges{"given_up_success", "given_up_failure", "given_up_undone",
                                    "given_up_refused"};
  return edges;
}

std::span<const char* const> command_edges() {
  static constexpr std::array edges{"joined",          "declined",     "update",
                                    "update_declined", "update_fails", "withdrawn"};
  return edges;
}

saga_machine::saga_machine(const saga_environment& environment, instance_id self,
                           std::optional<record> stored)
    : environment_(&environment) {
  if (stored) {
    record_ = std::move(*stored);
    exists_ = true;
    mail_.loaded();
    indexed_ = expiry_of(record_);
  } else {
    record_.self = std::move(self);
  }
}

saga_machine::~saga_machine() = default;

bool saga_machine::may_passivate() const {
  return !mail_.is_dirty() && !retrying_ && !mail_.holds_back();
}

// -- messages ---------------------------------------------------------------------

transition saga_machine::receive(const envelope& received, const moment& now, std::uint64_t revision) {
  if (received.kind == message_kind::withdrawal) {
    return withdraw(received, now, revision);
  }
  draft next{now, revision, environment_->store};
  const auto filled = filled_timer(received);
  const auto& message = filled ? *filled : received;
  // Timers have no place in the order of what the instance sends itself, though they come from it as well.
  const auto has_order = message.kind != message_kind::timer || planted("held_event_holds_back_a_timer");
  if (is_duplicate(next, message)) {
    if (has_order) {
      mail_.arrived(message);
    }
    return std::move(next.out);
  }
  if (!exists() && !retrying_) {
    absent(next, message);
    return std::move(next.out);
  }
  const auto was_left = message.withdrawn && mail_.is_left(message);
  if (must_hold(message)) {
    hold(next, message);
    return std::move(next.out);
  }
  if (has_order) {
    if (mail_.is_held_back(message)) {
      next.out.edge = "hold";
      mail_.hold_back(message, next.out);
      return std::move(next.out);
    }
    mail_.arrived(message);
  }
  dispatch(next, message);
  if (was_left) { // for those that were left behind it
    next.out.calls.push_back({record_.self, message.from, message.id});
  }
  return std::move(next.out);
}

std::optional<envelope> saga_machine::filled_timer(const envelope& message) const {
  const auto set = std::find_if(record_.timers.begin(), record_.timers.end(), [&](const timer& entry) {
    return message.kind == message_kind::timer && entry.id == message.id;
  });
  if (set == record_.timers.end()) {
    return std::nullopt;
  }
  auto filled = message;
  filled.type = set->type;
  filled.payload = set->payload;
  filled.trace = set->trace;
  return filled;
}

transition saga_machine::try_again(const moment& now, std::uint64_t revision) {
  draft next{now, revision, environment_->store};
  const auto message = std::move(*retrying_);
  retrying_.reset();
  if (exists()) {
    dispatch(next, message);
  } else {
    absent(next, message);
  }
  if (!retrying_) {
    attempts_ = 0;
    release_held(next.out);
  }
  return std::move(next.out);
}

bool saga_machine::is_duplicate(draft& next, const envelope& message) const {
  const auto duplicate = [&](const char* edge) {
    next.out.edge = edge;
    return true;
  };
  if (message.kind == message_kind::timer) {
    const auto is_set = std::any_of(record_.timers.begin(), record_.timers.end(),
                                    [&](const timer& entry) { return entry.id == message.id; });
    if (!is_set) {
      next.out.disarmed.push_back(message.id);
    }
    return !is_set && duplicate(exists_ ? "timer_stale" : "stale");
  }
  if (retrying_ && retrying_->id == message.id) {
    return duplicate("duplicate");
  }
  if (record_.failed && record_.failed->id == message.id) {
    next.done(message);
    return duplicate("duplicate");
  }
  if (is_answer(message)) {
    const auto position = find_request(message.in_reply_to);
    if (position == record_.requests.size() &&
        (takes_again(record_, message) || mail_.is_told(message.in_reply_to))) {
      return false;
    }
    if (position == record_.requests.size() || record_.requests[position].refused) {
      next.done(message);
      return duplicate(exists_ ? "duplicate" : "stale");
    }
    return false;
  }
  const auto seen = mail_.was_handled(message);
  if (seen) {
    answer_again(next, message);
  }
  return seen && duplicate("duplicate");
}

bool saga_machine::must_hold(const envelope& message) {
  if (retrying_) {
    return true;
  }
  switch (record_.status) {
  case instance_status::paused:
    return true;
  case instance_status::stuck:
    return record_.resumes_to == instance_status::running;
  case instance_status::running:
    if (message.kind == message_kind::event && kept_events() >= kept_events_max && !record_.returned &&
        !record_.expected.contains(message.type)) {
      return true;
    }
    [[fallthrough]];
  case instance_status::compensating:
    return (message.kind == message_kind::event || message.kind == message_kind::command) &&
           !mail_.has_room_for(message.from);
  default:
    return message.kind == message_kind::command && !mail_.has_room_for(message.from);
  }
}

void saga_machine::hold(draft& next, const envelope& message) {
  next.out.edge = "hold";
  if (message.kind == message_kind::timer) {
    next.out.disarmed.push_back(message.id); // the record has it; it is armed again when the instance goes on
  } else {
    mail_.hold(message);
  }
}

void saga_machine::release_held(transition& into) {
  mail_.call_held(into);
  if (record_.status == instance_status::running) {
    into.armed.insert(into.armed.end(), record_.timers.begin(), record_.timers.end());
  }
}

void saga_machine::dispatch(draft& next, const envelope& message) {
  if (auto why = state_unknown_here()) {
    leave(next, message, std::move(*why));
    return;
  }
  next.note_in(message, answered_by(message));
  switch (message.kind) {
  case message_kind::event:
    handle_event(next, message);
    break;
  case message_kind::timer:
    handle_timer(next, message);
    break;
  case message_kind::reply:
  case message_kind::failure:
    handle_answer(next, message);
    break;
  case message_kind::command:
    handle_command(next, message);
    break;
  case message_kind::withdrawal: // see `receive`
    break;
  }
}

void saga_machine::absent(draft& next, const envelope& message) {
  if (message.kind == message_kind::command) {
    absent_command(next, message);
    return;
  }
  const auto found = environment_->type->subscriptions.find(message.type);
  if (message.kind == message_kind::event && !environment_->routes->knows_event(message.type)) {
    leave(next, message, {errc::unknown_type, "no saga and no service takes it"});
    return;
  }
  if (message.kind != message_kind::event || found == environment_->type->subscriptions.end()) {
    next.out.edge = "stale";
    next.done(message);
    return;
  }
  if (!found->second.starts) {
    const auto keep = found->second.unknown == unknown_instance::dead_letter;
    next.out.edge = keep ? "unknown_dead_letter" : "unknown_discard";
    if (keep) {
      next.out.dead_letters.push_back(dead_letter_of(
          message, "no instance of " + record_.self.type + " lives under this key", next.now.wall));
    }
    next.done(message);
    return;
  }
  next.note_in(message, answered_by(message));
  start(next, message);
}

void saga_machine::handle_event(draft& next, const envelope& message) {
  const auto found = environment_->type->subscriptions.find(message.type);
  const auto handles = found != environment_->type->subscriptions.end() && found->second.handles;
  // A start that failed, or that is run alone, left a record without a state.
  const auto begins =
      record_.state.empty() && found != environment_->type->subscriptions.end() && found->second.starts;
  const auto is_over =
      is_terminal(record_.status) || (record_.returned && record_.status == instance_status::running);
  const auto dropped = !(handles || begins) || is_over || record_.status != instance_status::running;
  if (!environment_->routes->knows_event(message.type)) {
    leave(next, message, {errc::unknown_type, "no saga and no service takes it"});
    return;
  }
  if (dropped) {
    remember(message);
    next.done(message);
  }
  if (is_over) {
    next.out.edge = "event_after_end";
    if (handles && found->second.unknown == unknown_instance::dead_letter) {
      next.out.dead_letters.push_back(dead_letter_of(message, "the instance is over", next.now.wall));
    }
    write(next);
    return;
  }
  if (dropped) {
    next.out.edge = "event_dropped";
    taken_over(message);
    write(next);
    return;
  }
  auto asked = invoke(message, nullptr, next.now);
  auto checked = asked ? check(std::move(*asked), nullptr) : result<plan>{tl::unexpected(asked.error())};
  if (!checked) {
    handler_failed(next, message, checked.error());
    return;
  }
  next.out.edge = begins ? "start" : "event";
  remember(message);
  next.done(message);
  record_.expected.erase(message.type);
  taken_over(message);
  apply(next, std::move(*checked));
  audit(next);
  write(next);
}

void saga_machine::handle_timer(draft& next, const envelope& message) {
  auto asked = invoke(message, nullptr, next.now);
  auto checked = asked ? check(std::move(*asked), nullptr) : result<plan>{tl::unexpected(asked.error())};
  if (!checked) {
    handler_failed(next, message, checked.error());
    return;
  }
  next.out.edge = "timer";
  if (!planted("timer_fired_twice")) { // left in the record it is set again by a restart
    std::erase_if(record_.timers, [&](const timer& entry) { return entry.id == message.id; });
  }
  next.out.disarmed.push_back(message.id);
  taken_over(message);
  apply(next, std::move(*checked));
  audit(next);
  write(next);
}

void saga_machine::handle_answer(draft& next, const envelope& message) {
  const auto position = find_request(message.in_reply_to);
  if (position == record_.requests.size() && takes_again(record_, message)) { // as if its request were open
    request again;
    again.id = message.in_reply_to;
    again.to = message.from;
    record_.requests.push_back(std::move(again));
    record_.status = instance_status::running;
  }
  if (position == record_.requests.size()) {
    next.out.edge = mail_.is_told(message.in_reply_to) ? "told" : "duplicate";
    next.done(message);
    if (mail_.is_told(message.in_reply_to)) {
      mail_.close_told(message.in_reply_to);
      write(next);
    }
    return;
  }
  if (record_.requests[position].compensation) {
    handle_undo_answer(next, message, position);
    return;
  }
  if (record_.status != instance_status::running) {
    handle_late_answer(next, message, position);
    return;
  }
  if (record_.requests[position].abandoned) {
    handle_given_up_answer(next, message, position);
    return;
  }
  const auto& sent = record_.requests[position];
  auto undo = undo_of(sent, message);
  if (!undo) {
    handler_failed(next, message, undo.error());
    return;
  }
  if (*undo && bytes_kept(&sent, *undo) + record_.state.size() > record_bytes_max) {
    handler_failed(
        next, message,
        {errc::handler_failed, fmt::format("undone_by of {}: {}", sent.type, record_too_large().message)});
    return;
  }
  const auto failed = message.kind == message_kind::failure;
  const auto call = environment_->type->calls.find(sent.type);
  if (failed && !is_workflow() && (call == environment_->type->calls.end() || !call->second.on_failure)) {
    next.out.edge = "failure_rolls_back";
    const auto body = decode<messages::failure_body>(message.payload);
    const auto closed = close_request(next, position, message);
    if (*undo) {
      record_.compensations.push_back(std::move(**undo));
    }
    taken_over(message);
    begin_rollback(
        next, fmt::format("{} failed: {}", closed.type, body ? body->reason : "its reason is unreadable"));
    write(next);
    return;
  }
  auto asked = invoke(message, &sent, next.now);
  auto checked = asked ? check(std::move(*asked), &sent, *undo) : result<plan>{tl::unexpected(asked.error())};
  if (!checked) {
    handler_failed(next, message, checked.error());
    return;
  }
  next.out.edge = failed ? "failure" : "reply";
  close_request(next, position, message);
  if (*undo) {
    keep_undo(std::move(**undo));
  }
  taken_over(message);
  apply(next, std::move(*checked));
  audit(next);
  write(next);
}

// -- the saga's handlers ----------------------------------------------------------------

result<detail::intents> saga_machine::invoke(const envelope& message, const request* answered,
                                             const moment& now) {
  if (is_workflow()) {
    return run_function(message, answered, now);
  }
  const auto failed = [&](const error& why, std::string_view what = {}) {
    state_.reset(); // the handler may have changed it half-way; the record has it whole
    const auto code = is_unknown_here(why) ? why.code : errc::handler_failed;
    return fail(code, fmt::format("on({}): {}{}", message.type.empty() ? "failure" : message.type, what,
                                  why.message));
  };
  if (auto read = read_state(); !read) {
    return failed(read.error(), "the stored state cannot be read: ");
  }
  auto call = invocation_of(message, now);
  if (answered != nullptr) {
    call.answered_type = answered->type;
    call.answered_payload = answered->payload;
  }
  saga_context context{call};
  const auto ran = call_application(errc::handler_failed, [&]() -> result<void> {
    if (message.kind == message_kind::failure) {
      auto body = decode<messages::failure_body>(message.payload);
      if (!body) {
        return tl::unexpected(std::move(body.error()));
      }
      const detail::failed_command parts{static_cast<failure_kind>(body->kind), body->reason,
                                         answered->payload};
      return environment_->type->calls.find(answered->type)->second.on_failure(state_.get(), parts, context);
    }
    const auto handler = environment_->type->handlers.find(message.type);
    if (handler == environment_->type->handlers.end()) {
      return fail(errc::handler_failed, "the saga has no handler for it");
    }
    return handler->second(state_.get(), message.payload, context);
  });
  if (!ran) {
    return failed(ran.error());
  }
  if (environment_->sees) {
    environment_->sees(context.asked());
  }
  return std::move(context.asked());
}

detail::invocation saga_machine::invocation_of(const envelope& message, const moment& now) const {
  detail::invocation call;
  call.self = &record_.self;
  call.cause = message.id;
  call.now = now.wall;
  call.random_seed = environment_->seed ^ std::hash<message_id>{}(message.id);
  call.sink = environment_->sink;
  return call;
}

/// Why a saga that wants to hear of its end could not, since another program wrote its state: whatever might
/// end it waits for that one.
std::optional<error> saga_machine::state_unknown_here() {
  if (environment_->type->on_end == nullptr || !exists_ || is_terminal(record_.status)) {
    return std::nullopt;
  }
  auto read = read_state();
  return read || !is_unknown_here(read.error()) ? std::nullopt : std::optional{std::move(read.error())};
}

result<void> saga_machine::read_state() {
  if (record_.life != 0) {
    return fail(errc::unknown_type, "a workflow has run it, which this class of handlers cannot take over");
  }
  if (!state_) {
    auto made = call_application(errc::handler_failed, [&] {
      const auto& type = *environment_->type;
      return !exists_ || record_.state.empty() ? result<std::shared_ptr<void>>{type.create()}
                                               : type.state->decode(record_.state);
    });
    if (!made) {
      return tl::unexpected(std::move(made.error()));
    }
    state_ = std::move(*made);
  }
  return {};
}

/// What the record takes without its state and the request that is being closed, with the undo that is added,
/// and with room for the largest undo once more: while one is being carried out, its command is an open
/// request as well.
std::size_t saga_machine::bytes_kept(const request* closing, const std::optional<compensation>& undo) const {
  auto bytes = approximate_size(record_) - record_.state.size();
  std::size_t largest = 0;
  const auto reserve = [&](const compensation& entry) {
    largest = std::max(largest, entry.type.size() + entry.payload.size());
  };
  std::for_each(record_.compensations.begin(), record_.compensations.end(), reserve);
  if (life_) {
    largest = std::max<std::size_t>(largest, life_->stands.largest_undo);
  }
  if (closing != nullptr) {
    bytes -= approximate_size(*closing);
  }
  if (undo) {
    bytes += 4 + undo->step.size() + undo->type.size() + undo->payload.size();
    reserve(*undo);
  }
  return bytes + largest;
}

result<saga_machine::plan> saga_machine::check(detail::intents&& asked, const request* closing,
                                               const std::optional<compensation>& undo,
                                               std::size_t answer_bytes) const {
  // Only called after a handler has run: what is wrong here is the handler's mistake, and its changes are
  // dropped.
  const auto mistake = [](std::string what) { return fail(errc::handler_failed, std::move(what)); };
  plan checked;
  std::size_t commands = 0;
  std::size_t bytes = answer_bytes;
  for (const auto& message : asked.messages) {
    bytes += message.body.payload.size() + message.body.type.size() + 64;
    if (message.what == detail::intents::message::kind::event) {
      auto where = environment_->routes->event(message.body.type, message.body.payload, record_.self);
      if (!where) {
        return mistake(fmt::format("publish({}): {}", message.body.type, where.error().message));
      }
      bytes += where->size() * message.body.payload.size();
      checked.destinations.push_back(std::move(*where));
      continue;
    }
    const auto told = message.what == detail::intents::message::kind::told;
    const auto verb = told ? "tell" : "send";
    commands += told ? 0 : 1;
    bytes += message.step.size() + message.undo.type.size() + message.undo.payload.size();
    if (is_workflow()) {
      auto where = environment_->routes->command(message.body.type, message.body.payload, record_.self);
      if (!where) {
        return mistake(fmt::format("{}: {}", message.step, where.error().message));
      }
      checked.destinations.push_back({std::move(*where)});
      if (!message.undo.type.empty()) {
        if (auto undo = environment_->routes->command(message.undo.type, message.undo.payload, record_.self);
            !undo) {
          return mistake(fmt::format("{}, which is undone by {}: {}", message.step, message.undo.type,
                                     undo.error().message));
        }
      }
      continue;
    }
    if (told ? !environment_->type->tells.contains(message.body.type)
             : !environment_->type->calls.contains(message.body.type)) {
      return mistake(fmt::format("{0}({1}): the saga does not declare it; add saga.{2}<{1}>() to define",
                                 verb, message.body.type, told ? "tells" : "calls"));
    }
    auto where = environment_->routes->command(message.body.type, message.body.payload, record_.self);
    if (!where) {
      return mistake(fmt::format("{}({}): {}", verb, message.body.type, where.error().message));
    }
    checked.destinations.push_back({std::move(*where)});
  }
  for (const auto& change : asked.timers) {
    bytes += change.name.size() + change.message.payload.size() + 64;
    if (!change.cancel && !is_workflow() && !environment_->type->timers.contains(change.message.type)) {
      return mistake(
          fmt::format("set_timer(\"{0}\"): the saga does not declare {1}; add saga.timer<{1}>() to define",
                      change.name, change.message.type));
    }
    if (!change.cancel && change.delay < std::chrono::nanoseconds{0}) {
      return mistake(fmt::format("set_timer(\"{}\"): its delay is {} ms; the least is 0", change.name,
                                 saturated<std::chrono::milliseconds>(change.delay).count()));
    }
  }
  for (const auto& expectation : asked.expectations) {
    const auto verb = expectation.stop ? "stop_expecting" : "expect";
    if (const auto* update = command_of(expectation.event); update != nullptr && !update->starts) {
      continue; // an update
    }
    const auto declared = environment_->type->subscriptions.find(expectation.event);
    if (declared == environment_->type->subscriptions.end()) {
      return mistake(fmt::format("{0}<{1}>(): the saga does not declare that event, so it never comes; add "
                                 "saga.on<{1}>(...) to define",
                                 verb, expectation.event));
    }
    if (!declared->second.handles) {
      return mistake(fmt::format("{0}<{1}>(): the saga only starts on that event, and an instance that lives "
                                 "drops it; declare it with saga.on<{1}>(...) as well",
                                 verb, expectation.event));
    }
  }
  // Of the steps that are given up those that have ended are undone, by a request each.
  const auto undone =
      std::count_if(asked.given_up.begin(), asked.given_up.end(), [&](const std::string& step) {
        return !asked.roll_back &&
               std::none_of(record_.requests.begin(), record_.requests.end(), [&](const request& sent) {
                 return sent.step == step && !sent.compensation && &sent != closing;
               });
      });
  const auto open =
      record_.requests.size() - (closing != nullptr ? 1 : 0) + commands + static_cast<std::size_t>(undone);
  if (asked.completion && asked.roll_back) {
    return mistake("it both completed and rolled back");
  }
  if (asked.completion && open > 0 && !is_workflow()) { // a workflow's are given up, and settled first
    return mistake(
        fmt::format("complete() with {} request(s) open: wait for their replies, or roll back", open));
  }
  if (open > open_requests_max) {
    return mistake(fmt::format("{} requests would be open; the limit is {}", open, open_requests_max));
  }
  if (asked.completion) {
    bytes += asked.completion->payload.size() * (record_.starters.empty() ? 1 : 2);
    for (const auto& one : record_.starters) {
      const auto* command = command_of(one.type);
      if (command != nullptr && command->reply->name != asked.completion->type) {
        return mistake(fmt::format("complete(): {} started it, which is answered with {}, and not with {}",
                                   one.type, command->reply->name,
                                   asked.completion->type.empty() ? "nothing" : asked.completion->type));
      }
    }
  }
  if (!asked.at_end.empty() && life_->stands.at_end.size() + asked.at_end.size() > last_words_max) {
    return mistake(fmt::format("it would have more than {} at_end", last_words_max));
  }
  for (const auto& word : asked.at_end) {
    bytes += 16 + word.name.size() + word.command.type.size() + word.command.payload.size();
    if (auto where = environment_->routes->command(word.command.type, word.command.payload, record_.self);
        !where) {
      return mistake(fmt::format("at_end {}: {}", word.name, where.error().message));
    }
  }
  auto state = is_workflow() ? result<std::string>{life_state()}
                             : encode_state(*environment_->type->state, state_.get());
  if (!state) {
    return mistake(state.error().message);
  }
  if (bytes_kept(closing, undo) + bytes + state->size() > record_bytes_max) {
    return tl::unexpected(record_too_large());
  }
  checked.asked = std::move(asked);
  checked.state = std::move(*state);
  return checked;
}

void saga_machine::apply(draft& next, plan&& planned) {
  auto& asked = planned.asked;
  if (is_workflow()) {
    add_entry(next);
    take_words(asked);
    planned.state = life_state();
    record_.expected.clear(); // it says anew what it waits for
  }
  send_all(next, planned);
  for (auto& expectation : asked.expectations) {
    if (expectation.stop) {
      record_.expected.erase(expectation.event);
    } else {
      record_.expected.insert(std::move(expectation.event));
    }
  }
  for (auto& change : asked.timers) {
    const auto same_name = [&](const timer& entry) { return entry.name == change.name; };
    const auto old = std::find_if(record_.timers.begin(), record_.timers.end(), same_name);
    if (old != record_.timers.end()) {
      next.out.disarmed.push_back(old->id);
      record_.timers.erase(old);
    }
    if (!change.cancel) {
      timer set;
      set.name = std::move(change.name);
      set.id = next.next_id();
      if (change.at) {
        set.due = *change.at;
      } else {
        set.boot = next.now.boot;
        set.due_up = later(next.now.up, change.delay);
        set.due = later(next.now.wall, change.delay);
      }
      set.type = std::move(change.message.type);
      set.payload = std::move(change.message.payload);
      set.trace = next.trace;
      next.out.armed.push_back(set);
      record_.timers.push_back(std::move(set));
    }
  }
  if (is_workflow() && !record_.expected.empty()) {
    call_kept(next); // what it waits for now may be among what was held
  }
  for (const auto& step : asked.given_up) {
    if (!asked.roll_back) { // which gives up all of them
      give_up(next, step);
    }
  }
  if (asked.roll_back) {
    begin_rollback(next, std::move(*asked.roll_back));
  } else if (asked.completion && is_workflow()) {
    record_.result_type = std::move(asked.completion->type);
    record_.result = std::move(asked.completion->payload);
    record_.returned = true;
    end_function(next);
  } else if (asked.completion) {
    record_.result_type = std::move(asked.completion->type);
    record_.result = std::move(asked.completion->payload);
    end(next, instance_status::completed);
  }
}

/// Takes over the state of a handler, and sends what it asked for.
void saga_machine::send_all(draft& next, plan& planned) {
  using kind = detail::intents::message::kind;
  record_.state = std::move(planned.state);
  record_.definition_version = environment_->type->version;
  for (std::size_t i = 0; i < planned.asked.messages.size(); ++i) {
    auto& message = planned.asked.messages[i];
    if (message.what == kind::event) {
      publish(next, message.body, planned.destinations[i]);
    } else if (message.what == kind::told) {
      tell(next, std::move(message.body), planned.destinations[i].front());
    } else if (!planned.asked.roll_back) { // who gives up in the same breath sends nothing that would have to
                                           // be taken back
      send(next, std::move(message.body), planned.destinations[i].front(), false, std::move(message.step),
           std::move(message.undo));
    }
  }
}

void saga_machine::tell(draft& next, detail::typed_bytes&& body, const destination& where) {
  stored_message sent;
  sent.id = next.next_id();
  sent.kind = message_kind::command;
  sent.to = where.to;
  sent.type = std::move(body.type);
  sent.payload = std::move(body.payload);
  sent.effects = where.effects;
  sent.trace = next.trace;
  sent.told = true;
  next.send(mail_.to_envelope(sent), sent.effects);
  record_.outbox.push_back(std::move(sent));
}

void saga_machine::send(draft& next, detail::typed_bytes&& body, const destination& where, bool compensates,
                        std::string step, detail::typed_bytes undo) {
  request sent;
  sent.id = next.next_id();
  sent.kind = message_kind::command;
  sent.to = where.to;
  sent.type = std::move(body.type);
  sent.payload = std::move(body.payload);
  sent.effects = where.effects;
  sent.compensation = compensates;
  if (const auto call = environment_->type->calls.find(sent.type);
      !compensates && call != environment_->type->calls.end()) {
    sent.unknown_will_do = call->second.nothing_to_undo || (call->second.undo && call->second.undoes_unknown);
  }
  sent.unknown_will_do = sent.unknown_will_do || !undo.type.empty();
  sent.step = std::move(step);
  sent.undo_type = std::move(undo.type);
  sent.undo = std::move(undo.payload);
  sent.trace = next.trace;
  sent.sent_at = next.now.wall;
  record_.requests.push_back(sent);
  next.send(mail_.to_envelope(sent), sent.effects);
}

void saga_machine::publish(draft& next, const detail::typed_bytes& body,
                           const std::vector<destination>& where) {
  for (const auto& subscriber : where) {
    stored_message sent;
    sent.id = next.next_id();
    sent.to = subscriber.to;
    sent.type = body.type;
    sent.payload = body.payload;
    sent.effects = subscriber.effects;
    sent.trace = next.trace;
    record_.outbox.push_back(sent);
    next.send(mail_.to_envelope(sent), sent.effects);
  }
}

void saga_machine::taken_over(const envelope& message) {
  forget_deaths(record_);
  if (record_.failed && record_.failed->id == message.id) {
    record_.failed.reset();
    if (record_.status == instance_status::running) { // else it says why the instance was rolled back
      record_.reason.clear();
    }
  }
}

void saga_machine::leave(draft& next, const envelope& message, error why) {
  if (record_.failed && record_.failed->id == message.id) {
    retrying_ = message; // the record has taken it over: nobody else has it, and nothing may overtake it
  } else if (message.kind == message_kind::timer) {
    hold(next, message);
  } else if (planted("unknown_is_acknowledged")) { // so that its sender drops it
    next.done(message);
  } else {
    mail_.leave(message);
  }
  next.out.edge = "unknown_here";
  next.out.verdict = tl::unexpected(std::move(why));
}

void saga_machine::handler_failed(draft& next, const envelope& message, const error& why) {
  state_.reset(); // what the handler changed does not count; the record has the state as it was
  forget_run();
  if (is_unknown_here(why)) {
    next.in.reset();
    leave(next, message, why);
    return;
  }
  next.out.receipts.clear();
  ++attempts_;
  if (attempts_ < environment_->handler_attempts) {
    next.out.edge = "retry_later";
    next.out.verdict = tl::unexpected(why);
    retrying_ = message;
    next.out.try_again = environment_->handler_delay * (1u << std::min<std::uint32_t>(attempts_ - 1, 20));
    return;
  }
  if (exists() && is_update(message)) {
    update_failed(next, message, "its handler failed: " + why.message);
    return;
  }
  const auto begins = !exists_ || is_terminal(record_.status);
  if (begins && exists_) {
    begin_new_life(next);
  } else if (begins) {
    create(next);
  }
  next.out.edge = begins ? "start_fails" : "handler_fails";
  if (begins) {
    begin_life(message);
  }
  remember(message);
  std::erase_if(record_.timers, [&](const timer& entry) { return entry.id == message.id; });
  if (message.kind == message_kind::timer) {
    next.out.disarmed.push_back(message.id);
  } else {
    next.done(message);
  }
  record_.failed = message;
  record_.attempts = attempts_;
  attempts_ = 0;
  become_stuck(next, why.message,
               record_.status == instance_status::stuck ? record_.resumes_to : record_.status);
  write(next);
}

// -- parts ---------------------------------------------------------------------------------

void saga_machine::create(const draft& next) {
  record_.kind = record_kind::saga;
  record_.definition_version = environment_->type->version;
  record_.status = instance_status::running;
  record_.started_at = next.now.wall;
}

void saga_machine::remember(const envelope& message) {
  // An answer is known by its closed request, a timer by its absence.
  if (message.kind == message_kind::event || message.kind == message_kind::command) {
    mail_.remember(message);
  }
}

std::string saga_machine::answered_by(const envelope& message) const {
  const auto position = find_request(message.in_reply_to);
  if (position < record_.requests.size()) {
    return record_.requests[position].type;
  }
  const auto told = std::find_if(record_.outbox.begin(), record_.outbox.end(),
                                 [&](const auto& sent) { return sent.id == message.in_reply_to; });
  return told == record_.outbox.end() ? std::string{} : told->type;
}

std::size_t saga_machine::find_request(const message_id& id) const {
  const auto found = std::find_if(record_.requests.begin(), record_.requests.end(),
                                  [&](const request& entry) { return entry.id == id; });
  return static_cast<std::size_t>(found - record_.requests.begin());
}

request saga_machine::close_request(draft& next, std::size_t position, const envelope& answer) {
  next.done(answer);
  return mail_.close(position);
}

void saga_machine::audit(draft& next) {
  // One that an older definition handled does not come any more.
  const auto comes = [&](const std::string& event) {
    const auto declared = environment_->type->subscriptions.find(event);
    const auto* update = command_of(event);
    return (declared != environment_->type->subscriptions.end() && declared->second.handles) ||
           (update != nullptr && !update->starts);
  };
  if (record_.status == instance_status::running && record_.requests.empty() && record_.timers.empty() &&
      std::none_of(record_.expected.begin(), record_.expected.end(), comes)) {
    become_stuck(
        next,
        "nothing can wake it: no request is open, no timer is set and no event is expected (did the handler "
        "forget to send its next command?)",
        instance_status::running);
  }
}

void saga_machine::write(draft& next) {
  next.out.write = write_kind::put;
  next.out.created = !exists_;
  exists_ = true;
  record_.revision = next.revision;
  if (next.keep_history) {
    record_.updated_at = next.now.wall;
    if (environment_->history) {
      const auto attempt = next.in ? note_attempt(record_, next.in->id) : 0;
      record_.history = next.revision;
      auto& entry = next.out.history.emplace();
      entry.self = record_.self;
      entry.revision = next.revision;
      entry.at = next.now.wall;
      entry.what = next.out.edge;
      entry.status = record_.status;
      entry.in = std::move(next.in);
      entry.attempt = attempt;
      entry.out = std::move(next.noted);
      entry.note = std::move(next.note);
    }
  }
  change_expiry(record_.self, indexed_, expiry_of(record_), next.out);
  mail_.written(next.out);
}

} // namespace continuo::engine
