#include "engine/dead_letter.hpp"
#include "engine/planted.hpp"
#include "engine/saga_draft.hpp"
#include "engine/saga_life.hpp"
#include "messages/application.hpp"

#include <fmt/format.h>

#include <algorithm>

// The part of the saga machine that handles commands: those that start an instance and are answered when it
// ends, and updates.
namespace continuo::engine {

const detail::saga_command* saga_machine::command_of(std::string_view type) const {
  const auto found = environment_->type->commands.find(type);
  return found == environment_->type->commands.end() ? nullptr : &found->second;
}

bool saga_machine::is_update(const envelope& message) const {
  const auto* known = message.kind == message_kind::command ? command_of(message.type) : nullptr;
  return known != nullptr && !known->starts;
}

// -- answers -----------------------------------------------------------------------------------------

/// Part of this transition; the sender closes its request with it.
void saga_machine::answer(draft& next, const starter& to, message_kind kind, std::string payload) {
  const auto* command = command_of(to.type);
  stored_message sent;
  sent.id = next.next_id();
  sent.kind = kind;
  sent.to = to.from;
  sent.in_reply_to = to.id;
  sent.type = kind == message_kind::reply && command != nullptr ? command->reply->name : std::string{};
  sent.payload = std::move(payload);
  sent.trace = next.trace.empty() ? to.trace : next.trace;
  next.noted.push_back({sent.kind, sent.id, sent.to, sent.type, sent.payload, to.id, to.type});
  next.out.sent.push_back(mail_.to_envelope(sent));
  record_.outbox.push_back(std::move(sent));
}

void saga_machine::decline(draft& next, const starter& to, failure_kind kind, std::string reason) {
  answer(next, to, message_kind::failure, messages::failure_payload(kind, bounded_reason(std::move(reason))));
}

/// The record remembers the command, and why it was declined stands in its history.
void saga_machine::decline(draft& next, const envelope& message, failure_kind kind, std::string reason) {
  next.out.edge = kind == failure_kind::withdrawn ? "withdrawn" : "declined";
  next.note = reason;
  remember(message);
  taken_over(message);
  decline(next, {message.id, message.from, message.type, message.trace}, kind, std::move(reason));
  write(next);
}

/// There is no instance, and none is made to say so. There may be one when the same command is offered again,
/// and the answer must be the same: so the key remembers it, until its sender forgets.
void saga_machine::remember_absence(draft& next, const envelope& message, failure_kind kind,
                                    std::string reason) {
  next.keep_history = false;
  record_.kind = record_kind::absence;
  record_.status = instance_status::compensated;
  record_.starters.clear();
  decline(next, message, kind, std::move(reason));
}

/// A command that was handled comes again.
void saga_machine::answer_again(draft& next, const envelope& message) const {
  next.done(message);
  for (const auto& sent : record_.outbox) {
    if (sent.in_reply_to == message.id) {
      next.out.sent.push_back(mail_.to_envelope(sent));
      next.out.sent.back().repeated = true;
    }
  }
}

// -- commands that start an instance --------------------------------------------------------------------

/// Why this command may not start an instance, nor wait for one; empty: it may.
std::string saga_machine::objection_to_starter(const envelope& message) const {
  const auto& above = message.ancestors;
  if (message.told) { // nobody waits for it
    return {};
  }
  if (std::find(above.begin(), above.end(), record_.self) != above.end()) {
    return fmt::format("{} is its own ancestor: {} sent the command", to_string(record_.self),
                       to_string(above.back()));
  }
  if (above.size() > ancestors_max) {
    return fmt::format("{} would be a child in the {}th generation, and there may be {}: {} sent the command",
                       to_string(record_.self), above.size(), ancestors_max, to_string(above.back()));
  }
  if (record_.starters.size() >= starters_max) {
    return fmt::format("{} commands wait for the end of {}, as many as may", starters_max,
                       to_string(record_.self));
  }
  return {};
}

/// Whose child the instance is that this message starts, and who waits for it.
void saga_machine::begin_life(const envelope& message) {
  record_.ancestors = message.ancestors;
  record_.stands_alone = message.kind != message_kind::command || message.told;
  add_starter(message);
}

void saga_machine::add_starter(const envelope& message) {
  const auto is_known = std::any_of(record_.starters.begin(), record_.starters.end(),
                                    [&](const starter& entry) { return entry.id == message.id; });
  if (message.kind == message_kind::command && !message.told && !is_known) {
    record_.starters.push_back({message.id, message.from, message.type, message.trace});
  }
}

void saga_machine::absent_command(draft& next, const envelope& message) {
  const auto* command = command_of(message.type);
  if (command == nullptr) {
    leave(
        next, message,
        {errc::unknown_type, fmt::format("the saga {} does not handle {}", record_.self.type, message.type)});
    return;
  }
  if (!mail_.has_room_for(message.from)) {
    hold(next, message);
    return;
  }
  next.note_in(message, {});
  if (message.withdrawn) {
    remember_absence(next, message, failure_kind::withdrawn, "withdrawn");
  } else if (!command->starts) {
    remember_absence(next, message, failure_kind::declined,
                     fmt::format("there is no {}", to_string(record_.self)));
  } else if (auto why = objection_to_starter(message); !why.empty()) {
    remember_absence(next, message, failure_kind::declined, std::move(why));
  } else {
    start(next, message);
  }
}

/// Of an instance that has ended: nothing is left of it but what it exchanges with others, and its history.
void saga_machine::begin_new_life(draft& next) {
  if (record_.life != 0 && !planted("entries_outlive_a_life")) {
    next.out.life_over = record_.life;
  }
  life_.reset();
  state_.reset();
  record fresh;
  fresh.self = record_.self;
  fresh.revision = record_.revision;
  fresh.history = record_.history;
  fresh.requests = std::move(record_.requests);
  fresh.outbox = std::move(record_.outbox);
  fresh.inbox = std::move(record_.inbox);
  fresh.noted = record_.noted;
  fresh.noted_times = record_.noted_times;
  record_ = std::move(fresh);
  create(next);
}

/// @pre there is no instance, or one that has been compensated, or one whose start by this message failed
void saga_machine::start(draft& next, const envelope& message) {
  const auto before = exists_ && is_terminal(record_.status) ? std::optional{record_} : std::nullopt;
  if (before) {
    begin_new_life(next);
  }
  begin_life(message);
  auto asked = invoke(message, nullptr, next.now);
  auto checked = asked ? check(std::move(*asked), nullptr) : result<plan>{tl::unexpected(asked.error())};
  if (!checked) {
    if (before) { // until its last attempt has failed it is what it was
      record_ = *before;
      next.out.life_over.reset();
    }
    handler_failed(next, message, checked.error());
    return;
  }
  next.out.edge = "start";
  if (!exists_) {
    create(next);
  }
  remember(message);
  next.done(message);
  taken_over(message);
  apply(next, std::move(*checked));
  audit(next);
  write(next);
}

void saga_machine::handle_command(draft& next, const envelope& message) {
  const auto* command = command_of(message.type);
  if (command == nullptr) {
    leave(
        next, message,
        {errc::unknown_type, fmt::format("the saga {} does not handle {}", record_.self.type, message.type)});
    return;
  }
  const auto begins = record_.state.empty() && record_.status == instance_status::running;
  if (message.withdrawn && !begins) {
    decline(next, message, failure_kind::withdrawn, "withdrawn");
  } else if (!command->starts) {
    update(next, message, *command);
  } else if (auto why = begins ? std::string{} : objection_to_starter(message); !why.empty()) {
    decline(next, message, failure_kind::declined, std::move(why));
  } else if (begins || record_.status == instance_status::compensated) {
    start(next, message);
  } else {
    join(next, message, *command);
  }
}

/// The key has an instance: another command started it, or an event did.
void saga_machine::join(draft& next, const envelope& message, const detail::saga_command& command) {
  if (command.second == second_starter::declined) {
    decline(next, message, failure_kind::declined,
            fmt::format("{} is there already: it is {}", to_string(record_.self), to_string(record_.status)));
    return;
  }
  if (is_terminal(record_.status) && !has_room_for_answer()) {
    decline(next, message, failure_kind::declined,
            fmt::format("so many ask {} for its result that there is no room for one more",
                        to_string(record_.self)));
    return;
  }
  next.out.edge = "joined";
  remember(message);
  taken_over(message);
  next.done(message);
  add_starter(message);
  if (is_terminal(record_.status)) {
    answer_starters(next);
  }
  write(next);
}

/// Whether the record has room for the result once more.
bool saga_machine::has_room_for_answer() const {
  return approximate_size(record_) + record_.result.size() <= record_bytes_max;
}

/// The instance has ended, or had.
void saga_machine::answer_starters(draft& next) {
  for (const auto& one : std::exchange(record_.starters, {})) {
    const auto* command = command_of(one.type);
    if (record_.status == instance_status::compensated) {
      decline(next, one, failure_kind::declined, record_.rolled_back_for);
    } else if (command == nullptr || command->reply->name != record_.result_type) {
      decline(next, one, failure_kind::unknown,
              fmt::format("{} has completed with {}, which is no answer to {}", to_string(record_.self),
                          record_.result_type.empty() ? "nothing" : record_.result_type, one.type));
    } else if (!has_room_for_answer()) {
      decline(next, one, failure_kind::unknown,
              fmt::format("{} has completed, and its result is too large to be given to so many",
                          to_string(record_.self)));
    } else if (!planted("child_answers_nobody")) {
      answer(next, one, message_kind::reply, record_.result);
    }
  }
}

// -- updates ---------------------------------------------------------------------------------------------

void saga_machine::update(draft& next, const envelope& message, const detail::saga_command& command) {
  const auto is_open = record_.status == instance_status::running && !record_.returned;
  if (!is_open) {
    decline(next, message, failure_kind::declined,
            fmt::format("{} is {}", to_string(record_.self),
                        record_.returned ? "at its end" : to_string(record_.status)));
    return;
  }
  auto asked =
      is_workflow() ? run_function(message, nullptr, next.now) : run_update(message, command, next.now);
  if (asked && !asked->answer) {
    decline(next, message, failure_kind::declined,
            fmt::format("{} does not accept {} now", to_string(record_.self), message.type));
    return;
  }
  auto decided = asked ? std::exchange(asked->answer, {}) : std::nullopt;
  const auto changes = asked && (is_workflow() || !decided->declined);
  auto checked = changes ? check(std::move(*asked), nullptr, std::nullopt, decided->payload.size())
                 : asked ? result<plan>{tl::in_place}
                         : result<plan>{tl::unexpected(asked.error())};
  if (!checked) {
    handler_failed(next, message, checked.error());
    return;
  }
  next.out.edge = decided->declined ? "update_declined" : "update";
  remember(message);
  taken_over(message);
  const starter from{message.id, message.from, message.type, message.trace};
  if (decided->declined) {
    next.note = decided->payload;
    decline(next, from, failure_kind::declined, std::move(decided->payload));
  } else {
    answer(next, from, message_kind::reply, std::move(decided->payload));
  }
  if (changes) {
    apply(next, std::move(*checked));
  } else {
    state_.reset(); // whatever the handler did to it does not count
  }
  audit(next);
  write(next);
}

/// Calls the saga's own handler.
result<detail::intents> saga_machine::run_update(const envelope& message, const detail::saga_command& command,
                                                 const moment& now) {
  if (auto read = read_state(); !read) {
    return fail(is_unknown_here(read.error()) ? read.error().code : errc::handler_failed,
                "the stored state cannot be read: " + read.error().message);
  }
  auto call = invocation_of(message, now);
  saga_context context{call};
  auto decided = call_application(errc::handler_failed,
                                  [&] { return command.update(state_.get(), message.payload, context); });
  if (!decided) {
    state_.reset();
    return tl::unexpected(std::move(decided.error()));
  }
  auto asked = std::move(context.asked());
  asked.answer = std::move(*decided);
  if (environment_->sees) {
    environment_->sees(asked);
  }
  return asked;
}

/// Its last attempt has failed: the instance is as it was, and goes on.
void saga_machine::update_failed(draft& next, const envelope& message, const std::string& reason) {
  next.out.edge = "update_fails";
  next.note = bounded_reason(reason);
  remember(message);
  next.out.dead_letters.push_back(dead_letter_of(message, next.note, next.now.wall, std::max(attempts_, 1u),
                                                 !stands_alone(message.from) && !message.told));
  taken_over(message);
  attempts_ = 0;
  decline(next, {message.id, message.from, message.type, message.trace}, failure_kind::declined, next.note);
  write(next);
}

// -- what is taken back ------------------------------------------------------------------------------------

/// Whether the instance lives for those alone who have started it, and all of them have given it up.
bool saga_machine::is_given_up() const {
  return !record_.stands_alone && !record_.starters.empty() &&
         std::all_of(record_.starters.begin(), record_.starters.end(),
                     [](const starter& one) { return one.withdrawn; });
}

/// The sender of a command gives it up. One that has started the instance cancels it, unless others wait for
/// its end as well.
transition saga_machine::withdraw(const envelope& message, const moment& now, std::uint64_t revision) {
  draft next{now, revision, environment_->store};
  next.out.edge = "stale"; // answered already, or never here
  const auto found =
      std::find_if(record_.starters.begin(), record_.starters.end(), [&](const starter& entry) {
        return entry.id == message.in_reply_to && entry.from == message.from;
      });
  const auto is_retried = retrying_ && retrying_->id == message.in_reply_to &&
                          !(record_.failed && record_.failed->id == message.in_reply_to);
  if (is_retried) { // nothing of it is written
    const auto put_off = *std::exchange(retrying_, std::nullopt);
    attempts_ = 0;
    next.note_in(message, put_off.type);
    if (exists()) {
      decline(next, put_off, failure_kind::withdrawn, "withdrawn");
    } else {
      remember_absence(next, put_off, failure_kind::withdrawn, "withdrawn");
    }
    release_held(next.out);
    return std::move(next.out);
  }
  if (found == record_.starters.end()) {
    if (!retrying_) {
      mail_.withdrawn(message, next.out);
    }
    return std::move(next.out);
  }
  next.note_in(message, found->type);
  const auto was_known = std::exchange(found->withdrawn, true);
  if (!is_given_up()) {
    const auto one = *found;
    record_.starters.erase(found);
    next.out.edge = "withdrawn";
    decline(next, one, failure_kind::withdrawn, "withdrawn; it was started by others as well, and goes on");
    write(next);
    return std::move(next.out);
  }
  if (record_.status != instance_status::paused && !planted("child_outlives_its_parent")) {
    auto cancelled =
        operate(verb::cancel, to_string(message.from), "its command was withdrawn", now, revision);
    if (cancelled.verdict) {
      return cancelled;
    }
  }
  if (!was_known && !is_terminal(record_.status)) {
    next.out.edge = "withdrawn";
    write(next);
  }
  return std::move(next.out);
}

} // namespace continuo::engine
