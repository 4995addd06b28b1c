#pragma once

#include "actors/core.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace continuo::actors {

/// A durable endpoint in memory that needs no actor of its own: one of the three. (actors/light.hpp)
struct light {
  std::unique_ptr<engine::acceptance> accepted;
  std::unique_ptr<engine::letter> letter;
  std::unique_ptr<engine::schedule_machine> schedule;
  bool counted = false;  ///< in flight
  bool ticks = false;    ///< a receipt has changed it, and it is written within a second
  bool recovers = false; ///< the first time since the node started
};

/// What is in memory: an instance's actor, or a light endpoint.
struct slot {
  caf::actor instance;
  std::unique_ptr<light> held;
  std::uint64_t stay = 0;      ///< the number of this time in memory
  std::uint64_t forwarded = 0; ///< messages given to it
  std::list<instance_id>::iterator place;
  bool asked_to_leave = false;
};

/// Who waits for the end of an instance.
struct waiter {
  std::uint64_t number = 0;
  std::function<void(result<saga_result>)> answer;
};

/// Who waits for the outcome of a client's command.
struct command_waiter {
  std::uint64_t number = 0;
  std::function<void(result<std::optional<command_result>>)> answer;
};

struct shard_state {
  std::unordered_map<instance_id, slot> slots;
  std::list<instance_id> recent; ///< the least recently used first
  std::unordered_map<instance_id, std::vector<waiter>> waiters;
  std::unordered_map<message_id, std::vector<command_waiter>> command_waiters;
  std::uint64_t next_number = 0;
  std::uint64_t last_stay = 0;
  std::vector<instance_id> to_tick; ///< have something to write, if they are still here a second later
  std::optional<error> closed;      ///< why nobody is waited for any more
  std::size_t waking = 0;           ///< of a portion of the start-up
  caf::actor starter;               ///< who wants to know that these are awake
  engine::boot_time begun;          ///< when it had its first schedule defined, in this life
  static inline const char* name = "continuo.shard";
};

using shard = caf::stateful_actor<shard_state>;

/// The actor that owns a slice of a node's records, but for commands in execution: it finds, spawns and
/// passivates the instances, and holds the accepted messages and letters itself. Every message for
/// an instance passes here, in order. A message is never lost to passivation: an instance leaves only when it
/// has handled as many messages as its shard gave it, and everything it wrote is durable.
caf::behavior shard_actor(caf::stateful_actor<shard_state>* self, std::shared_ptr<core> shared);

} // namespace continuo::actors
