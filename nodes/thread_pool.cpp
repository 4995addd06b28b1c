#include "nodes/thread_pool.hpp"

#include <utility>

namespace continuo::nodes {

void thread_pool::post(std::function<void()> job) {
  bool wake = false;
  {
    const std::lock_guard lock{mutex_};
    if (stopping_) {
      return; // the record says that it has to run: it does after the next start
    }
    jobs_.push_back(std::move(job));
    if (jobs_.size() > idle_ && threads_.size() < threads_max_) {
      threads_.emplace_back([this] { work(); });
    } else {
      wake = idle_ > 0;
    }
  }
  if (wake) {
    changed_.notify_one();
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
  std::unique_lock lock{mutex_};
  while (true) {
    while (!stopping_ && jobs_.empty()) {
      ++idle_;
      changed_.wait(lock);
      --idle_;
    }
    if (stopping_) {
      return;
    }
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr; // what it captured may be the last of the node: not under the lock
    lock.lock();
  }
}

} // namespace continuo::nodes
