#include "journal/rocksdb_tables.hpp"

#include "journal/files.hpp"
#include "journal/frame.hpp"
#include "journal/patch.hpp"
#include "journal/sectors.hpp"
#include "messages/printable.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/merge_operator.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <new>
#include <string>
#include <system_error>

namespace continuo::journal {

namespace {

/// What RocksDB says. Where it cannot read a table that the manifest names ("... in DIR/000009.sst in file
/// DIR/MANIFEST-000005"), the manifest is no part of it.
std::string text_of(const rocksdb::Status& status) {
  constexpr std::string_view table_suffix = ".sst";
  auto text = status.ToString();
  const auto table = text.find(table_suffix);
  if (table != std::string::npos && text.find("MANIFEST", table) != std::string::npos) {
    text.resize(table + table_suffix.size());
  }
  return continuo::printable(text);
}

/// Puts together a value of which the tables have an older one and patches.
class patcher : public rocksdb::MergeOperator {
public:
  const char* Name() const override { return "continuo.patch"; }

  bool FullMergeV2(const MergeOperationInput& in, MergeOperationOutput* out) const override {
    const auto key = view(in.key);
    try {
      const auto base = in.existing_value == nullptr
                            ? result<std::string_view>{fail(errc::corrupt, "there is no value")}
                            : unframe(key, view(*in.existing_value));
      auto value = base.map([](std::string_view bytes) { return std::string{bytes}; });
      for (const auto& patch : in.operand_list) {
        const auto changes = value ? unframe(key, view(patch)) : tl::unexpected(value.error());
        value = changes ? apply_patch(*value, *changes) : tl::unexpected(changes.error());
      }
      if (!value) {
        return false; // RocksDB says "corruption"
      }
      out->new_value = frame(key, *value);
      return true;
    } catch (const std::bad_alloc&) { // RocksDB's code above knows no exceptions
      return false;
    }
  }
};

} // namespace

error error_of(const rocksdb::Status& status, const std::filesystem::path& directory) {
  const auto text = text_of(status);
  if (status.IsNoSpace() || status.subcode() == rocksdb::Status::kNoSpace) {
    return {errc::storage_full, "the disk of " + directory.string() + " is full: " + text};
  }
  // Also as a corruption, of the manifest that names the file.
  if (text.find(std::generic_category().message(EACCES)) != std::string::npos) {
    return {errc::invalid_configuration,
            "the journal in " + directory.string() + " may not be opened by this user: " + text};
  }
  if (status.IsCorruption()) {
    return {errc::corrupt, "the journal in " + directory.string() + " is damaged: " + text};
  }
  if (status.IsPathNotFound() || status.subcode() == rocksdb::Status::kPathNotFound) {
    return {errc::corrupt, "a file of the journal in " + directory.string() + " is missing: " + text};
  }
  if (status.IsIOError() && text.find("LOCK") != std::string::npos) {
    return {errc::in_use, "the journal in " + directory.string() + " is in use: " + text};
  }
  return {errc::storage_failed, "the journal in " + directory.string() + " failed: " + text};
}

result<void> check_sizes(const std::filesystem::path& directory) {
  constexpr std::uint64_t small = 4'096;
  constexpr std::uint64_t mebibyte = 1u << 20;
  std::error_code trouble;
  for (std::filesystem::recursive_directory_iterator i{directory, trouble}, end; !trouble && i != end;
       i.increment(trouble)) {
    const auto& path = i->path();
    const auto name = path.filename().native();
    // Tables are read in parts that their checksummed index names; all else is RocksDB's to read whole.
    const auto bytes_max = path.extension() == ".sst"                      ? ~std::uint64_t{0} >> 1
                           : name.starts_with("MANIFEST-")                 ? 2'048 * mebibyte
                           : name.starts_with("CURRENT") || name == "LOCK" ? small
                           : name.starts_with("IDENTITY")                  ? small
                                                                           : 16 * mebibyte;
    if (auto possible = check_size(path, bytes_max); !possible) {
      return possible;
    }
  }
  return {}; // what cannot be listed, cannot be opened either, which says so
}

rocksdb::Options rocksdb_settings(const rocksdb_options& options) {
  const auto memory = std::max<std::uint64_t>(options.memory_bytes, 8u << 20);
  rocksdb::Options to;
  to.create_if_missing = true;
  to.paranoid_checks = true;
  // RocksDB's own log stays empty (see opened_store); should it ever not be, only a torn tail is forgiven.
  to.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  to.avoid_flush_during_shutdown = true; // a stop is like a crash: one way to recover, always taken
  to.allow_concurrent_memtable_write = false;
  to.avoid_unnecessary_blocking_io = true;
  to.max_background_jobs = 2;
  to.max_file_opening_threads = 1; // it ends the process where it gets none of 16, and the tables are few
  to.max_open_files = static_cast<int>(options.open_tables);
  to.max_write_buffer_number = 4;
  to.write_buffer_size = memory / 2 / 4;
  // Most keys are deleted soon after they were written: what two buffers agree on is never written, and the
  // first level is brought into the second one half as often. A third of what the tables cost before.
  to.min_write_buffer_number_to_merge = 2;
  to.level0_file_num_compaction_trigger = 8;
  // What is looked up is mostly not there, as where an instance begins: else each look went down the skip
  // list.
  to.memtable_whole_key_filtering = true;
  to.memtable_prefix_bloom_size_ratio = 0.01;
  to.stats_dump_period_sec = 0;
  to.stats_persist_period_sec = 0;
  to.info_log = std::make_shared<no_log>();
  to.compression = rocksdb::kNoCompression;
  to.merge_operator = std::make_shared<patcher>();
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(memory / 2, -1, false, 0.5);
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10, false));
  table.whole_key_filtering = true;
  table.format_version = 5;
  to.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return to;
}

result<std::unique_ptr<rocksdb::DB>> open_tables(const std::filesystem::path& directory,
                                                 const rocksdb::Options& settings) {
  const auto tables = directory / "tables";
  std::error_code trouble;
  if (!std::filesystem::exists(tables / "CURRENT", trouble)) {
    return nullptr;
  }
  if (auto possible = check_sizes(tables); !possible) {
    return tl::unexpected(possible.error());
  }
  rocksdb::DB* opened = nullptr;
  if (const auto status = rocksdb::DB::OpenForReadOnly(settings, tables.string(), &opened); !status.ok()) {
    return tl::unexpected(error_of(status, directory));
  }
  return std::unique_ptr<rocksdb::DB>{opened};
}

result<std::uint64_t> read_applied(rocksdb::DB& db, const std::filesystem::path& directory) {
  std::string found;
  const auto read = db.Get(rocksdb::ReadOptions{}, slice(applied_key), &found);
  if (read.IsNotFound()) {
    return 0;
  }
  if (!read.ok()) {
    return tl::unexpected(error_of(read, directory));
  }
  const auto value = unframe(applied_key, found);
  if (!value || value->size() != 8) {
    return continuo::fail(errc::corrupt,
                          directory.string() + ": the number of the newest commit cannot be read");
  }
  return get_u64(value->data());
}

} // namespace continuo::journal
