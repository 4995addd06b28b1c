#pragma once

#include <continuo/result.hpp>

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>

#include <cstddef>
#include <functional>

namespace continuo::nodes {

/// Starts what a node without TLS listens with for its peers: CAF's middleman actor, but for its doors,
/// through which come no more connections at a time than `at_most`. Beyond it the oldest one that has not
/// said anything yet is dropped, and where there is none the new one: else whoever connects takes all
/// descriptors of the process, and the journal could open no file. Takes `publish_atom`. Where it ends
/// otherwise than in order it calls `failed`, from any thread. Null where the system has a network of its
/// own.
caf::actor start_plain_doors(caf::actor_system& system, std::size_t at_most,
                             const std::function<void(const error&)>& failed);

} // namespace continuo::nodes
