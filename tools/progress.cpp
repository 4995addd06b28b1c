#include "tools/progress.hpp"

#include "tools/report.hpp"

#include <fmt/format.h>

#include <chrono>

namespace continuo::tools {

progress::progress(std::string what, std::string unit) : what_(std::move(what)), unit_(std::move(unit)) {
  thread_ = std::thread{[this] { show(); }};
}

progress::~progress() {
  {
    const std::lock_guard lock{mutex_};
    done_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void progress::show() {
  progress_line line;
  std::unique_lock lock{mutex_};
  while (!changed_.wait_for(lock, std::chrono::seconds{1}, [this] { return done_; })) {
    line.show(unit_.empty() ? what_ : fmt::format("{}: {} {}", what_, count.load(), unit_));
  }
}

} // namespace continuo::tools
