#pragma once

#include <continuo/node.hpp>

#include <string>
#include <vector>

namespace continuo::nodes {

/// What is wrong with the durations of a configuration: which, what it is, and what it may be. Those of a
/// cluster file are bounded where it is read; a program may set any.
std::vector<std::string> objections_to_times(const node_config& config);

} // namespace continuo::nodes
