#include "actors/views.hpp"
#include "testing/simulation.hpp"

#include <continuo/json.hpp>

#include <fmt/format.h>

#include <cstdlib>

// The public calls, which say what the simulation does.
namespace continuo::testing {

// -- nodes ---------------------------------------------------------------------------------------------

bool node::is_up() const {
  return world_->at(name_).is_up();
}

result<void> node::try_start() {
  auto& one = world_->at(name_);
  auto started = world_->start(one);
  world_->await_open(one);
  return started;
}

void node::start() {
  if (const auto started = try_start(); !started) {
    world_->fail(fmt::format("{} does not start: {}", name_, started.error().message));
  }
}

void node::crash() {
  world_->crash(world_->at(name_), "crashes");
}

void node::restart() {
  crash();
  start();
}

void node::pause() {
  world_->pause(world_->at(name_), true);
}

void node::go_on() {
  world_->pause(world_->at(name_), false);
}

const std::string& node::failed() const {
  return world_->at(name_).failed;
}

void node::jump_wall_clock(std::chrono::nanoseconds by) {
  world_->jump_wall_clock(world_->at(name_), by);
}

void node::reboot() {
  crash();
  auto& me = world_->at(name_);
  ++me.boot;
  me.booted_ns = world_->now_ns();
}

void node::slow_disk(std::chrono::nanoseconds sync) {
  world_->note_fault(name_, {}, "syncs take another time");
  world_->at(name_).sync_ns = sync.count();
}

void node::fail_sync(std::uint64_t nth, bool applied) {
  world_->note_fault(name_, {}, fmt::format("sync {} from here fails", nth));
  world_->at(name_).disk->fail_commit(nth, errc::storage_failed, applied);
}

void node::fill_disk(std::uint64_t bytes) {
  world_->note_fault(name_, {}, "the disk is full");
  auto& disk = *world_->at(name_).disk;
  disk.set_bytes_max(bytes == 0 ? disk.used_bytes() : bytes);
}

void node::free_disk() {
  world_->note_fault(name_, {}, "the disk has room again");
  world_->at(name_).disk->set_bytes_max(~std::uint64_t{0});
}

void node::wipe_disk() {
  if (is_up()) {
    world_->fail(name_ + " is up: its disk cannot be wiped");
  }
  world_->wipe(world_->at(name_));
}

void node::install(std::string_view program) {
  if (!world_->has_program(program)) {
    world_->fail(fmt::format("there is no program {}", program));
  }
  world_->at(name_).program = program;
}

const std::string& node::program() const {
  return world_->at(name_).program;
}

continuo::client node::client() const {
  auto& me = world_->at(name_);
  if (!me.is_up()) {
    world_->fail(name_ + " is down: it has no client");
  }
  return continuo::client{me.runtime};
}

node_figures node::figures() const {
  const auto& me = world_->at(name_);
  return me.is_up() ? me.runtime->figures() : node_figures{};
}

std::vector<peer_status> node::peers() const {
  const auto& me = world_->at(name_);
  return me.is_up() ? me.runtime->peers() : std::vector<peer_status>{};
}

// -- programs ------------------------------------------------------------------------------------------

program& program::offer(const service& definition) {
  world_->offer(definition.describe(), name_);
  return *this;
}

program& program::offer(continuo::detail::saga_type definition) {
  world_->offer(std::move(definition), name_);
  return *this;
}

program& program::offer(continuo::detail::keyed_service_type definition) {
  world_->offer(std::move(definition), name_);
  return *this;
}

// -- sagas ----------------------------------------------------------------------------------------------

std::optional<instance_view> saga_ref::view() const {
  const auto stored = world_->record(id_);
  return stored && stored->kind == engine::record_kind::absence ? std::nullopt : world_->view(id_);
}

std::string saga_ref::status() const {
  const auto stored = world_->record(id_);
  return stored && stored->kind != engine::record_kind::absence ? std::string{to_string(stored->status)}
                                                                : "absent";
}

std::vector<history_view> saga_ref::history() const {
  return world_->history_of(id_);
}

/// What an instance is, for a claim that does not hold.
std::string told(const std::optional<instance_view>& seen) {
  if (!seen) {
    return "absent";
  }
  std::string text{to_string(seen->status)};
  if (!seen->result.empty()) {
    text += " with " + seen->result;
  }
  if (!seen->reason.empty()) {
    text += " (" + seen->reason + ")";
  }
  for (const auto& cause : seen->waiting_for) {
    const auto where = std::string_view{cause.where}.substr(
        0, cause.where.ends_with('/') ? cause.where.size() - 1 : cause.where.size());
    text += fmt::format("; waits for {} {}{}{}{}{}", cause.kind, cause.step, cause.step.empty() ? "" : ": ",
                        cause.what, where.empty() ? "" : " of ", where);
    if (cause.attempts > 0) {
      text += fmt::format(" ({} attempt(s){}{})", cause.attempts,
                          cause.last_error.empty() ? "" : ", the last: ", cause.last_error);
    }
  }
  return text;
}

const saga_ref& saga_ref::should_be(instance_status status) const {
  const auto seen = view();
  if (!seen || seen->status != status) {
    world_->fail(fmt::format("{} should be {}, and is {}", to_string(id_), to_string(status), told(seen)));
  }
  return *this;
}

const saga_ref& saga_ref::should_be_completed_with(std::string_view result) const {
  should_be_completed();
  const auto seen = view();
  auto text = std::string_view{seen->result};
  if (text.size() >= 2 && text.front() == '"') {
    text = text.substr(1, text.size() - 2);
  }
  if (text != result) {
    world_->fail(
        fmt::format("{} should be completed with {}, and is {}", to_string(id_), result, told(seen)));
  }
  return *this;
}

const saga_ref& saga_ref::should_be_compensated_because(std::string_view reason) const {
  should_be(instance_status::compensated);
  if (const auto seen = view(); seen->reason.find(reason) == std::string::npos) {
    world_->fail(fmt::format("{} should be compensated because of \"{}\", and is {}", to_string(id_), reason,
                             told(seen)));
  }
  return *this;
}

const saga_ref& saga_ref::should_be_stuck_because(std::string_view reason) const {
  should_be(instance_status::stuck);
  if (const auto seen = view(); seen->reason.find(reason) == std::string::npos) {
    world_->fail(
        fmt::format("{} should be stuck because of \"{}\", and is {}", to_string(id_), reason, told(seen)));
  }
  return *this;
}

const saga_ref& saga_ref::should_wait_for(std::string_view what) const {
  const auto seen = view();
  if (seen) {
    for (const auto& cause : seen->waiting_for) {
      if (cause.what.find(what) != std::string::npos || cause.step.find(what) != std::string::npos ||
          cause.where.find(what) != std::string::npos) {
        return *this;
      }
    }
  }
  world_->fail(fmt::format("{} should wait for {}, and is {}", to_string(id_), what, told(seen)));
}

const saga_ref& saga_ref::should_be_absent() const {
  if (const auto seen = view()) {
    world_->fail(fmt::format("{} should not be there, and is {}", to_string(id_), told(seen)));
  }
  return *this;
}

// -- the cluster -------------------------------------------------------------------------------------------

cluster::cluster(std::uint64_t seed) : world_(std::make_unique<simulation>(seed)) {}
cluster::~cluster() = default;

std::uint64_t cluster::seed() const {
  return world_->seed();
}

cluster& cluster::offer(const service& definition) {
  world_->offer(definition.describe());
  return *this;
}

cluster& cluster::offer(continuo::detail::saga_type definition) {
  world_->offer(std::move(definition));
  return *this;
}

cluster& cluster::offer(continuo::detail::keyed_service_type definition) {
  world_->offer(std::move(definition));
  return *this;
}

void cluster::add_fake(std::unique_ptr<fake_base> made, const message_type& command,
                       const message_type& reply) {
  world_->add_fake(std::move(made), command, reply);
}

testing::program cluster::program(std::string name) {
  world_->add_program(name);
  return {*world_, std::move(name)};
}

void cluster::place(const std::map<std::string, std::vector<std::string>>& hosts) {
  world_->place(hosts);
}

node& cluster::add(std::string name, std::vector<std::string> hosts) {
  return world_->add(std::move(name), std::move(hosts)).handle;
}

cluster& cluster::handlers_take(std::string_view service, std::chrono::nanoseconds at_most) {
  world_->handlers_take(std::string{service}, at_most);
  return *this;
}

cluster& cluster::configure(std::function<void(node_config&)> how) {
  world_->configure(std::move(how));
  return *this;
}

node& cluster::operator[](std::string_view name) {
  return world_->at(name).handle;
}

std::vector<std::string> cluster::names() const {
  std::vector<std::string> all;
  for (const auto& one : world_->members()) {
    all.push_back(one->name);
  }
  return all;
}

void cluster::start() {
  world_->start_new();
}

accepted cluster::publish(std::string type, std::string payload, std::string_view at) {
  return world_->publish(type, payload, at);
}

result<command_result> cluster::send(std::string type, std::string payload, std::string_view at) {
  return world_->send(type, payload, at);
}

saga_ref cluster::instance(instance_id id) {
  return {*world_, std::move(id)};
}

std::optional<std::string> cluster::state_bytes(const instance_id& id) const {
  const auto stored = world_->record(id);
  return stored ? std::optional{stored->state} : std::nullopt;
}

std::string cluster::outcome() const {
  return world_->outcome();
}

std::string cluster::states() const {
  return world_->states();
}

void cluster::run(std::chrono::nanoseconds limit) {
  world_->run(limit);
}

void cluster::run_for(std::chrono::nanoseconds time) {
  world_->run_for(time);
}

bool cluster::run_until(const std::function<bool()>& holds, std::chrono::nanoseconds limit) {
  return world_->run_until(holds, limit);
}

void cluster::step(std::size_t steps) {
  world_->start_new();
  for (; steps > 0 && world_->step(); --steps) {
  }
}

std::chrono::nanoseconds cluster::elapsed() const {
  return std::chrono::nanoseconds{world_->now_ns()};
}

std::uint64_t cluster::draw(std::uint64_t below) {
  return world_->draw(below);
}

void cluster::plan_faults(const fault_plan& plan) {
  world_->plan_faults(plan);
}

void cluster::cut(std::string_view a, std::string_view b, bool late) {
  world_->net().cut(world_->at(a).name, world_->at(b).name, late);
}

void cluster::separate(std::string_view a, std::string_view b) {
  world_->note_fault(world_->at(a).name, world_->at(b).name, "are separated");
  world_->net().separate(world_->at(a).name, world_->at(b).name);
}

void cluster::one_way(std::string_view from, std::string_view to) {
  world_->note_fault(world_->at(from).name, world_->at(to).name, "hears nothing from here");
  world_->net().silence(world_->at(from).name, world_->at(to).name);
}

void cluster::delay(std::string_view from, std::string_view to, std::chrono::nanoseconds time) {
  world_->note_fault(world_->at(from).name, world_->at(to).name, "gets everything late");
  world_->net().slow_down(world_->at(from).name, world_->at(to).name, time.count());
}

void cluster::heal() {
  world_->heal();
}

cluster& cluster::always(std::string name, std::function<bool()> holds) {
  world_->always(std::move(name), std::move(holds));
  return *this;
}

cluster& cluster::eventually(std::string name, std::function<bool()> holds) {
  world_->eventually(std::move(name), std::move(holds));
  return *this;
}

cluster& cluster::at_end(std::string name, std::function<bool()> holds) {
  world_->at_end(std::move(name), std::move(holds));
  return *this;
}

void cluster::check(bool holds, std::string_view what) {
  if (!holds) {
    world_->fail(std::string{what});
  }
}

void cluster::sometimes(std::string_view name, bool seen) {
  world_->seen.sometimes[std::string{name}] += seen ? 1 : 0;
}

cluster& cluster::may_live_on(std::string_view type, std::string_view) {
  world_->may_live_on(std::string{type});
  return *this;
}

void cluster::finish(std::chrono::nanoseconds limit) {
  world_->finish(limit);
}

const figures& cluster::figures() const {
  return world_->seen;
}

std::uint64_t cluster::trace_hash() const {
  return world_->history.hash();
}

std::string cluster::trace() const {
  return world_->history.text();
}

std::string cluster::mermaid() const {
  return world_->history.mermaid();
}

namespace {

std::uint64_t seed_of_environment() {
  const auto* text = std::getenv("CONTINUO_SEED");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

} // namespace

fixture::fixture() : cluster(seed_of_environment()) {}

} // namespace continuo::testing
