#pragma once

#include "journal/histogram.hpp"
#include "journal/store.hpp"

#include <caf/actor.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/behavior.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/message.hpp>
#include <caf/stateful_actor.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace continuo::journal {

/// Something that may happen only when a commit is durable: a message to be sent then.
struct release {
  caf::actor to;
  caf::message what;
};

/// One transition's writes, and what waits for them. All operations of a commit become durable together. A
/// commit without operations is a barrier: its releases wait for everything handed over before it.
struct commit {
  std::vector<operation> operations;
  std::uint64_t revision = 0; ///< of the transition; 0 for a barrier
  bool creates = false;       ///< the first operation writes a key that the store does not hold
  std::vector<release> releases;
};

/// Sent by the journal to itself: it stands behind every commit that waits already, and writes them all at
/// once. Sent at once for a commit that somebody waits for, after a moment for others: what nobody waits for
/// needs no sync of its own.
struct flush {
  bool hurried = true;
};

/// Sent by the journal to itself while the disk has little room.
struct look_for_room {};

/// What the journal has done since it started. Written by the journal, read by any thread.
struct counters {
  std::atomic<std::uint64_t> commits{0}; ///< transitions
  std::atomic<std::uint64_t> syncs{0};   ///< batches
  std::atomic<std::uint64_t> operations{
      0}; ///< written, after what a batch writes and deletes again was left out
  std::atomic<std::uint64_t> bytes{0};
  histogram sync_times{time_bounds_ns}; ///< spent in the store for each batch
  histogram batches{count_bounds};      ///< transitions that share a sync
  std::atomic<std::uint64_t> durable{
      0}; ///< the highest revision that a sync has covered; set before the journal starts
};

/// The key under which the highest revision written stands.
constexpr std::string_view revision_key = "mrevision";
/// The key under which the store's random id stands.
constexpr std::string_view store_id_key = "mstore";
/// Before a peer's name: the key under which stands what is known of that peer.
constexpr std::string_view peer_prefix = "p";

struct journal_options {
  std::shared_ptr<store> to;
  std::shared_ptr<counters> done = std::make_shared<counters>();
  std::size_t batch_bytes_max = 16u << 20; ///< a batch that grows beyond is written before the flush comes
  std::uint64_t disk_reserve = 256u << 20; ///< bytes that should stay free
  std::chrono::milliseconds patience{1};   ///< how long a commit that nobody waits for may wait for company
  /// Called on the journal's thread, once, with the first error of the store. Nothing is released after it.
  std::function<void(const error&)> failed;
  /// Called on the journal's thread when the free space falls below the reserve, or is above it again.
  std::function<void(bool low)> disk_low;
};

struct journal_state {
  std::vector<commit> waiting;
  std::size_t waiting_bytes = 0;
  bool flush_sent = false;
  bool later_sent = false; // a flush that is not hurried
  bool look_sent = false;  // `look_for_room`
  bool stopped = false; // after an error: unknown what is written, so nothing is written or released any more
  bool is_low = false;
  std::uint64_t revision = 0;
  std::chrono::steady_clock::time_point space_checked;
  static inline const char* name = "continuo.journal";
};

/// The actor that makes transitions durable, many at a time. It is spawned on a thread of its own, or as an
/// ordinary actor under the test coordinator: the code is the same.
caf::behavior journal_actor(caf::stateful_actor<journal_state>* self, journal_options options);

/// Leaves out what a batch writes and overwrites or deletes again. Keeps the order of what remains.
batch coalesce(std::vector<commit>& commits);

} // namespace continuo::journal

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::journal::commit)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::journal::flush)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::journal::look_for_room)
