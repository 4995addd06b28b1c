#pragma once

#include "engine/transition.hpp"

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace continuo::detail {
struct intents;
} // namespace continuo::detail

namespace continuo::engine {

class routing_table;

/// A message that a record owes, as it is sent.
struct owed_message {
  envelope message;
  bool effects = false;
};

/// The peers to which a record owes something: they get a message of it, or are asked at each handshake about
/// one that was handled. Empty where the node stands alone.
std::set<std::string> peers_owed(const record& of, const routing_table& routes);

/// What one durable endpoint exchanges with others: which messages it handled, which of its own are not
/// acknowledged, which senders it put off. The durable part stands in the record (inbox, requests, outbox);
/// this adds what is true of memory only, between two writes. The rules are those of the design's "Order and
/// duplicates" and "Dropping and forgetting". It is the only thing that makes receipts: of any record that
/// is there by its members, for one that is not by `absent`. Not thread-safe: it belongs to one endpoint.
class mailbox {
public:
  /// Of a record that the endpoint writes.
  mailbox(record& of, const routing_table& routes) : record_(&of), routes_(&routes) {}

  /// Of one that is only looked at.
  explicit mailbox(record& of) : record_(&of) {}

  /// The record is now what the store holds.
  void loaded();

  // -- receiving -----------------------------------------------------------------
  /// Whether the inbox shows that this one-way message was handled.
  bool was_handled(const envelope& message) const;

  /// Whether the inbox has room for the sender of this message.
  bool has_room_for(const instance_id& sender) const;

  /// Whether an earlier message of the same sender has to be handled first.
  bool is_held_back(const envelope& message) const;

  /// Records that a one-way message was handled.
  void remember(const envelope& message);

  /// Tells the sender that its message is handled, or not wanted.
  static void done(const envelope& message, transition& into);

  /// Puts a message off; its sender keeps it.
  void hold(const envelope& message);

  /// Puts off a message that came before its predecessor, though nothing else stands in its way, and asks its
  /// sender at once: nothing that happens here later would do it.
  void hold_back(const envelope& message, transition& into);

  /// A message is here: if it is the first one put off of its sender, later ones need not wait any more.
  void arrived(const envelope& message);

  /// Asks the senders that were put off for their messages: all of them, or the next few.
  void call_held(transition& into, std::size_t most = ~std::size_t{0});

  /// Leaves a message with its sender until this node runs a program that knows it. Later ones of the sender
  /// are left behind it; nothing that happens here calls for any of them.
  void leave(const envelope& message);

  /// Whether this very message was left.
  bool is_left(const envelope& message) const;

  /// Asks for what was left: a person has changed what becomes of it.
  void call_left(transition& into) const;

  /// The sender of a command withdraws it: asks for both where the command was left there and is the next one
  /// of its sender, or never came.
  void withdrawn(const envelope& withdrawal, transition& into);

  /// A message that was put off is here, and will be handled later: the next one put off of its sender is the
  /// first.
  void came_back(const envelope& message);

  // -- sending -------------------------------------------------------------------
  /// Everything unacknowledged in the order in which it was sent, a withdrawal behind its command; only what
  /// is for `only`, unless null.
  std::vector<owed_message> owed(const instance_id* only = nullptr) const;

  /// Sends all of that again, what has effects with the next write.
  void resend(transition& into, const instance_id* only = nullptr) const;

  /// The endpoint is in memory for the first time since the node started: what it owes here is sent at once
  /// (it was read from the store, so there is no write to wait for; and if a command did wait, the receipt of
  /// its reply would overtake it, and it would run again), and each sender in the inbox is told what was
  /// handled last, so that a lost `forget` is made good. With other nodes the links do both.
  ///
  /// What was told or published to a stateless service that nothing hosts any more goes to who handles it
  /// now: a command to any service, an event to the same subscriber on another node. It leaves with the next
  /// write of the record, which says so; a life that ends before that does the same again. What goes to an
  /// instance with a key gets a new id, from `first_new` on: no earlier message had it.
  void recover(transition& into, const routing_table& routes, const message_id& first_new);

