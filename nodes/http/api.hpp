#pragma once

#include "nodes/http/server.hpp"

#include <functional>
#include <memory>
#include <string>

namespace continuo::detail {
class node_runtime;
}

namespace continuo::http {

class desk;

/// The HTTP interface of a node (docs/http.md): finds the call that a request is, and who may make it. What
/// has to read the store runs on threads of its own. The node may end while answers are under way; they then
/// say so.
class api {
public:
  /// @param token what clients must send as a bearer token; empty: nothing
  /// @param jobs where what may block runs in place of threads; empty: threads
  api(std::weak_ptr<detail::node_runtime> node, std::string token,
      std::function<void(std::function<void()>)> jobs = {});

  /// Waits for answers that are being made.
  ~api();

  /// Starts the threads on which answers are made, which else are started by the first that needs one.
  /// `errc::overloaded` where the system has none.
  result<void> start();

  api(const api&) = delete;
  api& operator=(const api&) = delete;

  /// What a server is to be given. The token is looked at by `admits`, and nowhere else.
  admission admits() const;
  handler answers() const;

  /// Answers what other nodes pass on, from bytes to bytes; they have shown who they are. It may be called
  /// when this object is gone.
  std::function<void(std::string, std::function<void(std::string)>)> answers_peers() const;

  /// Answers clients of this process, from any thread, at once or later; never blocks. What they ask is
  /// `request::in_bytes`. It may be called when this object is gone.
  handler answers_clients() const;

private:
  std::shared_ptr<desk> desk_;
  std::string token_;
};

} // namespace continuo::http
