#define CAF_SUITE journal_patch

#include "journal/large_values.hpp"
#include "journal/patch.hpp"
#include "journal/reader.hpp"
#include "journal/rocksdb_store.hpp"
#include "tests/journal/files.hpp"

#include <caf/test/dsl.hpp>

#include <random>

using namespace continuo;
using namespace continuo::journal;
using namespace continuo::journal::test;

namespace {

/// As a record of a saga with open commands: elements of one shape, each with an id.
std::string elements(const std::vector<int>& ids) {
  std::string text;
  for (const auto id : ids) {
    text += "payment/" + std::to_string(100'000 + id) + " make_payment, xxxxxxxxxxxxxxxxxxxx, 2026-11-29; ";
  }
  return text;
}

std::vector<int> first_ids(int count) {
  std::vector<int> ids;
  for (int i = 0; i < count; ++i) {
    ids.push_back(i);
  }
  return ids;
}

std::string noise(std::mt19937& random, std::size_t bytes) {
  std::string text(bytes, '\0');
  for (auto& c : text) {
    c = static_cast<char>(random());
  }
  return text;
}

/// Some text with a few changes: cut out, put in, moved, overwritten.
std::string edited(std::string text, std::mt19937& random) {
  const auto place = [&] { return random() % (text.size() + 1); };
  for (auto changes = random() % 6; changes > 0; --changes) {
    const auto at = place();
    switch (random() % 4) {
    case 0:
      text.erase(at, random() % 300);
      break;
    case 1:
      text.insert(at, noise(random, random() % 300));
      break;
    case 2:
      for (auto i = at; i < std::min(text.size(), at + random() % 40); ++i) {
        text[i] = static_cast<char>(random());
      }
      break;
    default: {
      const auto piece = text.substr(at, random() % 2'000);
      text.erase(at, piece.size());
      text.insert(place(), piece);
    }
    }
  }
  return text;
}

bool is_refused(std::string_view from, std::string_view patch) {
  const auto done = apply_patch(from, patch);
  return !done && done.error().code == errc::corrupt;
}

struct fixture {
  scratch place;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(patch_tests, fixture)

CAF_TEST(whatever changed a patch gives the new value) {
  std::mt19937 random{1};
  std::size_t patches = 0;
  for (int run = 0; run < 3'000; ++run) {
    const auto from = run % 2 == 0 ? noise(random, random() % 9'000)
                                   : elements(first_ids(static_cast<int>(random() % 120)));
    const auto to = edited(from, random);
    const auto patch = make_patch(from, to);
    if (!patch.empty()) {
      ++patches;
      CAF_CHECK_LESS(patch.size(), to.size() / 2);
      const auto made = apply_patch(from, patch);
      CAF_REQUIRE(made.has_value());
      CAF_REQUIRE(*made == to);
    }
  }
  CAF_CHECK_GREATER(patches, 2'000u);
}

CAF_TEST(one answer of a thousand is a short patch) {
  for (const int gone : {0, 1, 500, 998, 999}) {
    auto ids = first_ids(1'000);
    const auto from = elements(ids) + "undo: " + elements({2'000, 2'001});
    ids.erase(ids.begin() + gone);
    const auto to = elements(ids) + "undo: " + elements({2'000, 2'001, 2'002});
    CAF_CHECK_LESS(make_patch(from, to).size(), 200u);
  }
}

CAF_TEST(a patch for another value or a damaged one is refused and takes no memory) {
  std::mt19937 random{2};
  const auto from = noise(random, 5'000);
  const auto to = edited(from.substr(0, 4'000) + "more", random);
  const auto patch = make_patch(from, to);
  CAF_REQUIRE(!patch.empty());
  CAF_CHECK(is_refused(to, patch));
  CAF_CHECK(is_refused("", patch));
  CAF_CHECK(is_refused(from, ""));
  for (std::size_t i = 0; i < patch.size(); ++i) {
    auto damaged = patch;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << random() % 8));
    CAF_REQUIRE(is_refused(from, damaged));
    CAF_REQUIRE(is_refused(from, patch.substr(0, i)));
  }
  // Pieces without end: all of the old value, again and again.
  auto bomb = patch.substr(0, 16);
  for (int i = 0; i < 1'000'000; ++i) {
    bomb += std::string{"\x90\x4e\x00", 3}; // 5,000 bytes at 0
  }
  CAF_CHECK(is_refused(from, bomb));
  for (int run = 0; run < 20'000; ++run) {
    CAF_REQUIRE(is_refused(from, patch.substr(0, 16) + noise(random, random() % 30)));
  }
}

CAF_TEST(what is large and nearly the same is written as what changed) {
  auto ids = first_ids(1'000);
  std::string last;
  std::uint64_t whole = 0;
  {
    auto opened = rocksdb_store::open(small(place / "journal"));
    CAF_REQUIRE(opened.has_value());
    const auto& store = **opened;
    for (int round = 0; round < 900; ++round) {
      last = elements(ids);
      whole += last.size();
      CAF_REQUIRE((*opened)->commit({put("rlarge", last), put("rsmall", std::to_string(round))}).has_value());
      CAF_REQUIRE(**store.get("rlarge") == last);
      ids.erase(ids.begin() + round % 7);
    }
    CAF_MESSAGE(store.written_bytes() << " bytes of " << whole);
    CAF_CHECK_LESS(store.written_bytes(), whole / 50);
    CAF_CHECK((*read_all(store))["rlarge"] == last);
  }
  {
    auto opened = rocksdb_store::open(small(place / "journal"));
    CAF_REQUIRE(opened.has_value());
    CAF_CHECK(**(*opened)->get("rlarge") == last);
    // Another life knows no last value: whole, and patched from there.
    ids.pop_back();
    last = elements(ids);
    CAF_REQUIRE((*opened)->commit({put("rlarge", last)}).has_value());
    CAF_CHECK_GREATER((*opened)->written_bytes(), last.size());
    // Erased and put again, by key and by range, also within one batch.
    for (const auto& gone : {erase("rlarge"), erase_range("ra", "rz")}) {
      CAF_REQUIRE((*opened)->commit({gone}).has_value());
      CAF_CHECK(!*(*opened)->get("rlarge"));
      CAF_REQUIRE((*opened)
                      ->commit({put("rlarge", last), gone, put("rlarge", last), put("rlarge", last + "x")})
                      .has_value());
      CAF_CHECK(**(*opened)->get("rlarge") == last + "x");
    }
  }
  const reader after{place / "journal"};
  CAF_CHECK(after.troubles().empty());
  CAF_CHECK(**after.get("rlarge") == last + "x");
}

CAF_TEST(values are forgotten beyond the bound and when they become small) {
  large_values known;
  const std::string value(large_values::bytes_min, 'v');
  CAF_CHECK(known.next("a", value).empty());
  CAF_CHECK(!known.next("a", value + "1").empty());
  CAF_CHECK(known.next("a", "small").empty());
  CAF_CHECK(known.next("a", value).empty());
  CAF_CHECK(known.next("b", std::string(large_values::kept_bytes_max, 'w')).empty());
  CAF_CHECK(known.next("a", value).empty());
  CAF_CHECK(!known.next("a", value).empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
