#pragma once

#include <continuo/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace continuo::config {

/// A URL that commands are sent to, taken apart.
struct http_url {
  std::string host; ///< of IPv6 without brackets
  std::uint16_t port = 80;
  std::string target = "/"; ///< the path, encoded, and the query where there is one
};

/// Takes `http://HOST[:PORT][/PATH]` apart. Errors (`invalid_configuration`): no scheme, or another one than
/// http; a user name; a host or port that is none; characters that a URL has to encode; a fragment. The
/// message says what is wrong and what would be right, as those of `read_value`.
result<http_url> read_http_url(std::string_view text);

/// Letters, digits and `-._~`: what stands in a URL as it is (RFC 3986, 2.3).
bool is_unreserved(char letter);

/// The text with `%XX` for each byte that `plain` does not take.
std::string percent_encoded(std::string_view text, bool (*plain)(char letter) = is_unreserved);

} // namespace continuo::config
