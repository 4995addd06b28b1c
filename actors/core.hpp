#pragma once

#include "actors/counters.hpp"
#include "actors/event_board.hpp"
#include "actors/link_board.hpp"
#include "actors/marker.hpp"
#include "actors/pause_board.hpp"
#include "actors/protocol.hpp"
#include "actors/running_handlers.hpp"
#include "actors/span.hpp"
#include "actors/unknown_board.hpp"
#include "engine/acceptance.hpp"
#include "engine/execution.hpp"
#include "engine/keyed_machine.hpp"
#include "engine/letter.hpp"
#include "engine/link.hpp"
#include "engine/saga_machine.hpp"
#include "engine/schedule_machine.hpp"
#include "journal/journal.hpp"

#include <continuo/cluster.hpp>

#include <caf/actor.hpp>
#include <caf/event_based_actor.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace continuo::actors {

/// Where a node's time comes from. Any thread.
class clock {
public:
  virtual ~clock() = default;
  virtual engine::moment now() const = 0;
};

/// A handler and what it needs beside the message that it handles.
using handler_job = std::function<void(const messages::envelope& message)>;

/// Where the handlers of stateless services run: on threads of their own, so that they may block. The
/// simulation runs them when it wants to.
class handler_pool {
public:
  virtual ~handler_pool() = default;
  /// Runs the handler of `message`, once, and not within this call. Never blocks.
  virtual void post(messages::envelope message, handler_job job) = 0;
  /// Runs no further jobs and waits for those that run, for at most `patience`. What runs then still, in
  /// words. May be called again.
  virtual std::vector<std::string> stop(std::chrono::milliseconds patience) = 0;
};

/// How a node finds its peers: by CAF's middleman, or inside a simulation. Any thread.
class connector {
public:
  virtual ~connector() = default;

  /// Looks for the node `peer` and answers `link` with `reached`, or with `unreachable` after a bounded time.
  /// Never blocks.
  virtual void dial(const std::string& peer, const caf::actor& link) = 0;

  /// Looks whether the node `peer` is there, without connecting to it; answers `link` with `unreachable`
  /// where it is not, else with nothing. Never blocks.
  virtual void look(const std::string& peer, const caf::actor& link) = 0;

  /// Takes in what peers that dial have to say, and hands it to `gate`; an address that is taken is
  /// `errc::address_in_use`. Blocks until it listens.
  virtual result<void> listen(const caf::actor& gate) = 0;

  /// Takes in nothing more.
  virtual void stop() = 0;

  // -- who speaks -------------------------------------------------------------------
  /// Lets peers speak to that actor. Called for the gate and each link before `listen`.
  virtual void offer(const caf::actor& /* to_peers */) {}

  /// Whether what `sender` says comes from the node `name`: the connection was made by who holds a
  /// certificate of it. Where the way to the peers proves no names it is believed.
  virtual bool speaks_for(const caf::strong_actor_ptr& /* sender */, std::string_view /* name */) const {
    return true;
  }

  /// Ends the connection on which `sender` speaks, and says in the log why, but not the same again and again.
  /// False where that cannot be: nobody knows who spoke.
  virtual bool hang_up(const caf::strong_actor_ptr& /* sender */, const std::string& /* why */) {
    return false;
  }

  /// What `sender` has sent, a message of so many bytes, is taken and needs no memory any more. While too
  /// much of a peer's is not, no more of it is read.
  virtual void taken(const caf::strong_actor_ptr& /* sender */, std::size_t /* bytes */) {}

  /// Looks after what needs it now and then: called about once a heartbeat and link. May read files.
  virtual void tend() {}
};

/// Bounds of a node. See `node_config`, which documents each.
struct limits {
  std::size_t shards = 4;
  std::size_t instances_in_memory = 10'000;
  std::int64_t in_flight = 10'000;
  std::size_t waiting_publishers = 10'000;
  std::size_t commands_waiting =
      1'000; ///< of a stateless service; more stay with their senders on other nodes
  std::size_t commands_held = 500'000; ///< names of such commands that a service remembers
  std::size_t timers_at_once = 1'000;
};

/// What all actors of a node share. Filled before the first of them runs, and only read from then on, except
/// for the counters, which are atomic.
class core {
public:
  // -- definitions -----------------------------------------------------------------
  message_registry types;
  engine::routing_table routes;
  std::map<std::string, detail::saga_type, std::less<>> sagas;
  std::map<std::string, detail::keyed_service_type, std::less<>> keyed_services;
  std::map<std::string, detail::service_type, std::less<>> services;
  std::map<std::string, engine::saga_environment, std::less<>> saga_environments;
  std::map<std::string, engine::keyed_environment, std::less<>> keyed_environments;
  std::map<std::string, engine::execution_environment, std::less<>> execution_environments;
  engine::acceptance_environment acceptances;
  engine::letter_environment dead_letters;
  std::map<std::string, schedule, std::less<>> schedules; ///< that live on this node
  engine::schedule_environment scheduled;

