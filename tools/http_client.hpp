#pragma once

#include <continuo/cluster.hpp>
#include <continuo/result.hpp>

#include <chrono>
#include <string>

namespace continuo::tools {

struct http_answer {
  unsigned status = 0;
  std::string body;
};

/// One GET over a connection of its own. `errc::unavailable` where nobody answers in time. Blocks for at most
/// `patience`.
result<http_answer> http_get(const http_address& at, const std::string& target,
                             std::chrono::milliseconds patience);

/// One POST of JSON, in the same way; with an empty `token` without `Authorization`.
result<http_answer> http_post(const http_address& at, const std::string& target, std::string body,
                              const std::string& token, std::chrono::milliseconds patience);

} // namespace continuo::tools
