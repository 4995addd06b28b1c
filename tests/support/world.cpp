#include "tests/support/world.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

namespace continuo::tests {

/// The coordinator's time as the node sees it. The wall clock can be moved by itself.
class world::virtual_clock : public actors::clock {
public:
  explicit virtual_clock(const caf::scheduler::test_coordinator& from) : from_(&from) {}

  engine::moment now() const override {
    const auto passed =
        const_cast<caf::scheduler::test_coordinator*>(from_)->clock().now().time_since_epoch();
    return {time_point{std::chrono::hours{24 * 365 * 56}} +
                std::chrono::duration_cast<time_point::duration>(passed) +
                std::chrono::duration_cast<time_point::duration>(wall_offset),
            (passed - boot_offset).count(), boot};
  }

  std::chrono::nanoseconds wall_offset{0};
  std::chrono::nanoseconds boot_offset{0};
  std::uint64_t boot = 1;

private:
  const caf::scheduler::test_coordinator* from_;
};

/// Runs handlers as jobs of the coordinator.
class world::coordinator_pool : public actors::handler_pool {
public:
  explicit coordinator_pool(caf::actor_system& system)
      : runner_(system.spawn([](caf::event_based_actor*) -> caf::behavior {
          return {[](actors::call& job) { job.what(); }};
        })) {}

  void post(std::function<void()> job) override {
    if (runner_) {
      caf::anon_send(runner_, actors::call{std::move(job)});
    }
  }

  void stop() override {
    if (runner_) {
      caf::anon_send_exit(runner_, caf::exit_reason::kill);
      runner_ = nullptr;
    }
  }

private:
  caf::actor runner_;
};

world::world(definitions hosts) : hosts_(std::move(hosts)), disk_(std::make_shared<journal::memory_disk>()) {
  system_config_.set("scheduler.policy", caf::atom("testing"));
  system_ = std::make_unique<caf::actor_system>(system_config_);
  clock_ = std::make_shared<virtual_clock>(coordinator());
  coordinator().clock().current_time += std::chrono::hours{1};
  config_.seed = 42;
  config_.shards = 2;
}

world::~world() {
  crash();
  run();
}

caf::scheduler::test_coordinator& world::coordinator() const {
  return dynamic_cast<caf::scheduler::test_coordinator&>(system_->scheduler());
}

result<void> world::start() {
  config_.system = system_.get();
  runtime_ = std::make_shared<detail::node_runtime>(config_);
  hosts_(*runtime_);
  pool_ = std::make_shared<coordinator_pool>(*system_);
  auto& means = runtime_->means();
  means.store = std::make_shared<journal::memory_store>(disk_);
  means.time = clock_;
  means.pool = pool_;
  means.own_journal_thread = false;
  means.store_id = 7;
  return runtime_->start();
}

void world::crash() {
  if (!runtime_) {
    return;
  }
  disk_->crash();
  pool_->stop();
  runtime_->crash();
  run();
  runtime_.reset();
}

void world::run() {
  while (coordinator().try_run_once()) {
  }
}

void world::run_shuffled(std::uint64_t seed, std::uint64_t jobs_max) {
  auto& jobs = coordinator().jobs;
  for (; !jobs.empty() && jobs_max > 0; --jobs_max) {
    const auto drawn = detail::next_random(seed) % jobs.size();
    std::swap(jobs.front(), jobs[drawn]);
    coordinator().try_run_once();
  }
}

void world::run_for(std::chrono::nanoseconds time) {
  auto& clock = coordinator().clock();
  const auto until = clock.current_time + time;
  run();
  while (!clock.schedule().empty() && clock.schedule().begin()->first <= until) {
    const auto next = clock.schedule().begin()->first;
    clock.advance_time(std::max(next - clock.current_time, caf::detail::test_actor_clock::duration_type{0}));
    run();
  }
  clock.advance_time(until - clock.current_time);
  run();
}

void world::jump_wall_clock(std::chrono::nanoseconds by) {
  clock_->wall_offset += by;
}

void world::reboot() {
  ++clock_->boot;
  clock_->boot_offset = coordinator().clock().now().time_since_epoch();
}

time_point world::now() const {
  return clock_->now().wall;
}

std::optional<instance_view> world::show(const std::string& type, const std::string& key) {
  const pending<instance_view> asked{client().show({type, key})};
  run();
  return asked.get() ? std::optional{*asked.get()} : std::nullopt;
}

std::string world::status_of(const std::string& type, const std::string& key) {
  const auto seen = show(type, key);
  return seen ? std::string{to_string(seen->status)} : "absent";
}

result<void> world::operate(std::future<result<void>> verb) {
  settle();
  return pending<void>{std::move(verb)}.get();
}

} // namespace continuo::tests
