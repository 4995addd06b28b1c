#pragma once

#include "actors/light.hpp"

namespace continuo::actors {

// What a shard does with the schedules that live in it. They are light endpoints: read from the store when
// their time comes, as the timers actor says, and gone from memory with the write.

/// The node starts: what is defined for the schedule holds from now on; without a definition it ends.
struct define_schedule {};

void give(shard* self, core& shared, const instance_id& id, slot& at, define_schedule);
void give(shard* self, core& shared, const instance_id& id, slot& at, const look_at_schedule& look);
void give(shard* self, core& shared, const instance_id& id, slot& at, operate_schedule& request);

} // namespace continuo::actors
