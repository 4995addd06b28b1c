#pragma once

#include "journal/rocksdb_store.hpp"

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/status.h>

#include <cstdarg>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

/// What everything shares that opens the tables of a `rocksdb_store`.
namespace continuo::journal {

/// Under which the tables keep the number of the newest commit that is in them. Callers' keys begin with a
/// printable character, so it is in nobody's way.
constexpr std::string_view applied_key{"\0commit", 7};

/// RocksDB's own log, for people, goes nowhere. In a file it would end the process: after a failed write, on
/// a full disk, the next line violates an assertion of the file's writer, which Debian's library has switched
/// on.
class no_log : public rocksdb::Logger {
public:
  using rocksdb::Logger::Logv;
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
};

/// What RocksDB says went wrong, with the directory that it is about.
[[nodiscard]] error error_of(const rocksdb::Status& status, const std::filesystem::path& directory);

inline rocksdb::Slice slice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}

inline std::string_view view(const rocksdb::Slice& bytes) {
  return {bytes.data(), bytes.size()};
}

/// Looks at the sizes of the files of tables in `directory` (or of a backup of them) before anything is
/// opened that is read to its end: the small ones into memory, the manifest for as long as it is.
/// `errc::corrupt`.
[[nodiscard]] result<void> check_sizes(const std::filesystem::path& directory);

[[nodiscard]] rocksdb::Options rocksdb_settings(const rocksdb_options& options);

/// Opens the tables in `directory`, a store's own, and changes nothing; null where there are none. Takes no
/// lock.
[[nodiscard]] result<std::unique_ptr<rocksdb::DB>> open_tables(const std::filesystem::path& directory,
                                                               const rocksdb::Options& settings);

/// Reads the number of the newest commit that the tables hold; 0 in new ones.
[[nodiscard]] result<std::uint64_t> read_applied(rocksdb::DB& db, const std::filesystem::path& directory);

} // namespace continuo::journal
