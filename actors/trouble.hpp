#pragma once

#include <continuo/result.hpp>

#include <caf/scheduled_actor.hpp>

#include <functional>

namespace continuo::actors {

/// Ends the node, by `failed`, where one of its own actors throws, gets a message that it does not know, or
/// an error: it would end otherwise than in order, and the process is the unit of repair.
void fail_node_on_trouble(caf::scheduled_actor* self, std::function<void(const error&)> failed);

} // namespace continuo::actors
