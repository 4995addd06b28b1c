#pragma once

#include "actors/core.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <memory>
#include <string>
#include <unordered_map>

namespace continuo::actors {

struct letters_state {
  /// Letters being redriven: their message is on its way, and its outcome ends the letter.
  std::unordered_map<std::string, engine::record> redriven;
  static inline const char* name = "continuo.letters";
};

/// The actor of the dead letters. A letter is a record that whoever gave up on the message wrote; this actor
/// redrives or discards it. A redrive is a new message, sent once, by the letter's own record.
caf::behavior letters_actor(caf::stateful_actor<letters_state>* self, std::shared_ptr<core> shared);

} // namespace continuo::actors
