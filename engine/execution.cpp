#include "engine/execution.hpp"

#include "engine/dead_letter.hpp"
#include "engine/planted.hpp"
#include "engine/trace.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace continuo::engine {

std::span<const char* const> execution_edges() {
  static constexpr std::array edges{"begin",        "replied",  "declined",  "attempt_fails", "late_failure",
                                    "unknown_here", "overdue",  "exhausted", "park",          "withdrawn",
                                    "given_up",     "too_late", "duplicate", "retry",         "discard",
                                    "quarantine",   "dropped",  "receipt"};
  return edges;
}

execution::execution(const execution_environment& environment, envelope message)
    : environment_(&environment), id_(message.id), command_(message.kind == message_kind::command) {
  record_.kind = record_kind::command;
  record_.self = {environment.address(), to_string(message.id)};
  if (!command_) {
    origin_ = message.from;
  }
  record_.failed = std::move(message);
}

execution::execution(const execution_environment& environment, record stored)
    : environment_(&environment), record_(std::move(stored)), written_(true), begun_(true) {
  mail_.loaded();
  if (const auto id = parse_message_id(record_.self.key)) {
    id_ = *id;
  }
  command_ = record_.inbox.empty();
  if (!record_.failed) {
    phase_ = phase::answered;
  } else {
    command_ = record_.failed->kind == message_kind::command;
    phase_ = record_.status == instance_status::stuck ? phase::parked : phase::backoff;
  }
  if (!command_) {
    origin_ = record_.failed ? record_.failed->from : record_.inbox.front().from;
  }
}

std::string execution::idempotency_key() const {
  return message().idempotency_key.empty() ? to_string(id_) : message().idempotency_key;
}

std::string execution::trace() const {
  return trace_behind(message().trace, span_of(id_));
}

// -- transitions ---------------------------------------------------------------------------

transition execution::begin() {
  transition out;
  out.edge = "begin";
  phase_ = phase::running;
  begun_ = true;
  return out;
}

transition execution::finished(result<detail::handled> outcome, const detail::intents& asked,
                               const moment& now, std::uint64_t revision) {
  transition out;
  next_index_ = 0;
  std::vector<stored_message> events;
  if (outcome && !outcome->declined) {
    if (auto published = events_of(*environment_->routes, asked, record_.self)) {
      events = std::move(*published);
    } else {
      outcome = tl::unexpected(published.error());
    }
  }
  if (outcome && bytes_with(*outcome, events) > record_bytes_max) {
    outcome = tl::unexpected(record_too_large());
  }
  if (!outcome && is_unknown_here(outcome.error()) &&
      !planted("unknown_counts_as_an_attempt")) { // no handler has run, in this life
    out.edge = "unknown_here";
    out.verdict = tl::unexpected(std::move(outcome.error()));
    phase_ = phase::held;
    begun_ = written_;
    return out;
  }
  if (!outcome) {
    forget_deaths(record_);         // the process lives on behind it
    if (phase_ == phase::overdue) { // that attempt was counted when its time was up
      out.edge = "late_failure";
      phase_ = phase::backoff;
      out.try_again = time_to_next_attempt(now);
      return out;
    }
    attempt_failed(out, "attempt_fails", bounded_reason(std::move(outcome.error().message)), now, revision);
    return out;
  }
  if (outcome->declined) {
    out.edge = "declined";
    out.settled = settlement::declined;
    answer(out, message_kind::failure,
           messages::failure_payload(failure_kind::declined, std::move(outcome->payload)), now, revision);
    return out;
  }
  out.edge = "replied";
  out.settled = settlement::completed;
  for (auto& event : events) {
    event.id = {environment_->store, revision, next_index_++};
    event.trace = trace();
    (event.effects ? out.released : out.sent).push_back(mail_.to_envelope(event));
    record_.outbox.push_back(std::move(event));
  }
  answer(out, message_kind::reply, std::move(outcome->payload), now, revision);
  return out;
}

/// What the record would take with this outcome. The command leaves it then.
std::size_t execution::bytes_with(const detail::handled& outcome,
                                  const std::vector<stored_message>& events) const {
  auto bytes = approximate_size(record_) - approximate_size(message()) + outcome.payload.size();
  for (const auto& event : events) {
    bytes += approximate_size(event);
  }
  return bytes;
}

