#pragma once

#include "actors/core.hpp"

#include <vector>

namespace continuo::nodes {

/// Counts, in the records of what was running when the process ended, that it did: durably, before any of it
/// runs again. It does so beside everything else when the node is ready; a handler that ends the process is
/// found in this way, and after the third such death its instance is `stuck`, and the node comes up without
/// it. Writes to the store directly, and sends nothing: what is to run again stands in the records, from
/// where recovery takes it. How many there were.
result<std::uint64_t> count_suspects(actors::core& shared, const std::vector<actors::suspect>& found);

} // namespace continuo::nodes
