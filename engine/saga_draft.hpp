#pragma once

#include "engine/saga_machine.hpp"
#include "engine/trace.hpp"

#include <utility>

// Private to the saga machine's own files.
namespace continuo::engine {

/// A transition in the making: what has been decided so far, and the numbers from which ids are made.
struct saga_machine::draft {
  draft(const moment& present, std::uint64_t number, std::uint64_t store)
      : now(present), revision(number), store_id(store) {}

  const moment& now;
  std::uint64_t revision;
  std::uint64_t store_id;
  std::uint32_t index = 0;
  transition out;
  std::optional<noted_message> in;
  std::vector<noted_message> noted;
  std::string note;
  std::string trace; ///< for what the transition sends
  bool keep_history = true;

  message_id next_id() { return {store_id, revision, index++}; }

  /// `answered` is the type of the command that it answers, if it does.
  void note_in(const envelope& message, std::string answered) {
    in = noted_message{message.kind,    message.id,          message.from,       message.type,
                       message.payload, message.in_reply_to, std::move(answered)};
    trace = trace_behind(message.trace, span_of_transition(store_id, revision));
    out.trace = message.trace;
  }

  /// Sends it at once, or with the write where the receiver has effects outside.
  void send(envelope message, bool effects) {
    noted.push_back(
        {message.kind, message.id, message.to, message.type, message.payload, message.in_reply_to, {}});
    (effects ? out.released : out.sent).push_back(std::move(message));
  }

  /// A command is answered by a reply, and never by a receipt, unless nobody waits for it.
  void done(const envelope& message) {
    if (message.kind != message_kind::command || message.told) {
      mailbox::done(message, out);
    }
  }
};

struct saga_machine::plan {
  detail::intents asked;
  std::vector<std::vector<destination>> destinations; // one list for each of asked.messages
  std::string state;                                  // the saga's new state, in bytes
};

} // namespace continuo::engine
