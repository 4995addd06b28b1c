#define CAF_SUITE journal_patch

#include "journal/commit_log.hpp"
#include "journal/frame.hpp"
#include "journal/large_values.hpp"
#include "journal/patch.hpp"
#include "journal/reader.hpp"
#include "journal/rocksdb_store.hpp"
#include "journal/sectors.hpp"
#include "tests/journal/files.hpp"

#include <caf/test/dsl.hpp>

#include <algorithm>
#include <random>
#include <utility>

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
    CAF_CHECK_LESS(store.written_bytes(), whole / 40);
    CAF_CHECK((*read_all(store))["rlarge"] == last);
  }
  {
    auto opened = rocksdb_store::open(small(place / "journal"));
    CAF_REQUIRE(opened.has_value());
    CAF_CHECK(**(*opened)->get("rlarge") == last);
    // Another life knows no last value: it is written whole.
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

CAF_TEST(values are kept from the second on and forgotten beyond the bound and when they become small) {
  large_values known;
  const std::string value(large_values::bytes_min, 'v');
  CAF_CHECK(known.next("a", value).empty());
  CAF_CHECK(known.next("a", value).empty());
  CAF_CHECK(!known.next("a", value + "1").empty());
  CAF_CHECK(known.next("a", "small").empty());
  CAF_CHECK(known.next("a", value).empty());
  CAF_CHECK(!known.next("a", value).empty());
  const std::string all(large_values::kept_bytes_max, 'w');
  CAF_CHECK(known.next("b", all).empty());
  CAF_CHECK(!known.next("a", value).empty()); // it came once, and takes nobody's place
  CAF_CHECK(known.next("b", all).empty());
  CAF_CHECK(known.next("a", value).empty());
  CAF_CHECK(!known.next("a", value).empty());
}

CAF_TEST(what readers put together is bounded) {
  for (const auto bytes :
       {large_values::bytes_min, large_values::bytes_min * 20, large_values::work_max / 4}) {
    large_values known;
    std::string value(bytes, 'v');
    std::size_t in_a_row = 0;
    std::size_t longest = 0;
    for (int i = 0; i < 300; ++i) {
      value[static_cast<std::size_t>(i)] = 'x';
      in_a_row = known.next("a", value).empty() ? 0 : in_a_row + 1;
      longest = std::max(longest, in_a_row);
    }
    const auto bound = std::min(large_values::patches_max, large_values::work_max / bytes);
    CAF_CHECK_EQUAL(longest, bound);
  }
}

CAF_TEST(values that are not like each other are compared seldom) {
  std::mt19937 random{3};
  large_values known;
  for (int i = 0; i < 10; ++i) {
    CAF_CHECK(known.next("a", noise(random, 10'000)).empty());
  }
  const std::string value(10'000, 'v');
  int whole = 0;
  while (known.next("a", value).empty() && whole < 100) {
    ++whole;
  }
  CAF_CHECK_GREATER(whole, 2);
  CAF_CHECK_LESS(whole, 20); // from then on it is like the last one again
}

CAF_TEST(a chain of patches cannot grow a value without a bound) {
  const auto twice = [](std::string_view value) { // all of the value, and once more
    std::string patch(16, '\0');
    put_u64(patch.data(), patch_checksum(value));
    put_u64(patch.data() + 8, patch_checksum(std::string{value} + std::string{value}));
    for (int i = 0; i < 2; ++i) {
      for (auto number = value.size() * 2; number > 0; number >>= 7) {
        patch += static_cast<char>(number >= 0x80 ? number | 0x80 : number);
      }
      patch += '\0';
    }
    return patch;
  };
  const std::string half(patched_bytes_max / 2, 'v');
  CAF_CHECK(apply_patch(half, twice(half)).has_value());
  CAF_CHECK(is_refused(half + "v", twice(half + "v")));
}

CAF_TEST(a log that changes another value than is there is refused and read around) {
  const std::string value(8'000, 'v');
  const auto patch = make_patch(std::string(8'000, 'w') + value, std::string(8'000, 'w') + value + "x");
  CAF_REQUIRE(!patch.empty());
  const std::pair<std::string, bool> bases[] = {{value, false}, {value, true}, {"", false}};
  for (const auto& [base, in_tables] : bases) {
    std::filesystem::remove_all(place / "journal");
    std::uint64_t number = 1;
    {
      auto opened = rocksdb_store::open(small(place / "journal"));
      CAF_REQUIRE((*opened)->commit({put("ra", "1"), put("rc", "3")}).has_value());
      if (!base.empty()) {
        CAF_REQUIRE((*opened)->commit({put("rb", base)}).has_value());
        ++number;
      }
    }
    if (in_tables) {
      CAF_REQUIRE(rocksdb_store::open(small(place / "journal")).has_value()); // flushes what the log has
    }
    {
      auto found = read_log(place / "journal" / "log", ~std::uint64_t{0} - 1,
                            [](auto, const auto&) { return result<void>{}; });
      CAF_REQUIRE(found.has_value());
      auto log = commit_log::begin(place / "journal" / "log", std::move(*found), number + 1, 64u << 10);
      CAF_REQUIRE(log.has_value());
      const auto head = make_frame_head("rb", patch);
      CAF_REQUIRE((*log)
                      ->append(number + 1, {{logged_operation::kind::patch, "rb", head.view(), patch}})
                      .has_value());
    }
    for (int i = 0; i < 2; ++i) { // nothing was changed by the first one
      const auto refused = rocksdb_store::open(small(place / "journal"));
      CAF_REQUIRE(!refused);
      CAF_CHECK(refused.error().code == errc::corrupt);
      CAF_CHECK(refused.error().message.find("key 'rb'") != std::string::npos);
      CAF_MESSAGE(refused.error().message);
    }
    const reader after{place / "journal"};
    CAF_CHECK(**after.get("ra") == "1");
    CAF_CHECK(!after.get("rb"));
    std::string seen;
    CAF_CHECK(after.scan("r", [&](std::string_view key, const auto& read) {
      seen += std::string{key} + (read ? "+" : "-");
      return true;
    }));
    CAF_CHECK_EQUAL(seen, "ra+rb-rc+");
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
