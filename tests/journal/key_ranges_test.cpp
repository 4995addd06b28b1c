#define CAF_SUITE journal_key_ranges

#include "journal/key_ranges.hpp"

#include "journal/journal.hpp"
#include "journal/memory_store.hpp"
#include "tests/journal/files.hpp"

#include <caf/test/dsl.hpp>

#include <random>

using namespace continuo;
using namespace continuo::journal;
using namespace continuo::journal::test;

namespace {

std::string text_of(const batch& changes) {
  std::string text;
  for (const auto& change : changes) {
    text += change.what == operation::kind::put     ? "+" + change.key
            : change.what == operation::kind::erase ? "-" + change.key
                                                    : "-" + change.key + ".." + change.value;
    text += ' ';
  }
  return text;
}

batch coalesced(std::vector<batch> batches) {
  std::vector<commit> commits;
  for (auto& changes : batches) {
    commits.push_back({std::move(changes), 1, false, {}});
  }
  return coalesce(commits);
}

contents result_of(const std::vector<batch>& batches) {
  const auto disk = std::make_shared<memory_disk>();
  memory_store store{disk};
  for (const auto& changes : batches) {
    CAF_REQUIRE(store.commit(changes).has_value());
  }
  return *read_all(store);
}

} // namespace

CAF_TEST(ranges that touch or overlap are one) {
  key_ranges all;
  all.add("c", "e");
  all.add("g", "i");
  CAF_CHECK(all.contains("c") && all.contains("d") && all.contains("dz") && !all.contains("e"));
  CAF_CHECK(!all.contains("f") && all.contains("h") && !all.contains("b"));
  all.add("e", "g"); // touches both
  CAF_CHECK(all.contains("e") && all.contains("f") && !all.contains("i"));
  all.add("a", "d");
  all.add("b", "c");
  CAF_CHECK(all.contains("a") && all.contains("h") && !all.contains("i"));
  all.add("z", "x"); // empty
  CAF_CHECK(!all.contains("y"));
}

CAF_TEST(a range leaves out what a batch wrote there before and nothing that comes after) {
  CAF_CHECK_EQUAL(text_of(coalesced({{put("ha1", "1"), put("hb1", "1")}, // two instances
                                     {erase_range("ha", "hb"), put("x", "")},
                                     {put("ha2", "2")}})),
                  "+hb1 -ha..hb +x +ha2 ");
  // Also what else is overwritten.
  CAF_CHECK_EQUAL(text_of(coalesced({{put("ra", "1")}, {erase_range("ra", "rb")}, {put("ra", "2")}})),
                  "-ra..rb +ra ");
}

CAF_TEST(whatever a batch leaves out the store is the same) {
  std::mt19937 random{7};
  const auto draw = [&](unsigned below) { return static_cast<unsigned>(random() % below); };
  const auto key = [&] { return std::string(1, "hrp"[draw(3)]) + static_cast<char>('a' + draw(6)); };
  for (int round = 0; round < 2'000; ++round) {
    std::vector<batch> batches;
    for (unsigned i = 0; i < 8; ++i) {
      batch changes;
      for (unsigned j = 0; j <= draw(3); ++j) {
        const auto what = draw(4);
        changes.push_back(what == 0   ? erase(key())
                          : what == 1 ? erase_range(key(), key())
                                      : put(key(), std::to_string(random())));
      }
      batches.push_back(std::move(changes));
    }
    const auto expected = result_of(batches);
    CAF_REQUIRE(result_of({coalesced(batches)}) == expected);
  }
}