  // -- means -------------------------------------------------------------------------
  std::uint64_t store_id = 0;
  bool store_ids_tell_time = true; ///< else they are drawn, in a simulation
  std::uint64_t incarnation = 0;   ///< of this start; 0 where the node stands alone
  std::uint64_t begun_at = 0;      ///< the last revision before the actors
  engine::first_contacts contacts;
  std::shared_ptr<running_handlers> handlers = std::make_shared<running_handlers>();
  std::uint64_t seed = 0;
  limits bounds;
  std::shared_ptr<journal::store> store;
  std::shared_ptr<const clock> time;
  std::shared_ptr<handler_pool> pool;
  std::shared_ptr<detail::log_sink> sink;
  std::shared_ptr<marker> suspects; ///< null where the store does not outlive the process
  /// Receivers that ran when the process ended, on messages of which the store knew nothing yet. In this life
  /// messages reach them when they are durable, so that one which ends the process again is found, and
  /// counted.
  std::unordered_set<instance_id> watched;
  std::function<void(const error&)> failed; ///< the node must stop; any thread, any number of times
  /// The node ends: no handler with effects begins any more, and what takes long gives up. Any thread.
  std::atomic<bool> ending{false};
  std::shared_ptr<connector> reach; ///< null where the node stands alone
  cluster_config cluster;

  // -- handles ------------------------------------------------------------------------
  caf::actor journal;
  caf::actor timers;
  caf::actor intake;
  std::vector<caf::actor> shards;
  std::map<std::string, caf::actor, std::less<>> service_actors; ///< by address
  std::map<std::string, caf::actor, std::less<>> links;          ///< by peer
  caf::actor gate;
  caf::actor pauses;

  // -- peers ------------------------------------------------------------------------------
  std::map<std::string, engine::link_settings, std::less<>> link_settings; ///< by peer
  link_board peers;
  /// Says whether all of these have ended, on whichever nodes they are; false where a node cannot say so in
  /// time. `done` is called from any thread, or dropped where the node ends. Never blocks.
  std::function<void(std::vector<instance_id> these, std::function<void(bool are_over)> done)>
      ask_whether_over;
  /// Answers what a peer asks, at once or later, from any thread; never blocks. Empty: nobody answers.
  std::function<void(std::string text, std::function<void(std::string)> done)> answer_peer;

  // -- for those who watch ------------------------------------------------------------------
  event_board events;

  /// Takes what was done for messages that belong to a trace; empty: nobody wants it. Any thread; never
  /// blocks.
  std::function<void(span&&)> spans;

  /// Is told which row of its table an instance took, or a link, which has no name. Empty: nobody counts
  /// them.
  std::function<void(const instance_id& of, const char* row)> took;

  /// Adds what tells a span once it is durable, if its message belongs to a trace that is recorded.
  void tell_when_durable(span&& one, std::vector<journal::release>& releases) const;

  /// Adds what notes an event once it is durable, where anybody watches.
  void note_when_durable(node_event event, std::vector<journal::release>& releases);

  // -- counters -------------------------------------------------------------------------
  std::atomic<std::uint64_t> last_revision{0};
  std::atomic<std::int64_t> in_flight{0};
  std::atomic<bool> somebody_waits{false}; ///< for room
  std::atomic<bool> disk_low{false};
  std::atomic<std::uint64_t> orphaned{0}; ///< instances found without a cause
  std::atomic<std::uint64_t> letters_made{0};
  unknown_board unknown;
  pause_board paused;                                                  ///< by operators
  std::map<std::string, service_counters, std::less<>> service_counts; ///< by name, of those that run here
  seldom schedules_told;     ///< due times that could not be published
  seldom saga_failures_told; ///< attempts of handlers that failed; those of services are in their counters
  std::shared_ptr<journal::counters> written = std::make_shared<journal::counters>();

  /// Instances whose actors may still read the store. The node waits for zero before it closes the store.
  void instance_begins();
  void instance_ends();
  void wait_for_instances();

  /// A number that no transition had before.
  std::uint64_t next_revision() { return last_revision.fetch_add(1, std::memory_order_relaxed) + 1; }

