#pragma once

#include "actors/core.hpp"
#include "journal/store.hpp"

#include <memory>

namespace spdlog {
class logger;
}

namespace continuo::testing {

class simulation;
struct member;

// What a simulated node is given in place of the machine's. All of it asks the simulation.

std::shared_ptr<const actors::clock> clock_of(const simulation& world, const member& of);

std::shared_ptr<actors::handler_pool> pool_of(simulation& world, member& of);

/// Opens the node's disk; its syncs are points in the run.
std::shared_ptr<journal::store> store_of(simulation& world, member& of);

/// What the node logs, from warnings on, is part of the trace.
std::shared_ptr<spdlog::logger> logger_of(simulation& world, const member& of);

} // namespace continuo::testing
