#pragma once

#include "nodes/http/endpoint.hpp"

#include <continuo/context.hpp>
#include <continuo/definition.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace continuo::http {

/// `url` with a command's type behind it, as the URL to which commands of a service's own URL are sent.
std::string url_of(std::string_view url, std::string_view command_type);

/// What an answer means for the command that was sent: a reply (2xx), declined (422 with a reason), else an
/// error that names the URL, the status and how the body begins.
result<detail::handled> outcome_of(const std::string& url, const message_type& reply,
                                   const post_answer& answer);

/// The calls that a node's HTTP services make.
class outgoing {
public:
  /// Makes `handler.run` a POST to `handler.url` that takes at most `timeout`. What it is stopped in the
  /// middle of is `errc::unavailable`, and no attempt.
  /// @pre the URL is one (`config::read_http_url`)
  void serve(detail::command_handler& handler, std::chrono::milliseconds timeout);

  /// Ends all calls at once. Any thread.
  void stop();

private:
  // Services at one address share its connections. Filled before the first call, then only read.
  std::map<std::pair<std::string, std::uint16_t>, std::shared_ptr<endpoint>> endpoints_;
};

} // namespace continuo::http
