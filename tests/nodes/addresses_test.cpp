#define CAF_SUITE addresses

#include "nodes/http/addresses.hpp"

#include <caf/test/dsl.hpp>

#include <condition_variable>
#include <dlfcn.h>
#include <mutex>
#include <netdb.h>
#include <thread>

using namespace continuo;
using namespace std::chrono_literals;

namespace {

/// A name server that is silent until it is told to speak.
struct name_server {
  std::mutex mutex;
  std::condition_variable changed;
  bool speaks = false;
  std::size_t asked = 0;
};

name_server& silent_one() {
  static name_server one;
  return one;
}

/// How many look-ups have a thread that waits for it, when all that are under way have come so far.
std::size_t threads_that_wait(std::size_t expected) {
  auto& one = silent_one();
  std::unique_lock lock{one.mutex};
  one.changed.wait_for(lock, 20s, [&] { return one.asked >= expected; });
  return one.asked;
}

} // namespace

/// As the C library's, but for one name.
extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** found) {
  if (node != nullptr && std::string_view{node} == "silent.invalid") {
    auto& one = silent_one();
    std::unique_lock lock{one.mutex};
    ++one.asked;
    one.changed.notify_all();
    one.changed.wait(lock, [&] { return one.speaks; });
    return EAI_NONAME;
  }
  using function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  return real(node, service, hints, found);
}

CAF_TEST(a silent name server holds so many threads and no more) {
  const std::atomic<bool> stopping{false};
  const auto look_up = [&](std::chrono::milliseconds time) {
    return http::addresses_of("silent.invalid", 80, std::chrono::steady_clock::now() + time, stopping);
  };
  for (int i = 0; i < 64; ++i) {
    const auto found = look_up(1ms);
    CAF_REQUIRE(!found);
    CAF_CHECK_EQUAL(found.error().code, errc::timed_out);
  }
  CAF_CHECK_EQUAL(threads_that_wait(64), 64u);
  for (int i = 0; i < 20; ++i) {
    const auto found = look_up(1ms);
    CAF_REQUIRE(!found);
    CAF_CHECK(found.error().message.find("64 others wait for the name server") != std::string::npos);
  }
  CAF_CHECK_EQUAL(threads_that_wait(64), 64u);
  CAF_CHECK(http::addresses_of("127.0.0.1", 80, std::chrono::steady_clock::now(), stopping).has_value());
  // Whoever waits for a place has it when there is one.
  std::thread speaks{[] {
    std::this_thread::sleep_for(50ms);
    auto& one = silent_one();
    const std::lock_guard lock{one.mutex};
    one.speaks = true;
    one.changed.notify_all();
  }};
  const auto found = look_up(20s);
  speaks.join();
  CAF_REQUIRE(!found);
  CAF_CHECK_EQUAL(found.error().code, errc::handler_failed); // nobody knows it
  CAF_CHECK(
      http::addresses_of("localhost", 80, std::chrono::steady_clock::now() + 20s, stopping).has_value());
}
