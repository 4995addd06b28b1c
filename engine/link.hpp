#pragma once

#include "engine/record.hpp"
#include "engine/store_point.hpp"
#include "messages/frames.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// The state machine of one node's side of the link to one peer. The node of the lower name dials.
//
//   edge        from             input                                  to
//   dial        any              the connector has reached the peer     greeting    (dialer)
//   welcome     greeting         welcome of this epoch, checked         up          (dialer)
//   accept      any              hello, newer than any before, checked  up          (acceptor)
//   refuse      any              hello that the check refuses           the same    (acceptor)
//   refused     greeting, up     refusal of this epoch                  down
//   amnesia     any              the peer knows more of this store      down; the node must stop
//   take        up               next batch of this epoch               up
//   repeated    up               batch that was taken before            up
//   gap         up               batch behind a missing one, or with    down
//                                more than this side gave credit for
//   stale       any              batch or welcome of another epoch      the same (may refuse it)
//   lost        any              the connection is gone                 down
//
// Nothing is remembered from one epoch to the next but what is durable: the outboxes hold what was not
// acknowledged, and are read again when a new epoch is up. So a link that is down holds no messages at all.
namespace continuo::engine {

std::span<const char* const> link_edges();

/// One start of a store: revisions from `first` on are its.
struct incarnation {
  std::uint64_t number = 0; ///< random
  std::uint64_t first = 0;

  CONTINUO_FIELDS(incarnation, number, first)
};

struct link_settings {
  std::string cluster;
  std::string here;
  std::string peer;
  std::string version; ///< of the program, for people
  std::uint64_t placement = 0;
  std::vector<std::string> hosts;
  std::uint64_t store = 0;
  std::uint64_t replaces = 0;     ///< as in `greeting`
  std::uint64_t starts = 1;       ///< how often the store was started, durably, this start included
  std::vector<incarnation> lives; ///< of the store, oldest first; the last one is this life

  // -- bounds ----------------------------------------------------------------------
  std::uint64_t window = 4'096;      ///< units that the peer may have sent and that are not taken here
  std::size_t queue_max = 20'000;    ///< messages that wait for credit; what comes beyond is read again later
  std::size_t queue_low = 2'000;     ///< below this more is read from the outboxes
  std::size_t batch_items_max = 256; ///< in one frame
  std::size_t batch_bytes_max = 262'144; ///< in one frame, roughly; a single message may be larger
};

/// What a message costs of the receiver's credit.
std::uint64_t units_of(const envelope& message);

/// A message that waits for credit: only its name, since the record of its sender has the rest.
struct waiting_message {
  instance_id of; ///< the instance in whose record it stands
  message_id id;  ///< of a withdrawal: the command's
  bool withdrawal = false;
  bool again = false; ///< the receiver asked for it: it may have been there before
};

/// What came out of one input.
struct link_effects {
  const char* edge = "";
  std::vector<messages::frame> frames;         ///< to the peer, in order
  std::optional<messages::known_peer> learned; ///< to the journal, before anything of `arrived` moves
  std::vector<messages::batch_item> arrived;   ///< from the peer, in order
  bool began = false;                 ///< an epoch is up: the outboxes must be offered from the beginning
  std::optional<store_point> contact; ///< with `began`: up to where the peer's messages are older
  bool broke = false;                 ///< the epoch is over: the dialer dials again
  std::optional<error> refused;       ///< why one side refuses the other
  /// What no node says that is in order: its connection has to end, and it is left alone for a while.
  std::optional<error> offence;
  std::optional<error> fatal; ///< `errc::identity`: the node must stop before it uses an id twice
};

/// One side of a link, without a transport, a clock or a store. Not thread-safe: it belongs to the link
/// actor.
class link {
public:
  link(link_settings settings, std::optional<messages::known_peer> known);

  // -- the connection -----------------------------------------------------------------
  /// Begins a new epoch with a hello. @pre the node dials
  link_effects dial(const messages::position& at);

  /// A frame has come, which is no question and no answer: these are the link actor's. `at` is the durable
  /// position of this node; `newest_store` is the greatest id that a store may have which takes the place of
  /// another one: ids begin with the time, and one from the future would keep all later ones out.
  /// @pre it has come from who proved to be the peer, or names are not proven here; it keeps the bounds of
  /// `messages::check_bounds`
  link_effects receive(messages::frame&& frame, const messages::position& at,
                       std::uint64_t newest_store = messages::any_store);

  /// The connection is gone, or is given up.
  void lost();

  /// Tells the peer that this side gives the epoch up, so that it need not find out by silence. @pre
  /// `is_up()`
  messages::frame farewell(std::string_view why) const;

  // -- to the peer ----------------------------------------------------------------------
  /// A message that has just become durable. Dropped while the link is not up: its record holds it.
  void send(envelope&& message);
  void send(messages::receipt&& receipt);
  void send(messages::call_for&& call);

  /// A message found in an outbox.
  void offer(waiting_message&& message);

