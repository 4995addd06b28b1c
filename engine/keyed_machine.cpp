#include "engine/keyed_machine.hpp"

#include "engine/dead_letter.hpp"
#include "engine/trace.hpp"
#include "messages/application.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace continuo::engine {

namespace {

result<detail::handled> run_handler(const detail::keyed_handler& handler, void* state,
                                    const envelope& message, keyed_context& context) {
  return call_application(errc::handler_failed, [&] { return handler.run(state, message.payload, context); });
}

} // namespace

std::span<const char* const> keyed_edges() {
  static constexpr std::array edges{"handled",       "ended",     "declined", "withdrawn",    "retry_later",
                                    "handler_fails", "duplicate", "hold",     "unknown_here", "stale",
                                    "quarantine",    "flush",     "trim",     "expire"};
  return edges;
}

keyed_machine::keyed_machine(const keyed_environment& environment, instance_id self,
                             std::optional<record> stored)
    : environment_(&environment) {
  if (stored) {
    record_ = std::move(*stored);
    exists_ = true;
    mail_.loaded();
    indexed_ = expiry_of(record_);
  } else {
    record_.self = std::move(self);
    record_.kind = record_kind::keyed;
  }
}

transition keyed_machine::receive(const envelope& message, const moment& now, std::uint64_t revision) {
  transition out;
  asked_ -= std::min<std::size_t>(asked_, 1);
  if (message.kind == message_kind::withdrawal) {
    out.edge = "stale"; // handled already, or never here: the reply says so
    if (retrying_ && retrying_->id == message.in_reply_to) {
      const auto put_off = std::move(*retrying_);
      retrying_.reset();
      attempts_ = 0;
      out.edge = "withdrawn";
      fail_for_good(out, put_off, failure_kind::withdrawn, "withdrawn", now, revision);
      mail_.call_held(out);
    } else if (!retrying_) {
      mail_.withdrawn(message, out);
    }
    return out;
  }
  if (message.kind != message_kind::command) {
    out.edge = "stale";
    mailbox::done(message, out);
    return out;
  }
  if (mail_.was_handled(message)) {
    out.edge = "duplicate";
    mail_.arrived(message);
    for (const auto& sent : record_.outbox) {
      if (sent.in_reply_to == message.id) {
        out.sent.push_back(mail_.to_envelope(sent));
        out.sent.back().repeated = true;
      }
    }
    return out;
  }
  if (retrying_) {
    out.edge = retrying_->id == message.id ? "duplicate" : "hold";
    if (retrying_->id != message.id) {
      mail_.hold(message);
    }
    return out;
  }
  if (mail_.is_held_back(message) || !mail_.has_room_for(message.from)) {
    out.edge = "hold";
    mail_.hold_back(message, out);
    return out;
  }
  const auto was_left = mail_.is_left(message);
  mail_.arrived(message);
  if (message
          .withdrawn) { // nobody has begun it: a handler without effects runs in a transition, or not at all
    out.edge = "withdrawn";
    fail_for_good(out, message, failure_kind::withdrawn, "withdrawn", now, revision);
    if (was_left) { // for those that were left behind it
      out.calls.push_back({record_.self, message.from, message.id});
    }
    return out;
  }
  handle(out, message, now, revision);
  return out;
}

transition keyed_machine::receive(const messages::receipt& receipt) {
  auto out = mail_.receive(receipt);
  if (record_.outbox.size() < window_min / 2 && record_.inbox.size() < window_min / 2) {
    window_ = window_min;
  }
  return out;
}

transition keyed_machine::try_again(const moment& now, std::uint64_t revision) {
  transition out;
  const auto message = std::move(*retrying_);
  retrying_.reset();
  handle(out, message, now, revision);
  if (!retrying_) {
    attempts_ = 0;
    mail_.call_held(out);
  }
  return out;
}

