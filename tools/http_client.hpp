#pragma once

#include <continuo/cluster.hpp>
#include <continuo/result.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace continuo::tools {

struct http_request {
  std::string method = "GET";
  std::string target = "/"; ///< path and query, percent-encoded
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body; ///< JSON; empty: none
};

struct http_answer {
  unsigned status = 0;
  std::string body;
  std::string retry_after{}; ///< the header, empty where there is none
};

/// One call over a connection of its own. Where the address has a token file, its token goes with the call:
/// `errc::invalid_configuration` where it cannot be read. `errc::unavailable` where nobody answers in time.
/// Blocks for at most `patience`.
result<http_answer> http_call(const http_address& at, const http_request& asked,
                              std::chrono::milliseconds patience);

result<http_answer> http_get(const http_address& at, const std::string& target,
                             std::chrono::milliseconds patience);

/// A call whose answer has no end: `take` gets its body part by part, while the status is 200. Gives the
/// status and body of another answer; `errc::unavailable` where nobody answers in time, or the connection
/// ends.
/// @param patience until the answer begins; afterwards there is no limit
result<http_answer> http_stream(const http_address& at, const http_request& asked,
                                std::chrono::milliseconds patience,
                                const std::function<void(std::string_view)>& take);

/// Takes `http://HOST:PORT`, `HOST:PORT` or `[::1]:PORT` apart. `errc::invalid_configuration` says what would
/// be right.
result<http_address> read_http_address(std::string_view text);

/// `HOST:PORT`, an IPv6 address in brackets.
std::string text_of(const http_address& at);

} // namespace continuo::tools
