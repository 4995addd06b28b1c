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

/// The way to the peers over CAF's middleman. `errc::invalid_configuration` where the system has none.
/// `strangers` bounds connections under TLS that came in and have not said anything yet. Where
/// one of its actors ends otherwise than in order it calls `failed`, from any thread.
result<std::shared_ptr<actors::connector>>
make_middleman_connector(caf::actor_system& system, const cluster_config& cluster, const std::string& here,
                         std::size_t strangers, const std::function<void(const error&)>& failed);

} // namespace continuo::nodes
