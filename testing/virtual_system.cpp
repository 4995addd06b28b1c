#include "testing/virtual_system.hpp"

#include <caf/actor_cast.hpp>
#include <caf/scheduled_actor.hpp>

#include <algorithm>
#include <iterator>
#include <limits>

namespace continuo::testing {

namespace {

using clock_time = caf::detail::test_actor_clock::time_point;

/// CAF's clock begins at its epoch, at which it takes nothing to be due.
constexpr std::chrono::hours beginning{1};

clock_time time_of(std::int64_t now_ns) {
  return clock_time{beginning + std::chrono::nanoseconds{now_ns}};
}

} // namespace

virtual_system::virtual_system(std::int64_t now_ns) {
  config_.set("scheduler.policy", caf::atom("testing"));
  system_ = std::make_unique<caf::actor_system>(config_);
  coordinator_ = &dynamic_cast<caf::scheduler::test_coordinator&>(system_->scheduler());
  coordinator_->clock().current_time = time_of(now_ns);
}

void virtual_system::run(std::size_t nth) {
  auto& jobs = coordinator_->jobs;
  std::swap(jobs.front(), jobs[nth]);
  coordinator_->try_run_once();
}

void virtual_system::drain() {
  while (coordinator_->try_run_once()) {
  }
}

std::optional<std::size_t> virtual_system::job_of(const caf::actor& one) const {
  const auto* wanted =
      dynamic_cast<caf::resumable*>(caf::actor_cast<caf::abstract_actor*>(one)); // an actor is its own job
  const auto& jobs = coordinator_->jobs;
  const auto found = std::find(jobs.begin(), jobs.end(), wanted);
  return found == jobs.end() ? std::nullopt : std::optional{static_cast<std::size_t>(found - jobs.begin())};
}

void virtual_system::advance_to(std::int64_t now_ns) {
  auto& clock = coordinator_->clock();
  // Also where no time passes: something may be due at once.
  if (const auto wanted = time_of(now_ns); wanted >= clock.current_time) {
    clock.advance_time(wanted - clock.current_time);
  }
}

std::int64_t virtual_system::next_ns() const {
  const auto& schedule = coordinator_->clock().schedule();
  return schedule.empty() ? at_no_time
                          : std::chrono::nanoseconds{schedule.begin()->first - time_of(0)}.count();
}

namespace {

using clock_base = caf::detail::simple_actor_clock;

/// The clock's messages, which it hands out for reading alone.
struct open_clock : clock_base {
  static schedule_map& schedule_of(clock_base& one) { return one.*(&open_clock::schedule_); }
};

bool is_for_one_of(const clock_base::delayed_event& event, const std::vector<caf::actor>& these) {
  const auto* message = dynamic_cast<const clock_base::actor_msg*>(&event);
  return message != nullptr && std::any_of(these.begin(), these.end(), [&](const caf::actor& one) {
           return message->receiver == caf::actor_cast<caf::strong_actor_ptr>(one);
         });
}

} // namespace

std::int64_t virtual_system::next_beside_ns(const std::vector<caf::actor>& these) const {
  for (const auto& [due, event] : coordinator_->clock().schedule()) {
    if (!is_for_one_of(*event, these)) {
      return std::chrono::nanoseconds{due - time_of(0)}.count();
    }
  }
  return at_no_time;
}

void virtual_system::pass_over(std::int64_t time_ns, const std::vector<caf::actor>& these) {
  auto& clock = coordinator_->clock();
  auto& schedule = open_clock::schedule_of(clock);
  std::vector<clock_base::schedule_map::node_type> moved;
  for (auto entry = schedule.begin(); entry != schedule.end();) {
    const auto next = std::next(entry);
    if (is_for_one_of(*entry->second, these)) {
      moved.push_back(schedule.extract(entry));
    }
    entry = next;
  }
  for (auto& entry : moved) {
    entry.key() += std::chrono::nanoseconds{time_ns};
    schedule.insert(std::move(entry));
  }
  clock.current_time += std::chrono::nanoseconds{time_ns};
}

std::size_t virtual_system::messages_due_for(const caf::actor& one) const {
  const auto& schedule = coordinator_->clock().schedule();
  return static_cast<std::size_t>(std::count_if(schedule.begin(), schedule.end(), [&](const auto& entry) {
    const auto* message = dynamic_cast<const caf::detail::simple_actor_clock::actor_msg*>(entry.second.get());
    return message != nullptr && message->receiver == caf::actor_cast<caf::strong_actor_ptr>(one);
  }));
}

} // namespace continuo::testing
