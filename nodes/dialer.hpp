#pragma once

#include <continuo/result.hpp>

#include <caf/actor.hpp>
#include <caf/event_based_actor.hpp>

#include <cstdint>
#include <functional>
#include <string>

namespace continuo::nodes {

/// One attempt to reach a peer.
struct dialing {
  std::string host;
  std::uint16_t port = 0;
  std::function<result<void>()> knock; ///< looks whether somebody listens there; blocks for a bounded time
  std::function<void()> forget;        ///< closes what `knock` left open; may be empty
  caf::actor broker;                   ///< CAF's, which connects; null: to have knocked is enough
  caf::actor link;                     ///< gets `reached` or `unreachable`; nothing where there is no broker
                                       ///< and somebody listens
  std::function<void(const error&)> failed; ///< ends the node, whose link would wait for ever
};

/// Asks for a connection once it is known that somebody listens: the middleman connects synchronously, so
/// that a black hole would block it, and with it every other connection and the end of the process. It has a
/// thread of its own, on which it knocks.
caf::behavior dialer_actor(caf::event_based_actor* self, dialing attempt);

} // namespace continuo::nodes
