#define CAF_SUITE readme

#include "tests/support/places.hpp"

#include <caf/test/dsl.hpp>

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>

namespace {

/// What the README's program prints, run in the working directory, where it keeps its data.
std::string run_example() {
  std::string printed;
  auto* const program = popen((continuo::tests::places::programs() + "/readme_example 2>&1").c_str(), "r");
  CAF_REQUIRE(program != nullptr);
  std::array<char, 256> piece{};
  while (std::fgets(piece.data(), static_cast<int>(piece.size()), program) != nullptr) {
    printed += piece.data();
  }
  CAF_CHECK_EQUAL(pclose(program), 0);
  return printed;
}

constexpr const char* expected = "o-1 completed track-o-1\n"
                                 "o-2 compensated create_label failed: out of stock\n";

} // namespace

CAF_TEST(the example of the readme completes one order and refunds the other) {
  std::filesystem::remove_all("orders-data");
  CAF_CHECK_EQUAL(run_example(), expected);
  CAF_MESSAGE("a second run finds both orders as the first one left them");
  CAF_CHECK_EQUAL(run_example(), expected);
  std::filesystem::remove_all("orders-data");
}
