// ctest: timeout=120
#define CAF_SUITE journal_copies

#include "journal/copies.hpp"
#include "journal/memory_store.hpp"
#include "journal/reader.hpp"
#include "tests/journal/files.hpp"

#include <caf/test/dsl.hpp>

#include <atomic>
#include <thread>

using namespace continuo;
using namespace continuo::journal;
using namespace continuo::journal::test;

namespace {

bool always(std::uint64_t) {
  return true;
}

contents read_all(const reader& from) {
  contents all;
  const auto scanned = from.scan("", [&](std::string_view key, const result<std::string_view>& value) {
    CAF_CHECK(value.has_value());
    all.emplace(key, value.value_or(""));
    return true;
  });
  CAF_CHECK(scanned.has_value());
  return all;
}

struct fixture {
  scratch place;
  std::filesystem::path original = place / "original";
  std::filesystem::path backup = place / "backup";

  contents restored(const char* name) const {
    const auto to = place / name;
    const auto made = restore_store(backup, to);
    CAF_REQUIRE(made.has_value());
    auto opened = rocksdb_store::open(small(to));
    CAF_REQUIRE(opened.has_value());
    return *test::read_all(**opened);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(copies_tests, fixture)

CAF_TEST(a copy made while somebody commits is a prefix with all that was there before) {
  auto opened = rocksdb_store::open(small(original));
  CAF_REQUIRE(opened.has_value());
  std::atomic<std::uint64_t> committed{0};
  std::atomic<bool> enough{false};
  std::thread writer{[&] {
    while (!enough && (*opened)->commit(numbered_batch(committed + 1))) {
      ++committed;
    }
  }};
  std::uint64_t last = 0;
  for (const auto* name : {"one", "two", "three"}) {
    while (committed < last + 50) {
      std::this_thread::yield();
    }
    const auto before = committed.load();
    const auto copied = (*opened)->back_up(backup, always);
    CAF_REQUIRE(copied.has_value());
    const auto all = restored(name);
    last = committed;
    CAF_CHECK(all == after(count_of(all)));
    CAF_CHECK_LESS_OR_EQUAL(before, count_of(all));
    CAF_CHECK_LESS_OR_EQUAL(count_of(all), last);
  }
  enough = true;
  writer.join();
}

CAF_TEST(a restored store goes on with commits) {
  {
    auto opened = rocksdb_store::open(small(original));
    for (std::uint64_t number = 1; number <= 30; ++number) {
      CAF_REQUIRE((*opened)->commit(numbered_batch(number)).has_value());
    }
    CAF_REQUIRE((*opened)->back_up(backup, always).has_value());
  }
  CAF_CHECK(restored("copy") == after(30));
  for (std::uint64_t number = 31; number <= 60; number += 10) { // each life leaves some in the log
    auto opened = rocksdb_store::open(small(place / "copy"));
    CAF_REQUIRE(opened.has_value());
    for (auto next = number; next < number + 10; ++next) {
      CAF_REQUIRE((*opened)->commit(numbered_batch(next)).has_value());
    }
  }
  auto opened = rocksdb_store::open(small(place / "copy"));
  CAF_CHECK(*test::read_all(**opened) == after(60));
}

CAF_TEST(a copy that is given up leaves the one before) {
  auto opened = rocksdb_store::open(small(original));
  CAF_REQUIRE((*opened)->commit(numbered_batch(1)).has_value());
  CAF_REQUIRE((*opened)->back_up(backup, always).has_value());
  for (int i = 0; i < 24; ++i) {
    CAF_REQUIRE(
        (*opened)->commit({put("rlarge" + std::to_string(i), std::string(1u << 20, 'x'))}).has_value());
  }
  int asked = 0;
  const auto given_up = (*opened)->back_up(backup, [&](std::uint64_t bytes) {
    CAF_CHECK_LESS(0u, bytes);
    ++asked;
    return false;
  });
  CAF_CHECK(code_of(given_up) == errc::unavailable);
  CAF_CHECK_LESS(0, asked);
  CAF_CHECK(restored("old") == after(1));
  CAF_REQUIRE((*opened)->back_up(backup, always).has_value());
  CAF_CHECK(restored("new") == *test::read_all(**opened));
}

CAF_TEST(a reader sees what a store sees) {
  for (std::uint64_t from : {1u, 21u, 41u}) { // the tables hold the first ones, the log the others
    auto opened = rocksdb_store::open(small(original));
    CAF_REQUIRE(opened.has_value());
    for (auto number = from; number < from + 20; ++number) {
      CAF_REQUIRE((*opened)->commit(numbered_batch(number)).has_value());
    }
  }
  const reader all{original};
  CAF_CHECK(all.troubles().empty());
  const auto expected = after(60);
  CAF_CHECK(read_all(all) == expected);
  for (int key = 0; key < 8; ++key) {
    const auto name = key == 7 ? std::string{"h00000059"} // in a range that the log empties
                               : "rorder" + std::string(1, '\0') + std::to_string(key);
    const auto found = all.get(name);
    CAF_REQUIRE(found.has_value());
    CAF_CHECK_EQUAL(found->has_value(), expected.contains(name));
    CAF_CHECK(!found->has_value() || **found == expected.at(name));
  }
  contents history;
  CAF_CHECK(all.scan("h",
                     [&](std::string_view key, const result<std::string_view>& value) {
                       history.emplace(key, value.value_or(""));
                       return history.size() < 10;
                     })
                .has_value());
  CAF_CHECK_EQUAL(history.size(), 10u);
  CAF_CHECK(std::equal(history.begin(), history.end(), expected.begin()));
}

CAF_TEST(a journal in memory is not backed up) {
  const memory_store store{std::make_shared<memory_disk>()};
  CAF_CHECK(code_of(store.back_up(backup, always)) == errc::conflict);
}

CAF_TEST_FIXTURE_SCOPE_END()
