#pragma once

#include <continuo/definition.hpp>

#include <chrono>
#include <cstdint>

namespace continuo::engine {

/// The longest delay that a policy may have.
constexpr std::chrono::hours retry_delay_max{366 * 24};

/// The delay after `failures` failed attempts: `min(cap, first * factor^(failures-1))`, less up to `jitter`
/// of it drawn from `random`. Never negative. @pre `failures > 0`
std::chrono::milliseconds retry_delay(const retry_policy& policy, std::uint32_t failures,
                                      std::uint64_t random);

/// What is wrong with a policy; empty if nothing is.
std::string objection_to(const retry_policy& policy);

} // namespace continuo::engine
