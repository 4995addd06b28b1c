#pragma once

#include "nodes/http/server.hpp"

#include <memory>

namespace continuo::detail {
class node_runtime;
}

namespace continuo::http {

/// The calls of a node's HTTP interface, `/api/v1/...`. What has to read the store runs on a thread of its
/// own. The node may end while answers are under way; they then say so.
class api {
public:
  explicit api(std::weak_ptr<detail::node_runtime> node);

  /// Waits for an answer that is being made.
  ~api();

  api(const api&) = delete;
  api& operator=(const api&) = delete;

  /// What a server is to be given. It lives as long as this object.
  handler answers();

private:
  class calls;
  std::shared_ptr<calls> calls_;
};

} // namespace continuo::http
