#pragma once

#include "journal/memory_store.hpp"
#include "nodes/runtime.hpp"
#include "testing/network.hpp"
#include "testing/promises.hpp"
#include "testing/trace.hpp"
#include "testing/turn_watch.hpp"
#include "testing/virtual_system.hpp"

#include <continuo/testing.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace continuo::testing {

/// A place in a run where a node may be made to crash.
struct crash_point {
  std::size_t number = 0; ///< counted from 1 over the run
  bool after = false;     ///< what the point stands for has happened
};

/// What an instance is, in one line for people.
std::string told(const std::optional<instance_view>& seen);

/// The engine's state machines.
enum class machine : std::uint8_t { saga, keyed, execution, acceptance, letter, link, schedule };

enum class point_kind : std::uint8_t { commit, send, effect };

/// A handler of a stateless service that waits to run, as its node's pool has it.
struct waiting_handler {
  std::int64_t due_ns = 0;
  bool hangs = false;
  messages::envelope message;
  actors::handler_job run;
};

/// A node over all its lives. Its disk outlives them; what belongs to one life goes with it.
struct member {
  explicit member(simulation& world, std::string name) : handle(world, name), name(std::move(name)) {}

  testing::node handle;
  std::string name;
  std::vector<std::string> hosts;
  std::string program; ///< that it runs from its next start on
  std::shared_ptr<journal::memory_disk> disk = std::make_shared<journal::memory_disk>();
  std::uint64_t boot = 1;
  std::int64_t booted_ns = -std::chrono::nanoseconds{std::chrono::hours{1}}.count(); ///< long ago
  std::chrono::nanoseconds wall_offset{0};
  std::int64_t jumped_ns = booted_ns; ///< when its wall clock did last
  std::int64_t sync_ns = 0;           ///< how long a sync takes
  std::uint64_t starts = 0;
  bool was_started = false;
  std::vector<actors::suspect> suspects{}; ///< handlers that ran as the last life ended
  bool is_paused = false;
  std::string failed;

  // -- of one life
  std::unique_ptr<virtual_system> system;
  std::shared_ptr<detail::node_runtime> runtime;
  std::deque<waiting_handler> handlers;
  std::int64_t journal_waits_ns = 0; ///< until then the journal is in a sync
  bool crashes = false;              ///< as soon as the job that runs has ended
  std::uint64_t dies_in_start = 0;   ///< at this job of its start; 0: it does not
  bool is_restarted = false;         ///< by a supervisor, when it stops by itself: its disk was made to fail
  bool fails = false;                ///< it must stop: a supervisor ends it soon
  std::map<fault, std::uint32_t> next_handlers; ///< to how many handlers each of these happens
  std::optional<bool> tears; ///< the next sync is torn; true: its batch is there afterwards
  std::optional<std::pair<journal::batch, engine::moment>>
      failed_sync; ///< its batch may be there after a restart

  bool is_up() const { return runtime != nullptr; }
};

/// What a program offers.
struct offered {
  std::vector<detail::saga_type> sagas;
  std::map<std::string, detail::service_type, std::less<>> services;
  std::vector<detail::keyed_service_type> keyed;

  bool offers(std::string_view name) const {
    return services.contains(name) || has_saga(name) || has_keyed(name);
  }
  bool has_saga(std::string_view name) const;
  bool has_keyed(std::string_view name) const;
};

/// The simulation behind `cluster`: nodes, time, what runs next, what goes wrong. See `cluster` for what its
/// calls mean.
class simulation {
public:
  explicit simulation(std::uint64_t seed);
  ~simulation();
  simulation(const simulation&) = delete;
  simulation& operator=(const simulation&) = delete;

  // -- what it is made of --------------------------------------------------------------------------
  /// Of a program: of the cluster's own, which has no name, or of another one.
  void offer(detail::service_type definition, std::string_view program = {});
  void offer(detail::saga_type definition, std::string_view program = {});
  void offer(detail::keyed_service_type definition, std::string_view program = {});
  void add_program(std::string name);
  bool has_program(std::string_view name) const { return programs_.contains(name); }
  void add_fake(std::unique_ptr<fake_base> made, const message_type& command, const message_type& reply);
  member& add(std::string name, std::vector<std::string> hosts);
  void configure(std::function<void(node_config&)> how) { configure_ = std::move(how); }
  void set_steps_at_once_max(std::size_t steps) { steps_at_once_max_ = steps; }
  void handlers_take(const std::string& service, std::chrono::nanoseconds at_most) {
    takes_[service] = at_most;
  }
  /// Checks how often nodes are woken for their timers.
  void count_wake_ups() { counts_wake_ups_ = true; }
  void set_link_queue_max(std::size_t messages) { link_queue_max_ = messages; }
  std::size_t link_queue_max() const { return link_queue_max_; }
  cluster_config& topology() { return topology_; }
  /// The lists of the nodes that are named are others from here on. All nodes are down.
  void place(const std::map<std::string, std::vector<std::string>>& hosts);

