#pragma once

#include "actors/core.hpp"
#include "engine/correspondence.hpp"
#include "engine/remembered_key.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace continuo::actors {

/// A client's event or command that is not done with: its record, and what it has yet to say to others.
struct accepted_message {
  explicit accepted_message(engine::record of) : stored(std::move(of)) {}

  engine::record stored;
  engine::correspondence mail{stored};
  std::function<void(result<command_result>)> answer; // of a command; lost in a crash, with the client
  /// Who asked for the outcome later, by number.
  std::vector<std::pair<std::uint64_t, std::function<void(result<std::optional<command_result>>)>>> waiters;
  bool parked = false; // not counted in flight: it was brought back for a receipt
};

struct intake_state {
  std::unordered_map<message_id, std::unique_ptr<accepted_message>> messages;
  std::deque<publish> waiting;                                      ///< for room
  std::unordered_map<std::string, engine::remembered_key> new_keys; ///< on their way to the disk
  std::uint64_t last_waiter = 0;
  bool is_open = false;
  bool disk_low = false;
  error closed{errc::unavailable, "the node has not started"};
  static inline const char* name = "continuo.intake";
};

/// The actor that takes events and commands from clients. Each accepted one is a record of its own, durable
/// before the client is answered, and kept until its receivers have it. It refuses starts beyond the node's
/// bounds; accepted work goes on.
caf::behavior intake_actor(caf::stateful_actor<intake_state>* self, std::shared_ptr<core> shared);

} // namespace continuo::actors
