#pragma once

#include <continuo/detail/times.hpp>

#include <caf/event_based_actor.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace continuo::actors {

/// CAF adds a delay to its clock as it is, which wraps around for the longest. No process lives that long.
constexpr std::chrono::nanoseconds delay_max = std::chrono::hours{24 * 366 * 100};

/// Sends an actor a message of its own after `wait`: at once where that is negative, never where it is
/// "never". For each wait that comes from a configuration, a policy or a caller.
template <class Message>
void send_later(caf::event_based_actor* self, detail::any_duration wait, Message&& message) {
  self->delayed_send(self, std::clamp<std::chrono::nanoseconds>(wait, std::chrono::nanoseconds{0}, delay_max),
                     std::forward<Message>(message));
}

} // namespace continuo::actors
