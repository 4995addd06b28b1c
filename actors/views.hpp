#pragma once

#include "actors/core.hpp"

#include <continuo/client.hpp>

namespace continuo::actors {

/// What people see of a record.
/// Without its state, which may be large, where a list needs none.
instance_view view_of(const engine::record& stored, const core& shared, bool with_state = true);
history_view view_of(const engine::history_entry& stored, const core& shared);
dead_letter_view letter_view_of(const engine::record& stored, const core& shared);

/// What can wake an instance; empty only for a terminal one.
std::vector<cause> causes_of(const engine::record& stored, const engine::routing_table& routes);

/// The error for an instance that is not there.
tl::unexpected<error> not_found(const instance_id& id);

} // namespace continuo::actors
