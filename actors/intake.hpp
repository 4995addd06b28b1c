#pragma once

#include "actors/core.hpp"
#include "engine/remembered_key.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace continuo::actors {

struct intake_state {
  std::deque<publish> waiting;                                      ///< for room
  std::unordered_map<std::string, engine::remembered_key> new_keys; ///< on their way to the disk
  /// Who has used one of these again: answered with the first one, when that is durable or refused.
  std::unordered_map<std::string, std::vector<std::function<void(const result<void>&)>>> repeats;
  bool is_over = false; ///< the node stops, or has failed
  bool is_open = false;
  error closed{errc::unavailable, "the node has not started"};
  static inline const char* name = "continuo.intake";
};

/// The actor at which events and commands of clients arrive, in order. It refuses what cannot be, and starts
/// beyond the node's bounds (accepted work goes on), answers what was accepted under the same key before, and
/// hands the rest to a shard, which writes the record.
caf::behavior intake_actor(caf::stateful_actor<intake_state>* self, std::shared_ptr<core> shared);

} // namespace continuo::actors
