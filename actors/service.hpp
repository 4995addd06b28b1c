#pragma once

#include "actors/core.hpp"
#include "engine/turnstile.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace continuo::actors {

/// When an attempt has used up its time.
struct deadline {
  engine::boot_time at;
  message_id id;
  std::uint32_t attempt = 0;
};

/// A command or event that stays with its sender for now.
struct put_off_message {
  instance_id from;
  bool unseen = false;    ///< as in `envelope`, when it came first
  bool withdrawn = false; ///< its sender has given it up, and nobody can say whether it had begun
  priority of = priority::normal;
};

/// What a class of commands does not have room for.
struct put_off_line {
  std::deque<message_id> order;                           ///< as they came; all of them are held
  std::unordered_map<message_id, put_off_message> called; ///< called for, and not back yet
};

struct service_state {
  const engine::execution_environment* environment = nullptr;
  service_counters* counts = nullptr;
  std::unordered_map<message_id, std::unique_ptr<engine::execution>> executions;
  std::vector<message_id> adopted;              ///< executions of an earlier life, until the node opens
  std::optional<engine::turnstile> turns;       ///< who waits and runs; what is withdrawn or gone is skipped
  std::optional<engine::boot_time> looks_again; ///< when time may have let somebody start
  std::deque<deadline> deadlines; ///< in order of time, since all attempts have the same timeout
  bool deadline_armed = false;
  std::unordered_map<instance_id, std::set<message_id>>
      events; ///< event executions by sender, until it says `forget`
  /// Executions in which the process has ended before, nobody knows why: those that run within their time,
  /// each with its weight, and those that wait until the rest leaves them room (`suspects_max`).
  std::unordered_map<message_id, unsigned> suspects_running;
  std::vector<engine::turnstile::entry> suspects_waiting;
  /// Commands and events that found no room: they stay with their senders and are called for when there is.
  /// Of other nodes, beyond `limits::commands_held` even the names are left out, and the senders offer all
  /// again.
  std::unordered_map<message_id, put_off_message> held;
  std::array<put_off_line, engine::turnstile::classes> lines; ///< by class, so that none takes another's room
  bool overflowed = false;
  /// Commands that this program does not know. They stay with their senders, and are called for where they
  /// are withdrawn; beyond `limits::commands_held` even the names are left out.
  std::unordered_map<message_id, put_off_message> unknown;
  bool is_open = false; ///< the node has recovered; until then no handler starts
  static inline const char* name = "continuo.service";
};

/// Whether an HTTP endpoint handles that message.
bool calls_http(const engine::execution_environment& environment, const messages::envelope& message);

/// Calls the application's handler of a command or event, on whatever thread this is, with a note in the
/// node's marker. What the handler throws becomes an error.
handler_done run_handler(core& shared, const engine::execution_environment& environment,
                         const instance_id& self, const messages::envelope& message, std::uint32_t attempt,
                         const std::string& key);

/// The actor of one stateless service on one node: it owns the commands in execution, and its turnstile says
/// whose handler may start. A handler with outside effects is reached by the
/// journal alone, when its cause is durable, and runs on the handler pool.
caf::behavior service_actor(caf::stateful_actor<service_state>* self, std::shared_ptr<core> shared,
                            std::string name);

} // namespace continuo::actors
