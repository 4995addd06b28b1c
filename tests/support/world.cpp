#include "tests/support/world.hpp"

namespace continuo::tests {

world::world(definitions hosts) : hosts_(std::move(hosts)), disk_(std::make_shared<journal::memory_disk>()) {
  config_.seed = 42;
  config_.shards = 2;
}

world::~world() {
  crash();
  run();
}

result<void> world::start() {
  config_.system = &system_.system();
  runtime_ = std::make_shared<detail::node_runtime>(config_);
  hosts_(*runtime_);
  pool_ = std::make_shared<coordinator_pool>(system_.system());
  auto& means = runtime_->means();
  means.store = std::make_shared<journal::memory_store>(disk_);
  means.time = system_.clock();
  means.pool = pool_;
  means.own_journal_thread = false;
  means.store_id = 7;
  means.start_waits = false;
  const auto started = runtime_->start();
  while (runtime_->is_starting() && coordinator().try_run_once()) {
  }
  const auto failed = runtime_->failed();
  if (started && failed.wait_for(std::chrono::seconds{0}) == std::future_status::ready) {
    return tl::unexpected(failed.get());
  }
  return started;
}

void world::crash() {
  if (!runtime_) {
    return;
  }
  disk_->crash();
  pool_->stop({});
  runtime_->crash();
  run();
  runtime_.reset();
}

void world::run() {
  system_.run();
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
  system_.run_for(time);
}

void world::jump_wall_clock(std::chrono::nanoseconds by) {
  clock().wall_offset += by;
}

void world::reboot() {
  ++clock().boot;
  clock().boot_offset = coordinator().clock().now().time_since_epoch();
}

time_point world::now() const {
  return clock().now().wall;
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

} // namespace continuo::tests
