#pragma once

#include "config/known_keys.hpp"

#include <continuo/result.hpp>

#include <caf/config_value.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace continuo::config {

/// Reads the text of a value with CAF's parser and checks that it is what `key` asks for. What is given back
/// has one type for each kind: a string (text, name, path, address, url, choice), a bool, an integer (number,
/// and size in bytes), a `caf::timespan`, a list of strings. Errors: the message says what is wrong and what
/// would be right, without the place, as in `it is 10, without a unit; write 10s or 10ms`.
/// @pre `key.kind` is neither `environment` nor `refused`
result<caf::config_value> read_value(const known_key& key, std::string_view text);

/// Reads a string that is not empty, or with `or_empty` any string.
result<std::string> read_text(std::string_view text, bool or_empty = false);

/// Whether `text` is of 1 to 64 letters, digits, `-` and `_`.
bool is_name(std::string_view text);

/// A host with a port.
struct endpoint {
  std::string host; ///< of IPv6 without brackets
  std::uint16_t port = 0;
  bool loopback = false;
  bool any = false; ///< it stands for every address of a machine: `0.0.0.0`, `::`
  std::string key;  ///< equal for two endpoints that are written differently and mean the same
};

/// Takes `"127.0.0.1:4701"`, `"[::1]:4701"` or `"localhost:4701"` apart. Errors: as `read_value`; no port,
/// port 0, what is no host name.
result<endpoint> read_endpoint(std::string_view text);

} // namespace continuo::config
