#pragma once

#include "actors/core.hpp"

namespace continuo::nodes {

/// The machine's clocks: wall, CLOCK_BOOTTIME, and the kernel's id of this boot.
std::shared_ptr<const actors::clock> system_clock();

} // namespace continuo::nodes
