#pragma once

#include "actors/core.hpp"

#include <caf/behavior.hpp>
#include <caf/event_based_actor.hpp>

#include <memory>

namespace continuo::actors {

/// The one actor of a node that peers can address before they know any other: it hands a hello to the link of
/// the node that says it.
caf::behavior gate_actor(caf::event_based_actor* self, std::shared_ptr<core> shared);

} // namespace continuo::actors
