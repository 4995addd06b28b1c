#pragma once

#include <continuo/node.hpp>
#include <continuo/testing_saga.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// A whole cluster in one process, in virtual time, from one seed (docs/testing.md). What runs is what runs
/// in production: engine, actors, journal, links. Exchanged are the disk (in memory; it knows what was
/// synced), the clock, the threads of handlers, and the network (frames of bytes). Nothing here takes real
/// time, and the same seed gives the same run, to the byte.
///
/// One thread: nothing here may be called from another one. Link with `continuo::testing`.
namespace continuo::testing {

class cluster;
class node;
class simulation;

/// A check did not hold, or the simulation could not go on. `what()` names the seed, the time and the check.
class failure : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

// -- faults ----------------------------------------------------------------------------------------

/// What can go wrong with a node, its disk, the network and the handlers.
enum class fault : std::uint8_t {
  crash,            ///< a node ends between two steps, unsynced writes are lost; back after a while
  crash_in_start,   ///< the same, and again while it starts
  torn_sync,        ///< the same in the middle of a sync: its batch is there afterwards, or not at all
  failed_sync,      ///< a sync fails; the node must stop, and is started again. Its batch: there, or not
  full_disk,        ///< no byte can be written for a while; the node must stop, or refuse
  slow_disk,        ///< syncs take up to a second for a while
  cut,              ///< all connections between two nodes break; what was under way is lost
  late_delivery,    ///< the same, and what was under way arrives later, beside the next connection
  one_way,          ///< what one node sends to another does not arrive for a while; neither of them is told
  separation,       ///< a cut, and no new connection for a while
  delay,            ///< what one node sends to another takes up to two seconds longer for a while
  pause,            ///< a node stands still for a while (SIGSTOP), and goes on
  clock_jump,       ///< a node's wall clock jumps by up to ten minutes, in either direction
  handler_throws,   ///< a handler of a stateless service throws before it does anything
  handler_loses,    ///< a handler does its work, and its outcome is lost: it throws afterwards
  handler_hangs,    ///< a handler takes longer than its timeout
  handler_repeats,  ///< a handler runs, and answers, twice
  handler_declines, ///< a handler declines before it does anything: another outcome, so never without being
                    ///< asked for
};

/// In words, as the traces have it.
const char* to_string(fault kind);

/// All of them that leave a correct program its outcome: without `handler_declines`.
const std::vector<fault>& all_faults();

/// Faults at times drawn from the seed, to nodes drawn from the seed.
struct fault_plan {
  std::vector<fault> kinds{};                                ///< empty: `all_faults()`
  std::size_t count = 4;                                     ///< so many in all
  std::chrono::nanoseconds within = std::chrono::seconds{2}; ///< from now
  std::vector<std::string> nodes{};                          ///< those that may be hit; empty: any
};

// -- what happened ------------------------------------------------------------------------------------

struct figures {
  std::uint64_t seeds = 0;       ///< runs
  std::uint64_t deliveries = 0;  ///< messages that actors were given
  std::uint64_t frames = 0;      ///< that arrived at another node
  std::uint64_t transitions = 0; ///< that became durable
  std::uint64_t commits = 0;     ///< batches that were synced
  std::uint64_t effects = 0;     ///< handlers with outside effects that ran
  std::uint64_t crashes = 0;
  std::map<std::string, std::uint64_t> faults;    ///< that happened, by name
  std::chrono::nanoseconds time{0};               ///< virtual
  std::map<std::string, std::uint64_t> sometimes; ///< rare states: how often they were seen; 0: never
  std::map<std::string, std::uint64_t>
      rows; ///< of the tables of the engine's state machines: how often they were taken

  figures& operator+=(const figures& other);
};

/// The same in a few lines for people.
std::string to_string(const figures& seen);

// -- fakes --------------------------------------------------------------------------------------------

/// Stands in for the handler of one command. What it is told with `then...` it does once each, in order;
/// after that, and without it, what it was told last without `then`. Like the outside world it outlives
/// crashes.
class fake_base {
public:
  struct call {
    std::string node;
    std::string payload; ///< the command's bytes
    std::string key;     ///< the idempotency key
    std::uint32_t attempt = 0;
  };

  fake_base(std::string command, std::string service);

  const std::string& command() const;
  const std::string& service() const;

  /// All calls, repeated ones included.
  const std::vector<call>& calls() const;

  /// How many different idempotency keys there were: what a provider that deduplicates has done.
  std::size_t effects() const;

