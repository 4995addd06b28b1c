#pragma once

#include "actors/core.hpp"
#include "actors/link.hpp"

/// Which commands leave a peer that is down for another node of their service. The link asks the instance
/// that sent a command (`move_command`), which decides and writes; until that is durable the link leaves the
/// command out of what it sends, so that no two nodes get it from one misunderstanding. On the link's own
/// thread.
namespace continuo::actors {

/// The peer is down from now on: what was sent up to here may have reached it.
void begin_to_move(link_state& state, const core& shared);

/// Begins to look for commands that may leave a peer that is down, whenever there is a new place for them or
/// a new reason. Cheap otherwise.
void look_for_moves(caf::stateful_actor<link_state>* self, const core& shared);

/// Reads some of the records, and asks; goes on when all that was asked for is answered.
void move_some(caf::stateful_actor<link_state>* self, core& shared);

} // namespace continuo::actors
