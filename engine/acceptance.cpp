#include "engine/acceptance.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace continuo::engine {

std::span<const char* const> acceptance_edges() {
  static constexpr std::array edges{"publish", "send",      "answered", "delivered", "move",
                                    "stays",   "duplicate", "absent",   "flush",     "expire"};
  return edges;
}

acceptance::acceptance(const acceptance_environment& environment, instance_id self,
                       std::optional<record> stored)
    : environment_(&environment) {
  if (stored) {
    record_ = std::move(*stored);
    exists_ = true;
    mail_.loaded();
    indexed_ = expiry_of(record_);
  } else {
    record_.kind = self.type == send_type ? record_kind::send : record_kind::publish;
    record_.self = std::move(self);
  }
}

transition acceptance::accept(wish&& wanted, const moment& now, std::uint64_t revision) {
  transition out;
  out.edge = wanted.is_command ? "send" : "publish";
  std::uint32_t index = 0;
  const auto message = [&](destination&& where) {
    stored_message sent;
    sent.id = {environment_->store, revision, index++};
    sent.kind = wanted.is_command ? message_kind::command : message_kind::event;
    sent.to = std::move(where.to);
    sent.type = wanted.type;
    sent.payload = wanted.payload;
    sent.effects = where.effects;
    sent.trace = wanted.trace;
    sent.idempotency_key = wanted.idempotency_key;
    return sent;
  };
  for (auto& where : wanted.where) {
    if (wanted.is_command) {
      record_.requests.push_back({message(std::move(where)), now.wall});
    } else {
      record_.outbox.push_back(message(std::move(where)));
    }
  }
  if (const auto bytes = approximate_size(record_); bytes > record_bytes_max) {
    out.verdict =
        fail(errc::malformed, fmt::format("the message and what it takes to deliver it are {} bytes, and a "
                                          "record holds {}: send a reference to what is so large",
                                          bytes, record_bytes_max));
    record_.requests.clear();
    record_.outbox.clear();
    return out;
  }
  if (!wanted.where.empty()) {
    record_.started_at = now.wall;
    write(out, now, revision);
    const auto send = [&](const stored_message& sent) {
      (sent.effects ? out.released : out.sent).push_back(mail_.to_envelope(sent));
    };
    std::for_each(record_.requests.begin(), record_.requests.end(), send);
    std::for_each(record_.outbox.begin(), record_.outbox.end(), send);
  }
  return out;
}

transition acceptance::take_over(stored_message&& sent, const moment& now, std::uint64_t revision) {
  transition out;
  const auto is_command = sent.kind == message_kind::command;
  out.edge = is_command ? "send" : "publish";
  (sent.effects ? out.released : out.sent).push_back(mail_.to_envelope(sent));
  if (is_command) {
    record_.requests.push_back({std::move(sent), now.wall});
  } else {
    record_.outbox.push_back(std::move(sent));
  }
  record_.started_at = now.wall;
  write(out, now, revision);
  return out;
}

transition acceptance::receive(const envelope& answer, const moment& now, std::uint64_t revision) {
  if (!exists_) {
    return absent(answer);
  }
  transition out;
  out.edge = "duplicate";
  mailbox::done(answer, out);
  if (record_.requests.empty() || record_.requests.front().id != answer.in_reply_to) {
    return out;
  }
  out.edge = "answered";
  out.ended = true;
  mail_.close(0);
  record_.status = instance_status::completed;
  if (answer.kind == message_kind::failure) {
    const auto body = decode<messages::failure_body>(answer.payload);
    record_.status = instance_status::compensated;
    record_.reason = body ? body->reason : "its reason is unreadable";
  }
  record_.result_type = answer.type;
  record_.result = answer.payload;
  write(out, now, revision);
  return out;
}

transition acceptance::receive(const messages::receipt& receipt) {
  if (!exists_) {
    return absent(receipt);
  }
  auto out = mail_.receive(receipt);
  out.edge = "delivered";
  if (mail_.is_dirty() && record_.outbox.empty() && record_.requests.empty()) {
    erase(out);
  }
  return out;
}

transition acceptance::called(const messages::call_for& call) const {
  return exists_ ? mail_.called(call) : absent(call);
}

transition acceptance::recover(const moment& now, std::uint64_t revision) {
  if (!record_.requests.empty() && !environment_->routes->is_hosted(record_.requests.front().to)) {
    const auto lost = record_.requests.front();
    if (auto moved = move(lost.id, lost.to.type, true, now, revision); moved.write != write_kind::none) {
      return moved;
    }
  }
  transition out;
  out.edge = "delivered";
  mail_.recover(out, *environment_->routes, {environment_->store, revision, 0});
  if (mail_.is_dirty()) {
    write(out, now, revision);
  }
  return out;
}

transition acceptance::flush(const moment& now, std::uint64_t revision) {
  transition out;
  out.edge = "flush";
  if (exists_ && mail_.is_dirty()) {
    write(out, now, revision);
  }
  return out;
}

transition acceptance::move(const message_id& id, std::string_view from, bool handed_out, const moment& now,
                            std::uint64_t revision) {
  transition out;
  out.edge = "stays";
  if (record_.requests.empty() || record_.requests.front().id != id ||
      record_.requests.front().to.type != from) {
    return out;
  }
  auto& sent = record_.requests.front();
  const auto where = environment_->routes->command(sent.type, sent.payload, record_.self);
  if (!where || where->to == sent.to) {
    return out;
  }
  out.edge = "move";
  sent.to = where->to;
  sent.moved = sent.moved || handed_out;
  write(out, now, revision);
  mail_.resend(out);
  return out;
}

transition acceptance::expire(time_point before) {
  transition out;
  out.edge = "expire";
  if (exists_ && is_terminal(record_.status) && record_.updated_at < before && record_.requests.empty() &&
      !mail_.is_dirty()) {
    erase(out);
  }
  return out;
}

void acceptance::write(transition& out, const moment& now, std::uint64_t revision) {
  out.write = write_kind::put;
  out.created = !exists_;
  exists_ = true;
  record_.revision = revision;
  record_.updated_at = now.wall;
  change_expiry(record_.self, indexed_, expiry_of(record_), out);
  mail_.written(out);
}

void acceptance::erase(transition& out) {
  out.write = write_kind::erase;
  change_expiry(record_.self, indexed_, {}, out);
  exists_ = false;
  mail_.written(out);
}

} // namespace continuo::engine