  /// One that lies with the records of a shard: what a client sends is accepted where its first receiver
  /// lives.
  std::uint64_t next_revision_in(std::size_t shard) {
    const auto count = shards.size();
    const auto first = last_revision.fetch_add(count, std::memory_order_relaxed) + 1;
    return first + (count + shard - first % count) % count;
  }

  /// The actor behind an instance: its shard, its service, or the link to the node where it lives. Null where
  /// nothing is known of it.
  const caf::actor& home_of(const instance_id& id) const;

  /// The peer where an instance lives; empty for one that lives here, or nowhere.
  std::string_view peer_of(const instance_id& id) const { return routes.peer_of(id); }

  /// Written before the actors were: none of them has it in memory, but if it was read since.
  bool is_of_earlier_life(const engine::record& stored) const { return stored.revision <= begun_at; }

  /// How far the journal is durable, as peers are told.
  messages::position position() const { return {incarnation, written->durable.load()}; }

  /// The shard of a record that is no command's in execution, by its place in `shards`.
  std::size_t place_of(const instance_id& id) const;
  const caf::actor& shard_of(const instance_id& id) const { return shards[place_of(id)]; }

  /// An instance was found without a cause.
  void count_orphan();

  /// A message for `receiver` waits, since this program does not know it: counted, and logged for the first
  /// one of its type.
  void count_unknown(const std::string& receiver, const messages::envelope& message, const error& why);

  /// An attempt of a handler failed: logged where `when` lets it through. `next`: when the next one follows;
  /// nothing where its handler still runs.
  void tell_failed_attempt(seldom& when, const instance_id& of, const messages::envelope& message,
                           std::uint32_t attempt, const error& why,
                           std::optional<std::chrono::milliseconds> next) const;

  /// Those of all nodes that this process ever had, for tests: there must be none as they end.
  static std::uint64_t orphans_of_process();

  /// Why nothing may be started now: the node is at a bound.
  std::optional<error> start_objection() const;

  /// Why nothing may be taken in: the peers that are there do not go together with this node.
  std::optional<error> apart_objection() const;

  /// Changes how many records are in flight from `before` of one of them to `now`, and tells the intake where
  /// that makes room.
  void count_in_flight(caf::event_based_actor* self, bool before, bool now);

  void log(log_level level, std::string_view text) const {
    if (sink && sink->enabled(level)) {
      sink->write(level, text);
    }
  }

  /// Tells the service's actor at this address how a handler ended, on the handler's thread. The node may be
  /// gone by then: nobody is told.
  void handler_ended(std::string_view address, handler_done&& done);

  /// Gives up the handles, which would keep the actors alive, those of mounted actors included.
  void forget_actors();

private:
  mutable std::mutex instances_mutex_;
  std::condition_variable instances_changed_;
  std::size_t instances_ = 0;
  std::mutex handles_mutex_; // between `handler_ended` and `forget_actors`
};

/// Adds what a transition writes, all of which belongs into one commit: the record as it is after it, which
/// peers it owes something, its history and dead letters. The one place that knows which keys these are.
void add_writes(const engine::transition& decided, const instance_id& of,
                const std::function<std::string()>& encoded, std::vector<journal::operation>& into);

/// Carries out what the engine decided: hands the writes to the journal, then sends. The one place where a
/// transition's effects leave an instance. `encoded` is the record after the transition; `extra` is released
/// with it, and `beside` is written with it.
void act(caf::event_based_actor* self, core& shared, engine::transition& decided, const instance_id& of,
         const std::function<std::string()>& encoded, std::uint64_t revision,
         std::vector<journal::release> extra = {}, std::vector<journal::operation> beside = {});

/// Adds what a transition changes beside its record: its history, and the expiry index.
void add_upkeep(const engine::transition& decided, const instance_id& of,
                std::vector<journal::operation>& operations);

/// Adds what tells the link of a message that the message needs its credit no more, once all that was handed
/// to the journal before is durable. Nothing for a message that was sent here.
void give_credit_back(const core& shared, const messages::envelope& message,
                      std::vector<journal::release>& releases);

/// Ends the node where one of its own actors throws, gets a message that it does not know, or an error: it
/// would end otherwise than in order, and the process is the unit of repair.
void fail_node_on_trouble(caf::scheduled_actor* self, const std::shared_ptr<core>& shared);

/// Why bytes that `decode` refused are no record: names the place.
error unreadable_record(std::string_view key, const error& why);

/// The record of an instance as the store has it; nothing where there is none. One that cannot be read ends
/// the node, and nobody acts on it.
result<std::optional<engine::record>> read_record(const core& shared, const instance_id& id);

} // namespace continuo::actors
