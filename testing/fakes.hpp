#pragma once

#include "messages/envelope.hpp"

#include <continuo/testing.hpp>

#include <chrono>
#include <deque>
#include <map>
#include <string>
#include <vector>

namespace continuo::testing {

/// What a fake was told, and what it was asked. Outlives the nodes that it stands in.
struct fake_base::state {
  std::string command;
  std::string service;
  std::deque<step> script;
  step otherwise;
  std::chrono::nanoseconds takes{0};
  std::vector<call> calls;
  std::map<message_id, step> begun; ///< calls that have not come to their handler yet

  /// A call begins: what will be done is decided now. @return after which time it runs
  std::chrono::nanoseconds begins(const messages::envelope& message, bool& hangs);

  result<continuo::detail::handled> run(const std::string& node, std::string_view payload,
                                        command_context& context);
};

} // namespace continuo::testing
