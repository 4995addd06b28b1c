// A system that has no more threads for the process: the node does not start, or stops in order.
#define CAF_SUITE threads

#include "tests/nodes/shop.hpp"

#include "nodes/thread_pool.hpp"
#include "nodes/threads.hpp"

#include <caf/test/dsl.hpp>

#include <functional>
#include <grp.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace continuo;
using namespace continuo::tests;

namespace {

constexpr int ended_by_signal = 1'000;

/// Of a child's exit codes; others are those of a sanitizer.
constexpr int as_it_should = 42;
constexpr int refused = 43;

/// What `work` gives in a child process, whose user runs nothing else where this is root: the kernel counts
/// the threads of a user, and does not for root.
int in_child(const std::function<int()>& work) {
  const auto child = ::fork();
  CAF_REQUIRE(child >= 0);
  if (child == 0) {
    constexpr unsigned nobody_elses = 60'123;
    if (::geteuid() == 0 &&
        (::setgroups(0, nullptr) != 0 || ::setgid(nobody_elses) != 0 || ::setuid(nobody_elses) != 0)) {
      ::_exit(1);
    }
    ::_exit(work());
  }
  int status = 0;
  CAF_REQUIRE_EQUAL(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : ended_by_signal;
}

void allow_threads(rlim_t count) {
  const rlimit limit{count, count};
  ::setrlimit(RLIMIT_NPROC, &limit);
}

node_config config() {
  auto made = node_config::in_memory();
  made.http = http_address{"127.0.0.1", 0, {}};
  made.trace_url = "http://127.0.0.1:9/v1/traces"; // which is asked for nothing
  made.threads = 2;
  return made;
}

} // namespace

namespace {

/// How a node starts with 1 to 40 threads for its process.
void check_starts(const std::function<node_config()>& config) {
  std::vector<int> codes;
  for (rlim_t allowed = 1; allowed <= 40; ++allowed) {
    codes.push_back(in_child([&] {
      auto made = config();
      allow_threads(allowed);
      node here{std::move(made)};
      host_shop(here);
      const auto started = here.start();
      if (!started) {
        const auto says = started.error().message.find("the system has no thread for") != std::string::npos;
        return started.error().code == errc::overloaded && says ? refused : 1;
      }
      return as_it_should;
    }));
  }
  CAF_CHECK_EQUAL(codes.front(), refused);
  if (::geteuid() == 0) {
    CAF_CHECK_EQUAL(codes.back(), as_it_should);
  }
  for (const auto code : codes) {
    CAF_CHECK(code == refused || code == as_it_should);
  }
}

} // namespace

CAF_TEST(a node starts with the threads that it needs and not with fewer) {
  check_starts(config);
}

CAF_TEST(so does one with a directory) {
  const temporary_directory directory;
  std::filesystem::permissions(directory.path(), std::filesystem::perms::all); // the children are nobody
  int number = 0;
  check_starts([&] {
    auto made = config();
    made.data = directory.path() / std::to_string(++number);
    return made;
  });
}

CAF_TEST(a node that gets no thread for a handler stops in order) {
  if (::geteuid() != 0) {
    return; // the user may have more threads than this process could start with
  }
  const auto code = in_child([] {
    node here{config()};
    host_shop(here);
    if (!here.start()) {
      return 1;
    }
    allow_threads(1);
    const auto sent = here.client().send(make_payment{"o-1", 100});
    const auto failed = here.failed();
    if (failed.wait_for(std::chrono::seconds{20}) != std::future_status::ready) {
      return 2;
    }
    here.stop();
    return failed.get().code == errc::overloaded ? as_it_should : 3;
  });
  CAF_CHECK_EQUAL(code, as_it_should);
}

CAF_TEST(a pool without a thread says so and drops the job) {
  if (::geteuid() != 0) {
    return;
  }
  const auto code = in_child([] {
    allow_threads(1);
    std::optional<error> said;
    nodes::thread_pool pool{4, [&](const error& why) { said = why; }};
    pool.post({}, [](const messages::envelope&) {});
    const auto running = pool.stop(std::chrono::milliseconds{0});
    return said && said->code == errc::overloaded && running.empty() ? as_it_should : 1;
  });
  CAF_CHECK_EQUAL(code, as_it_should);
}