transition execution::timed_out(const moment& now, std::uint64_t revision) {
  transition out;
  next_index_ = 0;
  phase_ = phase::overdue;
  attempt_failed(out, "overdue",
                 fmt::format("no outcome within {} ms", environment_->type->retry.timeout.count()), now,
                 revision);
  return out;
}

void execution::attempt_failed(transition& out, const char* edge, const std::string& reason,
                               const moment& now, std::uint64_t revision) {
  out.edge = edge;
  ++record_.attempts;
  record_.reason = reason;
  const auto& policy = environment_->type->retry;
  if (record_.attempts >= policy.attempts && !message().compensation) {
    fail_for_good(out, reason, now, revision);
    return;
  }
  out.verdict = fail(errc::handler_failed, reason);
  const auto delay = delay_of_next_attempt();
  record_.retry_at = later(now.wall, delay);
  if (phase_ != phase::overdue) {
    phase_ = phase::backoff;
    out.try_again = delay;
  }
  write(out, now, revision);
}

std::chrono::milliseconds execution::delay_of_next_attempt() const {
  auto policy = environment_->type->retry;
  if (message().compensation) { // has no last attempt, and at most a minute between two
    policy.cap = std::min(policy.cap, std::chrono::milliseconds{60'000});
  }
  auto random = std::hash<message_id>{}(id_) + record_.attempts + environment_->seed;
  return retry_delay(policy, record_.attempts, detail::next_random(random));
}

std::chrono::milliseconds execution::time_to_next_attempt(const moment& now) const {
  if (record_.attempts == 0) { // none has failed since it began, or since a person let it begin anew
    return std::chrono::milliseconds{0};
  }
  const auto left = saturated<std::chrono::milliseconds>(between(now.wall, record_.retry_at));
  return std::clamp(left, std::chrono::milliseconds{0}, delay_of_next_attempt());
}

void execution::fail_for_good(transition& out, const std::string& reason, const moment& now,
                              std::uint64_t revision) {
  const auto& sent = message();
  if (command_ && environment_->type->when_exhausted == exhausted::park) {
    out.edge = "park";
    phase_ = phase::parked;
    record_.status = instance_status::stuck;
    record_.reason = reason;
    write(out, now, revision);
    return;
  }
  out.edge = "exhausted";
  out.settled = settlement::gave_up;
  const auto told = command_ && !stands_alone(sent.from) && !sent.told;
  out.dead_letters.push_back(dead_letter_of(sent, reason, now.wall, record_.attempts, told));
  answer(
      out, message_kind::failure,
      messages::failure_payload(failure_kind::unknown, fmt::format("{} attempt(s) failed, the last one: {}",
                                                                   record_.attempts, reason)),
      now, revision);
}

void execution::answer(transition& out, message_kind kind, std::string payload, const moment& now,
                       std::uint64_t revision) {
  const auto behind = trace();
  const auto& sent = *record_.failed;
  record_.status = instance_status::completed;
  record_.reason.clear();
  forget_deaths(record_);
  phase_ = phase::answered;
  if (command_) {
    const auto handler = environment_->type->commands.find(sent.type);
    const auto type = kind == message_kind::reply && handler != environment_->type->commands.end()
                          ? handler->second.reply->name
                          : std::string{};
    stored_message reply;
    reply.id = {environment_->store, revision, next_index_++};
    reply.kind = kind;
    reply.to = sent.from;
    reply.in_reply_to = sent.id;
    reply.type = type;
    reply.payload = std::move(payload);
    reply.trace = behind;
    out.sent.push_back(mail_.to_envelope(reply));
    record_.outbox.push_back(std::move(reply));
  } else {
    record_.inbox = {{sent.from, sent.id}};
    mailbox::done(sent, out);
  }
  record_.failed.reset();
  write(out, now, revision);
}

transition execution::receive(const envelope& again, const moment& now, std::uint64_t revision) {
  if (again.kind == message_kind::withdrawal || again.withdrawn) {
    if (phase_ != phase::answered) {
      return withdraw(again, now, revision);
    }
  }
  transition out;
  out.edge = again.kind == message_kind::withdrawal ? "too_late" : "duplicate";
  if (phase_ != phase::answered || again.kind == message_kind::withdrawal) {
    return out;
  }
  if (!command_) {
    mailbox::done(again, out);
  }
  for (const auto& sent : record_.outbox) {
    if (sent.in_reply_to == again.id) {
      out.sent.push_back(mail_.to_envelope(sent));
      out.sent.back().repeated = true;
    }
  }
  return out;
}

transition execution::withdraw(const envelope& word, const moment& now, std::uint64_t revision) {
  transition out;
  next_index_ = 0;
  // A command from before this life may have begun in another one that left no trace.
  const auto never_ran = !begun_ && (message().unseen || environment_->contacts->is_new(id_) ||
                                     planted("withdrawn_although_it_ran_in_an_earlier_life"));
  if ((phase_ == phase::waiting || phase_ == phase::held) && never_ran) {
    out.edge = "withdrawn";
    answer(out, message_kind::failure, messages::failure_payload(failure_kind::withdrawn, "withdrawn"), now,
           revision);
  } else if (word.unknown_will_do && record_.attempts > 0 &&
             (phase_ == phase::backoff || phase_ == phase::waiting || phase_ == phase::held)) {
    out.edge = "given_up"; // to try on would only make sure that there is something to undo
    out.settled = settlement::gave_up;
    answer(out, message_kind::failure,
           messages::failure_payload(failure_kind::unknown,
                                     fmt::format("given up after {} attempt(s), the last one: {}",
                                                 record_.attempts, record_.reason)),
           now, revision);
  } else {
    out.edge = "too_late"; // its outcome is the answer
  }
  return out;
}

transition execution::receive(const messages::receipt& receipt, const moment& now, std::uint64_t revision) {
  transition out;
  out.edge = "receipt";
  out.receipts = mail_.receive(receipt).receipts;
  if (phase_ == phase::answered && record_.outbox.empty() && record_.inbox.empty()) {
    out.edge = "dropped";
    out.write = write_kind::erase;
    mail_.written(out);
  } else if (mail_.is_dirty()) {
    write(out, now, revision);
  }
  return out;
}

transition execution::suspect(bool proven, const moment& now, std::uint64_t revision) {
  transition out;
  next_index_ = 0;
  out.edge = "quarantine";
  if (phase_ == phase::answered || phase_ == phase::parked) {
    return out;
  }
  if (const auto why = count_death(record_, proven)) {
    phase_ = phase::parked;
    record_.status = instance_status::stuck;
    record_.reason = "its handler runs no more: " + *why;
  } else {
    begun_ = true;
    phase_ = phase::waiting;
  }
  write(out, now, revision);
  return out;
}

transition execution::retry(const moment& now, std::uint64_t revision) {
  transition out;
  out.edge = "retry";
  phase_ = phase::waiting;
  record_.status = instance_status::running;
  record_.attempts = 0;
  forget_deaths(record_);
  write(out, now, revision);
  return out;
}

transition execution::discard(const moment& now, std::uint64_t revision) {
  transition out;
  next_index_ = 0;
  out.edge = "discard";
  answer(out, message_kind::failure,
         messages::failure_payload(failure_kind::unknown, "discarded: " + record_.reason), now, revision);
  out.settled = settlement::gave_up;
  return out;
}

transition execution::recover(const moment& now, std::uint64_t revision) {
  transition out;
  out.edge = "receipt";
  mail_.recover(out, *environment_->routes, {environment_->store, revision, 0});
  if (mail_.is_dirty()) {
    write(out, now, revision);
  }
  if (phase_ == phase::backoff) {
    out.try_again = time_to_next_attempt(now);
  }
  return out;
}

void execution::write(transition& out, const moment& now, std::uint64_t revision) {
  out.write = write_kind::put;
  out.created = !written_;
  if (!written_) {
    written_ = true;
    record_.started_at = now.wall;
  }
  record_.revision = revision;
  record_.updated_at = now.wall;
  mail_.written(out);
}

} // namespace continuo::engine
