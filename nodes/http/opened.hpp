#pragma once

#include "nodes/http/desk.hpp"
#include "nodes/runtime.hpp"

namespace continuo::http {

/// A node that stays open as long as this lives: short, since the node cannot stop meanwhile.
struct desk::opened {
  std::shared_ptr<detail::node_runtime> node;
  detail::open_node core;
};

} // namespace continuo::http
