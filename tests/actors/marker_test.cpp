#define CAF_SUITE marker

#include "actors/marker.hpp"
#include "tests/nodes/shop.hpp"

#include <caf/test/dsl.hpp>

#include <filesystem>
#include <memory>
#include <sys/stat.h>
#include <vector>

using namespace continuo;
using namespace continuo::actors;
using namespace continuo::tests;

namespace {

struct fixture {
  temporary_directory directory;
  std::string running = (directory.path() / "running").string();

  /// What a process finds that comes after this one has ended as it stands.
  std::vector<suspect> found_after_a_crash() {
    const auto copy = directory.path() / "copy";
    std::filesystem::copy_file(running, copy, std::filesystem::copy_options::overwrite_existing);
    const auto opened = marker::open(copy.string());
    CAF_REQUIRE(opened.has_value());
    return (*opened)->found();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(marker_tests, fixture)

CAF_TEST(the longest name and key are noted) {
  const auto opened = marker::open(running);
  CAF_REQUIRE(opened.has_value());
  const instance_id longest{std::string(name_bytes_max + 1 + name_bytes_max, 'n'), // NAME@NODE
                            std::string(key_bytes_max, 'k')};
  const marker::note note{opened->get(), longest, {1, 2, 3}};
  CAF_CHECK((found_after_a_crash() == std::vector<suspect>{{longest, {1, 2, 3}, false}}));
}

CAF_TEST(hundreds run at a time and each is noted) {
  const auto opened = marker::open(running);
  CAF_REQUIRE(opened.has_value());
  std::vector<std::unique_ptr<marker::note>> notes;
  for (int i = 0; i < 1'000; ++i) {
    notes.push_back(std::make_unique<marker::note>(opened->get(), instance_id{"s", std::to_string(i)},
                                                   message_id{1, 2, 3}));
  }
  CAF_CHECK_EQUAL(found_after_a_crash().size(), 1'000u);
  while (!notes.empty()) { // each stands on the one before it
    notes.pop_back();
  }
  CAF_CHECK(found_after_a_crash().empty());
}

CAF_TEST(a note needs no room that the disk may lack) {
  const auto opened = marker::open(running);
  CAF_REQUIRE(opened.has_value());
  struct stat file {};
  CAF_REQUIRE_EQUAL(::stat(running.c_str(), &file), 0);
  CAF_CHECK_GREATER_OR_EQUAL(file.st_blocks * 512, file.st_size);
}

CAF_TEST(a file of another size says nothing) {
  {
    const auto opened = marker::open(running);
    CAF_REQUIRE(opened.has_value());
    const marker::note note{opened->get(), {"s", "k"}, {1, 2, 3}};
    std::filesystem::copy_file(running, running + "-other");
  }
  const auto bytes = std::filesystem::file_size(running);
  std::filesystem::resize_file(running + "-other", bytes / 2);
  const auto opened = marker::open(running + "-other");
  CAF_REQUIRE(opened.has_value());
  CAF_CHECK((*opened)->found().empty());
  CAF_CHECK_EQUAL(std::filesystem::file_size(running + "-other"), bytes);
}

CAF_TEST_FIXTURE_SCOPE_END()
