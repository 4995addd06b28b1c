#pragma once

#include "actors/core.hpp"
#include "actors/intake.hpp"

#include <optional>
#include <string>
#include <string_view>

/// Idempotency keys of clients: a publish or send whose key is known is answered as its first use was. On the
/// intake's own thread.
namespace continuo::actors {

/// What the first use of this key was answered, or `errc::conflict` where it was about something else;
/// nothing where the key is new. The answer may not be durable yet: it must not leave the node before what
/// was handed to the journal.
std::optional<result<accepted>> answer_of_key(const intake_state& state, const core& shared,
                                              const std::string& key, std::string_view type,
                                              std::string_view payload);

/// Remembers a key from now on; the writes belong to the commit that accepts the message.
std::vector<journal::operation> remember_key(intake_state& state, const std::string& key,
                                             std::string_view type, std::string_view payload,
                                             const accepted& answer, time_point now);

} // namespace continuo::actors
