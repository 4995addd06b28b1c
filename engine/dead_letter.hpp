#pragma once

#include "engine/record.hpp"

#include <string>
#include <string_view>

namespace continuo::engine {

/// The built-in type under which dead letters are kept.
constexpr std::string_view dead_letter_type = "continuo.dead_letter";

/// The record of a message that failed for good: kept with its reason until somebody redrives or discards it.
/// Its key is the message's id. Of a command whose requester was told of the failure, `told` is set: it
/// cannot be redriven.
inline record dead_letter_of(const envelope& message, std::string reason, time_point now,
                             std::uint32_t attempts = 0, bool told = false) {
  record letter;
  letter.kind = record_kind::dead_letter;
  letter.self = {std::string{dead_letter_type}, to_string(message.id)};
  letter.status = instance_status::stuck;
  letter.resumes_to = told ? instance_status::compensating : instance_status::running;
  letter.reason = std::move(reason);
  letter.failed = message;
  letter.attempts = attempts;
  letter.started_at = now;
  letter.updated_at = now;
  return letter;
}

/// Whether `requester` is a client or a dead letter: such a command stands alone, and may be sent again at
/// any time.
inline bool stands_alone(const instance_id& requester) {
  return requester.type == "continuo.send" || requester.type == dead_letter_type;
}

/// Whether the requester was told of the failure, so that a redrive would do what the requester no longer
/// reckons with.
inline bool requester_was_told(const record& letter) {
  return letter.resumes_to == instance_status::compensating;
}

} // namespace continuo::engine
