#pragma once

namespace caf {
class actor_system;
class actor_system_config;
} // namespace caf

/// The names under which `top -H`, gdb and /proc show the threads of a node.
namespace continuo::nodes {

/// Names the calling thread. @pre `name` has at most 15 characters
void name_thread(const char* name);

/// CAF gives its workers and its network's thread the same name. Of a system made with this configuration the
/// workers are called `caf.worker`, and so is the network's thread until `name_network_thread` is called.
void name_workers(caf::actor_system_config& config);

/// Calls the thread of the system's middleman, if it has one, `caf.network`.
void name_network_thread(caf::actor_system& system);

} // namespace continuo::nodes
