#pragma once

#include "actors/core.hpp"
#include "nodes/survey.hpp"

#include <cstdint>
#include <string>

namespace continuo::detail {
class node_runtime;
}

namespace continuo::nodes {

/// A node's figures in the text format of Prometheus, version 0.0.4; docs/metrics.md says what each is. Reads
/// counters and looks at the journal's files: milliseconds. Any thread. @pre `shared` is open
std::string metrics_text(const actors::core& shared, const detail::node_runtime& node, const survey& counted);

/// Memory of the process that is in RAM.
std::uint64_t resident_bytes();

} // namespace continuo::nodes
