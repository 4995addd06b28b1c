#pragma once

#include "tools/node_client.hpp"

namespace continuo::tools {

/// As `timeout` of coreutils.
inline constexpr int exit_not_yet = 124;
inline constexpr int exit_not_asked = 125;

/// Something that ends, and where a node tells of its end.
struct waited_for {
  std::string target;
  std::string name; ///< for people
  std::chrono::milliseconds patience;
  std::string failed; ///< the status with which it has ended badly
};

/// Waits for the end and shows it: as JSON, or with `show`. Gives the exit code: 0 it ended well, 1 badly,
/// 124 it has not ended in time, 125 there is no such thing or no node that answers.
int wait_and_show(const node_client& node, bool as_json, const waited_for& what,
                  const std::function<void(const nlohmann::json&)>& show);

} // namespace continuo::tools