void keyed_machine::handle(transition& out, const envelope& message, const moment& now,
                           std::uint64_t revision) {
  next_index_ = 0;
  const auto handler = environment_->type->commands.find(message.type);
  if (handler == environment_->type->commands.end()) {
    leave(out, message,
          {errc::unknown_type,
           fmt::format("the service {} does not handle {}", record_.self.type, message.type)});
    return;
  }
  if (!state_) {
    auto made = call_application(errc::handler_failed, [&] {
      const auto& type = *environment_->type;
      return record_.state.empty() ? result<std::shared_ptr<void>>{type.create()}
                                   : type.state->decode(record_.state);
    });
    if (!made) { // whoever wrote it knew it: to decline would deny what it holds
      leave(out, message,
            {made.error().code, fmt::format("the state of {} cannot be read: {}", to_string(record_.self),
                                            made.error().message)});
      return;
    }
    state_ = std::move(*made);
  }
  detail::invocation call;
  call.self = &record_.self;
  call.cause = message.id;
  call.now = now.wall;
  call.random_seed = environment_->seed ^ std::hash<message_id>{}(message.id);
  call.sink = environment_->sink;
  keyed_context context{call, message.from};
  auto done = run_handler(handler->second, state_.get(), message, context);
  if (!done && is_unknown_here(done.error())) {
    leave(out, message, std::move(done.error()));
    return;
  }
  std::string state;
  std::vector<stored_message> events;
  if (done && !done->declined) {
    const auto ends = context.asked().end;
    auto encoded =
        ends ? result<std::string>{std::string{}} : encode_state(*environment_->type->state, state_.get());
    auto published = events_of(*environment_->routes, context.asked(), record_.self);
    if (encoded && published) {
      state = std::move(*encoded);
      events = std::move(*published);
    } else {
      done = tl::unexpected(encoded ? published.error() : encoded.error());
    }
  }
  if (done) {
    auto bytes = approximate_size(record_) + done->payload.size();
    if (!done->declined) {
      bytes = bytes - record_.state.size() + state.size();
    }
    for (const auto& event : events) {
      bytes += approximate_size(event);
    }
    if (bytes > record_bytes_max) {
      done = tl::unexpected(record_too_large());
    }
  }
  if (!done) {
    state_.reset();
    ++attempts_;
    if (attempts_ < environment_->type->retry.attempts || message.compensation) {
      out.edge = "retry_later";
      out.verdict = tl::unexpected(std::move(done.error()));
      retrying_ = message;
      auto policy = environment_->type->retry;
      if (message.compensation) { // has no last attempt, and at most a minute between two
        policy.cap = std::min(policy.cap, std::chrono::milliseconds{60'000});
      }
      out.try_again = retry_delay(policy, attempts_, std::hash<message_id>{}(message.id) + attempts_);
      return;
    }
    out.edge = "handler_fails";
    // Its handler has no effects but its state, and that is as before: it is known that nothing happened.
    fail_for_good(out, message, failure_kind::declined,
                  bounded_reason("its handler failed: " + done.error().message), now, revision);
    attempts_ = 0;
    return;
  }
  std::vector<noted_message> noted;
  std::string note;
  if (done->declined) {
    out.edge = "declined";
    out.settled = settlement::declined;
    state_.reset(); // whatever the handler did to it does not count
    note = done->payload;
    answer(out, message, message_kind::failure,
           messages::failure_payload(failure_kind::declined, std::move(done->payload)), revision, noted);
  } else {
    out.edge = "handled";
    out.settled = settlement::completed;
    record_.state = std::move(state);
    if (context.asked().end) {
      out.edge = "ended";
      record_.status = instance_status::completed;
      state_.reset();                         // the next command finds none
    } else if (is_terminal(record_.status)) { // the key begins anew
      record_.status = instance_status::running;
      record_.started_at = now.wall;
    }
    answer(out, message, message_kind::reply, std::move(done->payload), revision, noted);
    for (auto& event : events) {
      event.id = {environment_->store, revision, next_index_++};
      event.trace = trace_behind(message.trace, span_of_transition(environment_->store, revision));
      noted.push_back({event.kind, event.id, event.to, event.type, event.payload, {}, {}});
      (event.effects ? out.released : out.sent).push_back(mail_.to_envelope(event));
      record_.outbox.push_back(std::move(event));
    }
  }
  forget_deaths(record_);
  write(out, now, revision, &message, std::move(noted), std::move(note));
}

void keyed_machine::leave(transition& out, const envelope& message, error&& why) {
  out.edge = "unknown_here";
  out.verdict = tl::unexpected(std::move(why));
  if (record_.failed && record_.failed->id == message.id) {
    retrying_ = message; // the record has taken it over: nobody else has it, and nothing may overtake it
    return;
  }
  mail_.leave(message);
}

void keyed_machine::answer(transition& out, const envelope& message, message_kind kind, std::string payload,
                           std::uint64_t revision, std::vector<noted_message>& noted) {
  mail_.remember(message);
  const auto handler = environment_->type->commands.find(message.type);
  const auto known = kind == message_kind::reply && handler != environment_->type->commands.end();
  stored_message sent;
  sent.id = {environment_->store, revision, next_index_++};
  sent.kind = kind;
  sent.to = message.from;
  sent.in_reply_to = message.id;
  sent.type = known ? handler->second.reply->name : std::string{};
  sent.payload = std::move(payload);
  sent.trace = trace_behind(message.trace, span_of_transition(environment_->store, revision));
  record_.outbox.push_back(sent);
  noted.push_back({sent.kind, sent.id, sent.to, sent.type, sent.payload, message.id, message.type});
  out.sent.push_back(mail_.to_envelope(record_.outbox.back()));
}

void keyed_machine::fail_for_good(transition& out, const envelope& message, failure_kind kind,
                                  const std::string& reason, const moment& now, std::uint64_t revision) {
  next_index_ = 0;
  std::vector<noted_message> noted;
  answer(out, message, message_kind::failure, messages::failure_payload(kind, reason), revision, noted);
  if (kind != failure_kind::withdrawn) {
    out.settled = settlement::gave_up;
    out.dead_letters.push_back(dead_letter_of(message, reason, now.wall, std::max(attempts_, 1u),
                                              !stands_alone(message.from) && !message.told));
  }
  if (record_.failed && record_.failed->id == message.id) {
    record_.failed.reset();
  }
  forget_deaths(record_);
  write(out, now, revision, &message, std::move(noted), reason);
}

void keyed_machine::write(transition& out, const moment& now, std::uint64_t revision, const envelope* message,
                          std::vector<noted_message> noted, std::string note) {
  out.write = write_kind::put;
  out.created = !exists_;
  out.trace = message != nullptr ? message->trace : std::string{};
  if (!exists_) {
    exists_ = true;
    record_.started_at = now.wall;
  }
  record_.revision = revision;
  if (message != nullptr) {
    if (record_.failed && record_.failed->id == message->id && std::string_view{out.edge} != "quarantine") {
      record_.failed.reset();
    }
    record_.updated_at = now.wall;
    if (environment_->history) {
      record_.history = revision;
      out.history = history_entry{record_.self,
                                  revision,
                                  now.wall,
                                  out.edge,
                                  record_.status,
                                  noted_message{message->kind,
                                                message->id,
                                                message->from,
                                                message->type,
                                                message->payload,
                                                message->in_reply_to,
                                                {}},
                                  note_attempt(record_, message->id),
                                  std::move(noted),
                                  std::move(note)};
      if (record_.history_since == time_point{}) {
        record_.history_since = now.wall;
      }
    }
  }
  change_expiry(record_.self, indexed_, expiry_of(record_), out);
  mail_.written(out);
}

transition keyed_machine::flush(const moment& now, std::uint64_t revision) {
  transition out;
  out.edge = "flush";
  if (mail_.is_dirty() && exists_) {
    write(out, now, revision, nullptr, {}, {});
  }
  return out;
}

transition keyed_machine::expire(time_point before) {
  transition out;
  out.edge = "expire";
  if (exists_ && is_terminal(record_.status) && record_.updated_at < before && record_.outbox.empty() &&
      record_.inbox.empty() && may_passivate()) {
    out.write = write_kind::erase;
    out.history_up_to = whole_history;
    change_expiry(record_.self, indexed_, {}, out);
    exists_ = false;
    state_.reset();
    record empty; // the key may live again
    empty.kind = record_kind::keyed;
    empty.self = std::move(record_.self);
    record_ = std::move(empty);
  }
  return out;
}

transition keyed_machine::trim(std::uint64_t up_to, time_point since, std::uint64_t revision) {
  transition out;
  out.edge = "trim";
  if (exists_ && record_.history != 0 && up_to != 0) {
    out.write = write_kind::put;
    out.history_up_to = up_to;
    record_.revision = revision;
    if (record_.history <= up_to) {
      record_.history = 0;
      record_.history_since = {};
    } else {
      record_.history_since = std::min(since, record_.updated_at); // which is when the newest one was made
    }
    change_expiry(record_.self, indexed_, expiry_of(record_), out);
    mail_.written(out);
  }
  return out;
}

transition keyed_machine::suspect(const envelope& message, bool proven, const moment& now,
                                  std::uint64_t revision) {
  transition out;
  out.edge = "quarantine";
  // No handler runs for a message that was handled, or that another one is before.
  const auto other = retrying_ && retrying_->id != message.id;
  if (message.kind != message_kind::command || mail_.was_handled(message) || other ||
      mail_.is_held_back(message)) {
    return receive(message, now, revision);
  }
  record_.failed = message;
  if (const auto why = count_death(record_, proven)) {
    retrying_.reset();
    fail_for_good(out, message, failure_kind::declined, "its handler runs no more: " + *why, now, revision);
    return out;
  }
  retrying_ = message;
  out.try_again = std::chrono::milliseconds{0};
  write(out, now, revision, &message, {}, "the process ended in its handler");
  return out;
}

transition keyed_machine::put_off(const envelope& message) {
  transition out;
  out.edge = "hold";
  const auto is_here = mail_.was_handled(message) || (retrying_ && retrying_->id == message.id);
  if (message.kind == message_kind::command && !is_here) {
    mail_.hold(message);
    puts_off_ = true;
  }
  return out;
}

transition keyed_machine::call_put_off(bool again) {
  transition out;
  out.edge = "hold";
  if (puts_off_ && (asked_ == 0 || again)) {
    mail_.call_held(out, window_min);
    asked_ = out.calls.size();
    puts_off_ = mail_.holds_back();
  }
  return out;
}

transition keyed_machine::recover(std::uint64_t revision) {
  transition out;
  out.edge = "flush";
  mail_.recover(out, *environment_->routes, {environment_->store, revision, 0});
  if (record_.failed) {
    retrying_ = record_.failed;
    out.try_again = std::chrono::milliseconds{0};
  }
  return out;
}

} // namespace continuo::engine
