#include "nodes/thread_pool.hpp"

#include "nodes/thread_names.hpp"

#include <utility>

namespace continuo::nodes {

void thread_pool::post(const messages::envelope&, std::function<void()> job) {
  const std::lock_guard lock{mutex_};
  if (stopping_) {
    return; // the record says that it has to run: it does after the next start
  }
  jobs_.push_back(std::move(job));
  call_somebody();
}

void thread_pool::call_somebody() {
  // One at a time is woken, and who takes a job wakes the next before it runs it. So no job waits behind one
  // that blocks, and many short ones do not cost a wake-up each.
  if (waking_) {
    return;
  }
  if (idle_ > 0) {
    waking_ = true;
    changed_.notify_one();
  } else if (threads_.size() < threads_max_) {
    waking_ = true;
    threads_.emplace_back([this] { work(); });
  }
}

void thread_pool::stop() {
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
    jobs_.clear();
    threads.swap(threads_);
  }
  changed_.notify_all();
  for (auto& thread : threads) {
    thread.join();
  }
}

void thread_pool::work() {
  name_thread("handlers");
  std::unique_lock lock{mutex_};
  waking_ = false;
  while (true) {
    while (!stopping_ && jobs_.empty()) {
      ++idle_;
      changed_.wait(lock);
      --idle_;
      waking_ = false;
    }
    if (stopping_) {
      return;
    }
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    if (!jobs_.empty()) {
      call_somebody();
    }
    lock.unlock();
    job();
    job = nullptr; // what it captured may be the last of the node: not under the lock
    lock.lock();
  }
}

} // namespace continuo::nodes
