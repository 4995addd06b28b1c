#define CAF_SUITE readme

#include "tests/nodes/process.hpp"
#include "tests/support/places.hpp"

#include <caf/test/dsl.hpp>

#include <csignal>
#include <filesystem>
#include <string>

using continuo::tests::process;

namespace {

std::string name_of(int order) {
  return "o-" + std::to_string(order);
}

std::string end_of(int order) {
  return name_of(order) + (order == 2 ? " compensated create_label failed: out of stock"
                                      : " completed track-" + name_of(order));
}

/// Runs the README's program in the working directory, where it keeps its data, and kills it while the bank
/// charges order `last`. Orders up to `ended` have ended in the runs before: they are not charged again.
void kill_while_charging(int last, int ended) {
  process program{continuo::tests::places::readme_orders(), {}};
  int next = 1;
  for (;;) {
    const auto line = program.hear(process::clock::now() + std::chrono::seconds{30});
    CAF_REQUIRE(line.has_value());
    if (*line == "charging " + name_of(last)) {
      break;
    }
    if (line->starts_with("charging ")) {
      for (int order = 1; order <= ended; ++order) {
        CAF_CHECK_NOT_EQUAL(*line, "charging " + name_of(order));
      }
    } else {
      CAF_CHECK_EQUAL(*line, end_of(next));
      ++next;
    }
  }
  CAF_CHECK_EQUAL(next, last);
  program.kill(SIGKILL);
  CAF_CHECK_EQUAL(program.wait().signal, SIGKILL);
}

} // namespace

CAF_TEST(the example of the readme goes on where it was killed) {
  std::filesystem::remove_all("orders-data");
  kill_while_charging(2, 0);
  kill_while_charging(4, 1);
  kill_while_charging(5, 3);
  std::filesystem::remove_all("orders-data");
}
