#pragma once

#include "engine/record.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

/// What one message did to one instance: the engine's answer to the actor that holds it.
///
/// decide -> apply -> act: the engine changes its record and says what follows; the actor hands the write to
/// the journal first, then acts. What a transition sends to handlers with outside effects, and what it tells
/// anybody outside the node, goes with the write and is released by the journal when it is durable.
namespace continuo::engine {

enum class write_kind : std::uint8_t {
  none,
  put,
  erase,
};

/// What became of the command, or event, that a service had to handle.
enum class settlement : std::uint8_t {
  none, ///< it is not over, or was withdrawn
  completed,
  declined, ///< by the handler
  gave_up,  ///< its last attempt failed, or a person discarded it
};

/// Whether it is not the handler that failed, but this program that does not know the message: a type, or a
/// newer version of one, that a node with another program sent. It waits for such a program here.
inline bool is_unknown_here(const error& why) {
  return why.code == errc::unknown_type || why.code == errc::newer_version;
}

/// A further record of the same write, and the peers to which it owes something.
struct further_record {
  record stored;
  std::vector<std::string> owed_now;
};

/// An entry of a workflow, as the store has it.
struct stored_entry {
  std::string key;
  std::string value;
};

/// Of a transition that deletes the history of its instance: no revision gets there.
constexpr std::uint64_t whole_history = ~std::uint64_t{0} - 1;

struct transition {
  const char* edge = ""; ///< the row of the table that was taken
  write_kind write = write_kind::none;
  bool created = false; ///< the first put of this record's life
  std::optional<history_entry> history;
  std::uint64_t history_up_to = 0;   ///< the instance's history up to this revision is deleted; 0: none of it
  std::vector<stored_entry> entries; ///< of a workflow, that come with the write
  std::optional<std::uint64_t> life_over; ///< the entries of this life (`entry_key`) are deleted
  std::vector<std::string> indexed;       ///< keys of the expiry index that come with the write
  std::vector<std::string> unindexed;     ///< and those that go
  std::vector<envelope> sent;             ///< inside the node, at once; in order
  std::vector<envelope> released;         ///< only when this transition is durable; in order
  std::vector<messages::receipt> receipts;
  std::vector<messages::call_for> calls;
  std::vector<timer> armed;
  std::vector<message_id> disarmed;
  std::optional<std::chrono::milliseconds>
      try_again;                           ///< the message put off by a failed handler, after this delay
  std::vector<record> dead_letters;        ///< further records of the same write
  std::optional<further_record> handed_on; ///< what a letter's message goes on as
  std::vector<std::string> owed_now;       ///< peers to which the record owes something since this write
  std::vector<std::string> owed_no_more;   ///< peers to which it owes nothing any more
  bool ended = false;                      ///< became terminal
  std::string trace{};                     ///< of the message that was handled, as it carried it; empty: none
  settlement settled = settlement::none;
  result<void> verdict; ///< of an operator's verb; of what this program does not know, why not; of an attempt
                        ///< that failed and is made again, why
};

} // namespace continuo::engine
