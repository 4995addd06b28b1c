#pragma once

#include "actors/core.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <list>
#include <memory>
#include <set>
#include <unordered_map>
#include <vector>

namespace continuo::actors {

/// An instance in memory.
struct slot {
  caf::actor instance;
  std::uint64_t forwarded = 0; ///< messages given to it
  std::list<instance_id>::iterator place;
  bool asked_to_leave = false;
};

/// Who waits for the end of an instance.
struct waiter {
  std::uint64_t number = 0;
  std::function<void(result<saga_result>)> answer;
};

struct shard_state {
  std::unordered_map<instance_id, slot> slots;
  std::list<instance_id> recent;    ///< the least recently used first
  std::set<instance_id> to_recover; // in order: every run of a simulation wakes them alike
  std::unordered_map<instance_id, std::vector<waiter>> waiters;
  std::uint64_t next_number = 0;
  std::vector<instance_id> to_tick; ///< have something to write, if they are still here a second later
  static inline const char* name = "continuo.shard";
};

/// The actor that owns a slice of a node's instances: it finds, spawns and passivates them. Every message for
/// an instance passes here, in order. A message is never lost to passivation: an instance leaves only when it
/// has handled as many messages as its shard gave it, and everything it wrote is durable.
caf::behavior shard_actor(caf::stateful_actor<shard_state>* self, std::shared_ptr<core> shared);

} // namespace continuo::actors
