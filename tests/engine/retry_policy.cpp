#define CAF_SUITE retry_policy

#include <caf/test/dsl.hpp>

#include "engine/retry.hpp"

#include <continuo/context.hpp>

#include <limits>
#include <string>

using continuo::retry_policy;
using namespace continuo::engine;
using namespace std::chrono_literals;

CAF_TEST(delays grow by the factor up to the cap) {
  const retry_policy steady{.first = 100ms, .factor = 3, .cap = 2s, .jitter = 0};
  CAF_CHECK_EQUAL(retry_delay(steady, 1, 7).count(), 100);
  CAF_CHECK_EQUAL(retry_delay(steady, 2, 7).count(), 300);
  CAF_CHECK_EQUAL(retry_delay(steady, 3, 7).count(), 900);
  CAF_CHECK_EQUAL(retry_delay(steady, 4, 7).count(), 2000);
  CAF_CHECK_EQUAL(retry_delay(steady, std::numeric_limits<std::uint32_t>::max(), 7).count(), 2000);
}

CAF_TEST(a factor of one keeps the delay) {
  const retry_policy steady{.first = 250ms, .factor = 1, .cap = 10s, .jitter = 0};
  CAF_CHECK_EQUAL(retry_delay(steady, 1, 7).count(), 250);
  CAF_CHECK_EQUAL(retry_delay(steady, 100, 7).count(), 250);
}

CAF_TEST(jitter shortens a delay by at most its share and uses all of it) {
  const retry_policy jittery{.first = 1000ms, .factor = 2, .cap = 1s, .jitter = 0.25};
  CAF_CHECK_EQUAL(retry_delay(jittery, 1, 0).count(), 1000);
  auto least = 1000ms;
  auto most = 0ms;
  std::uint64_t state = 42;
  for (int i = 0; i < 1000; ++i) {
    const auto delay = retry_delay(jittery, 5, continuo::detail::next_random(state));
    least = std::min(least, delay);
    most = std::max(most, delay);
  }
  CAF_CHECK_GREATER_OR_EQUAL(least.count(), 750);
  CAF_CHECK_LESS(least.count(), 760);
  CAF_CHECK_LESS_OR_EQUAL(most.count(), 1000);
  CAF_CHECK_GREATER(most.count(), 990);
}

CAF_TEST(a delay is never negative) {
  const retry_policy wild{.first = 1ms, .factor = 1, .cap = 1s, .jitter = 1};
  CAF_CHECK_GREATER_OR_EQUAL(retry_delay(wild, 1, std::numeric_limits<std::uint64_t>::max()).count(), 0);
}

CAF_TEST(the default policy is in order) {
  CAF_CHECK_EQUAL(objection_to(retry_policy{}), "");
}

CAF_TEST(a policy that contradicts itself is objected to with the reason) {
  const auto objects = [](const retry_policy& bad, const std::string& word) {
    return objection_to(bad).find(word) != std::string::npos;
  };
  const auto nan = std::numeric_limits<double>::quiet_NaN();
  CAF_CHECK(objects({.attempts = 0}, "attempt"));
  CAF_CHECK(objects({.factor = 0.5}, "factor"));
  CAF_CHECK(objects({.factor = nan}, "factor"));
  CAF_CHECK(objects({.jitter = 1.5}, "jitter"));
  CAF_CHECK(objects({.jitter = -0.1}, "jitter"));
  CAF_CHECK(objects({.jitter = nan}, "jitter"));
  CAF_CHECK(objects({.first = -1ms}, "first"));
  CAF_CHECK(objects({.cap = -1ms}, "cap"));
  CAF_CHECK(objects({.timeout = 0ms}, "timeout"));
}
