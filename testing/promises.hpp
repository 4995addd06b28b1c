#pragma once

#include "engine/placement.hpp"
#include "engine/record.hpp"
#include "journal/store.hpp"
#include "messages/frames.hpp"

#include <continuo/client.hpp>
#include <continuo/definition.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace continuo::testing {

/// Continuo's promises, held against what the nodes of a run make durable and send to each other. It reads
/// what everybody could read (batches on their way to the disk, frames on the wire) and keeps its own
/// account, so that it does not rest on the code that it checks. docs/guarantees.md numbers what it looks
/// for.
class promises {
public:
  struct hooks {
    std::function<void(const std::string& what)> broken;
    std::function<void(const std::string& node, std::string text)> transition;
  };

  explicit promises(hooks calls) : hooks_(std::move(calls)) {}

  void knows(const detail::saga_type& saga);
  void knows_keyed(const std::string& name) { ordered_.insert(name); }

  /// Where sagas and keyed services live; not called where there is one node.
  void knows_places(engine::placement where) { where_ = std::move(where); }

  // -- what happens ------------------------------------------------------------------------------------
  /// A life of a node begins with what is on its disk.
  void starts(const std::string& node, const journal::store& disk, const engine::moment& now);

  /// The wall clock of a node's machine is about to jump: this is the last moment before.
  void clock_jumps(const std::string& node, const engine::moment& before);

  /// A batch has become durable.
  void commits(const std::string& node, const journal::batch& changes, const engine::moment& now);

  /// A handler with effects outside begins.
  void runs(const std::string& node, const messages::envelope& message);

  /// A frame leaves a node.
  void leaves(const std::string& node, const messages::frame& frame);

  /// A client was told that its event or command, of this type, is accepted.
  void accepted(const std::string& node, const continuo::accepted& said, const std::string& type);

  /// A node's disk is gone, and all that was on it.
  void forgets(const std::string& node);

  // -- what there is ---------------------------------------------------------------------------------------
  /// Whether all that is left on this node's disk has ended, or waits for an event or a person.
  bool is_settled(const std::string& node) const;

  /// Whether a record on this node has a timer that is work.
  bool has_timers(const std::string& node) const;

  /// Instances of this type may have something left to do for ever.
  void may_live_on(const std::string& type) { live_on_.insert(type); }

  /// In how long the next timer of a record on this node is due; nothing where there is none.
  std::optional<std::int64_t> next_timer_ns(const std::string& node, const engine::moment& now) const;

  /// At the end, when everything is up and nothing is left to do: of what was accepted there is a trace.
  void check_end() const;

  /// How an instance ended last, also where its record is deleted.
  std::optional<instance_status> end_of(const instance_id& id) const;

  std::uint64_t transitions() const { return transitions_; }

  // -- what the outside saw ------------------------------------------------------------------------------
  struct effect {
    std::string type; ///< of the command, or event, whose handler ran
    std::string payload;
  };

  /// By idempotency key: what a provider that deduplicates has done.
  const std::map<std::string, effect>& effects() const { return effects_; }

  /// Events that sagas and services published, each once.
  std::vector<effect> published() const;

private:
  /// What is known of one instance, over all its lives.
  struct instance {
    std::optional<engine::record> record; ///< as it is on the disk
    std::string node;
    std::uint64_t since = 0;                   ///< how many batches were durable when its present life began
    std::optional<instance_status> ended;      ///< how, in its present life
    std::optional<instance_status> ended_last; ///< how, in its last life that has ended
    std::uint64_t last_revision = 0;           ///< of its history
    std::unordered_set<message_id> handled;    ///< messages that changed its state
    std::unordered_set<message_id> noted;      ///< messages that its history shows
    std::map<instance_id, message_id> last_from;
    std::map<message_id, engine::timer> timers; ///< that were ever seen set
  };

  /// A message that a durable record held.
  struct owed_message {
    std::string type;
    std::uint64_t since = 0; ///< how many batches were durable then
  };

  /// What is known of the disk of one node.
  struct disk {
    std::set<std::string> records;                     ///< keys of all records
    std::set<std::string> unsettled;                   ///< keys of records that have something left to do
    std::set<std::string> with_timers;                 ///< keys of records with a timer that is work
    std::set<instance_id> armed;                       ///< instances with any timer
    std::unordered_map<message_id, owed_message> owed; ///< that ever stood in a durable record
    std::unordered_set<std::uint64_t> revisions;       ///< of all history entries
    std::unordered_set<std::string> taken;             ///< ids of clients' messages that were durable
    /// Peers under which the disk names a record as one that owes them something, by the record's key.
    std::map<std::string, std::set<std::string>> index;
    bool is_indexed = false; ///< the disk says that the index is true; else it is in the making
    time_point wall_max;     ///< the latest that the wall clock showed in this life, the present aside
  };

  /// What is known of a message whose handler with effects outside has run.
  struct handler_run {
    std::string key; ///< the idempotency key
    std::set<std::string> nodes;
  };

  void publishes(const message_id& id, const std::string& type, const std::string& payload);
  bool owes(const instance_id& sender, const instance_id& receiver) const;
  bool has_work(const engine::record& stored) const;
  bool has_timer(const engine::record& stored) const;
  void check_execution(const std::string& node, const engine::record& stored) const;
  std::string home_of(const instance_id& id) const;
  void note_index(const std::string& node, const journal::operation& change);
  void check_index(const std::string& node, const std::string& key) const;
  void check_range(const std::string& node, const journal::operation& change) const;
  void check_whole_index(const std::string& node) const;
  void broke(const std::string& node, const std::string& what) const;
  void on_entry(const std::string& node, const engine::history_entry& entry, const engine::moment& now);
  void on_record(const std::string& node, const std::string& key, const engine::record& stored,
                 const engine::history_entry* only);
  void note_record(disk& on, const std::string& key, const engine::record& stored);
  void check_record(const std::string& node, const engine::record& stored) const;
  void check_steps(const std::string& node, const engine::record& before, const engine::record& after,
                   const engine::history_entry& by) const;
  void check_receipt(const std::string& node, const messages::receipt& said) const;
  bool may_be_dropped(const messages::receipt& said) const;
  void check_forget(const std::string& node, const messages::receipt& said) const;

  hooks hooks_;
  std::map<std::string, detail::saga_type, std::less<>> sagas_;
  std::set<std::string, std::less<>> ordered_;          ///< sagas and keyed services
  std::unordered_map<instance_id, instance> instances_; // looked up, never walked
  std::map<std::string, disk> disks_;
  std::map<std::uint64_t, std::string> stores_; ///< every store that there ever was, and whose it is
  engine::placement where_;
  std::set<std::string, std::less<>> live_on_; ///< types of which instances may have something left to do
  std::unordered_map<message_id, handler_run> ran_; ///< messages whose handlers have run
  std::map<std::string, effect> effects_;           ///< of handlers that have run, by idempotency key
  std::map<std::tuple<std::uint64_t, std::uint64_t, std::string, std::string>, effect>
      published_; ///< by store, revision, type and payload: one entry for all subscribers
  std::uint64_t batches_ = 0;
  bool was_wiped_ = false;                    ///< a disk: what it owed nobody knows any more
  std::set<instance_id> lettered_;            ///< receivers of what became dead letters
  std::map<instance_id, std::string> wanted_; ///< instances that accepted events start; where it was accepted
  std::uint64_t transitions_ = 0;
};

/// Whether an instance with this record has nothing left to do by itself: it has ended, or waits for an event
/// or a person.
bool is_settled(const engine::record& stored);

} // namespace continuo::testing
