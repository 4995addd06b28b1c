#pragma once

#include "journal/store.hpp"

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
};

/// The embedded store.
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
