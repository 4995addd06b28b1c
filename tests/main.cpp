#define CAF_TEST_NO_MAIN

#include "tests/support/no_orphans.hpp"

#include <caf/test/dsl.hpp>

#include <caf/test/unit_test_impl.hpp>

#include <cstdlib>

/// Runs the suites of a folder. An instance that nothing can wake is a failure of whichever test had it.
int main(int argc, char** argv) {
  const auto outcome = caf::test::main(argc, argv);
  return continuo::tests::no_orphans_but_expected() ? outcome : EXIT_FAILURE;
}