  /// @throws failure unless it had exactly so many effects
  const fake_base& was_called(std::size_t times) const;

protected:
  struct step {
    std::function<result<detail::handled>(std::string_view payload, command_context&)> act;
    std::chrono::nanoseconds after{0};
    bool hangs = false;
  };

  // What becomes of a call.
  static step reply_with(std::string payload);
  static step decline_with(std::string reason);
  static step throw_with(std::string what);

  void always(step what);
  void once(step what);
  void delay(std::chrono::nanoseconds time);

private:
  friend class simulation;
  struct state;
  std::shared_ptr<state> state_;
};

template <message Command>
class fake : public fake_base {
public:
  using reply = typename Command::reply;
  using answer = std::function<outcome<reply>(const Command&)>;

  explicit fake(std::string service) : fake_base(std::string{message_name<Command>()}, std::move(service)) {
    if constexpr (std::is_default_constructible_v<reply>) {
      answers(reply{});
    }
  }

  // -- from now on ---------------------------------------------------------------------------
  fake& answers(answer how) { return set(&fake::always, from(std::move(how))); }
  fake& answers(reply what) { return set(&fake::always, from(what)); }
  fake& declines(std::string reason) { return set(&fake::always, decline_with(std::move(reason))); }
  fake& throws(std::string what) { return set(&fake::always, throw_with(std::move(what))); }
  /// Each call takes so long.
  fake& takes(std::chrono::nanoseconds time) {
    delay(time);
    return *this;
  }

  // -- the next call, then the one after it -------------------------------------------------
  fake& then_answers(answer how) { return set(&fake::once, from(std::move(how))); }
  fake& then_answers(reply what) { return set(&fake::once, from(what)); }
  fake& then_declines(std::string reason) { return set(&fake::once, decline_with(std::move(reason))); }
  fake& then_throws(std::string what) { return set(&fake::once, throw_with(std::move(what))); }
  /// Does not return in this life of its node.
  fake& then_hangs() { return set(&fake::once, {nullptr, {}, true}); }

  /// The commands of all calls, in order.
  std::vector<Command> commands() const {
    std::vector<Command> all;
    for (const auto& one : calls()) {
      all.push_back(decode<Command>(one.payload).value());
    }
    return all;
  }

private:
  static step from(const reply& what) { return reply_with(message_type_of<reply>().encode(&what)); }

  static step from(answer how) {
    return {continuo::detail::command_runner(
        continuo::detail::body_type_of<Command>(), continuo::detail::kept_function{std::move(how)},
        [](void* kept, const void* body, command_context&) {
          return continuo::detail::to_handled(
              (*static_cast<answer*>(kept))(*static_cast<const Command*>(body)));
        })};
  }

  fake& set(void (fake_base::*where)(step), step what) {
    (this->*where)(std::move(what));
    return *this;
  }
};

// -- nodes --------------------------------------------------------------------------------------------

/// One node of a cluster, over all its lives. Its disk outlives them.
class node {
public:
  node(simulation& world, std::string name) : world_(&world), name_(std::move(name)) {}
  node(const node&) = delete;
  node& operator=(const node&) = delete;

  const std::string& name() const { return name_; }
  bool is_up() const;

  // -- life ----------------------------------------------------------------------------------
  /// Starts a life on the node's disk. @throws failure where the node refuses. @pre it is down
  void start();
  /// The same, and what the node says.
  result<void> try_start();
  /// Ends it at this very moment: its jobs, its timers and what was not synced are gone. Nothing where it is
  /// down.
  void crash();
  /// `crash`, if it is up, and `start`.
  void restart();
  /// Stands still, until `go_on`; its peers see nothing but silence.
  void pause();
  void go_on();
  /// Why the node stopped by itself in its last life; empty: it did not.
  const std::string& failed() const;

  // -- its machine -----------------------------------------------------------------------------
  /// The wall clock alone: timers that were set for a time of it (`set_timer_at`), or in an earlier boot,
  /// move with it within a minute.
  void jump_wall_clock(std::chrono::nanoseconds by);
  /// A reboot: boot time begins anew, so that for a minute the node does not believe its wall clock. A node
  /// that is up is down afterwards.
  void reboot();
  /// Syncs take so long from here on.
  void slow_disk(std::chrono::nanoseconds sync);
  /// The `nth` sync from now fails (1: the next); `applied`: its batch is there all the same after a restart.
  void fail_sync(std::uint64_t nth = 1, bool applied = false);
  /// The disk has no room beyond so many bytes; 0: beyond what it holds now.
  void fill_disk(std::uint64_t bytes = 0);
  /// It has room again.
  void free_disk();
  /// A new, empty disk. @pre it is down
  void wipe_disk();

