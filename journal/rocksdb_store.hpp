#pragma once

#include "journal/store.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

namespace continuo::journal {

/// How a `rocksdb_store` is opened.
struct rocksdb_options {
  /// Where the store's files live; made where it is missing. Its parent must exist.
  std::filesystem::path directory;

  /// What the store may take of memory, in bytes: half of it buffers what was written last, half caches what
  /// is read, with the tables' indexes and filters. At least 8 MiB are used.
  std::uint64_t memory_bytes = 128u << 20;

  /// The size of the log's files, in bytes; between 2 and 13 of them are in use, a few more are kept for
  /// reuse. A larger commit gets a larger file.
  std::size_t segment_bytes = 16u << 20;

  /// Files of tables that are kept open; at least 20.
  std::size_t open_tables = 512;
};

/// The embedded store: tables by RocksDB, in front of them a log of our own (docs/journal-format.md).
class rocksdb_store : public store {
public:
  /// Opens the store, or makes it. Blocks until it is recovered.
  ///
  /// `errc::corrupt` with file and place if anything that was acknowledged is damaged (nothing is
  /// overwritten), `errc::in_use` if another store has the directory open, `errc::storage_full` and
  /// `errc::storage_failed` with the path and the system's reason.
  [[nodiscard]] static result<std::unique_ptr<store>> open(const rocksdb_options& options);
};

} // namespace continuo::journal