  // -- nodes -----------------------------------------------------------------------------------------
  member& at(std::string_view name);
  std::vector<std::unique_ptr<member>>& members() { return members_; }
  const std::vector<std::unique_ptr<member>>& members() const { return members_; }
  result<void> start(member& one);
  /// Lets the node's own actors work until it takes calls. Who starts a node by hand wants that; one that a
  /// fault or its supervisor starts is ready when it is, while all else goes on.
  void await_open(member& one);

  void start_new();
  void crash(member& one, const std::string& why);
  void pause(member& one, bool stands);
  void wipe(member& one);
  void jump_wall_clock(member& one, std::chrono::nanoseconds by);

  // -- messages ----------------------------------------------------------------------------------------
  accepted publish(const std::string& type, const std::string& payload, std::string_view at);
  result<command_result> send(const std::string& type, const std::string& payload, std::string_view at);
  std::optional<engine::record> record(const instance_id& id) const;
  /// The node where an instance lives, up or down; null where it is not known.
  member* home_of(const instance_id& id) const;
  std::optional<instance_view> view(const instance_id& id) const;
  std::vector<history_view> history_of(const instance_id& id) const;
  std::string outcome() const;
  std::string states() const;

  // -- time ----------------------------------------------------------------------------------------------
  std::int64_t now_ns() const { return now_ns_; }
  bool step();
  /// Whether times in which nothing but signs of life comes and goes are passed over. It changes no run.
  void pass_over_idle_times(bool whether) { passes_over_ = whether; }
  void run(std::chrono::nanoseconds limit);
  void run_for(std::chrono::nanoseconds time);
  bool run_until(const std::function<bool()>& holds, std::chrono::nanoseconds limit);
  std::uint64_t draw(std::uint64_t below) { return continuo::detail::next_random(random_) % below; }

  // -- what goes wrong --------------------------------------------------------------------------------------
  void plan_faults(const fault_plan& plan);
  void heal();
  network& net() { return network_; }
  void note_fault(const std::string& node, const std::string& peer, const std::string& what);
  /// Planned faults that do not happen, by their number in the run: for finding the smallest set that fails.
  void leave_out(std::set<std::size_t> faults) { left_out_ = std::move(faults); }
  std::size_t planned_faults() const { return planned_; }
  std::vector<std::string> planned_fault_texts() const { return planned_texts_; }
  void crash_at(std::vector<crash_point> points) { crash_points_ = std::move(points); }
  /// Where the nodes were made to crash, in words.
  const std::vector<std::string>& crash_texts() const { return crash_texts_; }
  const std::map<point_kind, std::size_t>& points() const { return points_; }
  std::size_t points_in_all() const { return point_; }
  /// A call of its store by the thread that starts a node: what else happens meanwhile, here and elsewhere.

  // -- what must hold
  // -----------------------------------------------------------------------------------------
  void always(std::string name, std::function<bool()> holds) {
    always_.emplace_back(std::move(name), std::move(holds));
  }
  void eventually(std::string name, std::function<bool()> holds) {
    eventually_.push_back({std::move(name), std::move(holds), false});
  }
  void at_end(std::string name, std::function<bool()> holds) {
    at_end_.emplace_back(std::move(name), std::move(holds));
  }
  void may_live_on(const std::string& type);
  void finish(std::chrono::nanoseconds limit);
  /// What still has something to do, or is owed something, although nothing works on it; a line each.
  std::string left_over() const;

  /// Fails where histories, expiry index and records on a disk do not fit each other.
  void check_upkeep() const;
  /// How an instance ended last, also where its record is deleted.
  std::optional<instance_status> end_of(const instance_id& id) const { return promises_.end_of(id); }
  /// Ends the run: says what is wrong, when, and with which seed. @throws failure
  [[noreturn]] void fail(const std::string& what) const;
  bool is_finished() const { return finished_; }

  // -- what happened
  // ---------------------------------------------------------------------------------------------
  std::uint64_t seed() const { return seed_; }
  testing::figures seen;
  testing::trace history;
  /// A row of a table was taken.
  void took(const instance_id& of, const char* row);
  void tell(event_kind kind, const std::string& node, const std::string& peer, std::string text);

