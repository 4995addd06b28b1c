#include "engine/retry.hpp"

#include <algorithm>
#include <cmath>

namespace continuo::engine {

std::chrono::milliseconds retry_delay(const retry_policy& policy, std::uint32_t failures,
                                      std::uint64_t random) {
  const auto cap = static_cast<double>(policy.cap.count());
  const auto steps = static_cast<double>(std::min<std::uint32_t>(failures - 1, 1'000));
  const auto full = std::min(cap, static_cast<double>(policy.first.count()) * std::pow(policy.factor, steps));
  const auto share = static_cast<double>(random >> 11) * 0x1.0p-53; // from 0 up to 1
  const auto delay = std::max(0.0, full * (1.0 - policy.jitter * share));
  return std::chrono::milliseconds{static_cast<std::int64_t>(delay)};
}

std::string objection_to(const retry_policy& policy) {
  if (policy.attempts == 0) {
    return "its retry policy allows no attempt; attempts must be at least 1";
  }
  if (!(policy.factor >= 1)) {
    return "its retry policy has a factor below 1";
  }
  if (!(policy.jitter >= 0 && policy.jitter <= 1)) {
    return "its retry policy has a jitter outside 0 to 1";
  }
  if (policy.first.count() < 0 || policy.cap.count() < 0 || policy.timeout.count() <= 0) {
    return "its retry policy has a negative delay, or a timeout that is not positive";
  }
  return {};
}

} // namespace continuo::engine
