#include "tools/progress.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <unistd.h>

namespace continuo::tools {

progress::progress(std::string what, std::string unit) : what_(std::move(what)), unit_(std::move(unit)) {
  if (::isatty(STDERR_FILENO) == 1) {
    thread_ = std::thread{[this] { show(); }};
  }
}

progress::~progress() {
  {
    const std::lock_guard lock{mutex_};
    done_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void progress::show() {
  const auto begun = std::chrono::steady_clock::now();
  bool shown = false;
  std::unique_lock lock{mutex_};
  while (!changed_.wait_for(lock, std::chrono::seconds{1}, [this] { return done_; })) {
    const auto took =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begun);
    fmt::print(stderr, "\r{} for {} s{}\033[K", what_, took.count(),
               unit_.empty() ? "" : fmt::format(", {} {}", count.load(), unit_));
    std::fflush(stderr);
    shown = true;
  }
  if (shown) {
    fmt::print(stderr, "\r\033[K");
  }
}

} // namespace continuo::tools
