#pragma once

#include <continuo/fields.hpp>
#include <continuo/ids.hpp>
#include <continuo/outcome.hpp>

#include <cstdint>
#include <string>

/// What travels between instances. A user's message is bytes under its registered name; only the instance
/// that handles it decodes it.
namespace continuo {

namespace messages {

enum class message_kind : std::uint8_t {
  command,
  event,
  reply,      ///< a command's success; `in_reply_to` names the command
  failure,    ///< a command's failure: the payload is a `failure_body`
  timer,      ///< `id` is the timer's own: it names the transition that set it
  withdrawal, ///< takes back the command `in_reply_to` if it has not begun
};
CONTINUO_ENUM(message_kind, command, event, reply, failure, timer, withdrawal)

/// One message on its way. `predecessor` is the last earlier message of this sender to this receiver that the
/// sender still holds: the receiver handles it first.
struct envelope {
  message_id id;
  message_kind kind = message_kind::command;
  bool compensation = false; ///< a command that undoes a step: it is retried for ever
  instance_id from;
  instance_id to; ///< a stateless service has no key: what it handles is named by the message's id
  message_id predecessor;
  message_id in_reply_to;
  std::string type;
  std::string payload;
  std::string idempotency_key; ///< empty: the id is the key
  std::string trace{};         ///< a `traceparent` (engine/trace.hpp); empty: none
  bool withdrawn = false; ///< a command that its sender gave up: who has not begun it answers `withdrawn`
  /// Of what is withdrawn: its sender knows what to do where nobody can say whether it happened, so that a
  /// command of which an attempt has failed need not be tried on.
  bool unknown_will_do = false;
  bool told = false;   ///< a command of which its sender takes no reply
  bool unseen = false; ///< a command that was never before on its way to a node: nobody has begun it
  /// Of a command for a saga: its sender, where that is a saga, behind those whose child that is.
  std::vector<instance_id> ancestors{};

  /// By which link, and in which of its epochs, it came into this node; 0: it was sent here. Not part of what
  /// is stored or sent: it says whose credit the message uses.
  std::uint32_t link = 0;
  std::uint32_t link_token = 0;

  /// Sent before: a link looks up whether it is owed still. Not part of what is stored or sent.
  bool repeated = false;

  CONTINUO_FIELDS(envelope, id, kind, compensation, from, to, predecessor, in_reply_to, type, payload,
                  idempotency_key, trace, withdrawn, unknown_will_do, told, unseen, ancestors)
};

/// The payload of a `failure`.
struct failure_body {
  std::uint8_t kind = 0; ///< a `failure_kind`
  std::string reason;

  CONTINUO_FIELDS(failure_body, kind, reason)
};

/// The bytes of a `failure_body`.
std::string failure_payload(failure_kind kind, std::string reason);

/// A receiver's word to a sender, or a sender's to a receiver, about messages of the pair. Names durable
/// state, or state that the journal makes durable before anything that rests on it.
struct receipt {
  instance_id from;
  instance_id to;
  message_id done;   ///< `from` has handled this message of `to`; none if empty
  message_id forget; ///< `from` holds nothing up to this id for `to` any more; none if empty
  message_id closes; ///< where `done` is a reply: the command that it answered, which `from` has closed

  CONTINUO_FIELDS(receipt, from, to, done, forget, closes)
};

/// A receiver asks a sender for its unacknowledged messages, which it had to put off.
struct call_for {
  instance_id from;
  instance_id to;
  message_id id; ///< the first one put off

  CONTINUO_FIELDS(call_for, from, to, id)
};

} // namespace messages
} // namespace continuo
