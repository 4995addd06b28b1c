#include "engine/letter.hpp"

#include "engine/acceptance.hpp"
#include "engine/planted.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace continuo::engine {

std::span<const char* const> letter_edges() {
  static constexpr std::array edges{"redrive", "discard",   "verb_refused", "settled",
                                    "move",    "duplicate", "absent"};
  return edges;
}

letter::letter(const letter_environment& environment, instance_id self, std::optional<record> stored)
    : environment_(&environment) {
  if (stored) {
    record_ = std::move(*stored);
    exists_ = true;
    mail_.loaded();
  } else {
    record_.kind = record_kind::dead_letter;
    record_.self = std::move(self);
  }
}

std::optional<error> letter::objection() const {
  if (!exists_) {
    return error{errc::not_found, fmt::format("there is no dead letter {}", record_.self.key)};
  }
  if (!record_.failed) {
    return error{errc::conflict, "it is being redriven already"};
  }
  return std::nullopt;
}

namespace {

/// Where a letter's message goes: to the receiver that failed, under the key that the payload says now.
result<destination> destination_of(const routing_table& routes, const envelope& message) {
  const auto service = [](const instance_id& id) { return placement::service_of(id.type); };
  if (message.kind == message_kind::command) {
    return routes.command(message.type, message.payload, message.from);
  }
  auto subscribers = routes.event(message.type, message.payload, message.from);
  if (!subscribers) {
    return tl::unexpected(subscribers.error());
  }
  const auto found = std::find_if(subscribers->begin(), subscribers->end(), [&](const destination& one) {
    return service(one.to) == service(message.to);
  });
  if (found == subscribers->end()) {
    return fail(errc::unknown_type,
                fmt::format("{} does not take {} any more", service(message.to), message.type));
  }
  return std::move(*found);
}

} // namespace

transition letter::redrive(std::optional<std::string> corrected, const moment& now, std::uint64_t revision) {
  transition out;
  out.edge = "verb_refused";
  if (auto reason = objection()) {
    out.verdict = tl::unexpected(std::move(*reason));
    return out;
  }
  if (requester_was_told(record_)) {
    out.verdict =
        fail(errc::conflict,
             fmt::format("{} was told of the failure and no longer reckons with this command: it can only "
                         "be discarded",
                         to_string(record_.failed->from)));
    return out;
  }
  auto message = *record_.failed;
  if (message.idempotency_key.empty()) {
    message.idempotency_key = to_string(message.id);
  }
  if (corrected) {
    message.payload = std::move(*corrected);
    message.idempotency_key += "/1";
  }
  auto where = destination_of(*environment_->routes, message);
  if (!where) {
    out.verdict = tl::unexpected(std::move(where.error()));
    return out;
  }
  out.edge = "redrive";
  stored_message sent;
  sent.id = {environment_->store, revision, 0};
  sent.kind = message.kind;
  sent.compensation = message.compensation;
  sent.to = std::move(where->to);
  sent.type = std::move(message.type);
  sent.payload = std::move(message.payload);
  sent.effects = where->effects;
  sent.idempotency_key = std::move(message.idempotency_key);
  sent.trace = std::move(message.trace);
  if (!environment_->routes->is_here(sent.to)) {
    hand_on(out, std::move(sent), now, revision);
    return out;
  }
  (sent.effects ? out.released : out.sent).push_back(mail_.to_envelope(sent));
  record_.failed.reset();
  if (sent.kind == message_kind::command) {
    record_.requests.push_back({std::move(sent), now.wall});
  } else {
    record_.outbox.push_back(std::move(sent));
  }
  record_.revision = revision;
  out.write = write_kind::put;
  mail_.written(out);
  return out;
}

transition letter::discard() {
  transition out;
  out.edge = "verb_refused";
  if (auto reason = objection()) {
    out.verdict = tl::unexpected(std::move(*reason));
    return out;
  }
  erase(out, "discard");
  return out;
}

transition letter::receive(const envelope& answer, const moment& /*now*/, std::uint64_t /*revision*/) {
  if (!exists_) {
    return absent(answer);
  }
  transition out;
  out.edge = "duplicate";
  mailbox::done(answer, out);
  if (!record_.requests.empty() && record_.requests.front().id == answer.in_reply_to) {
    mail_.close(0);
    erase(out, "settled");
  }
  return out;
}

transition letter::receive(const messages::receipt& receipt) {
  if (!exists_) {
    return absent(receipt);
  }
  auto out = mail_.receive(receipt);
  out.edge = "duplicate";
  if (mail_.is_dirty() && record_.outbox.empty()) {
    erase(out, "settled");
  }
  return out;
}

transition letter::called(const messages::call_for& call) const {
  return exists_ ? mail_.called(call) : absent(call);
}

transition letter::recover(const moment& now, std::uint64_t revision) {
  transition out;
  out.edge = "duplicate";
  auto* under_way = !record_.requests.empty() ? static_cast<stored_message*>(&record_.requests.front())
                    : !record_.outbox.empty() ? &record_.outbox.front()
                                              : nullptr;
  if (under_way != nullptr && !environment_->routes->is_hosted(under_way->to)) {
    auto& lost = *under_way;
    if (auto where = destination_of(*environment_->routes, mail_.to_envelope(lost))) {
      out.edge = "move";
      lost.to = std::move(where->to);
      lost.effects = where->effects;
      if (!environment_->routes->is_here(lost.to)) {
        auto sent = std::move(lost);
        hand_on(out, std::move(sent), now, revision);
        return out;
      }
      record_.revision = revision;
      record_.updated_at = now.wall;
      out.write = write_kind::put;
      mail_.resend(out);
      mail_.written(out);
      return out;
    }
  }
  mail_.recover(out, *environment_->routes, {environment_->store, revision, 0});
  return out;
}

transition letter::flush(const moment& /*now*/, std::uint64_t /*revision*/) {
  return {};
}

/// The letter ends, and in the same write a client's message begins.
void letter::hand_on(transition& out, stored_message&& sent, const moment& now, std::uint64_t revision) {
  const auto type = sent.kind == message_kind::command ? send_type : publish_type;
  const acceptance_environment environment{environment_->routes, environment_->store};
  acceptance taken{environment, {std::string{type}, to_string(sent.id)}, std::nullopt};
  auto begun = taken.take_over(std::move(sent), now, revision);
  out.sent = std::move(begun.sent);
  out.released = std::move(begun.released);
  if (!planted("letter_ends_before_its_message_begins")) {
    out.handed_on = {taken.current(), std::move(begun.owed_now)};
  }
  erase(out, out.edge);
}

void letter::erase(transition& out, const char* edge) {
  out.edge = edge;
  out.write = write_kind::erase;
  exists_ = false;
  mail_.written(out);
}

} // namespace continuo::engine
