#include "testing/simulation.hpp"

#include "engine/acceptance.hpp"
#include "engine/dead_letter.hpp"
#include "engine/mix.hpp"
#include "testing/fakes.hpp"
#include "testing/frame_text.hpp"
#include "testing/means.hpp"

#include <continuo/archive.hpp>

#include <caf/send.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <vector>

namespace continuo::testing {

using namespace std::chrono_literals;
using continuo::detail::saturated_sum;

namespace {

/// Longer than the longest pause between two attempts of anything.
constexpr std::int64_t patience_ns = std::chrono::nanoseconds{65s}.count();

/// What waits in a node that must stop until its supervisor ends it.
constexpr std::int64_t stopping_ns = std::chrono::nanoseconds{5ms}.count();

/// After that long without anything but signs of life nothing is on its way.
constexpr std::int64_t idle_after_ns = std::chrono::nanoseconds{10s}.count();

/// The longest that the timers of a node sleep, and a little.
constexpr std::int64_t timers_nap_ns = std::chrono::nanoseconds{61s}.count();

constexpr std::int64_t second_ns = std::chrono::nanoseconds{1s}.count();

/// How long a supervisor waits before it starts a node that stopped by itself.
constexpr std::int64_t restart_after_failure_ns = std::chrono::nanoseconds{500ms}.count();

/// After a crash that a test ordered by its number.
constexpr std::int64_t restart_ns = std::chrono::nanoseconds{50ms}.count();

double seconds(std::int64_t ns) {
  return static_cast<double>(ns) / 1e9;
}

} // namespace

// -- what it is made of ---------------------------------------------------------------------------------

simulation::simulation(std::uint64_t seed)
    : seed_(seed), random_(engine::mixed(seed + 1)), fault_random_(engine::mixed(seed + 2)),
      store_ids_(engine::mixed(seed + 3)),
      network_(
          {[this] { return now_ns_; },
           [this] {
             return static_cast<std::int64_t>(50'000 + (is_idle() ? idle_number() % 450'000 : draw(450'000)));
           },
           [this](const auto& from, const auto& to, const auto& bytes) {
             return frame_leaves(from, to, bytes);
           },
           [this](const auto& from, const auto& to, const auto& bytes) { frame_arrives(from, to, bytes); },
           [this](const auto& from, const auto& to, const auto& bytes) {
             if (const auto frame = decode<messages::frame>(bytes); frame && !text_of(*frame).empty()) {
               tell(event_kind::lost, to, from, text_of(*frame));
             }
           },
           [this](const auto& a, const auto& b, const auto& what) { tell(event_kind::fault, a, b, what); }}),
      promises_({[this](const std::string& what) {
                   if (!broken_) {
                     broken_ = what;
                   }
                 },
                 [this](const std::string& node, std::string text) {
                   tell(event_kind::write, node, {}, std::move(text));
                 }}),
      turns_([this](const std::string& what) {
        if (!broken_) {
          broken_ = what;
        }
      }) {
  topology_.name = "simulated";
}

simulation::~simulation() {
  for (const auto& one : members_) {
    end_life(*one);
  }
}

bool offered::has_saga(std::string_view name) const {
  return std::any_of(sagas.begin(), sagas.end(), [&](const auto& one) { return one.name == name; });
}

bool offered::has_keyed(std::string_view name) const {
  return std::any_of(keyed.begin(), keyed.end(), [&](const auto& one) { return one.name == name; });
}

void simulation::add_program(std::string name) {
  if (name.empty()) {
    fail("a program has a name; the one without is the cluster's own");
  }
  programs_.try_emplace(std::move(name));
}

void simulation::offer(detail::saga_type definition, std::string_view program) {
  if (program.empty() || !own_.has_saga(definition.name)) { // the cluster's own is the measure
    promises_.knows(definition);
  }
  programs_.find(program)->second.sagas.push_back(std::move(definition));
}

void simulation::offer(detail::keyed_service_type definition, std::string_view program) {
  promises_.knows_keyed(definition.name);
  programs_.find(program)->second.keyed.push_back(std::move(definition));
}

void simulation::offer(detail::service_type definition, std::string_view program) {
  for (auto& [name, handler] : definition.commands) {
    if (handler.run) {
      handler.run = with_faults(std::move(handler.run));
    }
  }
  const auto name = definition.name;
  if (!programs_.find(program)->second.services.emplace(name, std::move(definition)).second) {
    fail(fmt::format("there is a service {} already: offer it before its fakes, which add to it", name));
  }
}

/// A handler that goes wrong where that is wanted.
simulation::command_run simulation::with_faults(command_run inner) {
  return [this, inner = std::move(inner)](std::string_view payload,
                                          command_context& context) -> result<detail::handled> {
    const auto goes_wrong = [this](fault kind) { return runs_ != nullptr && takes_next(*runs_, kind); };
    if (goes_wrong(fault::handler_throws)) {
      throw std::runtime_error{"a fault of the simulation: the handler throws"};
    }
    if (goes_wrong(fault::handler_declines)) {
      return detail::handled{true, "a fault of the simulation: the handler declines"};
    }
    auto outcome = inner(payload, context);
    if (goes_wrong(fault::handler_loses)) {
      throw std::runtime_error{"a fault of the simulation: the handler's outcome is lost"};
    }
    return outcome;
  };
}

void simulation::add_fake(std::unique_ptr<fake_base> made, const message_type& command,
                          const message_type& reply) {
  auto& service = own_.services[made->service()];
  service.name = made->service();
  auto& handler = service.commands[made->command()];
  if (handler.command != nullptr) {
    fail(made->service() + " handles " + made->command() + " already");
  }
  handler.command = &command;
  handler.reply = &reply;
  handler.run = with_faults([this, state = made->state_](std::string_view payload, command_context& context) {
    return state->run(runs_ != nullptr ? runs_->name : std::string{}, payload, context);
  });
  fakes_.push_back(std::move(made));
}

namespace {

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

} // namespace

member& simulation::add(std::string name, std::vector<std::string> hosts) {
  for (const auto& one : members_) {
    if (one->was_started) {
      fail("nodes are added before the first one starts: " + name);
    }
    if (one->name == name) {
      fail("there are two nodes called " + name);
    }
  }
  members_.push_back(std::make_unique<member>(*this, name));
  auto& made = *members_.back();
  made.hosts = hosts;
  topology_.nodes.push_back(
      {std::move(name), "127.0.0.1", static_cast<std::uint16_t>(members_.size()), std::move(hosts)});
  return made;
}

// -- nodes --------------------------------------------------------------------------------------------------

member& simulation::at(std::string_view name) {
  for (const auto& one : members_) {
    if (one->name == name) {
      return *one;
    }
  }
  if (members_.empty()) {
    fail("the cluster has no nodes: add one");
  }
  if (name.empty()) {
    return *members_.front();
  }
  fail(fmt::format("there is no node {}", name));
}

void simulation::place(const std::map<std::string, std::vector<std::string>>& hosts) {
  for (const auto& one : members_) {
    if (one->is_up()) {
      fail(one->name + " is up: nodes of two cluster files refuse each other");
    }
  }
  for (const auto& [name, list] : hosts) {
    at(name).hosts = list;
    for (auto& node : topology_.nodes) {
      node.hosts = node.name == name ? list : node.hosts;
    }
  }
}

/// Gives the new life of a node the program that is installed there.
void simulation::host_all(const member& one) {
  const auto runs = [&](const std::string& name) { return members_.size() > 1 || contains(one.hosts, name); };
  const auto& program = programs_.find(one.program)->second;
  for (const auto& saga : program.sagas) {
    if (runs(saga.name)) {
      one.runtime->host(saga);
    }
  }
  for (const auto& [name, service] : program.services) {
    if (runs(name)) {
      one.runtime->host(service);
    }
  }
  for (const auto& keyed : program.keyed) {
    if (runs(keyed.name)) {
      one.runtime->host(keyed);
    }
  }
}

result<void> simulation::start(member& one) {
  if (one.is_up()) {
    return continuo::fail(errc::conflict, one.name + " is up");
  }
  for (auto& node : topology_.nodes) {
    if (node.hosts.empty() && at(node.name).hosts.empty()) {
      for (const auto& saga : own_.sagas) {
        node.hosts.push_back(saga.name);
      }
      for (const auto& [name, service] : own_.services) {
        node.hosts.push_back(name);
      }
      for (const auto& keyed : own_.keyed) {
        node.hosts.push_back(keyed.name);
      }
      at(node.name).hosts = node.hosts;
    }
  }
  if (members_.size() > 1) {
    engine::placement::hosts_map hosts;
    for (const auto& node : topology_.nodes) {
      for (const auto& name : node.hosts) {
        hosts[name].push_back(node.name);
      }
    }
    promises_.knows_places(engine::placement{{}, std::move(hosts)});
  }
  // A cluster finds out by itself what nobody offers, and what runs where.
  for (const auto& name : members_.size() == 1 ? one.hosts : std::vector<std::string>{}) {
    if (!programs_.find(one.program)->second.offers(name)) {
      return continuo::fail(
          errc::invalid_configuration,
          fmt::format("the hosts of node {}: this program offers no \"{}\"", one.name, name));
    }
  }
  ++one.starts;
  one.was_started = true;
  one.failed.clear();
  one.fails = false;
  tell(event_kind::life, one.name, {},
       (one.starts == 1 ? "starts" : "starts again") + (one.program.empty() ? "" : " as " + one.program));
  one.system = std::make_unique<virtual_system>(now_ns_);
  node_config config;
  config.name = one.name;
  if (members_.size() > 1) {
    config.cluster = topology_;
  }
  config.seed = engine::mixed(seed_ + one.starts) | 1;
  config.shards = 2;
  config.system = &one.system->system();
  config.logger = logger_of(*this, one);
  config.on_failure = [this, &one](const error& reason) {
    one.failed = fmt::format("{}: {}", to_string(reason.code), reason.message);
    one.fails = true;
    tell(event_kind::life, one.name, {}, "must stop: " + one.failed);
  };
  if (configure_) {
    configure_(config);
  }
  one.runtime = std::make_shared<detail::node_runtime>(config);
  host_all(one);
  auto& means = one.runtime->means();
  means.runs_workflows_twice = true;
  means.store = store_of(*this, one);
  if (const auto failed = std::exchange(one.failed_sync, std::nullopt)) {
    const auto is_there = [&, all = one.disk->snapshot()](const journal::operation& change) {
      const auto found = all.find(change.key);
      if (change.what == journal::operation::kind::erase_range) {
        return true; // the puts and erasures beside it tell
      }
      return change.what == journal::operation::kind::erase
                 ? found == all.end()
                 : found != all.end() && found->second == change.value;
    };
    // Of a key that the batch changes twice the last change counts.
    const auto is_over = [&](const journal::operation& change) {
      return std::any_of(&change + 1, failed->first.data() + failed->first.size(),
                         [&](const journal::operation& later) {
                           return later.what == journal::operation::kind::erase_range
                                      ? later.key <= change.key && change.key < later.value
                                      : later.key == change.key;
                         });
    };
    if (std::all_of(failed->first.begin(), failed->first.end(),
                    [&](const journal::operation& change) { return is_over(change) || is_there(change); })) {
      promises_.commits(one.name, failed->first, failed->second);
    }
  }
  promises_.starts(one.name, *means.store, moment_of(one));
  turns_.lives(one.name, *means.store);
  means.time = clock_of(*this, one);
  means.pool = pool_of(*this, one);
  means.own_journal_thread = false;
  means.store_id = continuo::detail::next_random(store_ids_); // of a disk that has none
  means.link_queue_max = link_queue_max_;
  means.suspects = std::exchange(one.suspects, {});
  means.took = [this](const instance_id& of, const char* row) { took(of, row); };
  means.greet_peers = 0ms; // nothing runs while `start` does
  means.start_waits = false;
  if (members_.size() > 1) {
    means.reach = network_.connector_of(one.name, one.system->system());
  }
  auto started = one.runtime->start();
  if (one.crashes) { // in the first syncs: it did start, and is back after a while
    crash(one, "crashes");
    restart_later(one, restart_ns);
    return {};
  }
  if (!started) {
    one.failed = started.error().message;
    tell(event_kind::life, one.name, {}, "does not start: " + one.failed);
    end_life(one);
  }
  changed_ns_ = now_ns_;
  return started;
}

void simulation::await_open(member& one) {
  while (one.is_up() && one.runtime->is_starting() && jobs_of(one) > 0) {
    run_job(one, static_cast<std::size_t>(draw(jobs_of(one))));
    after_step();
  }
}

void simulation::start_new() {
  std::vector<member*> fresh;
  for (const auto& one : members_) {
    if (!one->was_started) {
      fresh.push_back(one.get());
      if (const auto started = start(*one); !started) {
        fail(fmt::format("{} does not start: {}", one->name, started.error().message));
      }
    }
  }
  for (auto* one : fresh) {
    await_open(*one);
  }
  if (!members_.empty()) {
    for (const auto& plan : std::exchange(early_plans_, {})) {
      plan_faults(plan);
    }
  }
}

void simulation::crash(member& one, const std::string& why) {
  if (!one.is_up()) {
    return;
  }
  ++seen.crashes;
  tell(event_kind::life, one.name, {}, why);
  end_life(one);
  changed_ns_ = now_ns_;
}

/// Nothing of the life has an effect from here on: its disk takes nothing, its network end is gone.
void simulation::end_life(member& one) {
  if (!one.runtime) {
    return;
  }
  one.disk->crash();
  network_.ends(one.name);
  for (const auto& runs : one.handlers) {
    if (runs.due_ns > now_ns_) {
      one.suspects.push_back({{runs.message.to.type, to_string(runs.message.id)}, runs.message.id});
    }
  }
  one.handlers.clear();
  turns_.dies(one.name);
  one.crashes = false;
  one.is_paused = false;
  one.journal_waits_ns = 0;
  one.tears.reset();
  const auto system = std::move(one.system); // from here on it says nothing
  one.runtime->crash();
  system->drain();
  one.runtime.reset();
  one.handlers.clear();
}

void simulation::pause(member& one, bool stands) {
  if (!one.is_up() || one.is_paused == stands) {
    return;
  }
  one.is_paused = stands;
  tell(event_kind::life, one.name, {}, stands ? "stands still" : "goes on");
  turns_.stands(one.name, now_ns_);
  if (!stands) {
    one.system->advance_to(now_ns_);
  }
}

void simulation::jump_wall_clock(member& one, std::chrono::nanoseconds by) {
  note_fault(one.name, {}, "the wall clock jumps");
  promises_.clock_jumps(one.name, moment_of(one));
  one.wall_offset = std::chrono::nanoseconds{saturated_sum(one.wall_offset.count(), by.count())};
  one.jumped_ns = now_ns_;
}

void simulation::wipe(member& one) {
  tell(event_kind::fault, one.name, {}, "the disk is wiped");
  one.disk = std::make_shared<journal::memory_disk>();
  one.failed_sync.reset();
  promises_.forgets(one.name);
}

engine::moment simulation::moment_of(const member& of) const {
  // 2026 and something: a date that people recognise.
  const time_point wall{std::chrono::hours{24 * 365 * 56} + std::chrono::nanoseconds{now_ns_}};
  return {engine::later(wall, of.wall_offset), {std::chrono::nanoseconds{now_ns_ - of.booted_ns}}, of.boot};
}

// -- of a node's means ------------------------------------------------------------------------------------

bool simulation::reaches_point(member& by, point_kind kind, bool after) {
  if (!after) {
    ++point_;
    ++points_[kind];
  }
  const auto hit = std::any_of(crash_points_.begin(), crash_points_.end(), [&](const crash_point& wanted) {
    return wanted.number == point_ && wanted.after == after;
  });
  if (hit) {
    const auto* what = kind == point_kind::commit ? "sync" : kind == point_kind::send ? "frame" : "handler";
    crash_texts_.push_back(
        fmt::format("{} {} {}, at {}", after ? "after" : "before", what, points_[kind], by.name));
    tell(event_kind::fault, by.name, {},
         fmt::format("is to crash here: {} {} {}", after ? "after" : "before", what, points_[kind]));
  }
  by.crashes = by.crashes || hit;
  return hit;
}

result<void> simulation::commit(member& by, const journal::batch& changes,
                                const std::function<result<void>()>& write) {
  if (!by.system) {
    return continuo::fail(errc::storage_failed, "the node has crashed");
  }
  const auto dies = [] {
    return continuo::fail(errc::storage_failed, "the node crashes in the middle of a sync");
  };
  if (by.crashes || reaches_point(by, point_kind::commit, false)) {
    return dies();
  }
  const auto torn = std::exchange(by.tears, std::nullopt);
  if (torn) {
    by.crashes = true;
    restart_later(by, static_cast<std::int64_t>(draw(2'000'000'000)));
    if (!*torn) {
      return dies();
    }
  }
  if (auto written = write(); !written) {
    if (!by.failed_sync) {
      by.failed_sync = {changes, moment_of(by)};
    }
    return written;
  }
  changed_ns_ = now_ns_;
  check_always_ = true;
  ++seen.commits;
  tell(event_kind::sync, by.name, {}, fmt::format("synced {} changes", changes.size()));
  promises_.commits(by.name, changes, moment_of(by));
  turns_.commits(by.name, changes, now_ns_);
  if (torn || reaches_point(by, point_kind::commit, true)) {
    return dies();
  }
  if (by.sync_ns > 0) {
    by.journal_waits_ns = saturated_sum(now_ns_, by.sync_ns);
  }
  return {};
}

/// How long an attempt of the command's handler may take.
std::chrono::nanoseconds simulation::time_of_attempt(const messages::envelope& message) const {
  const auto service = engine::placement::service_of(message.to.type);
  for (const auto& [name, program] : programs_) {
    if (const auto found = program.services.find(service); found != program.services.end()) {
      return continuo::detail::any_duration{found->second.retry.timeout};
    }
  }
  return 30s;
}

void simulation::post(member& at, messages::envelope message, actors::handler_job job) {
  if (!at.system || at.crashes) {
    return;
  }
  if (!at.failed.empty()) {
    broken_ = fmt::format("a handler of {} begins on {}, which must stop", message.type, at.name);
  }
  if (const auto core = at.runtime->open_core()) {
    const auto of = core->services.find(engine::placement::service_of(message.to.type));
    if (of != core->services.end()) {
      turns_.begins(at.name, of->second, message, now_ns_);
    }
  }
  waiting_handler made{now_ns_, false, std::move(message), std::move(job)};
  for (const auto& one : fakes_) {
    if (one->command() == made.message.type) {
      made.due_ns = saturated_sum(made.due_ns, one->state_->begins(made.message, made.hangs).count());
    }
  }
  if (const auto slow = takes_.find(engine::placement::service_of(made.message.to.type));
      slow != takes_.end()) {
    made.due_ns += static_cast<std::int64_t>(draw(static_cast<std::uint64_t>(slow->second.count()) + 1));
  }
  if (takes_next(at, fault::handler_hangs)) {
    const std::chrono::nanoseconds beyond = std::chrono::milliseconds{1 + draw(5'000)};
    made.due_ns =
        saturated_sum(made.due_ns, saturated_sum(time_of_attempt(made.message).count(), beyond.count()));
  }
  at.handlers.push_back(std::move(made));
}

bool simulation::takes_next(member& one, fault kind) {
  const auto found = one.next_handlers.find(kind);
  if (found == one.next_handlers.end() || found->second == 0) {
    return false;
  }
  --found->second;
  tell(event_kind::fault, one.name, {}, to_string(kind));
  return true;
}

bool simulation::frame_leaves(const std::string& from, const std::string& to, const std::string& bytes) {
  auto& sender = at(from);
  if (sender.crashes || !sender.system) {
    return false;
  }
  const auto frame = decode<messages::frame>(bytes);
  if (!frame) {
    broken_ = "a frame cannot be read: " + frame.error().message;
    return false;
  }
  promises_.leaves(from, *frame);
  auto text = text_of(*frame);
  if (text.empty()) {
    if (!is_idle()) {
      history.count(bytes.size());
    }
    return true;
  }
  tell(event_kind::send, from, to, std::move(text));
  if (reaches_point(sender, point_kind::send, false)) {
    return false;
  }
  reaches_point(sender, point_kind::send, true); // it is on its way, and arrives
  return true;
}

void simulation::frame_arrives(const std::string& from, const std::string& to, const std::string& bytes) {
  ++seen.frames;
  const auto frame = decode<messages::frame>(bytes);
  if (auto text = frame ? text_of(*frame) : std::string{"what cannot be read"}; !text.empty()) {
    tell(event_kind::arrive, to, from, std::move(text));
  } else if (!is_idle()) {
    history.count(bytes.size());
  }
}

// -- running
// --------------------------------------------------------------------------------------------------

std::optional<std::size_t> simulation::journal_job(const member& one) const {
  if (one.journal_waits_ns <= now_ns_) {
    return std::nullopt;
  }
  const auto core = one.runtime->open_core();
  return core ? one.system->job_of(core->journal) : std::nullopt;
}

std::size_t simulation::jobs_of(const member& one) const {
  if (!one.is_up() || one.is_paused || one.crashes) {
    return 0;
  }
  return one.system->jobs() - (journal_job(one) ? 1 : 0);
}

void simulation::run_job(member& of, std::size_t nth) {
  if (const auto waits = journal_job(of); waits && nth >= *waits) {
    ++nth;
  }
  ++seen.deliveries;
  if (of.dies_in_start > 0 && of.runtime->is_starting() && --of.dies_in_start == 0) {
    note_fault(of.name, {}, "crashes while it starts");
    of.crashes = true;
    restart_later(of, restart_ns);
    return;
  }
  runs_ = &of;
  of.system->run(nth);
  runs_ = nullptr;
  if (!of.runtime->is_starting()) {
    of.dies_in_start = 0;
  }
}

void simulation::run_handler(member& of, std::size_t nth) {
  for (auto one = of.handlers.begin(); one != of.handlers.end(); ++one) {
    if (one->hangs || one->due_ns > now_ns_ || nth-- > 0) {
      continue;
    }
    const auto next = std::move(*one);
    of.handlers.erase(one);
    tell(event_kind::handler, of.name, {},
         fmt::format("handles {} of {}", next.message.type, next.message.from.key));
    if (reaches_point(of, point_kind::effect, false)) {
      return;
    }
    ++seen.effects;
    promises_.runs(of.name, next.message);
    runs_ = &of;
    next.run(next.message);
    if (takes_next(of, fault::handler_repeats)) {
      next.run(next.message);
    }
    runs_ = nullptr;
    turns_.returns(of.name, next.message.id);
    reaches_point(of, point_kind::effect, true);
    return;
  }
}

bool simulation::step() {
  const auto frames = network_.ready();
  auto ready = frames;
  const auto handlers_of = [this](const member& one) {
    return one.is_paused || one.crashes
               ? 0
               : static_cast<std::size_t>(std::count_if(
                     one.handlers.begin(), one.handlers.end(),
                     [&](const waiting_handler& waits) { return !waits.hangs && waits.due_ns <= now_ns_; }));
  };
  for (const auto& one : members_) {
    ready += jobs_of(*one) + handlers_of(*one);
  }
  if (ready == 0) {
    return false;
  }
  if (++steps_at_once_ > steps_at_once_max_) {
    fail(fmt::format("{} steps, and no time passes: is a timer of no time set again and again, or does a "
                     "message cause itself?{}",
                     steps_at_once_max_, work_left()));
  }
  auto drawn = static_cast<std::size_t>(is_idle() ? idle_number() % ready : draw(ready));
  if (!is_idle()) {
    history.count(drawn);
  }
  if (drawn < frames) {
    network_.deliver(drawn);
  } else {
    drawn -= frames;
    for (const auto& one : members_) {
      const auto jobs = jobs_of(*one);
      if (drawn < jobs) {
        run_job(*one, drawn);
        break;
      }
      drawn -= jobs;
      const auto handlers = handlers_of(*one);
      if (drawn < handlers) {
        run_handler(*one, drawn);
        break;
      }
      drawn -= handlers;
    }
  }
  after_step();
  return true;
}

void simulation::after_step() {
  for (const auto& one : members_) {
    if (one->crashes) {
      crash(*one, "crashes");
      if (!crash_points_.empty()) {
        restart_later(*one, restart_ns);
      }
    } else if (one->fails && one->is_up()) {
      one->fails = false;
      plan(now_ns_ + stopping_ns, [this, &node = *one, life = one->starts] {
        if (node.starts == life) {
          crash(node, "stops");
          if (node.is_restarted) {
            restart_later(node, restart_after_failure_ns);
          }
        }
      });
    }
  }
  if (broken_) {
    fail(*broken_);
  }
  if (std::exchange(check_always_, false)) {
    for (const auto& [name, holds] : always_) {
      if (!holds()) {
        fail("does not hold: " + name);
      }
    }
    for (auto& one : eventually_) {
      one.held = one.held || one.holds();
    }
  }
}

/// What links hold stays within their bounds.
void simulation::check_links() {
  static const auto largest = [] {
    engine::envelope message;
    message.payload.resize(engine::record_bytes_max);
    return engine::units_of(message);
  }();
  const engine::link_settings bounds;
  const auto queue_max = link_queue_max_ != 0 ? link_queue_max_ : bounds.queue_max;
  for (const auto& one : members_) {
    if (!one->is_up()) {
      continue;
    }
    for (const auto& peer : one->runtime->peers()) {
      if (peer.waiting > queue_max + bounds.window) {
        fail(fmt::format("the link of {} to {} holds {} messages", one->name, peer.name, peer.waiting));
      }
      if (peer.unanswered > bounds.window + largest) { // the last message may go beyond
        fail(fmt::format("{} has sent {} units to {} beyond what was answered: more than its credit",
                         one->name, peer.unanswered, peer.name));
      }
    }
  }
}

/// No running instance has a timer that is long due. By the wall clock it may be, where that has jumped
/// within the time that a node sleeps and does not believe it after a boot.
void simulation::check_timers(const member& of) const {
  const auto now = moment_of(of);
  for (const auto& [key, bytes] : of.disk->snapshot()) {
    const auto stored = key.starts_with('r') ? decode<engine::record>(bytes)
                                             : result<engine::record>{continuo::fail(errc::not_found, "")};
    if (!stored || stored->status != instance_status::running) {
      continue;
    }
    for (const auto& timer : stored->timers) {
      const auto by_boot_time = timer.boot == now.boot;
      const auto late =
          by_boot_time ? engine::between(timer.due_up, now.up) : engine::between(timer.due, now.wall);
      if (late > 1min &&
          (by_boot_time || now_ns_ - std::max(of.jumped_ns, of.booted_ns) >= 2 * patience_ns)) {
        fail(fmt::format("the timer {} of {} was due {:.0f} s ago, and does not fire", timer.name,
                         to_string(stored->self), seconds(late.count())));
      }
    }
  }
}

/// Timers that have fired leave nothing behind: where nothing has happened for a while, a node is woken once
/// for its nearest timer.
void simulation::check_wake_ups() {
  if (now_ns_ - changed_ns_ < 3 * patience_ns || checked_ns_ == changed_ns_) {
    return;
  }
  checked_ns_ = changed_ns_;
  for (const auto& one : members_) {
    const auto core = one->is_up() ? one->runtime->open_core() : detail::open_node{};
    if (!core) {
      continue;
    }
    check_timers(*one);
    if (const auto count = one->system->messages_due_for(core->timers); counts_wake_ups_ && count > 1) {
      fail(fmt::format("{} is woken {} times for its nearest timer, and will be each minute", one->name,
                       count));
    }
  }
}

/// Whether nothing has happened for a while but signs of life. What is drawn then depends on the time alone,
/// so that it makes no difference how many of them there were.
bool simulation::is_idle() const {
  return now_ns_ - told_ns_ > idle_after_ns;
}

std::uint64_t simulation::idle_number() const {
  return engine::mixed(seed_ ^ engine::mixed(static_cast<std::uint64_t>(now_ns_)));
}

/// Nodes that are up and have nothing to do exchange signs of life, which the links expect of each other. One
/// period is like the next, until something is due: so whole periods may be left out.
bool simulation::pass_over_idle_time(std::int64_t until_ns) {
  const auto period = std::chrono::nanoseconds{topology_.heartbeat}.count();
  if (!passes_over_ || !is_idle() || period <= 0 || !network_.is_empty() || !network_.is_whole()) {
    return false;
  }
  auto end = std::min(until_ns, planned_work_.empty() ? at_no_time : planned_work_.begin()->first);
  std::vector<std::vector<caf::actor>> links;
  for (const auto& one : members_) {
    const auto core = one->is_up() && !one->is_paused ? one->runtime->open_core() : detail::open_node{};
    if (!core || one->system->jobs() > 0 || one->journal_waits_ns > now_ns_) {
      return false;
    }
    const auto waits = std::any_of(one->handlers.begin(), one->handlers.end(),
                                   [](const waiting_handler& handler) { return !handler.hangs; });
    const auto peers = core->peers.all();
    if (waits || std::any_of(peers.begin(), peers.end(), [](const peer_status& peer) { return !peer.up; })) {
      return false;
    }
    auto& here = links.emplace_back();
    for (const auto& [peer, link] : core->links) {
      here.push_back(link);
    }
    auto periodic = here;
    periodic.push_back(core->timers); // it looks at its clock once a minute: if late, then at once
    end = std::min(end, one->system->next_beside_ns(periodic));
    const auto now = moment_of(*one);
    if (const auto timer = promises_.next_timer_ns(one->name, now)) {
      end = std::min(end, saturated_sum(now_ns_, *timer) - timers_nap_ns);
    }
  }
  const auto periods = end == at_no_time ? 0 : (end - now_ns_) / period;
  if (periods <= 0) {
    return false;
  }
  const auto time = periods * period;
  now_ns_ += time;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    auto& one = *members_[i];
    one.system->pass_over(time, links[i]);
    for (const auto& link : links[i]) {
      caf::anon_send(link, actors::link_skip{time});
    }
    runs_ = &one;
    one.system->drain();
    runs_ = nullptr;
    one.system->advance_to(now_ns_);
  }
  return true;
}

bool simulation::advance(std::int64_t until_ns) {
  const auto has_passed = pass_over_idle_time(until_ns);
  auto next = std::min(network_.next_ns(), planned_work_.empty() ? at_no_time : planned_work_.begin()->first);
  for (const auto& one : members_) {
    if (!one->is_up() || one->is_paused) {
      continue;
    }
    // What became due while time was passed over comes first.
    next = std::min(next, has_passed && one->system->jobs() > 0 ? now_ns_ : one->system->next_ns());
    if (one->journal_waits_ns > now_ns_) {
      next = std::min(next, one->journal_waits_ns);
    }
    for (const auto& waits : one->handlers) {
      if (!waits.hangs) {
        next = std::min(next, waits.due_ns);
      }
    }
  }
  const auto goes_on = next <= until_ns && next != at_no_time;
  const auto second = now_ns_ / second_ns;
  const auto to = std::max(now_ns_, std::min(next, until_ns));
  steps_at_once_ = to == now_ns_ ? steps_at_once_ : 0;
  now_ns_ = to;
  seen.time = std::chrono::nanoseconds{now_ns_};
  for (const auto& one : members_) {
    if (one->is_up() && !one->is_paused) {
      one->system->advance_to(now_ns_);
    }
  }
  if (now_ns_ / second_ns != second) {
    check_links();
    check_wake_ups();
  }
  while (!planned_work_.empty() && planned_work_.begin()->first <= now_ns_) {
    const auto what = std::move(planned_work_.begin()->second);
    planned_work_.erase(planned_work_.begin());
    what();
    after_step();
  }
  return goes_on;
}

void simulation::plan(std::int64_t at_ns, std::function<void()> what) {
  planned_work_.emplace(at_ns, std::move(what));
}

/// Asked when nothing can go on without time passing.
bool simulation::is_quiet() {
  if (!planned_work_.empty() || !network_.is_empty()) {
    return false;
  }
  bool settled = true;
  for (const auto& one : members_) {
    if (!one->is_up()) {
      continue;
    }
    for (const auto& waits : one->handlers) {
      if (!waits.hangs) {
        return false;
      }
    }
    if (promises_.has_timers(one->name)) {
      return false;
    }
    settled = settled && promises_.is_settled(one->name);
  }
  return settled || now_ns_ - changed_ns_ > patience_ns;
}

void simulation::run(std::chrono::nanoseconds limit) {
  start_new();
  const auto until = saturated_sum(now_ns_, limit.count());
  while (true) {
    while (step()) {
    }
    if (is_quiet()) {
      break;
    }
    if (!advance(until)) {
      fail(fmt::format("there is work left after {:.0f} s of virtual time{}", seconds(limit.count()),
                       work_left()));
    }
  }
}

void simulation::run_for(std::chrono::nanoseconds time) {
  start_new();
  const auto until = saturated_sum(now_ns_, time.count());
  do {
    while (step()) {
    }
  } while (advance(until));
}

bool simulation::run_until(const std::function<bool()>& holds, std::chrono::nanoseconds limit) {
  start_new();
  const auto until = saturated_sum(now_ns_, limit.count());
  while (true) {
    if (holds()) {
      return true;
    }
    if (!step() && !advance(until)) {
      return holds();
    }
  }
}

// -- the end
// --------------------------------------------------------------------------------------------------------

void simulation::fail(const std::string& what) const {
  throw failure{fmt::format("seed {}, after {:.6f} s: {}", seed_, seconds(now_ns_), what)};
}

void simulation::may_live_on(const std::string& type) {
  live_on_.insert(type);
  promises_.may_live_on(type);
}

void simulation::finish(std::chrono::nanoseconds limit) {
  start_new();
  run_until([this] { return planned_work_.empty(); }, limit);
  for (const auto& one : members_) {
    one->disk->mend();
  }
  run_for(10ms); // what must stop has stopped then
  heal();
  run_for(10s); // the links come back
  run(limit);
  for (const auto& one : members_) {
    if (!one->is_up()) {
      fail(fmt::format("{} does not come back: {}", one->name, one->failed));
    }
    if (!one->failed.empty()) {
      fail(fmt::format("{} stopped by itself: {}", one->name, one->failed));
    }
    if (one->runtime->figures().orphaned > 0) {
      fail(fmt::format("{} has found {} instance(s) that nothing could wake", one->name,
                       one->runtime->figures().orphaned));
    }
  }
  promises_.check_end();
  for (const auto& one : members_) {
    check_timers(*one);
  }
  if (const auto left = left_over(); !left.empty()) {
    fail("the run is at its end, and nothing works on what is left:" + left);
  }
  check_upkeep();
  if (broken_) {
    fail(*broken_);
  }
  for (auto& one : eventually_) {
    one.held = one.held || one.holds();
    if (!one.held) {
      fail("never held: " + one.name);
    }
  }
  for (const auto& [name, holds] : at_end_) {
    if (!holds()) {
      fail("does not hold at the end: " + name);
    }
  }
  seen.transitions = promises_.transitions();
  static constexpr std::array names{"saga", "keyed", "execution", "acceptance", "letter", "link", "schedule"};
  for (const auto& [row, count] : rows_) {
    seen.rows[fmt::format("{}: {}", names.at(static_cast<std::size_t>(row.first)), row.second)] += count;
  }
  rows_.clear();
  finished_ = true;
}

void simulation::took(const instance_id& of, const char* row) {
  if (*row == '\0') {
    return; // it did nothing
  }
  const auto is_accepted = of.type == engine::publish_type || of.type == engine::send_type;
  const auto which = of.type.empty()                       ? machine::link
                     : is_accepted                         ? machine::acceptance
                     : of.type == engine::dead_letter_type ? machine::letter
                     : of.type == engine::schedule_type    ? machine::schedule
                     : any_program([&](const offered& one) { return one.has_saga(of.type); }) ? machine::saga
                     : any_program([&](const offered& one) { return one.has_keyed(of.type); })
                         ? machine::keyed
                         : machine::execution;
  ++rows_[{which, row}];
}

void simulation::tell(event_kind kind, const std::string& node, const std::string& peer, std::string text) {
  told_ns_ = now_ns_;
  history.add({now_ns_, kind, node, peer, std::move(text)});
}

} // namespace continuo::testing
