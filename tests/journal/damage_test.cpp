// ctest: timeout=600 labels=slow
#define CAF_SUITE journal_damage

#include "journal/commit_log.hpp"
#include "journal/rocksdb_store.hpp"
#include "tests/journal/files.hpp"

#include <caf/test/dsl.hpp>

#include <algorithm>

using namespace continuo;
using namespace continuo::journal;
using namespace continuo::journal::test;

namespace {

std::filesystem::path newest_log(const std::filesystem::path& directory) {
  std::filesystem::path newest;
  for (const auto& entry : std::filesystem::directory_iterator{directory / "log"}) {
    if (entry.path().extension() == ".log") {
      newest = std::max(newest, entry.path());
    }
  }
  return newest;
}

struct fixture {
  scratch place;
  std::filesystem::path original = place / "original";
  std::filesystem::path damaged = place / "damaged";

  /// Opens, commits up to `until` and closes.
  void write(std::uint64_t from, std::uint64_t until) {
    auto opened = rocksdb_store::open(small(original));
    CAF_REQUIRE(opened.has_value());
    for (auto number = from; number <= until; ++number) {
      CAF_REQUIRE((*opened)->commit(numbered_batch(number)).has_value());
    }
  }

  result<contents> open_damaged() {
    auto opened = rocksdb_store::open(small(damaged));
    if (!opened) {
      return tl::unexpected(opened.error());
    }
    return read_all(**opened);
  }

  /// Only the newest log, with these bytes: enough for `read_log`.
  void copy_log(const std::string& bytes) {
    std::filesystem::create_directories(damaged / "log");
    write_file(damaged / "log" / newest_log(original).filename(), bytes);
  }