  /// Gives what goes to another receiver, with a key, a new id: such a one remembers the last id that it had
  /// from here, which may be a later one. Effects outside go by the key, which stays.
  static void begin_anew(stored_message& sent, const message_id& id);

  /// Tells the senders in the inbox for which `is_asked` what was handled last of them.
  template <class Filter>
  void ask_senders(std::vector<messages::receipt>& into, Filter is_asked) const {
    for (const auto& entry : record_->inbox) {
      if (is_asked(entry.from)) {
        into.push_back({address(), entry.from, entry.last, {}, {}});
      }
    }
  }

  /// The answer to a receiver that asks for its messages.
  transition called(const messages::call_for& call) const;

  /// A command to `to` was closed: with the next write the receiver may forget it.
  void closed(const instance_id& to, const message_id& id);

  /// Takes a request out of the record, and closes it.
  request close(std::size_t position);

  /// Whether this is a command that was told, and of which no answer has come.
  bool is_told(const message_id& id) const;

  /// Its answer is here. With the next write it is gone.
  void close_told(const message_id& id);

  // -- receipts --------------------------------------------------------------------
  /// Drops what was handled, forgets what is forgotten. In memory only, until the next write. A receiver that
  /// reports what was dropped long ago is told to forget it.
  transition receive(const messages::receipt& receipt);

  /// With a write, or with the record's end: tells the receivers what they may forget, now that it is
  /// written, and the store which peers the record begins and ceases to owe something.
  /// @pre `into.write` says which of the two it is, and the record is as it is written
  void written(transition& into);

  // -- queries ------------------------------------------------------------------------
  /// The record was changed beside: memory is ahead of what was written.
  void changed() { dirty_ = true; }

  /// Whether memory is ahead of what was written.
  bool is_dirty() const { return dirty_; }

  /// Whether senders are put off, so that the instance must stay in memory. Those whose messages were left
  /// are none of them.
  bool holds_back() const { return !held_.empty() || !held_answers_.empty(); }

  /// Whether the message that stopped the instance is the answer to this request.
  bool is_answered(const request& sent) const;

  /// Under which name others know it: a command in execution is known as its service, which has no key.
  instance_id address() const;

  envelope to_envelope(const request& sent) const;
  envelope to_envelope(const stored_message& sent) const;
  envelope withdrawal_of(const request& sent) const;

private:
  std::set<message_id> send_on(transition& into, const routing_table& routes, message_id next_id);
  bool misses_predecessor(const envelope& message) const;
  bool is_behind_left(const envelope& message) const;
  message_id predecessor_of(const stored_message& sent) const;
  envelope envelope_of(const stored_message& sent, const message_id& predecessor) const;
  bool owes(const instance_id& to, const message_id& up_to) const;
  void tell_whom_it_owes(transition& into);

  record* record_;
  const routing_table* routes_ = nullptr;
  std::set<std::string> owed_to_; // by the record that was written last
  bool dirty_ = false;
  /// Messages that wait for another program: of a sender with an order the first one, of others each.
  std::map<instance_id, message_id> left_;
  std::set<std::pair<instance_id, message_id>> left_answers_;
  std::map<instance_id, message_id> held_; // senders put off, with the first message put off
  instance_id called_last_;                // where the next call for a few goes on
  std::vector<std::pair<instance_id, message_id>> held_answers_; // of stateless services: they have no order
  std::map<instance_id, message_id> dropped_;                    // receivers to tell what they may forget
};

/// What is said for an endpoint that is gone, durably: it owes nothing, wants nothing, and remembers nothing.
transition absent(const envelope& message);
transition absent(const messages::receipt& receipt);
transition absent(const messages::call_for& call);

/// What a handler of `sender` published, one entry a subscriber, without ids; `errc::handler_failed` where a
/// key cannot be read.
result<std::vector<stored_message>> events_of(const routing_table& routes, const detail::intents& asked,
                                              const instance_id& sender);

/// Whether an accepted or running instance counts as in flight: it is not parked, which means that all it
/// waits for is a timer, an event, a person, or another node.
bool is_in_flight(const record& of, const routing_table& routes);

} // namespace continuo::engine
