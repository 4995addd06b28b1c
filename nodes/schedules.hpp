#pragma once

#include "actors/core.hpp"

#include <continuo/cluster.hpp>
#include <continuo/schedule.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace continuo::nodes {

/// The node on which a schedule lives: the same for every node of the cluster, by rendezvous hashing of its
/// name over all of them. Another list of nodes may move it: it then begins on the other node as a new one.
/// @pre the cluster has nodes
const std::string& home_of_schedule(std::string_view name, const cluster_config& cluster);

/// Checks all schedules that the program and the configuration have, and gives `shared` those of this node,
/// with their time zones. What is wrong, one sentence each that says where and what would be right.
/// @pre routes and types are filled
std::vector<std::string> take_schedules(const std::vector<schedule>& all, std::string_view here,
                                        actors::core& shared);

} // namespace continuo::nodes
