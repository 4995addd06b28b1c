#pragma once

#include "journal/key_ranges.hpp"

#include <continuo/result.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rocksdb {
class DB;
}

namespace continuo::journal {

struct logged_operation;

/// Called for every entry, in key order, with its value or why that cannot be read; false ends the scan.
using entry_reader = std::function<bool(std::string_view key, const result<std::string_view>& value)>;

/// Reads the directory of a store that no node has open, and changes nothing in it. Unlike a store it goes on
/// where something is damaged, and says what. What only the log holds is kept in memory: some hundred
/// megabytes at most. One thread.
class reader {
public:
  /// Reads the log. What is damaged, in the log or the tables as a whole, is in `troubles`; the rest can be
  /// read all the same. @pre `data_directory::look_at` holds what it stands in
  explicit reader(std::filesystem::path directory);
  ~reader();
  reader(const reader&) = delete;
  reader& operator=(const reader&) = delete;

  /// Why the log or the tables cannot be read to their end; each names its file.
  [[nodiscard]] const std::vector<error>& troubles() const { return troubles_; }

  /// Tests the checksums of all blocks of all tables: an error for each file that is damaged.
  [[nodiscard]] std::vector<error> check_tables() const;

  /// Visits what a store would find, as `store::scan`. An error says behind which key nothing more of the
  /// prefix can be read: a damaged block is not looked into, for RocksDB may end the process there.
  [[nodiscard]] result<void> scan(std::string_view prefix, const entry_reader& visit) const;

  [[nodiscard]] result<std::optional<std::string>> get(std::string_view key) const;

private:
  /// What the log has of a key: what is erased has neither.
  struct change {
    std::optional<std::string> framed;
    std::vector<std::string> patches; // of `framed`, or of what the tables have
    [[nodiscard]] bool is_erased() const { return !framed && patches.empty(); }
  };

  void note(const logged_operation& one);
  [[nodiscard]] result<std::string>
  value_of(std::string_view key, const std::optional<std::string_view>& in_tables, const change* newer) const;

  std::filesystem::path directory_;
  std::unique_ptr<rocksdb::DB> tables_;              // null where there are none, or they cannot be opened
  std::map<std::string, change, std::less<>> newer_; // by the log
  key_ranges emptied_;                               // by the log: what the tables have there is gone
  std::vector<error> troubles_;
};

} // namespace continuo::journal
