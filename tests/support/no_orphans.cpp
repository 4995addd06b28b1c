#include "tests/support/no_orphans.hpp"

#include "actors/core.hpp"

#include <atomic>
#include <iostream>

namespace continuo::tests {

namespace {

std::atomic<std::uint64_t> expected{0};

} // namespace

void expect_orphans(std::uint64_t count) {
  expected += count;
}

bool no_orphans_but_expected() {
  const auto found = actors::core::orphans_of_process();
  if (found != expected) {
    std::cerr << "** " << found << " instance(s) were orphaned (continuo_orphaned_instances), " << expected
              << " of them on purpose: the log says which are stuck and that nothing can wake them\n";
  }
  return found == expected;
}

} // namespace continuo::tests
