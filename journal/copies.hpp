#pragma once

#include <continuo/result.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>

namespace rocksdb {
class DB;
}

/// Copies of a store's tables, in the form of RocksDB's backup engine: files that two copies share are there
/// once. A copy is complete or does not exist.
namespace continuo::journal {

/// Adds a copy of what the tables have on disk to the directory `to`, and then removes older ones. As
/// `store::back_up`.
[[nodiscard]] result<std::uint64_t> copy_tables(rocksdb::DB& tables, const std::filesystem::path& to,
                                                const std::function<bool(std::uint64_t bytes)>& goes_on);

/// Makes the store's directory `to`, which must not exist, of the newest copy in `from`: its tables, and a
/// log that begins behind them. Returns after the sync. `errc::corrupt` where there is no complete copy, or
/// it does not agree with its checksums; nothing is changed in `from`.
[[nodiscard]] result<void> restore_store(const std::filesystem::path& from, const std::filesystem::path& to);

} // namespace continuo::journal
