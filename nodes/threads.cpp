#include "nodes/threads.hpp"

#include "nodes/thread_names.hpp"

#include <fmt/format.h>

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
  result<void> outcome;
  for (std::size_t i = 0; i < count && outcome; ++i) {
    auto one = start_thread("probe", [until] { until.wait(); });
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
  return outcome;
}

} // namespace continuo::nodes
