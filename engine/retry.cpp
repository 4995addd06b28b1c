#include "engine/retry.hpp"

#include <continuo/detail/times.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace continuo::engine {

std::chrono::milliseconds retry_delay(const retry_policy& policy, std::uint32_t failures,
                                      std::uint64_t random) {
  const auto cap = static_cast<double>(policy.cap.count());
  const auto steps = static_cast<double>(std::min<std::uint32_t>(failures - 1, 1'000));
  const auto full = std::min(cap, static_cast<double>(policy.first.count()) * std::pow(policy.factor, steps));
  const auto share = static_cast<double>(random >> 11) * 0x1.0p-53; // from 0 up to 1
  const auto delay = std::max(0.0, full * (1.0 - policy.jitter * share));
  return detail::saturated<std::chrono::milliseconds>(std::chrono::duration<double, std::milli>{delay});
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
  const auto is_delay = [](std::chrono::milliseconds delay) {
    return delay >= std::chrono::milliseconds{0} && delay <= retry_delay_max;
  };
  for (const auto& [name, delay] : {std::pair{"first", policy.first}, std::pair{"cap", policy.cap}}) {
    if (!is_delay(delay)) {
      return fmt::format("its retry policy has {} = {} ms; it must be from 0 to {} ms ({} days)", name,
                         delay.count(), std::chrono::milliseconds{retry_delay_max}.count(),
                         retry_delay_max / std::chrono::hours{24});
    }
  }
  if (policy.timeout.count() <= 0) {
    return fmt::format("its retry policy has timeout = {} ms; it must be at least 1 ms",
                       policy.timeout.count());
  }
  return {};
}

} // namespace continuo::engine