  /// Builds batches of what waits, as far as the credit goes; at most `lookups_max` messages are looked up,
  /// and none from the first one on for which `may_look` answers false. `lookup` gives the message as durable
  /// state has it now, or nothing where it is not owed any more. With `shows_life` there is at least one
  /// batch.
  std::vector<messages::frame>
  flush(const messages::position& at,
        const std::function<std::optional<envelope>(const waiting_message&)>& lookup, bool shows_life = false,
        std::size_t lookups_max = 1'000, const std::function<bool(const waiting_message&)>& may_look = {});

  // -- credit ------------------------------------------------------------------------------
  /// The node takes messages from here on.
  void open() { is_open_ = true; }

  /// A message of the epoch `token` is handled, put off or dropped, and that is durable.
  void taken(std::uint32_t token, std::uint64_t units);

  // -- queries ------------------------------------------------------------------------------
  bool is_up() const { return phase_ == phase::up; }
  bool dials() const { return settings_.here < settings_.peer; }
  const std::string& peer() const { return settings_.peer; }

  /// The epoch that is up, or was last.
  const messages::epoch_id& epoch() const { return epoch_; }

  /// Counts the epochs that were up in this life; what is taken names it.
  std::uint32_t token() const { return token_; }

  /// Whether `flush` has something to do.
  bool has_work() const;

  /// Whether more may be read from the outboxes.
  bool wants_offers() const { return is_up() && allowed_ > 0 && queue_.size() < settings_.queue_low; }

  /// Up to where all messages found room, where one behind it did not since the outboxes were offered last:
  /// they must be offered again from there. Nothing where all found room.
  std::optional<store_point> take_dropped();

  std::size_t waiting() const { return queue_.size() + ready_.size(); }
  std::uint64_t unanswered_units() const { return used_ > answered_ ? used_ - answered_ : 0; }
  const std::optional<messages::known_peer>& known() const { return known_; }
  const std::string& peer_version() const { return peer_version_; }

private:
  enum class phase : std::uint8_t { down, greeting, up };

  link_effects on_hello(messages::hello&& frame, const messages::position& at, std::uint64_t newest_store);
  link_effects on_welcome(messages::welcome&& frame, const messages::position& at,
                          std::uint64_t newest_store);
  link_effects on_refusal(messages::refusal&& frame);
  link_effects on_batch(messages::batch&& frame);
  messages::greeting greet(const messages::position& at) const;
  std::optional<error> objection(const messages::greeting& peer, std::uint64_t newest_store) const;
  std::optional<error> own_loss(const messages::greeting& peer, const messages::position& at) const;
  void learn(const messages::greeting& peer, link_effects& out);
  void begin(messages::epoch_id epoch, link_effects& out);
  void queue(waiting_message&& message);

  /// Whether both sides have recovered: one that has not gives no credit and hears nothing, and says nothing
  /// but that it lives, since it may still learn that its data was lost.
  bool is_heard() const { return is_open_ && allowed_ > 0; }

  /// How many units the peer may have sent in this epoch, in all.
  std::uint64_t credit() const { return is_open_ ? taken_ + settings_.window : 0; }
  bool has_credit_to_give() const;

  /// Counts what a batch uses of the peer's credit. False where it had none.
  bool spend_credit(const messages::batch& frame);
  messages::batch next_batch(const messages::position& at);

  link_settings settings_;
  std::optional<messages::known_peer> known_;
  std::string peer_version_;

  phase phase_ = phase::down;
  messages::epoch_id epoch_;
  messages::epoch_id newest_; ///< that was accepted last
  std::uint64_t newest_store_ = 0;
  /// The newest epoch of each life of that store, by its incarnation; of the last few.
  std::map<std::uint64_t, messages::epoch_id> accepted_;
  static constexpr std::size_t lives_max = 64;
  /// The newest life of that store which has heard what is known of it and gone on: only such a one shows
  /// that a life before it is an old copy. Which start it was, and its incarnation; 0: none.
  std::uint64_t proven_starts_ = 0;
  std::uint64_t proven_life_ = 0;
  std::uint64_t connections_ = 0;
  std::uint32_t token_ = 0;

  // Of this epoch.
  std::uint64_t sent_ = 0;      ///< batches
  std::uint64_t received_ = 0;  ///< batches
  std::uint64_t used_ = 0;      ///< units sent
  std::uint64_t allowed_ = 0;   ///< units that the peer lets us send
  std::uint64_t answered_ = 0;  ///< units of ours that the peer has taken, as its credit tells
  std::uint64_t taken_ = 0;     ///< units of the peer
  std::uint64_t announced_ = 0; ///< the credit that was given last
  std::uint64_t came_ = 0;      ///< units that have come, of that credit
  bool is_open_ = false;        // of the node, not of the epoch

  std::deque<waiting_message> queue_;       // waits for credit
  std::vector<messages::batch_item> ready_; // goes with the next batch
  std::optional<store_point> dropped_;      // as `take_dropped` says
};

/// The instance in whose record a message stands.
instance_id holder_of(const envelope& message);

} // namespace continuo::engine