  void copy() {
    std::filesystem::remove_all(damaged);
    std::filesystem::copy(original, damaged, std::filesystem::copy_options::recursive);
  }
};

/// Where the written part of a log segment ends.
std::size_t end_of(const std::string& segment) {
  return segment.find_last_not_of('\0') + 1;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(damage_tests, fixture)

CAF_TEST(a torn log opens with exactly a prefix of whole batches) {
  write(1, 20);
  write(21, 60); // the first 20 are in the tables now
  const auto bytes = read_file(newest_log(original));
  const auto end = end_of(bytes);
  CAF_REQUIRE_LESS(4'096u, end);
  std::uint64_t least = 60;
  std::vector<std::size_t> sizes;
  for (std::size_t cut = 1; cut <= 4'096; ++cut) {
    // Cutting the zeros away as well: what is then cut was acknowledged, which no crash does, but a person
    // may.
    std::uint64_t last = 20;
    copy_log(bytes.substr(0, end - cut));
    const auto read = read_log(damaged / "log", 20, [&](std::uint64_t commit, const auto&) {
      CAF_REQUIRE_EQUAL(commit, last + 1);
      last = commit;
      return result<void>{};
    });
    CAF_REQUIRE(read.has_value());
    if (last < least || cut == 1) {
      least = last;
      sizes.push_back(end - cut);
    }
  }
  CAF_CHECK_LESS(least, 56u);
  // Where the number of batches changes, the whole store is opened on what is left.
  for (const auto size : sizes) {
    copy();
    std::filesystem::resize_file(newest_log(damaged), size);
    const auto all = open_damaged();
    CAF_REQUIRE(all.has_value());
    CAF_CHECK(*all == after(count_of(*all)));
    CAF_CHECK_LESS_OR_EQUAL(20u, count_of(*all));
    CAF_CHECK_LESS(count_of(*all), 60u);
  }
}

CAF_TEST(a batch that was half written in sectors of any choice is left out and the store goes on) {
  write(1, 30);
  auto bytes = read_file(newest_log(original));
  const auto last = (end_of(bytes) - 1) / sector_bytes;
  sector_head head;
  CAF_REQUIRE(look_at(bytes, last, 1, head) == sector_kind::present);
  const auto count = sectors_of(head.payload_bytes);
  CAF_REQUIRE_EQUAL(head.commit, 30u);
  for (std::size_t missing = 0; missing < count; ++missing) {
    copy();
    auto torn = bytes;
    std::fill_n(torn.begin() + static_cast<std::ptrdiff_t>((last - missing) * sector_bytes), sector_bytes,
                '\0');
    write_file(newest_log(damaged), torn);
    CAF_CHECK(*open_damaged() == after(29));
    // The second life writes the same number again.
    {
      auto opened = rocksdb_store::open(small(damaged));
      CAF_REQUIRE(opened.has_value());
      CAF_CHECK((*opened)->commit(numbered_batch(30)).has_value());
    }
    CAF_CHECK(*open_damaged() == after(30));
  }
}

CAF_TEST(a flipped byte anywhere gives identical contents or a refusal with the place) {
  write(1, 40);
  write(41, 90);
  const auto expected = after(90);
  std::size_t total = 0;
  std::size_t refused = 0;
  std::size_t identical = 0;
  copy();
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator{original}) {
    const auto name = entry.path().filename().string();
    if (entry.is_regular_file() && !name.starts_with("LOG") && !name.starts_with("OPTIONS")) {
      files.push_back(std::filesystem::relative(entry.path(), original));
      total += entry.file_size();
    }
  }
  CAF_REQUIRE_LESS(total, 256u << 10);
  for (const auto& file : files) {
    const auto bytes = read_file(original / file);
    for (std::size_t i = 0; i < bytes.size(); i += 64) {
      copy();
      auto flipped = bytes;
      flipped[i] = static_cast<char>(flipped[i] ^ 0x40);
      write_file(damaged / file, flipped);
      const auto all = open_damaged();
      if (!all) {
        ++refused;
        if (all.error().code != errc::corrupt ||
            all.error().message.find(damaged.string()) == std::string::npos) {
          CAF_ERROR(file.string() << " byte " << i << ": " << all.error().message);
        }
      } else if (*all == expected && open_damaged().value_or(contents{}) == expected) {
        ++identical; // also at the start after this one, when what is damaged may have been put to use
      } else {
        CAF_ERROR(file.string() << " byte " << i << ": other contents, " << count_of(*all) << " batches");
      }
    }
  }
  CAF_MESSAGE(total << " bytes: " << refused << " refused, " << identical << " identical");
  CAF_CHECK_LESS(0u, refused);
}

CAF_TEST(a refused journal is left as it was) {
  write(1, 90);
  copy();
  const auto log = newest_log(damaged);
  auto bytes = read_file(log);
  bytes[5 * sector_bytes + 100] ^= 1;
  write_file(log, bytes);
  const auto refused = open_damaged();
  CAF_REQUIRE(!refused);
  CAF_CHECK(code_of(refused) == errc::corrupt);
  CAF_CHECK(refused.error().message.find(log.string() + ": byte 2560:") != std::string::npos);
  CAF_CHECK(read_file(log) == bytes);
  bytes[5 * sector_bytes + 100] ^= 1;
  write_file(log, bytes);
  CAF_CHECK(*open_damaged() == after(90));
}

CAF_TEST(a flipped byte in the footer of a table is blamed on the table) {
  write(1, 40);
  write(41, 90);
  std::size_t tables = 0;
  for (const auto& entry : std::filesystem::directory_iterator{original / "tables"}) {
    if (entry.path().extension() != ".sst") {
      continue;
    }
    copy();
    const auto table = damaged / "tables" / entry.path().filename();
    auto bytes = read_file(table);
    bytes.back() ^= 1;
    write_file(table, bytes);
    const auto refused = open_damaged();
    CAF_REQUIRE(!refused);
    CAF_MESSAGE(refused.error().message);
    CAF_CHECK(refused.error().message.find(entry.path().filename().string()) != std::string::npos);
    CAF_CHECK(refused.error().message.find("MANIFEST") == std::string::npos);
    ++tables;
  }
  CAF_CHECK_LESS(0u, tables);
}

CAF_TEST(a missing file is a refusal) {
  write(1, 40);
  write(41, 90);
  for (const auto& entry : std::filesystem::recursive_directory_iterator{original}) {
    const auto extension = entry.path().extension();
    const auto matters = extension == ".sst" || entry.path() == newest_log(original) ||
                         entry.path().filename().string().starts_with("MANIFEST") ||
                         entry.path().filename() == "CURRENT";
    if (!matters) {
      continue;
    }
    copy();
    std::filesystem::remove(damaged / std::filesystem::relative(entry.path(), original));
    const auto all = open_damaged();
    CAF_CHECK(!all);
    if (all) {
      CAF_ERROR(entry.path().filename().string()
                << " is gone, and " << count_of(*all) << " batches are there");
    } else {
      CAF_CHECK(code_of(all) == errc::corrupt);
    }
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
