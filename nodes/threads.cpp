#include "nodes/threads.hpp"

#include "nodes/thread_names.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <system_error>
#include <vector>

namespace continuo::nodes {

result<std::thread> start_thread(const char* name, std::function<void()> work) {
  try {
    return std::thread{[name, work = std::move(work)]() mutable {
      name_thread(name);
      work();
      work = nullptr; // what it holds is gone when its thread is
    }};
  } catch (const std::system_error& none) {
    return fail(
        errc::overloaded,
        fmt::format("the system has no thread for \"{}\" ({}): allow the process more (ulimit -u, the "
                    "pids limit of its container or unit)",
                    name, none.code().message()));
  }
}

result<void> look_for_threads(std::size_t count) {
  std::promise<void> looked;
  const auto until = looked.get_future().share();
  std::vector<std::thread> threads;
  std::vector<pid_t> ids(count);
  result<void> outcome;
  for (std::size_t i = 0; i < count && outcome; ++i) {
    auto one = start_thread("probe", [until, &id = ids[i]] {
      id = ::gettid();
      until.wait();
    });
    if (one) {
      threads.push_back(std::move(*one));
    } else {
      outcome = tl::unexpected(std::move(one.error()));
    }
  }
  looked.set_value();
  for (auto& one : threads) {
    one.join();
  }
  // The kernel counts a thread until it has cleared it away, a moment after it can be joined.
  const auto is_there = [](pid_t id) {
    return id != 0 && ::access(fmt::format("/proc/self/task/{}", id).c_str(), F_OK) == 0;
  };
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds{1};
  while (std::any_of(ids.begin(), ids.end(), is_there) && std::chrono::steady_clock::now() < patience) {
    std::this_thread::yield();
  }
  return outcome;
}

} // namespace continuo::nodes
