#pragma once

#include "actors/core.hpp"
#include "engine/link.hpp"
#include "messages/caf_types.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace continuo::actors {

struct link_state {
  std::unique_ptr<engine::link> machine;
  std::string peer;
  std::uint32_t number = 0; ///< its place among the node's links, from 1
  caf::actor
      other; ///< the peer's link, or its gate before it has answered; null while there is no connection
  bool flush_sent = false;
  bool dial_sent = false;     ///< a dial is due, or the connector is at work
  bool is_open = false;       ///< the node takes messages
  std::uint32_t failures = 0; ///< attempts to reach the peer since it was up last
  std::uint64_t random = 0;
  std::string said;     ///< the trouble that was logged last: the same is not said twice
  seldom foreign_told;  ///< that the peer speaks for what does not live there
  seldom unhosted_told; ///< that it has messages for what is not here

  // -- reading the outboxes -------------------------------------------------------------
  bool scanning = false;
  bool scan_sent = false;
  std::string cursor; ///< the last key of what is owed to the peer that was read
  /// What became durable while the outboxes were read and was offered from there: it comes once more from the
  /// journal, perhaps when it is not owed any more.
  std::set<message_id> offered;
  engine::store_point began_at; ///< what was durable when the epoch began
  /// What this point covers is not offered, only what found no room; nothing: all is offered, and senders are
  /// asked as well.
  std::optional<engine::store_point> offered_up_to;

  // -- what the peer's instances ask for --------------------------------------------------
  std::deque<messages::call_for> calls; ///< of this epoch, that are not answered yet; in order
  bool answer_sent = false;

  // -- what the peer says that takes no credit ---------------------------------------------
  struct frame_put_off {
    caf::strong_actor_ptr from;
    messages::wire frame;
  };
  std::size_t handed_on = 0;         ///< since the last marks were sent
  std::size_t marks = 0;             ///< that have not come back
  std::deque<frame_put_off> put_off; ///< bounded: nothing more is read while so much is not taken
  bool go_on_sent = false;
  caf::strong_actor_ptr speaker; ///< who sent the frame that is being taken

  // -- commands that leave a peer that is down --------------------------------------------
  bool was_up = false;
  engine::store_point seen_up_to; ///< the peer may have commands of up to this point; never later ones
  engine::boot_time down_since;
  std::string moves_to; ///< what the last reading of the records for such commands was for
  bool moving_scan = false;
  int move_scans = 0; ///< still to come for it
  std::string move_cursor;
  std::set<message_id> moving; ///< asked about; bounded: the reading waits

  // -- what is asked of the peer ------------------------------------------------------------
  struct question {
    std::function<void(result<std::string>)> answer;
    bool waits = false; ///< for what may take long
  };
  std::size_t asked = 0;                       ///< questions of the peer's that are not answered; bounded
  std::size_t asked_bytes = 0;                 ///< of their texts
  std::map<std::uint64_t, question> questions; ///< open, by number; bounded
  std::size_t waits = 0;                       ///< of them
  std::uint64_t last_question = 0;

  // -- what no node says that is in order -------------------------------------------------
  std::uint32_t offences = 0;       ///< in a row
  engine::boot_time offended;       ///< when the last one was
  engine::boot_time shunned_until;  ///< before this nothing of the peer's is taken
  engine::boot_time counting_since; ///< how often it has begun an epoch
  std::uint32_t begins = 0;

  // -- signs of life ---------------------------------------------------------------------
  engine::boot_time heard;
  engine::boot_time spoke;
  engine::boot_time dialed;
  static inline const char* name = "continuo.link";
};

/// The actor that speaks to one peer: a shell around `engine::link`. What the journal releases for instances
/// on the peer comes here; what the peer sends goes from here to the instances. It holds messages only while
/// the peer is up: all else stands in the records, and is read from there when the peer comes back. Of the
/// records it reads those that owe the peer something, which the store has under `engine::owed_key`.
///
/// None of its handlers runs long, so that signs of life, which wait in the same mailbox, come in time: each
/// reads records of `records_share` bytes and one more at the most, and goes on behind what waits.
caf::behavior link_actor(caf::stateful_actor<link_state>* self, std::shared_ptr<core> shared,
                         std::string peer);

/// What is known of a peer, as the store has it.
result<std::optional<messages::known_peer>> read_known_peer(const journal::store& from,
                                                            const std::string& peer);

} // namespace continuo::actors
