// ctest: timeout=300
#define CAF_SUITE journal_rocksdb_store

#include "journal/rocksdb_store.hpp"

#include "journal/commit_log.hpp"
#include "tests/journal/files.hpp"
#include "tests/support/places.hpp"

#include <caf/test/dsl.hpp>

#include <algorithm>
#include <csignal>
#include <random>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace continuo;
using namespace continuo::journal;
using namespace continuo::journal::test;

namespace {

struct fixture {
  scratch place;
};

/// Starts the writer, kills it once it has said `until` lines, and returns the last number that it said.
std::uint64_t run_writer(const std::filesystem::path& directory, int until) {
  const auto writer = continuo::tests::places::programs() + "/store_writer";
  int ends[2];
  CAF_REQUIRE_EQUAL(::pipe(ends), 0);
  const auto child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], 1);
    ::close(ends[0]);
    ::close(ends[1]);
    ::execl(writer.c_str(), "store_writer", directory.c_str(), nullptr);
    ::_exit(127);
  }
  ::close(ends[1]);
  std::string said;
  int lines = 0;
  char buffer[4'096];
  for (ssize_t length = 0; (length = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
    said.append(buffer, static_cast<std::size_t>(length));
    lines += static_cast<int>(std::count(buffer, buffer + length, '\n'));
    if (lines >= until) {
      ::kill(child,
             SIGKILL); // it goes on committing until this arrives; the rest of what it said is read below
    }
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  CAF_CHECK(WIFSIGNALED(status));
  const auto end = said.rfind('\n');
  CAF_REQUIRE(end != std::string::npos);
  const auto begin = end == 0 ? std::string::npos : said.rfind('\n', end - 1);
  return std::stoull(said.substr(begin == std::string::npos ? 0 : begin + 1));
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(rocksdb_store_tests, fixture)

CAF_TEST(what was committed is there after opening again) {
  for (std::uint64_t number = 1; number <= 60; ++number) {
    auto opened = rocksdb_store::open(small(place / "journal"));
    CAF_REQUIRE(opened.has_value());
    CAF_CHECK(*read_all(**opened) == after(number - 1));
    CAF_CHECK((*opened)->commit(numbered_batch(number)).has_value());
    CAF_CHECK(*read_all(**opened) == after(number));
    CAF_CHECK(**(*opened)->get("mlast") == std::to_string(number));
    CAF_CHECK(!*(*opened)->get("nothing"));
  }
  const auto log = read_log(place / "journal" / "log", ~std::uint64_t{0} - 1,
                            [](auto, const auto&) { return result<void>{}; });
  CAF_CHECK_LESS_OR_EQUAL(log->segments.size(), 2u);
}

CAF_TEST(the log is used again and does not grow) {
  auto opened = rocksdb_store::open(small(place / "journal"));
  CAF_REQUIRE(opened.has_value());
  for (std::uint64_t number = 1; number <= 6'000; ++number) {
    CAF_REQUIRE((*opened)->commit(numbered_batch(number)).has_value());
  }
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator{place / "journal" / "log"}) {
    bytes += entry.file_size();
  }
  CAF_CHECK_LESS(bytes, 40u * (64u << 10)); // 6,000 batches took more than 90 segments
  CAF_CHECK(*read_all(**opened) == after(6'000));
  opened->reset();
  opened = rocksdb_store::open(small(place / "journal"));
  CAF_REQUIRE(opened.has_value());
  CAF_CHECK(*read_all(**opened) == after(6'000));
}

CAF_TEST(a commit larger than a log segment is kept) {
  auto opened = rocksdb_store::open(small(place / "journal"));
  CAF_REQUIRE(opened.has_value());
  const std::string large(1u << 20, 'l');
  CAF_CHECK((*opened)->commit({put("rlarge", large), put("rsmall", "s")}).has_value());
  CAF_CHECK((*opened)->commit({put("rafter", "a")}).has_value());
  opened->reset();
  opened = rocksdb_store::open(small(place / "journal"));
  CAF_REQUIRE(opened.has_value());
  CAF_CHECK(*read_all(**opened) == contents({{"rlarge", large}, {"rsmall", "s"}, {"rafter", "a"}}));
}

CAF_TEST(ranges of any length are erased with what the same batch put there before) {
  const auto key = [](int number) { return "h" + std::to_string(10'000 + number); };
  for (const int count : {10, 5'000}) {
    auto opened = rocksdb_store::open(small(place / "journal"));
    CAF_REQUIRE(opened.has_value());
    batch many;
    for (int i = 0; i < count; ++i) {
      many.push_back(put(key(i), "old"));
    }
    CAF_REQUIRE((*opened)->commit(many).has_value());
    const auto last = key(count - 1);
    CAF_REQUIRE((*opened)
                    ->commit({put("h10003x", "new"), put("h0", "below"), erase_range(key(2), last),
                              erase_range("hz", "ha"), put(key(3), "again")})
                    .has_value());
    const contents expected{
        {"h0", "below"}, {key(0), "old"}, {key(1), "old"}, {key(3), "again"}, {last, "old"}};
    CAF_CHECK(*read_all(**opened) == expected);
    opened->reset(); // from here it comes from the log
    opened = rocksdb_store::open(small(place / "journal"));
    CAF_REQUIRE(opened.has_value());
    CAF_CHECK(*read_all(**opened) == expected);
    CAF_REQUIRE((*opened)->commit({erase_range("h", "i")}).has_value());
    CAF_CHECK(read_all(**opened)->empty());
  }
}

CAF_TEST(any batches leave what they leave in a plain map) {
  std::mt19937 draw{7};
  const auto one_of = [&](int count) { return std::uniform_int_distribution{0, count - 1}(draw); };
  const auto key = [&] {
    constexpr std::string_view kinds = "ehr";
    return kinds[static_cast<std::size_t>(one_of(3))] + std::to_string(10'000 + one_of(4'000));
  };
  const auto value = [&] {
    return std::string(one_of(10) == 0 ? 5'000 : 20, static_cast<char>('a' + one_of(26)));
  };
  contents expected;
  int longest = 0;
  for (int life = 0; life < 4; ++life) {
    auto opened = rocksdb_store::open(small(place / "journal"));
    CAF_REQUIRE(opened.has_value());
    CAF_REQUIRE(*read_all(**opened) == expected);
    for (int round = 0; round < 200; ++round) {
      batch changes;
      for (auto left = round % 40 == 0 ? 3'000 : 1 + one_of(60); left > 0; --left) {
        const auto what = one_of(100);
        auto first = key();
        if (what < 70) {
          changes.push_back(put(first, value()));
          expected[first] = changes.back().value;
        } else if (what < 95 || round % 40 == 0) {
          changes.push_back({operation::kind::erase, first, {}});
          expected.erase(first);
        } else {
          // Most are short, some erase a kind whole; one in ten stands the wrong way round and is empty.
          auto last = one_of(10) == 0   ? key()
                      : one_of(20) == 0 ? std::string(1, first[0]) + "~"
                                        : first + "~";
          first = last.ends_with('~') && last.size() == 2 ? last.substr(0, 1) : first;
          changes.push_back(erase_range(first, last));
          const auto from = expected.lower_bound(first);
          const auto to = expected.lower_bound(last);
          if (first < last) {
            longest = std::max(longest, static_cast<int>(std::distance(from, to)));
            expected.erase(from, to);
          }
        }
      }
      CAF_REQUIRE((*opened)->commit(changes).has_value());
    }
    CAF_REQUIRE(*read_all(**opened) == expected);
  }
  CAF_CHECK_GREATER(longest, 1'000); // there were ranges that stay ranges
}

CAF_TEST(two stores on one directory are refused) {
  const auto first = rocksdb_store::open(small(place / "journal"));
  CAF_REQUIRE(first.has_value());
  const auto second = rocksdb_store::open(small(place / "journal"));
  CAF_REQUIRE(!second);
  CAF_CHECK(code_of(second) == errc::in_use);
  CAF_CHECK((*first)->commit(numbered_batch(1)).has_value());
}

CAF_TEST(a killed process leaves every batch that it acknowledged) {
  const auto rounds =
      std::getenv("CONTINUO_LONG") && std::string{std::getenv("CONTINUO_LONG")} == "1" ? 300 : 8;
  for (int round = 0; round < rounds; ++round) {
    const auto acknowledged = run_writer(place / "journal", 1 + round * 37 % 400);
    auto opened = rocksdb_store::open(small(place / "journal"));
    CAF_REQUIRE(opened.has_value());
    const auto all = read_all(**opened);
    CAF_REQUIRE(all.has_value());
    CAF_CHECK_LESS_OR_EQUAL(acknowledged, count_of(*all));
    CAF_CHECK(*all == after(count_of(*all)));
  }
}

/// What nothing makes smaller: without it a store of any number of batches may fit on the disk.
operation noise(std::uint64_t number) {
  std::mt19937_64 random{number};
  std::string value;
  while (value.size() < 256) {
    value += std::to_string(random());
  }
  return put("y" + std::to_string(number), value);
}

CAF_TEST(a full disk is an error and loses nothing acknowledged) {
  const auto disk = place / "disk";
  std::filesystem::create_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=3m") != 0) {
    CAF_MESSAGE("skipped: mounting a small disk takes root");
    return;
  }
  std::uint64_t acknowledged = 0;
  {
    auto opened = rocksdb_store::open(small(disk / "journal"));
    CAF_REQUIRE(opened.has_value());
    result<void> done;
    const auto next = [&] {
      auto changes = numbered_batch(acknowledged + 1);
      changes.push_back(noise(acknowledged + 1));
      return changes;
    };
    while (acknowledged < 100'000 && (done = (*opened)->commit(next()))) {
      ++acknowledged;
    }
    CAF_CHECK(!done);
    if (!done) {
      CAF_CHECK(code_of(done) == errc::storage_full);
      CAF_CHECK((*opened)->commit({put("rlater", "x")}).error() == done.error());
    }
  }
  CAF_CHECK_EQUAL(::mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT, "size=64m"), 0);
  {
    auto opened = rocksdb_store::open(small(disk / "journal"));
    CAF_REQUIRE(opened.has_value());
    const auto all = read_all(**opened);
    auto expected = after(count_of(*all));
    for (std::uint64_t number = 1; number <= count_of(*all); ++number) {
      const auto put = noise(number);
      expected[put.key] = put.value;
    }
    CAF_CHECK(*all == expected);
    CAF_CHECK_LESS_OR_EQUAL(acknowledged, count_of(*all));
    CAF_CHECK_LESS_OR_EQUAL(count_of(*all), acknowledged + 1);
  }
  CAF_CHECK_EQUAL(::umount(disk.c_str()), 0);
}

CAF_TEST_FIXTURE_SCOPE_END()
