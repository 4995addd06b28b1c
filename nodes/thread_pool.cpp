#include "nodes/thread_pool.hpp"

#include "nodes/scheduler.hpp"
#include "nodes/threads.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace continuo::nodes {

namespace {

/// So many jobs wait at most for the end of the run in which they were made.
constexpr std::size_t announced_at = 16;

/// As a worker of the scheduler: a lost signal delays a job, and no more.
constexpr std::chrono::seconds looks_by_itself{20};

/// As people are told of it.
std::string told(const messages::envelope& message) {
  return fmt::format("{} ({}) of {} at {}", message.type, to_string(message.id), to_string(message.from),
                     message.to.type);
}

} // namespace

thread_pool::thread_pool(std::size_t threads_max, std::function<void(const error&)> failed) {
  state_->threads_max = threads_max;
  state_->failed = std::move(failed);
}

thread_pool::~thread_pool() {
  stop(std::chrono::milliseconds{0});
  const std::lock_guard lock{state_->mutex};
  for (auto& one : state_->workers) {
    one.thread.detach(); // it holds the state
  }
}

void thread_pool::post(messages::envelope message, actors::handler_job handler) {
  std::unique_lock lock{state_->mutex};
  if (state_->stopping) {
    return; // the record says that it has to run: it does after the next start
  }
  auto& job = state_->jobs.emplace_back();
  job.message = std::move(message);
  job.handler = std::move(handler);
  if (++state_->unannounced < announced_at && when_run_is_over(state_, announce)) {
    return; // a service that starts several wakes one thread for them
  }
  state_->unannounced = 0;
  call_somebody(state_, std::move(lock));
}

void thread_pool::announce(const std::shared_ptr<void>& of) {
  const auto state = std::static_pointer_cast<shared>(of);
  std::unique_lock lock{state->mutex};
  state->unannounced = 0;
  if (!state->jobs.empty()) {
    call_somebody(state, std::move(lock));
  }
}

void thread_pool::call_somebody(const std::shared_ptr<shared>& state, std::unique_lock<std::mutex> lock) {
  // One at a time is woken, and who takes a job wakes the next before it runs it. So no job waits behind one
  // that blocks, and many short ones do not cost a wake-up each.
  if (state->waking) {
    return;
  }
  if (state->idle > 0) {
    state->waking = true;
    lock.unlock(); // first: who wakes up would only wait for it
    state->called.notify_one();
    return;
  }
  if (state->workers.size() >= state->threads_max) {
    return;
  }
  auto& self = state->workers.emplace_back();
  auto started = start_thread("handlers", [state, &self] { work(state, self); });
  if (!started) {
    state->workers.pop_back();
    lock.unlock();
    state->failed(started.error());
    return;
  }
  self.thread = std::move(*started);
  state->waking = true;
}

std::vector<std::string> thread_pool::stop(std::chrono::milliseconds patience) {
  std::deque<job> dropped; // not under the lock
  std::unique_lock lock{state_->mutex};
  auto& workers = state_->workers;
  state_->stopping = true;
  dropped.swap(state_->jobs);
  state_->called.notify_all();
  state_->ended.wait_for(lock, patience, [&] {
    return std::all_of(workers.begin(), workers.end(), [](const worker& one) { return one.ended; });
  });
  std::vector<std::string> running;
  for (auto one = workers.begin(); one != workers.end();) {
    if (one->ended) {
      one->thread.join(); // it has nothing left to do but to end
      one = workers.erase(one);
    } else {
      running.push_back(one->runs == nullptr ? "a thread that is about to end" : told(*one->runs));
      ++one;
    }
  }
  return running;
}

void thread_pool::work(const std::shared_ptr<shared>& state, worker& self) {
  std::unique_lock lock{state->mutex};
  state->waking = false;
  while (true) {
    while (!state->stopping && state->jobs.empty()) {
      ++state->idle;
      state->called.wait_for(lock, looks_by_itself);
      --state->idle;
      state->waking = false;
    }
    if (state->stopping) {
      self.ended = true;
      state->ended.notify_all();
      return;
    }
    auto taken = std::move(state->jobs.front());
    state->jobs.pop_front();
    self.runs = &taken.message;
    if (state->jobs.empty()) {
      lock.unlock();
    } else {
      call_somebody(state, std::move(lock)); // what waits would wait for this one, which may block
    }
    taken.handler(taken.message);
    taken.handler = nullptr; // what it captured may be the last of the node: not under the lock
    lock = std::unique_lock{state->mutex};
    self.runs = nullptr;
  }
}

} // namespace continuo::nodes
