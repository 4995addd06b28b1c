#pragma once

#include "engine/dead_letter.hpp"
#include "engine/mailbox.hpp"
#include "engine/routing.hpp"

#include <optional>
#include <span>
#include <string>

// The state machine of a dead letter. Whoever gave up on the message wrote its record.
//
// clang-format off
//   edge          from       message                                   to
//   redrive       waiting    operator                                  under way, as a new message of the letter's own;
//                                                                      absent where that belongs to another node
//   discard       waiting    operator                                  absent
//   verb_refused  any        a verb that the state forbids             the same
//   settled       under way  reply, failure (which has made a letter   absent
//                            of its own) or receipt of that message
//   move          under way  its service has moved, or was renamed     the same as by redrive
//   duplicate     any        any other answer or receipt               the same
//   absent        absent     anything                                  absent
// clang-format on
namespace continuo::engine {

std::span<const char* const> letter_edges();

/// What the machine needs to know of its node. Outlives the machine; only read.
struct letter_environment {
  const routing_table* routes = nullptr;
  std::uint64_t store = 0;
};

/// A message that failed for good, until somebody redrives or discards it. Same rules as `saga_machine`.
/// Nothing in its name says where it lives, so it has its message to itself on this node only: one that
/// belongs to another node goes on as a client's of this node (`acceptance`), which answers find.
class letter {
public:
  letter(const letter_environment& environment, instance_id self, std::optional<record> stored);
  letter(const letter&) = delete;
  letter& operator=(const letter&) = delete;

  // -- people --------------------------------------------------------------------
  /// Sends it once more. With a `corrected` payload it has a new idempotency key, and goes where that payload
  /// belongs. The verdict says why where it cannot be.
  transition redrive(std::optional<std::string> corrected, const moment& now, std::uint64_t revision);
  transition discard();

  // -- messages ------------------------------------------------------------------
  transition receive(const envelope& answer, const moment& now, std::uint64_t revision);
  transition receive(const messages::receipt& receipt);
  transition called(const messages::call_for& call) const;
  transition recover(const moment& now, std::uint64_t revision);
  transition flush(const moment& now, std::uint64_t revision); ///< nothing: no receipt leaves it half-way

  // -- queries -------------------------------------------------------------------
  bool exists() const { return exists_; }
  bool in_flight() const { return false; } ///< who redrives waits for nobody
  bool may_passivate() const { return !mail_.is_dirty() && !mail_.holds_back(); }
  bool is_over() const { return !exists_ || record_.failed.has_value(); } ///< nothing of it is under way
  const record& current() const { return record_; }
  std::string encoded() const { return encode(record_); }

private:
  std::optional<error> objection() const;
  void hand_on(transition& out, stored_message&& sent, const moment& now, std::uint64_t revision);
  void erase(transition& out, const char* edge);

  const letter_environment* environment_;
  record record_;
  bool exists_ = false;
  mailbox mail_{record_, *environment_->routes};
};

} // namespace continuo::engine
