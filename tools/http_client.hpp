#pragma once

#include "config/cluster_file.hpp"

#include <continuo/result.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace continuo::tools {

/// A node to be asked, and how.
struct node_address {
  std::string host;
  std::uint16_t port = 0;
  std::filesystem::path token_file{};        ///< whose token goes with each call; empty: none
  bool token_may_be_missing = false;         ///< then none goes with it
  bool token_is_chosen = false;              ///< by an argument or the environment, for whoever answers
  std::optional<config::http_trust> trust{}; ///< empty: plain HTTP
};

/// Where the node of a cluster file is asked, with its token. @pre it has an HTTP address
node_address address_of(const config::node_entry& node);

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

/// One call over a connection of its own. `errc::invalid_configuration` where the token or the authority
/// cannot be read, `errc::conflict` where whoever answers does not show the certificate that is wanted: it
/// has got neither token nor request then. `errc::unavailable` where nobody answers in time. Blocks for at
/// most `patience`.
result<http_answer> http_call(const node_address& at, const http_request& asked,
                              std::chrono::milliseconds patience);

result<http_answer> http_get(const node_address& at, const std::string& target,
                             std::chrono::milliseconds patience);

/// A call whose answer has no end: `take` gets its body part by part, while the status is 200. Gives the
/// status and body of another answer; `errc::unavailable` where nobody answers in time, or the connection
/// ends.
/// @param patience until the answer begins; afterwards there is no limit
result<http_answer> http_stream(const node_address& at, const http_request& asked,
                                std::chrono::milliseconds patience,
                                const std::function<void(std::string_view)>& take);

/// Takes `http://HOST:PORT`, `https://HOST:PORT`, `HOST:PORT` or `[::1]:PORT` apart. Of https the certificate
/// must be for HOST, from an authority that the system knows. `errc::invalid_configuration` says what would
/// be right.
result<node_address> read_node_address(std::string_view text);

/// `HOST:PORT`, an IPv6 address in brackets.
std::string text_of(const node_address& at);

/// The same with `http://` or `https://` before it.
std::string url_of(const node_address& at);

} // namespace continuo::tools