  // -- its program -----------------------------------------------------------------------------
  /// From its next start on it runs this program (`cluster::program`); empty: the cluster's own.
  void install(std::string_view program = {});
  /// The name of what it runs, or will run; empty: the cluster's own.
  const std::string& program() const;

  // -- use --------------------------------------------------------------------------------------
  /// Calls do not wait; let time pass for what they give. @pre it is up
  continuo::client client() const;
  node_figures figures() const;
  std::vector<peer_status> peers() const;

private:
  simulation* world_;
  std::string name_;
};

/// Another program than the cluster's own: an older version, a newer one. It offers all that runs on it, and
/// nothing of what the cluster was offered. Fakes belong to the cluster's own.
class program {
public:
  program(simulation& world, std::string name) : world_(&world), name_(std::move(name)) {}

  template <class Saga>
  program& offer() {
    return offer(saga<Saga>::describe());
  }
  program& offer(const service& definition);
  template <message State>
  program& offer(const keyed_service<State>& definition) {
    return offer(definition.describe());
  }
  program& offer(continuo::detail::saga_type definition);
  program& offer(continuo::detail::keyed_service_type definition);

private:
  simulation* world_;
  std::string name_;
};

/// One saga instance, for looking at and for claims about it. Claims throw `failure` where they do not hold,
/// with what holds instead.
class saga_ref {
public:
  saga_ref(simulation& world, instance_id id) : world_(&world), id_(std::move(id)) {}

  /// From durable state; nothing where there is no such instance.
  std::optional<instance_view> view() const;
  /// In one word, or `absent`.
  std::string status() const;
  std::vector<history_view> history() const;

  const saga_ref& should_be(instance_status status) const;
  const saga_ref& should_be_completed() const { return should_be(instance_status::completed); }
  /// The result as JSON without quotes.
  const saga_ref& should_be_completed_with(std::string_view result) const;
  /// The reason holds this text.
  const saga_ref& should_be_compensated_because(std::string_view reason) const;
  const saga_ref& should_be_stuck_because(std::string_view reason) const;
  /// One of the causes names this command, timer, event or service, or step of a workflow.
  const saga_ref& should_wait_for(std::string_view what) const;
  const saga_ref& should_be_absent() const;

private:
  simulation* world_;
  instance_id id_;
};

// -- the cluster ---------------------------------------------------------------------------------------

class cluster {
public:
  explicit cluster(std::uint64_t seed = 1);
  ~cluster();
  cluster(const cluster&) = delete;
  cluster& operator=(const cluster&) = delete;

  std::uint64_t seed() const;

  // -- what it is made of, before the first node starts ---------------------------------------
  /// What the cluster's own program offers: all nodes run it, unless another one is installed there, and
  /// their `hosts` say what runs where.
  template <class Saga>
  cluster& offer() {
    return offer(saga<Saga>::describe());
  }
  cluster& offer(const service& definition);
  template <message State>
  cluster& offer(const keyed_service<State>& definition) {
    return offer(definition.describe());
  }
  cluster& offer(continuo::detail::saga_type definition);
  cluster& offer(continuo::detail::keyed_service_type definition);

  /// A fake handler of a command; those of one service make up the service. Without a name the service is
  /// called like the command. @pre nobody offers the command
  template <message Command>
  testing::fake<Command>& fake(std::string service = {}) {
    auto made = std::make_unique<testing::fake<Command>>(
        service.empty() ? std::string{message_name<Command>()} : std::move(service));
    auto& result = *made;
    add_fake(std::move(made), message_type_of<Command>(), message_type_of<typename Command::reply>());
    return result;
  }
  template <message Command>
  testing::fake<Command>& fake(typename testing::fake<Command>::answer how) {
    return fake<Command>().answers(std::move(how));
  }

  /// Each call of a handler of this service, which is no fake, takes up to so long, drawn from the seed.
  cluster& handlers_take(std::string_view service, std::chrono::nanoseconds at_most);

