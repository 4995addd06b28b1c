#pragma once

#include "actors/core.hpp"

#include <caf/behavior.hpp>
#include <caf/event_based_actor.hpp>

#include <chrono>
#include <memory>

namespace continuo::nodes {

/// The actor that looks, now and then, for ended instances and clients' commands that were kept long enough,
/// and has them deleted. It reads the store, so it has a thread of its own. On this it may also look, each
/// second, for handlers that have run on the node's workers for longer, and log them.
caf::behavior sweeper_actor(caf::event_based_actor* self, std::shared_ptr<actors::core> shared,
                            std::chrono::hours keep, std::chrono::milliseconds every, bool looks_at_handlers);

} // namespace continuo::nodes
