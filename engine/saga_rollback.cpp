#include "engine/planted.hpp"
#include "engine/saga_draft.hpp"
#include "engine/saga_life.hpp"
#include "messages/application.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <algorithm>

// The part of the saga machine that undoes steps, that obeys operators, and that keeps house.
namespace continuo::engine {

// -- rolling back ----------------------------------------------------------------------

void saga_machine::drop_timers(draft& next) {
  for (const auto& entry : record_.timers) {
    next.out.disarmed.push_back(entry.id);
  }
  record_.timers.clear();
}

/// `answered` is a request whose answer is here and will be looked at behind this.
void saga_machine::begin_rollback(draft& next, std::string reason, const message_id& answered) {
  record_.status = instance_status::compensating;
  record_.reason = bounded_reason(std::move(reason));
  record_.rolled_back_for = record_.reason;
  next.note = record_.reason;
  record_.expected.clear();
  if (std::exchange(record_.returned, false)) {
    record_.result_type.clear();
    record_.result.clear();
  }
  drop_timers(next);
  forget_frame();
  take_back_refused();
  if (planted("compensation_forward")) { // the oldest step is undone first
    std::reverse(record_.compensations.begin(), record_.compensations.end());
  }
  for (auto& sent : record_.requests) {
    if (!sent.abandoned && !sent.compensation) { // else a workflow gave it up before, or undoes it
      sent.abandoned = true;
      next.send(mail_.withdrawal_of(sent), sent.effects);
    }
  }
  give_up_homeless(next, answered);
  advance_rollback(next);
}

/// Whether nothing hosts the service any more to which it went: nobody will answer it.
bool saga_machine::is_homeless(const request& sent) const {
  return !sent.refused && !mail_.is_answered(sent) && !environment_->routes->is_hosted(sent.to);
}

/// Closes the abandoned requests that nobody will answer: their outcome stays unknown.
void saga_machine::give_up_homeless(draft& next, const message_id& answered) {
  for (std::size_t position = 0; position < record_.requests.size();) { // the oldest step first
    const auto& sent = record_.requests[position];
    if (!sent.abandoned || sent.id == answered || !is_homeless(sent)) {
      ++position;
      continue;
    }
    auto undo = undo_of(sent, nullptr);
    if (!undo || (*undo && bytes_kept(&sent, *undo) + record_.state.size() > record_bytes_max)) {
      undo = compensation{sent.type, {}, {}};
      next.note = "the undo of an unknown outcome could not be made";
    }
    mail_.close(position);
    if (*undo && record_.status != instance_status::compensating) { // a workflow's step that was given up
      undo_given_up(next, std::move(**undo));
    } else if (*undo) {
      record_.compensations.push_back(std::move(**undo));
    }
  }
}

/// Sends the requests that nobody will answer to who handles them now, and gives up those that were
/// abandoned. An error, and no change, where nothing handles one of them, unless it undoes a step: that one
/// waits for a person then, who can skip it.
result<void> saga_machine::reroute(draft& next) {
  std::vector<destination> destinations;
  std::string undo_without_service;
  std::vector<request*> refused;
  for (auto& sent : record_.requests) {
    destinations.emplace_back();
    if (!is_homeless(sent) || sent.abandoned) {
      continue;
    }
    auto where = environment_->routes->command(sent.type, sent.payload, record_.self);
    if (where) {
      destinations.back() = std::move(*where);
    } else if (sent.compensation) {
      refused.push_back(&sent);
      undo_without_service =
          fmt::format("{}, which undoes {}, went to {}, which nothing hosts any more, and {}", sent.type,
                      sent.step.empty() ? record_.compensations.back().step : sent.step, sent.to.type,
                      where.error().message);
    } else {
      return fail(errc::conflict,
                  fmt::format("{} went to {}, which nothing hosts any more, and {}: cancel gives it up",
                              sent.type, sent.to.type, where.error().message));
    }
  }
  next.out.edge = "rerouted";
  for (auto* sent : refused) {
    sent->refused = true;
  }
  for (std::size_t i = 0; i < destinations.size(); ++i) {
    auto& sent = record_.requests[i];
    if (destinations[i].to.type.empty()) {
      continue;
    }
    sent.to = std::move(destinations[i].to);
    sent.effects = destinations[i].effects;
    sent.moved = true; // the service before may have begun it
    if (!sent.to.key.empty()) {
      mailbox::begin_anew(sent, next.next_id());
    }
    if (planted("rerouted_under_a_new_id")) {
      sent.id = {environment_->store, next.revision, static_cast<std::uint32_t>(open_requests_max + i)};
    }
    next.send(mail_.to_envelope(sent), sent.effects);
  }
  give_up_homeless(next);
  if (!undo_without_service.empty()) {
    become_stuck(next, undo_without_service, record_.status);
    return {};
  }
  end_if_settled(next);
  audit(next);
  advance_rollback(next);
  return {};
}

void saga_machine::advance_rollback(draft& next) {
  if (record_.status != instance_status::compensating || !record_.requests.empty()) {
    return;
  }
  if (const auto taken = record_.compensations.empty() ? take_newest_undo() : result<void>{}; !taken) {
    become_stuck(next, fmt::format("its entries cannot be read: {}", taken.error().message),
                 instance_status::compensating);
    return;
  }
  if (record_.compensations.empty()) {
    end(next, instance_status::compensated);
    return;
  }
  const auto& newest = record_.compensations.back();
  if (newest.type.empty()) {
    const auto declared = environment_->type->calls.contains(newest.step);
    const auto why = declared || is_workflow()
                         ? "nothing is declared that undoes it in that case"
                         : "the saga, which knew once what undoes it, does not declare it any more";
    become_stuck(next, fmt::format("outcome of {} unknown, and {}", newest.step, why),
                 instance_status::compensating);
    return;
  }
  const auto where = environment_->routes->command(newest.type, newest.payload, record_.self);
  if (!where) {
    become_stuck(next, fmt::format("{} cannot be undone: {}", newest.step, where.error().message),
                 instance_status::compensating);
    return;
  }
  send(next, {newest.type, newest.payload}, *where, true);
}

namespace {

/// Of what has a reason that stays: why it was rolled back.
bool is_rolled_back(instance_status status) {
  return status == instance_status::compensating || status == instance_status::compensated;
}

} // namespace

void saga_machine::become_stuck(draft& next, std::string reason, instance_status resumes_to) {
  record_.status = instance_status::stuck;
  record_.resumes_to = resumes_to;
  record_.reason = bounded_reason(std::move(reason));
  next.note += next.note.empty() ? record_.reason : "; " + record_.reason;
}

void saga_machine::end(draft& next, instance_status status) {
  record_.status = status;
  record_.expected.clear();
  record_.compensations.clear();
  drop_timers(next);
  if (const auto said = say_end(next); !said) {
    become_stuck(next, said.error().message, status);
    return;
  }
  end_kept_events(next);
  call_kept(next);
  answer_starters(next);
  next.out.ended = true;
}

/// Calls the saga's own handler of its end, if it has one. What it asks for becomes part of the transition.
result<void> saga_machine::say_end(draft& next) {
  if (is_workflow() && !record_.state.empty()) {
    return send_last_words(next);
  }
  if (environment_->type->on_end == nullptr || record_.state.empty()) { // or its start failed
    return {};
  }
  const auto failed = [&](const std::string& why) {
    state_.reset();
    return fail(errc::handler_failed, "on(saga_ended): " + why);
  };
  if (const auto read = read_state(); !read) {
    return failed("the stored state cannot be read: " + read.error().message);
  }
  detail::invocation call;
  call.self = &record_.self;
  call.cause = next.in ? next.in->id : message_id{};
  call.now = next.now.wall;
  call.random_seed = environment_->seed ^ next.revision;
  call.sink = environment_->sink;
  saga_context context{call};
  const saga_ended end{record_.status, record_.status == instance_status::compensated
                                           ? record_.rolled_back_for
                                           : std::string{}};
  const auto ran =
      call_application(errc::handler_failed, [&] { environment_->type->on_end(state_.get(), end, context); });
  if (!ran) {
    return failed(ran.error().message);
  }
  auto& asked = context.asked();
  const auto sends = std::any_of(asked.messages.begin(), asked.messages.end(), [](const auto& message) {
    return message.what == detail::intents::message::kind::command;
  });
  if (sends || !asked.timers.empty() || !asked.expectations.empty() || asked.completion || asked.roll_back) {
    return failed("the instance has ended: it may publish and tell, nothing else");
  }
  auto checked = check(std::move(asked), nullptr);
  if (!checked) {
    return failed(checked.error().message);
  }
  send_all(next, *checked);
  return {};
}

result<std::optional<compensation>> saga_machine::undo_of(const request& sent, const envelope& answer) const {
  if (answer.kind != message_kind::failure) {
    const std::string_view reply = answer.payload;
    return undo_of(sent, &reply);
  }
  const auto body = decode<messages::failure_body>(answer.payload);
  const auto kind = body ? static_cast<failure_kind>(body->kind) : failure_kind::unknown;
  // Withdrawn says that the node which has it now had not begun; the one before may have.
  const auto never_ran = kind == failure_kind::declined || (kind == failure_kind::withdrawn && !sent.moved);
  if (never_ran && !planted("compensation_of_a_step_that_never_ran")) {
    return std::nullopt; // it did not happen
  }
  return undo_of(sent, nullptr);
}

result<std::optional<compensation>> saga_machine::undo_of(const request& sent,
                                                          const std::string_view* reply) const {
  if (!sent.undo_type.empty() && !planted("undo_of_a_step_forgotten")) {
    return compensation{sent.step, sent.undo_type, sent.undo};
  }
  const auto& step = sent.step.empty() ? sent.type : sent.step;
  const auto found = environment_->type->calls.find(sent.type);
  if (found == environment_->type->calls.end() && is_workflow()) {
    return reply == nullptr ? std::optional{compensation{step, {}, {}}} : std::nullopt;
  }
  if (found == environment_->type->calls.end()) { // an older definition knew what undoes it
    return compensation{sent.type, {}, {}};
  }
  const auto& call = found->second;
  if (reply == nullptr && call.nothing_to_undo) {
    return std::nullopt;
  }
  if (reply == nullptr && (!call.undo || !call.undoes_unknown)) {
    return compensation{step, {}, {}};
  }
  if (!call.undo) {
    return std::nullopt;
  }
  auto undo = call_application(
      errc::handler_failed, [&] { return call.undo(sent.payload, reply); }, "undone_by of ", sent.type, ": ");
  if (!undo) {
    return tl::unexpected(std::move(undo.error()));
  }
  return compensation{step, std::move(undo->type), std::move(undo->payload)};
}

void saga_machine::handle_late_answer(draft& next, const envelope& message, std::size_t position) {
  const auto& sent = record_.requests[position];
  auto undo = undo_of(sent, message);
  if (!undo && is_unknown_here(undo.error())) {
    leave(next, message, std::move(undo.error()));
    return;
  }
  if (!undo || (*undo && bytes_kept(&sent, *undo) + record_.state.size() > record_bytes_max)) {
    // Without its undo the step must not count as undone: a person decides.
    undo = compensation{sent.type, {}, {}};
    next.note = "the undo of a late outcome could not be made";
  }
  next.out.edge = message.kind == message_kind::reply ? "late_success" : "late_failure";
  close_request(next, position, message);
  if (*undo) {
    record_.compensations.push_back(std::move(**undo));
  }
  taken_over(message);
  advance_rollback(next);
  write(next);
}

void saga_machine::handle_undo_answer(draft& next, const envelope& message, std::size_t position) {
  const auto is_running = record_.status == instance_status::running;
  if (message.kind == message_kind::reply) {
    next.out.edge = is_running ? "given_up_undone" : "undone";
    const auto closed = close_request(next, position, message);
    taken_over(message);
    if (closed.step.empty()) { // else it undid a step that was given up
      record_.compensations.pop_back();
    }
    end_if_settled(next);
    audit(next);
    advance_rollback(next);
    write(next);
    return;
  }
  next.out.edge = is_running ? "given_up_refused" : "undo_refused";
  const auto body = decode<messages::failure_body>(message.payload);
  auto& sent = record_.requests[position];
  sent.refused = true;
  next.done(message);
  taken_over(message);
  become_stuck(next,
               fmt::format("{}, which undoes {}, was refused: {}", sent.type,
                           sent.step.empty() ? record_.compensations.back().step : sent.step,
                           body ? body->reason : "its reason is unreadable"),
               is_running ? instance_status::running : instance_status::compensating);
  write(next);
}

// -- people --------------------------------------------------------------------------------

namespace {

std::string_view name_of(verb what) {
  switch (what) {
  case verb::cancel:
    return "cancel";
  case verb::pause:
    return "pause";
  case verb::resume:
    return "resume";
  case verb::retry:
    return "retry";
  case verb::skip:
    break;
  }
  return "skip";
}

/// Why `what` is not possible now; empty if it is. `rests_on_nobody`: nobody will answer one of its requests.
std::string objection(verb what, const record& present, bool rests_on_nobody, const std::string& note) {
  const auto status = present.status;
  const auto from_running = present.resumes_to == instance_status::running;
  switch (what) {
  case verb::cancel:
    if (status == instance_status::running ||
        ((status == instance_status::paused || status == instance_status::stuck) && from_running)) {
      return {};
    }
    return "only a running instance, or one paused or stuck while running, can be cancelled";
  case verb::pause:
    if (status == instance_status::running || status == instance_status::compensating) {
      return {};
    }
    return "only a running or compensating instance can be paused";
  case verb::resume:
    return status == instance_status::paused ? "" : "only a paused instance can be resumed";
  case verb::retry:
    return status == instance_status::stuck || rests_on_nobody
               ? ""
               : "only a stuck instance can be retried, or one that waits for a service that nothing hosts";
  case verb::skip:
    break;
  }
  const auto refused = std::all_of(present.requests.begin(), present.requests.end(),
                                   [](const request& sent) { return sent.refused; });
  const auto undoes_given_up =
      std::any_of(present.requests.begin(), present.requests.end(),
                  [](const request& sent) { return sent.refused && !sent.step.empty(); });
  const auto waits_for_undo =
      from_running && std::any_of(present.compensations.begin(), present.compensations.end(),
                                  [](const compensation& one) { return one.given_up; });
  const auto undoes = !from_running && !present.compensations.empty() && refused;
  if (status != instance_status::stuck || present.failed || !(undoes || undoes_given_up || waits_for_undo)) {
    return "only an instance that is stuck on a compensation can skip it";
  }
  return note.empty() ? "skip needs a note that says what was done by hand" : "";
}

} // namespace

/// The undos that were refused go out anew.
void saga_machine::send_refused_again(draft& next) {
  for (auto& sent : record_.requests) {
    if (sent.refused) {
      sent.refused = false;
      // It gets another id: of this one a keyed service remembers that it was handled, and a stateless one
      // that does not know yet that its answer came here would give it again. Effects outside go by the key.
      if (sent.to.key.empty() && sent.idempotency_key.empty()) {
        sent.idempotency_key = to_string(sent.id);
      }
      mail_.closed(sent.to, sent.id);
      sent.id = next.next_id();
      next.send(mail_.to_envelope(sent), sent.effects);
    }
  }
}

/// The undos that were refused count as done.
void saga_machine::skip_refused() {
  auto of_given_up = false;
  for (std::size_t position = record_.requests.size(); position-- > 0;) {
    if (record_.requests[position].refused) {
      of_given_up = of_given_up || !record_.requests[position].step.empty();
      mail_.close(position);
    }
  }
  if (!of_given_up && record_.resumes_to == instance_status::running) {
    record_.compensations.erase(newest_given_up()); // the one that its reason names
  } else if (!of_given_up) {
    record_.compensations.pop_back();
  }
}

/// Why a verb cannot be obeyed by this program: it might end a saga that wants to hear of its end and whose
/// state it cannot read, or decide over a reply that it cannot read.
std::optional<error> saga_machine::unknown_to_verbs(verb what) {
  if (what == verb::pause || what == verb::resume) {
    return std::nullopt;
  }
  if (auto why = state_unknown_here()) {
    return why;
  }
  const auto& interrupted = retrying_ ? retrying_ : record_.failed;
  const auto position = interrupted ? find_request(interrupted->in_reply_to) : record_.requests.size();
  if (what == verb::cancel && position < record_.requests.size()) {
    if (auto undo = undo_of(record_.requests[position], *interrupted);
        !undo && is_unknown_here(undo.error())) {
      return std::move(undo.error());
    }
  }
  return std::nullopt;
}

/// Rolls back, whatever the instance was about to handle. `next.note` says who wants it.
transition saga_machine::cancel(draft& next, const char* edge, std::string reason) {
  const auto operators_note = next.note;
  next.out.edge = edge;
  const auto interrupted = std::exchange(retrying_ ? retrying_ : record_.failed, std::nullopt);
  retrying_.reset();
  record_.failed.reset();
  attempts_ = 0;
  begin_rollback(next, std::move(reason), interrupted ? interrupted->in_reply_to : message_id{});
  const auto position = interrupted ? find_request(interrupted->in_reply_to) : record_.requests.size();
  if (position < record_.requests.size()) {
    if (record_.requests[position].compensation) {
      handle_undo_answer(next, *interrupted, position);
    } else {
      handle_late_answer(next, *interrupted, position);
    }
    next.out.edge = edge;
    if (next.out.history) {
      next.out.history->what = edge;
      next.out.history->note = operators_note;
    }
    release_held(next.out);
    mail_.call_left(next.out); // of an answer less is read now
    return std::move(next.out);
  }
  if (interrupted && interrupted->kind == message_kind::event) {
    remember(*interrupted);
    next.done(*interrupted);
  } else if (interrupted && is_update(*interrupted)) {
    remember(*interrupted);
    decline(next, {interrupted->id, interrupted->from, interrupted->type, interrupted->trace},
            failure_kind::declined, fmt::format("{} was cancelled", to_string(record_.self)));
  }
  release_held(next.out);
  mail_.call_left(next.out);
  next.note = operators_note;
  write(next);
  return std::move(next.out);
}

transition saga_machine::operate(verb what, const std::string& who, const std::string& note,
                                 const moment& now, std::uint64_t revision) {
  draft next{now, revision, environment_->store};
  if (!exists()) {
    next.out.edge = "verb_refused";
    next.out.verdict = fail(errc::not_found, fmt::format("there is no instance {}", to_string(record_.self)));
    return std::move(next.out);
  }
  const auto goes_on =
      record_.status == instance_status::running || record_.status == instance_status::compensating;
  const auto rests_on_nobody = goes_on && std::any_of(record_.requests.begin(), record_.requests.end(),
                                                      [&](const request& sent) { return is_homeless(sent); });
  if (auto reason = objection(what, record_, rests_on_nobody, note); !reason.empty()) {
    next.out.edge = "verb_refused";
    next.out.verdict = fail(errc::conflict, fmt::format("{} is {}: {}", to_string(record_.self),
                                                        to_string(record_.status), reason));
    return std::move(next.out);
  }
  if (auto why = unknown_to_verbs(what)) {
    next.out.edge = "verb_refused";
    next.out.verdict = fail(errc::conflict, fmt::format("{} waits for a program that knows it: {}",
                                                        to_string(record_.self), why->message));
    return std::move(next.out);
  }
  next.note = fmt::format("{} by {}{}{}", name_of(what), who.empty() ? "somebody" : who,
                          note.empty() ? "" : ": ", note);
  const auto operators_note = next.note;
  switch (what) {
  case verb::cancel:
    return cancel(next, "cancel", note.empty() ? "cancelled" : "cancelled: " + note);
  case verb::pause:
    next.out.edge = "pause";
    if (retrying_) {
      const auto put_off = std::move(*retrying_);
      retrying_.reset();
      attempts_ = 0;
      if (!record_.failed || record_.failed->id != put_off.id) {
        hold(next, put_off);
        next.out.edge = "pause";
      }
    }
    record_.resumes_to = record_.status;
    record_.status = instance_status::paused;
    break;
  case verb::resume:
    next.out.edge = "resume";
    record_.status = record_.resumes_to;
    if (record_.status == instance_status::running && is_given_up()) {
      return cancel(next, "resume", "cancelled: its command was withdrawn");
    }
    if (record_.failed && record_.status == instance_status::running) {
      retrying_ = record_.failed;
      next.out.try_again = std::chrono::milliseconds{0};
    } else {
      release_held(next.out);
    }
    break;
  case verb::retry:
    next.out.edge = "retry";
    if (goes_on) {
      if (auto done = reroute(next); !done) {
        next.out.edge = "verb_refused";
        next.out.verdict = std::move(done);
        return std::move(next.out);
      }
      break;
    }
    record_.status = record_.resumes_to;
    record_.reason = is_rolled_back(record_.status) ? record_.rolled_back_for : "";
    forget_deaths(record_);
    if (is_terminal(record_.status)) {
      end(next, record_.status);
    } else if (record_.failed) {
      retrying_ = record_.failed;
      next.out.try_again = std::chrono::milliseconds{0};
    } else if (record_.status == instance_status::compensating) {
      send_refused_again(next);
      advance_rollback(next);
    } else {
      send_refused_again(next);
      undo_given_up_again(next);
      end_if_settled(next);
      const auto is_coming = mail_.holds_back(); // a delivery under way can wake it
      release_held(next.out);
      if (!is_coming) {
        audit(next);
      }
    }
    break;
  case verb::skip:
    next.out.edge = "skip";
    skip_refused();
    record_.status = record_.resumes_to;
    record_.reason = is_rolled_back(record_.status) ? record_.rolled_back_for : "";
    if (record_.status == instance_status::running) {
      wait_for_given_up(next);
      release_held(next.out);
    }
    end_if_settled(next);
    audit(next);
    advance_rollback(next);
    break;
  }
  next.note = operators_note;
  write(next);
  return std::move(next.out);
}

// -- housekeeping ------------------------------------------------------------------------------

transition saga_machine::move(const message_id& id, std::string_view from, bool handed_out, const moment& now,
                              std::uint64_t revision) {
  draft next{now, revision, environment_->store};
  next.out.edge = "stays";
  const auto position = find_request(id);
  if (position == record_.requests.size()) {
    return std::move(next.out);
  }
  // One that was given up has its withdrawal behind it, and waits with it.
  auto& sent = record_.requests[position];
  if (sent.to.type != from || sent.abandoned || sent.refused || mail_.is_answered(sent)) {
    return std::move(next.out);
  }
  const auto where = environment_->routes->command(sent.type, sent.payload, record_.self);
  if (!where || where->to == sent.to) {
    return std::move(next.out);
  }
  next.out.edge = "move";
  next.note = fmt::format("{} moves from {} to {}", sent.type, sent.to.type, where->to.type);
  sent.to = where->to;
  sent.moved = sent.moved || handed_out;
  next.send(mail_.to_envelope(sent), sent.effects);
  write(next);
  return std::move(next.out);
}

transition saga_machine::flush(const moment& now, std::uint64_t revision) {
  draft next{now, revision, environment_->store};
  next.out.edge = "flush";
  if (mail_.is_dirty() && exists_) {
    next.keep_history = false;
    write(next);
  }
  return std::move(next.out);
}

transition saga_machine::expire(time_point before) {
  transition out;
  out.edge = "expire";
  if (exists_ && is_terminal(record_.status) && record_.updated_at < before && record_.requests.empty() &&
      record_.outbox.empty() && record_.inbox.empty() && !mail_.is_dirty()) {
    out.write = write_kind::erase;
    out.history_up_to = whole_history;
    if (record_.life != 0 && !planted("entries_outlive_their_workflow")) {
      out.life_over = record_.life;
      life_.reset();
    }
    change_expiry(record_.self, indexed_, {}, out);
    exists_ = false;
    state_.reset();
    record empty; // the key may live again
    empty.self = std::move(record_.self);
    record_ = std::move(empty);
  }
  return out;
}

transition saga_machine::suspect(const envelope& received, bool proven, const moment& now,
                                 std::uint64_t revision) {
  // No code of the saga runs where the instance is over or stopped, or where another message is before this
  // one.
  const auto known = record_.failed && record_.failed->id == received.id;
  const auto subscription = environment_->type->subscriptions.find(received.type);
  const auto* command = received.kind == message_kind::command ? command_of(received.type) : nullptr;
  const auto starts =
      received.kind == message_kind::command
          ? command != nullptr && command->starts
          : subscription != environment_->type->subscriptions.end() && subscription->second.starts;
  // Behind a compensated one, and where there is but the memory of an absence, the key begins anew.
  const auto begins_anew =
      exists_ && starts &&
      (!exists() || (command != nullptr && record_.status == instance_status::compensated));
  const auto is_known = record_.failed && record_.failed->id == received.id;
  // A command that starts where an instance is, and an update that finds it going back or at its end: no code
  // of the saga runs for them.
  const auto runs_nothing =
      command != nullptr && exists() && !begins_anew && !is_known &&
      (command->starts || record_.status != instance_status::running || record_.returned);
  const auto stopped =
      exists() && !begins_anew &&
      (runs_nothing || is_terminal(record_.status) || record_.status == instance_status::paused ||
       record_.status == instance_status::stuck);
  if (received.kind == message_kind::withdrawal || (command != nullptr && received.withdrawn) || stopped ||
      (!exists() && !starts) || (retrying_ && retrying_->id != received.id) ||
      (!known && received.kind != message_kind::timer && mail_.is_held_back(received))) {
    return receive(received, now, revision);
  }
  draft next{now, revision, environment_->store};
  const auto filled = filled_timer(received);
  const auto& message = filled ? *filled : known ? *record_.failed : received;
  if (!known && is_duplicate(next, message)) {
    return std::move(next.out);
  }
  next.out = {};
  next.out.edge = "quarantine";
  next.note_in(message, answered_by(message));
  if (!exists_ || begins_anew) {
    if (auto why = command != nullptr ? objection_to_starter(message) : std::string{}; !why.empty()) {
      return receive(received, now, revision); // which declines it
    }
    if (begins_anew) {
      begin_new_life(next);
    } else {
      create(next);
    }
    begin_life(message);
  }
  // The instance takes the message over: its own record holds it from here, so that the count has a place to
  // stand.
  remember(message);
  if (message.kind != message_kind::timer) {
    next.done(message);
  } else {
    std::erase_if(record_.timers, [&](const timer& entry) { return entry.id == message.id; });
    next.out.disarmed.push_back(message.id);
  }
  if (!known) {
    record_.failed = message;
  }
  const auto why = count_death(record_, proven);
  if (why && is_update(message)) {
    retrying_.reset();
    update_failed(next, message, "its handler runs no more: " + *why);
    release_held(next.out);
    return std::move(next.out);
  }
  if (why) {
    retrying_.reset();
    become_stuck(next,
                 fmt::format("its handler of {} runs no more: {}",
                             message.type.empty() ? "a failure" : message.type, *why),
                 record_.status == instance_status::stuck ? record_.resumes_to : record_.status);
  } else {
    retrying_ = message;
    next.out.try_again = std::chrono::milliseconds{0};
  }
  write(next);
  return std::move(next.out);
}

// -- queries -------------------------------------------------------------------------------------

transition saga_machine::recover(std::uint64_t revision) {
  transition out;
  out.edge = "flush";
  if (!exists_) {
    return out;
  }
  mail_.recover(out, *environment_->routes, {environment_->store, revision, 0});
  out.armed = record_.timers;
  if (record_.failed &&
      (record_.status == instance_status::running || record_.status == instance_status::compensating)) {
    retrying_ = record_.failed;
    out.try_again = std::chrono::milliseconds{0};
  }
  return out;
}

} // namespace continuo::engine
