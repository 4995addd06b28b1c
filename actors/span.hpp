#pragma once

#include <continuo/context.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace continuo::actors {

/// What was done for one message that belongs to a trace: one transition, or one command in execution. Told
/// when it is durable.
struct span {
  std::string parent; ///< the `traceparent` that the message carried; its own where it begins the trace
  std::uint64_t id = 0;
  bool begins = false; ///< the trace: it has no parent
  std::string name;    ///< "fulfilment start"
  time_point began{};
  time_point ended{};
  bool failed = false;
  std::vector<std::pair<std::string, std::string>> attributes;
};

} // namespace continuo::actors
