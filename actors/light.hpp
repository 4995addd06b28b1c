#pragma once

#include "actors/shard.hpp"

namespace continuo::actors {

// What a shard does with the durable endpoints that need no actor of their own: events and commands accepted
// from clients, and dead letters. They are read from the store when something comes for them, as instances
// are, count among those in memory, and leave like them.

/// Whether an endpoint of this kind is one.
bool is_light(const instance_id& id);

/// Takes a client's event or command. Returns what goes to instances of this shard, for whom it is the next
/// thing that happens: their first write then has a chance to share the sync of this one.
std::vector<messages::envelope> take(shard* self, core& shared, accept& wanted);

/// Brings one into memory; null where its record cannot be read, which ends the node.
std::unique_ptr<light> load_light(const core& shared, const instance_id& id);

void give(shard* self, core& shared, const instance_id& id, slot& at, const messages::envelope& message);
void give(shard* self, core& shared, const instance_id& id, slot& at, const messages::receipt& receipt);
void give(shard* self, core& shared, const instance_id& id, slot& at, const messages::call_for& call);
void give(shard* self, core& shared, const instance_id& id, slot& at, const move_command& request);
void give(shard* self, core& shared, const instance_id& id, slot& at, const expire& request);
void give(shard* self, core& shared, const instance_id& id, slot& at, redrive& request);
void give(shard* self, core& shared, const instance_id& id, slot& at, discard_letter& request);
void give(shard* self, core& shared, const instance_id& id, slot& at, await_command& asks);
void give(shard* self, core& shared, const instance_id& id, slot& at, wake);
void give(shard* self, core& shared, const instance_id& id, slot& at, tick);

/// Offers to leave memory, where nothing holds it there.
void ask_to_leave(shard* self, core& shared, const instance_id& id, slot& at);

void on_await_command_over(shard* self, const await_command_over& over);

} // namespace continuo::actors
