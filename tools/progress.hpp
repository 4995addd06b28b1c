#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace continuo::tools {

/// A `progress_line` for what blocks: shown by a thread of its own, once a second.
class progress {
public:
  /// @param what what is done, as "verifying data/payment"
  /// @param unit what `count` counts, as "entries"; empty: only the time is shown
  progress(std::string what, std::string unit);
  ~progress();
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;

  /// May be set from any thread.
  std::atomic<std::uint64_t> count{0};

private:
  void show();

  std::string what_;
  std::string unit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  std::thread thread_; // last: it uses the others
};

} // namespace continuo::tools
