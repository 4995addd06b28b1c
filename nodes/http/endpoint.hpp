#pragma once

#include <continuo/result.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace continuo::http {

/// The largest answer that is taken, in bytes.
inline constexpr std::size_t answer_header_bytes_max = 16u << 10;
inline constexpr std::size_t answer_body_bytes_max = 2u << 20;

struct post_request {
  std::string target; ///< path and query, encoded
  std::string body;   ///< JSON
  std::vector<std::pair<std::string, std::string>> headers{};
};

struct post_answer {
  unsigned status = 0;
  std::string body;
};

/// A server that is called: its address, and the connections to it that are kept for further calls, as many
/// as ever were in use at a time. Any thread may call it; each call has a connection to itself.
class endpoint {
public:
  endpoint(std::string host, std::uint16_t port);

  /// @pre no call runs
  ~endpoint();
  endpoint(const endpoint&) = delete;
  endpoint& operator=(const endpoint&) = delete;

  /// Sends the request and waits for the answer to it, for at most `timeout` in all: looking up the name,
  /// connecting, sending, and all of the answer. Redirects are not followed. Where a kept connection turns
  /// out to be closed before anything of an answer came, the request is sent once more on a new one.
  ///
  /// Errors, each a sentence without the URL: `timed_out`; `unavailable` after `stop`; else `handler_failed`,
  /// where there is no connection, no whole answer, no HTTP, or too much of it.
  result<post_answer> post(const post_request& request, std::chrono::milliseconds timeout);

  /// Ends all calls at once, those that run and those to come.
  void stop();

private:
  class connection;
  class use;
  using time_point = std::chrono::steady_clock::time_point;

  std::unique_ptr<connection> take_kept();
  void keep(std::unique_ptr<connection> used);

  const std::string host_;
  const std::uint16_t port_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_; // guards what follows
  std::set<connection*> in_use_;
  std::vector<std::unique_ptr<connection>> kept_;
};

} // namespace continuo::http
