#pragma once

#include "messages/envelope.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

/// The protocol between two nodes (docs/wire-format.md). A frame travels as bytes, in the form of
/// `continuo/archive.hpp`, inside the one message that CAF's middleman sees.
namespace continuo::messages {

/// Of the frames and their order. Nodes of different protocols refuse each other.
constexpr std::uint32_t protocol_version = 3;

/// In `greeting::replaces`: whichever store was behind the name before. What was wiped does not know it.
constexpr std::uint64_t any_store = ~std::uint64_t{0};

/// One connection between two nodes, never used again: how often the dialing node's store was started, and
/// how often that life has dialed.
struct epoch_id {
  std::uint64_t starts = 0;
  std::uint64_t connection = 0;

  friend auto operator<=>(const epoch_id&, const epoch_id&) = default;

  CONTINUO_FIELDS(epoch_id, starts, connection)
};

/// How far a journal has come: which start of the store, and the highest put that was durable.
struct position {
  std::uint64_t incarnation = 0; ///< random, of one start
  std::uint64_t revision = 0;

  CONTINUO_FIELDS(position, incarnation, revision)
};

/// What a node keeps of a peer: the store behind the peer's name, the furthest position that anything rests
/// on, and the lost stores that it stands for: the peer still has what was accepted under their ids.
struct known_peer {
  std::uint64_t store = 0;
  position furthest;
  std::vector<std::uint64_t> former = {};

  CONTINUO_FIELDS(known_peer, store, furthest, CONTINUO_SINCE(1, former))
};

/// What a node says of itself before anything else.
struct greeting {
  std::uint32_t protocol = protocol_version;
  std::string cluster;
  std::string from; ///< its name
  std::string to;   ///< whom it believes to speak to
  std::string version;
  std::uint64_t store = 0;
  std::uint64_t replaces = 0; ///< the store whose loss an operator has accepted, or `any_store`; 0: none
  std::uint64_t placement = 0;
  std::vector<std::string> hosts;
  position at;
  std::optional<known_peer> yours; ///< what it knows of the one it speaks to

  CONTINUO_FIELDS(greeting, protocol, cluster, from, to, version, store, replaces, placement, hosts, at,
                  yours)
};

/// The dialing node begins an epoch.
struct hello {
  epoch_id epoch;
  greeting me;

  CONTINUO_FIELDS(hello, epoch, me)
};

/// The other one takes it. Both may send batches from here, as far as they have credit.
struct welcome {
  epoch_id epoch;
  greeting me;

  CONTINUO_FIELDS(welcome, epoch, me)
};

/// The epoch is refused, or over.
struct refusal {
  epoch_id epoch;
  std::uint8_t code = 0; ///< an `errc`
  std::string reason;

  CONTINUO_FIELDS(refusal, epoch, code, reason)
};

using batch_item = std::variant<envelope, receipt, call_for>;

/// Messages, and what is said about messages, in order. Empty where it only grants credit, or shows life.
struct batch {
  epoch_id epoch;
  std::uint64_t number = 0; ///< counts from 1 in each epoch and direction, without gaps
  position at;              ///< of the sender: everything in here rests on it
  std::uint64_t credit = 0; ///< how many units the receiver of this may have sent in this epoch, in all
  std::vector<batch_item> items;

  CONTINUO_FIELDS(batch, epoch, number, at, credit, items)
};

/// A node asks its peer what only the peer knows: a call of the HTTP interface that it passes on. Nothing of
/// it is durable, so it uses no credit and no batch: it is lost with the epoch, and whoever asks is told so.
struct question {
  epoch_id epoch;
  std::uint64_t number = 0; ///< of the asking side, in this epoch
  std::string text;

  CONTINUO_FIELDS(question, epoch, number, text)
};

/// What the peer has to say to a question. Speaks of durable state only.
struct answer {
  epoch_id epoch;
  std::uint64_t number = 0; ///< of the question
  std::string text;

  CONTINUO_FIELDS(answer, epoch, number, text)
};

struct frame {
  std::variant<hello, welcome, refusal, batch, question, answer> body;

  CONTINUO_FIELDS(frame, body)
};

} // namespace continuo::messages
