#include "nodes/endings.hpp"

#include "messages/application.hpp"

#include <cstdlib>
#include <unistd.h>
#include <vector>

namespace continuo::nodes {

namespace {

constexpr std::chrono::seconds patience{5};

struct under_way {
  pid_t process = ::getpid(); ///< a child that was forked has none of its threads, and perhaps its locks
  std::mutex mutex;
  std::vector<std::weak_ptr<ending>> all;
};

/// Never destroyed: it is read while statics are.
under_way& endings() {
  static auto* const list = new under_way;
  return *list;
}

void wait_for_all() {
  if (in_application() || endings().process != ::getpid()) {
    return;
  }
  std::vector<std::weak_ptr<ending>> all;
  {
    const std::lock_guard lock{endings().mutex};
    all = endings().all;
  }
  for (const auto& one : all) {
    if (const auto known = one.lock()) {
      known->wait_or_give_up(patience, true);
    }
  }
}

} // namespace

void outlast(const std::shared_ptr<ending>& one) {
  const std::lock_guard lock{endings().mutex};
  // As late as can be: what is static and was made before is destroyed after this has waited.
  static const auto registered = std::atexit(wait_for_all);
  static_cast<void>(registered);
  std::erase_if(endings().all, [](const auto& known) { return known.expired(); });
  endings().all.push_back(one);
}

} // namespace continuo::nodes
