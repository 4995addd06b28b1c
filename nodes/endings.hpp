#pragma once

#include "nodes/ending.hpp"

#include <memory>

namespace continuo::nodes {

/// Has the process, where it ends in order (`main` returns, or `exit` is called) while a node is at its end,
/// wait for that end before statics are destroyed that it works with: for code of the application no longer
/// than five seconds, and not at all where that code is what calls `exit`. Any thread.
void outlast(const std::shared_ptr<ending>& one);

} // namespace continuo::nodes