  /// An object that lives as long as the cluster: what handlers, fakes and promises share, such as a bank's
  /// books. (Handlers may run after a scenario has returned, so they must not hold references to its
  /// variables.)
  template <class T, class... Ts>
  T& keep(Ts&&... values) {
    auto made = std::make_shared<T>(std::forward<Ts>(values)...);
    kept_.push_back(made);
    return *made;
  }

  /// A node that runs these sagas and services; empty: all that are offered. It starts with the first call
  /// that lets time pass.
  node& add(std::string name, std::vector<std::string> hosts = {});

  /// The program of this name, which a node runs once it is installed there (`node::install`); until then it
  /// is not there.
  testing::program program(std::string name);

  /// Another cluster file: from here on these nodes run these sagas and services. @pre all nodes are down
  void place(const std::map<std::string, std::vector<std::string>>& hosts);

  /// Changes the configuration of each node that starts from here on.
  cluster& configure(std::function<void(node_config&)> how);

  // -- nodes -----------------------------------------------------------------------------------------
  /// @throws failure where there is none
  node& operator[](std::string_view name);
  std::vector<std::string> names() const;
  /// Starts all that never were up.
  void start();

  // -- messages -----------------------------------------------------------------------------------------
  /// Publishes at the first node, or at `at`, and lets time pass until that is durable. Where the node dies
  /// before it can say so, it is asked again with the same idempotency key once it is back: so the event is
  /// taken once. @throws failure where it is refused
  template <message Event>
  accepted publish(const Event& event, std::string_view at = {}) {
    return publish(std::string{message_name<Event>()}, encode(event), at);
  }
  accepted publish(std::string type, std::string payload, std::string_view at);

  /// The same with a command, until it has an outcome.
  template <message Command>
  result<typename Command::reply> send(const Command& command, std::string_view at = {}) {
    return send(std::string{message_name<Command>()}, encode(command), at)
        .and_then([](const command_result& end) { return end.as<typename Command::reply>(); });
  }
  result<command_result> send(std::string type, std::string payload, std::string_view at);

  template <class Saga>
  saga_ref saga_of(std::string key) {
    return instance({std::string{message_name<Saga>()}, std::move(key)});
  }
  saga_ref instance(instance_id id);

  /// The durable state of a saga's instance, or of a key of a keyed service; nothing where there is none. Its
  /// node may be down.
  template <message State>
  std::optional<State> state_of(const instance_id& id) const {
    const auto bytes = state_bytes(id);
    return bytes ? std::optional{decode<State>(*bytes).value()} : std::nullopt;
  }

  /// What the outside has seen, a line each, in order: how the sagas that are kept have ended or stand, with
  /// their results; what handlers of stateless services were asked to do, once for each idempotency key; and
  /// what sagas and services have published. For comparing runs.
  std::string outcome() const;

  /// All records of sagas and keyed services on all disks as a restart would find them, a line each, in
  /// order: what is inside, which may differ where messages came in another order.
  std::string states() const;

  // -- time ---------------------------------------------------------------------------------------------
  /// Runs until no work is left but the periodic (heartbeats, redials, audits) and what waits for a node that
  /// is down, a person, or a handler that hangs. Timers are work, unless they are set for never. @throws
  /// failure where that takes more than `limit`; like all that lets time pass also where more than ten
  /// million steps are taken and no time passes: a timer of no time is set again and again, or a message
  /// causes itself
  void run(std::chrono::nanoseconds limit = std::chrono::hours{24});
  void run_for(std::chrono::nanoseconds time);
  void advance_time(std::chrono::nanoseconds time) { run_for(time); }
  /// Runs until this holds. False where it does not within `limit`.
  bool run_until(const std::function<bool()>& holds, std::chrono::nanoseconds limit = std::chrono::hours{1});
  /// Runs so many steps, or as many as there are before time must pass.
  void step(std::size_t steps = 1);
  /// Since the beginning.
  std::chrono::nanoseconds elapsed() const;
  /// A number below `below`, drawn from the seed.
  std::uint64_t draw(std::uint64_t below);

  // -- faults ---------------------------------------------------------------------------------------------
  /// Faults that come by themselves; before the first node is added: from the start on. (Not `inject`: CAF's
  /// test headers have a macro of this name.)
  void plan_faults(const fault_plan& plan);
  void cut(std::string_view a, std::string_view b, bool late = false);
  void separate(std::string_view a, std::string_view b);
  void one_way(std::string_view from, std::string_view to);
  /// What goes from one to the other takes so much longer, until `heal`.
  void delay(std::string_view from, std::string_view to, std::chrono::nanoseconds time);
  /// Ends what is wrong with the network, the disks and the handlers; nodes that stand still go on, and nodes
  /// that are down are started. Faults that are planned still come.
  void heal();