  // -- of a node's means
  // ---------------------------------------------------------------------------------------
  /// A node's store commits. The batch is handed to `write`, unless the node crashes before.
  result<void> commit(member& by, const journal::batch& changes, const std::function<result<void>()>& write);
  void post(member& at, messages::envelope message, actors::handler_job job);
  engine::moment moment_of(const member& of) const;

private:
  struct promise_to_hold {
    std::string name;
    std::function<bool()> holds;
    bool held = false;
  };

  detail::open_node any_core() const;
  template <class Holds>
  bool any_program(Holds holds) const {
    return std::any_of(programs_.begin(), programs_.end(),
                       [&](const auto& one) { return holds(one.second); });
  }
  void host_all(const member& one);
  bool is_hosted(std::string_view address) const;
  void run_job(member& of, std::size_t nth);
  void run_handler(member& of, std::size_t nth);
  void after_step();
  bool advance(std::int64_t until_ns);
  bool pass_over_idle_time(std::int64_t until_ns); // whether time has passed
  bool is_idle() const;
  std::uint64_t idle_number() const;
  void check_links();
  void check_wake_ups();
  void check_timers(const member& of) const;
  std::size_t jobs_of(const member& one) const;
  std::optional<std::size_t> journal_job(const member& one) const;
  bool is_quiet();
  std::string work_left() const;
  std::string json_of(const std::string& type, const std::string& payload) const;
  void end_life(member& one);
  bool reaches_point(member& by, point_kind kind, bool after);
  void plan(std::int64_t at_ns, std::function<void()> what);
  void happen(fault kind, member& one, member& other, std::uint64_t amount);
  void restart_later(member& one, std::int64_t after_ns);
  bool takes_next(member& one, fault kind);
  bool frame_leaves(const std::string& from, const std::string& to, const std::string& bytes);
  void frame_arrives(const std::string& from, const std::string& to, const std::string& bytes);
  std::chrono::nanoseconds time_of_attempt(const messages::envelope& message) const;
  accepted ask_until_taken(const std::string& what, std::string_view at,
                           const std::function<void(member&, std::function<void(result<accepted>)>)>& ask);
  void await_life(member& one);
  using command_run = std::function<result<detail::handled>(std::string_view payload, command_context&)>;
  command_run with_faults(command_run inner);

  std::uint64_t seed_;
  std::uint64_t random_;       ///< what runs next, how long a frame takes
  std::uint64_t fault_random_; ///< a source of its own, so that leaving a fault out changes no other
  std::uint64_t store_ids_;
  std::int64_t now_ns_ = 0;
  std::size_t steps_at_once_ = 0; ///< since time passed last
  cluster_config topology_;
  std::map<std::string, offered, std::less<>> programs_{{std::string{}, {}}};
  offered& own_ = programs_.begin()->second; ///< what the cluster itself was offered
  std::vector<std::unique_ptr<fake_base>> fakes_;
  std::map<std::string, std::chrono::nanoseconds, std::less<>>
      takes_;                                                     ///< how long a service's handlers may take
  std::map<std::pair<machine, const char*>, std::uint64_t> rows_; ///< by the place of the row's name
  std::function<void(node_config&)> configure_;
  std::size_t link_queue_max_ = 0;
  std::size_t steps_at_once_max_ = 10'000'000; ///< more than any test takes on purpose
  network network_;
  promises promises_;
  turn_watch turns_;
  std::vector<std::unique_ptr<member>> members_;
  member* runs_ = nullptr; ///< the node whose code runs at this moment
  std::multimap<std::int64_t, std::function<void()>> planned_work_;
  std::set<std::string, std::less<>> live_on_; ///< types of which instances may have something left to do
  std::int64_t changed_ns_ = 0;                ///< when something became durable last
  std::int64_t told_ns_ = 0;                   ///< when anything happened last but signs of life
  std::int64_t checked_ns_ = -1;               ///< `changed_ns_` as the wake-ups were counted last
  bool passes_over_ = true;
  bool counts_wake_ups_ = false;

  std::vector<fault_plan> early_plans_; ///< made before there were nodes
  std::size_t planned_ = 0;
  std::vector<std::string> planned_texts_;
  std::set<std::size_t> left_out_;
  std::vector<crash_point> crash_points_;
  std::vector<std::string> crash_texts_;
  std::map<point_kind, std::size_t> points_;
  std::size_t point_ = 0;

  std::vector<std::pair<std::string, std::function<bool()>>> always_;
  std::vector<promise_to_hold> eventually_;
  std::vector<std::pair<std::string, std::function<bool()>>> at_end_;
  std::uint64_t clients_ = 0; ///< idempotency keys drawn
  bool finished_ = false;
  bool check_always_ = false;
  std::optional<std::string> broken_; ///< found in the middle of a job
};

} // namespace continuo::testing
