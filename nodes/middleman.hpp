#pragma once

#include "actors/core.hpp"

#include <continuo/cluster.hpp>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <functional>
#include <memory>
#include <string>

namespace continuo::nodes {

/// Loads CAF's middleman, and its TLS where the cluster uses it, into the configuration of a system that a
/// node of the cluster will run on.
void configure_middleman(caf::actor_system_config& config, const cluster_config& cluster);

/// Ends the broker of CAF's middleman as CAF's destructor would, and closes its mailbox, which CAF 0.17.6
/// forgets: what comes in afterwards (its own tick, the end of what a peer watches) would stay there, and
/// keep the broker and all that it knows in memory for ever. Only for a system that ends next, from a thread
/// that is not its own.
void end_broker(caf::actor_system& system);

/// The way to the peers over CAF's middleman. `errc::invalid_configuration` where the system has none.
/// `strangers` bounds connections that came in and are nobody's yet: under TLS those that have not said
/// anything, without it all that are more than two of each peer. Where one of its actors ends otherwise than
/// in order it calls `failed`, from any thread; with `log` it says what somebody should know of peers and
/// certificates.
result<std::shared_ptr<actors::connector>>
make_middleman_connector(caf::actor_system& system, const cluster_config& cluster, const std::string& here,
                         std::size_t strangers, const std::function<void(const error&)>& failed,
                         const std::function<void(log_level, const std::string&)>& log);

} // namespace continuo::nodes