  // -- what must hold
  // ------------------------------------------------------------------------------------------
  /// Continuo's own promises are checked always (docs/testing.md). Beyond them: after every sync; at some
  /// moment before the end; at the end.
  cluster& always(std::string name, std::function<bool()> holds);
  cluster& eventually(std::string name, std::function<bool()> holds);
  cluster& at_end(std::string name, std::function<bool()> holds);
  /// At this moment. @throws failure where it does not hold: with seed, time and this text
  void check(bool holds, std::string_view what);
  /// Marks a rare state. Runs over many seeds report those that were never seen.
  void sometimes(std::string_view name, bool seen = true);

  /// Instances of this saga or keyed service may have something left to do for ever: a process that lives on
  /// purpose, such as one that sets its timer anew each day. `run` does not wait for their timers, and
  /// `finish` does not ask what they have open. `why` is for people.
  cluster& may_live_on(std::string_view type, std::string_view why);

  /// The end of a scenario: heals, runs until nothing is left to do, and checks all that must hold then: no
  /// record has a request, an outbox or an inbox entry, no command is in execution, no accepted message is
  /// left, but for what waits for an instance that is stuck or paused, a command that is parked, a handler
  /// that hangs, or an instance that may live on. @throws failure, also where that takes more than `limit`
  void finish(std::chrono::nanoseconds limit = std::chrono::hours{24});

  // -- what happened
  // ---------------------------------------------------------------------------------------------
  const testing::figures& figures() const;
  /// Of everything that happened, in order. Equal on every machine for the same seed and program.
  std::uint64_t trace_hash() const;
  /// Who sent what to whom, what became durable, what crashed: a line each; the last ones, if there are too
  /// many.
  std::string trace() const;
  /// The same as a Mermaid sequence diagram.
  std::string mermaid() const;

  /// For Continuo's own tests.
  simulation& internals() { return *world_; }

private:
  std::optional<std::string> state_bytes(const instance_id& id) const;
  void add_fake(std::unique_ptr<fake_base> made, const message_type& command, const message_type& reply);

  std::vector<std::shared_ptr<void>> kept_; // before the world, which may use it to its end
  std::unique_ptr<simulation> world_;
};

/// A cluster as a fixture of CAF's test framework, or of any other: its seed is CONTINUO_SEED of the
/// environment, else 1. Add nodes in the constructor of the fixture, and end each test with `finish()`.
struct fixture : cluster {
  fixture();
};

// -- many runs --------------------------------------------------------------------------------------------

/// Builds a cluster, and does something with it. Called again and again, so it holds no state between calls;
/// a check that does not hold throws. `finish` is called after it, unless it did so itself: what handlers and
/// promises refer to must live until then (`cluster::keep`).
using scenario = std::function<void(cluster&)>;

struct seed_range {
  std::uint64_t first = 1;
  std::uint64_t count = 100;
};

/// Runs a scenario over many seeds; with CONTINUO_SEED set over that one alone. Where one fails it looks for
/// the smallest set of its planned faults that still fails, prints the seed, the command that repeats it and
/// the trace, and writes trace and diagram to files (in CONTINUO_TRACE_DIR, else the working directory).
/// @throws failure
testing::figures for_each_seed(const scenario& what, seed_range seeds = {});

struct crash_points_options {
  std::uint64_t seed = 1;
  bool pairs = false;                     ///< every two of them as well
  std::size_t runs_max = ~std::size_t{0}; ///< beyond it an even choice of them
  /// What else must be as in the undisturbed run, as text; `[](auto& here) { return here.states(); }` is the
  /// strictest.
  std::function<std::string(cluster&)> also{};
};

struct crash_report {
  std::size_t commits = 0; ///< points of the undisturbed run
  std::size_t sends = 0;
  std::size_t effects = 0;
  std::size_t runs = 0;
  testing::figures seen;
};

/// Runs a scenario once undisturbed, then once for every sync, every frame sent and every handler run, each
/// with a crash of the node before it and after it; the node is back 50 ms later. The outcome
/// (`cluster::outcome`, and what `also` says) must be that of the undisturbed run. @throws failure with the
/// point
crash_report for_each_crash_point(const scenario& what, crash_points_options options = {});

} // namespace continuo::testing
