#pragma once

#include "actors/core.hpp"

namespace continuo::nodes {

/// Makes the store's index of what is owed to which peer (`engine::owed_key`) anew where the store has none,
/// or one that was made for another cluster file. Reads all records then, and commits a portion at a time;
/// after a crash the next start begins again. `errc::unavailable` where the node is stopped meanwhile, else
/// the store's errors.
/// @pre the placement and the stores of the peers are known, and nothing writes records yet: a link that is
/// up before the index is true would leave something out
result<void> index_what_is_owed(actors::core& shared);

} // namespace continuo::nodes
