#pragma once

#include "actors/core.hpp"

#include <vector>

namespace continuo::nodes {

/// Runs what was running when the process ended, each alone, before anything else runs: a handler that ends
/// the process is found in this way. Each death while alone is counted durably before the handler runs; after
/// the third the instance is `stuck`, and the node comes up without it. Writes to the store directly, and
/// sends nothing: what the handlers ask for stands in their records, from where recovery sends it.
result<std::uint64_t> run_suspects(actors::core& shared, const std::vector<actors::suspect>& found);

} // namespace continuo::nodes
