#pragma once

#include "journal/store.hpp"

#include <continuo/message_type.hpp>

namespace continuo::nodes {

/// Compares how this program writes its types with how the store has them, and keeps what is new. It is to
/// run before anything reads a record. `errc::invalid_definition` with one line for each type of which stored
/// bytes would be misread, or not read at all; nothing is written then. Blocks for a sync where something is
/// new.
result<void> check_layouts(journal::store& store, const message_registry& types);

} // namespace continuo::nodes
