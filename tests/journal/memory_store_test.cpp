#define CAF_SUITE journal_memory_store

#include "journal/memory_store.hpp"

#include "tests/journal/files.hpp"

#include <caf/test/dsl.hpp>

using namespace continuo;
using namespace continuo::journal;
using namespace continuo::journal::test;

namespace {

struct fixture {
  std::shared_ptr<memory_disk> disk = std::make_shared<memory_disk>();
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(memory_store_tests, fixture)

CAF_TEST(a commit is there after a crash) {
  memory_store before{disk};
  CAF_CHECK(before.commit({put("a", "1"), put("b", "2"), erase("a")}).has_value());
  disk->crash();
  CAF_CHECK(code_of(before.get("b")) == errc::storage_failed);
  CAF_CHECK(code_of(before.commit({put("c", "3")})) == errc::storage_failed);
  memory_store after{disk};
  CAF_CHECK(*read_all(after) == contents({{"b", "2"}}));
}

CAF_TEST(what comes after the kth commit is read but lost in a crash) {
  memory_store before{disk};
  CAF_CHECK(before.commit({put("a", "1")}).has_value());
  disk->crash_after_commits(2);
  for (const auto* key : {"b", "c", "d", "e"}) {
    CAF_CHECK(before.commit({put(key, "2")}).has_value());
  }
  CAF_CHECK_EQUAL(read_all(before)->size(), 5u);
  CAF_CHECK_EQUAL(disk->snapshot().size(), 3u);
  disk->crash();
  memory_store after{disk};
  CAF_CHECK(*read_all(after) == contents({{"a", "1"}, {"b", "2"}, {"c", "2"}}));
  CAF_CHECK(after.commit({put("f", "3")}).has_value());
  disk->crash();
  CAF_CHECK_EQUAL(disk->snapshot().size(), 4u);
}

CAF_TEST(a failed commit is there or not as ordered and nothing follows it) {
  for (const bool applied : {false, true}) {
    auto fresh = std::make_shared<memory_disk>();
    memory_store before{fresh};
    fresh->fail_commit(2, errc::storage_failed, applied);
    CAF_CHECK(before.commit({put("a", "1")}).has_value());
    const auto failed = before.commit({put("a", "2"), put("b", "2")});
    CAF_CHECK(code_of(failed) == errc::storage_failed);
    CAF_CHECK(before.commit({put("c", "3")}).error() == failed.error());
    CAF_CHECK(*read_all(before) == contents({{"a", "1"}}));
    memory_store after{fresh};
    CAF_CHECK(*read_all(after) == (applied ? contents({{"a", "2"}, {"b", "2"}}) : contents({{"a", "1"}})));
    CAF_CHECK(after.commit({put("c", "3")}).has_value());
  }
}

CAF_TEST(a full disk refuses and says so) {
  disk->set_bytes_max(10);
  memory_store full{disk};
  CAF_CHECK(full.commit({put("a", "1234")}).has_value());
  CAF_CHECK_EQUAL(full.free_bytes(), 5u);
  CAF_CHECK(code_of(full.commit({put("b", "12345")})) == errc::storage_full);
  CAF_CHECK(code_of(full.commit({put("b", "1")})) == errc::storage_full);
  disk->set_free_bytes(3);
  CAF_CHECK_EQUAL(full.free_bytes(), 3u);
  CAF_CHECK_EQUAL(full.used_bytes(), 5u);
}

CAF_TEST(a damaged value is an error and never other data) {
  memory_store store{disk};
  CAF_CHECK(store.commit({put("a", "1"), put("b", "2")}).has_value());
  disk->damage("b");
  CAF_CHECK(**store.get("a") == "1");
  CAF_CHECK(code_of(store.get("b")) == errc::corrupt);
  CAF_CHECK(code_of(read_all(store)) == errc::corrupt);
}

CAF_TEST(a scan stays within its prefix and ends when told) {
  memory_store store{disk};
  CAF_CHECK(store.commit({put("a", "1"), put("ba", "2"), put("bb", "3"), put("c", "4")}).has_value());
  std::string seen;
  const auto note = [&](std::string_view key, std::string_view) {
    seen += key;
    return true;
  };
  CAF_CHECK(store.scan("b", note).has_value());
  CAF_CHECK_EQUAL(seen, "babb");
  seen.clear();
  const auto once = [&](std::string_view key, std::string_view) {
    seen += key;
    return false;
  };
  CAF_CHECK(store.scan("b", once).has_value());
  CAF_CHECK_EQUAL(seen, "ba");
  CAF_CHECK_EQUAL(disk->commits(), 1u);
  CAF_CHECK(disk->last_batches().back().operations == 4);
}

CAF_TEST_FIXTURE_SCOPE_END()
