#pragma once

#include "actors/core.hpp"

#include <string_view>
#include <vector>

namespace continuo::nodes {

/// Runs what was running when the process ended, each alone, before anything else runs: a handler that ends
/// the process is found in this way. Each death while alone is counted durably before the handler runs; after
/// the third the instance is `stuck`, and the node comes up without it. Writes to the store directly, and
/// sends nothing: what the handlers ask for stands in their records, from where recovery sends it.
result<std::uint64_t> run_suspects(actors::core& shared, const std::vector<actors::suspect>& found);

/// Why a start ends at a record whose bytes `decode` refused: names the place.
error unreadable_record(std::string_view key, const error& why);

} // namespace continuo::nodes
