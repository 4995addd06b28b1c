#pragma once

#include "actors/core.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <map>
#include <memory>
#include <set>
#include <string>

namespace continuo::nodes {

/// Fills the board with what the store has. Before the actors run.
result<void> read_pauses(actors::core& shared);

struct pauses_state {
  /// The last word of each service that is durable, or on its way to be.
  std::map<std::string, engine::service_pause, std::less<>> last;
  std::set<std::string> tells_again; ///< peers that are told again in a moment
  static inline const char* name = "continuo.pauses";
};

/// The actor that hears what operators say of services: it has the newest word written, then puts it on the
/// board and tells the service, and tells all that it knows to each peer with which a connection begins. A
/// peer that takes no calls yet is told again each second, for as long as it is up.
caf::behavior pauses_actor(caf::stateful_actor<pauses_state>* self, std::shared_ptr<actors::core> shared);

} // namespace continuo::nodes
