#pragma once

#include <cstdint>

namespace continuo::tests {

/// Says that the test has made so many orphaned instances on purpose.
void expect_orphans(std::uint64_t count);

/// Whether all nodes and worlds of this process have found no other orphaned instances than those, together;
/// else says so on standard error. For the end of a test program.
bool no_orphans_but_expected();

} // namespace continuo::tests
