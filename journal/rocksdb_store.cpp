#include "journal/rocksdb_store.hpp"

#include "journal/directory.hpp"
#include "journal/frame.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <optional>
#include <sys/statvfs.h>
#include <system_error>

namespace continuo::journal {

namespace {

error error_of(const rocksdb::Status& status, const std::filesystem::path& directory) {
  const auto text = status.ToString();
  if (status.IsNoSpace() || status.subcode() == rocksdb::Status::kNoSpace) {
    return {errc::storage_full, "the disk of " + directory.string() + " is full: " + text};
  }
  if (status.IsCorruption()) {
    return {errc::corrupt, "the journal in " + directory.string() + " is damaged: " + text};
  }
  if (status.IsIOError() && text.find("LOCK") != std::string::npos) {
    return {errc::in_use, "the journal in " + directory.string() + " is in use: " + text};
  }
  return {errc::storage_failed, "the journal in " + directory.string() + " failed: " + text};
}

rocksdb::Slice slice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}

std::string_view view(const rocksdb::Slice& bytes) {
  return {bytes.data(), bytes.size()};
}

rocksdb::Options rocksdb_settings(const rocksdb_options& options) {
  const auto memory = std::max<std::uint64_t>(options.memory_bytes, 8u << 20);
  rocksdb::Options to;
  to.create_if_missing = true;
  to.paranoid_checks = true;
  to.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  to.manual_wal_flush = false;
  to.allow_concurrent_memtable_write = false;
  to.avoid_unnecessary_blocking_io = true;
  to.max_background_jobs = 2;
  to.max_open_files = 512;
  to.max_write_buffer_number = 4;
  to.write_buffer_size = memory / 2 / 4;
  to.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(1));
  to.keep_log_file_num = 2;
  to.max_log_file_size = 4u << 20;
  to.compression = rocksdb::kNoCompression;
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

class opened_store : public store {
public:
  opened_store(std::unique_ptr<rocksdb::DB> db, std::filesystem::path directory)
      : db_(std::move(db)), directory_(std::move(directory)) {}

  result<void> commit(const batch& changes) override {
    if (failure_) {
      return tl::unexpected(*failure_);
    }
    changes_.Clear();
    for (const auto& change : changes) {
      const auto key = slice(change.key);
      if (change.what == operation::kind::erase) {
        changes_.Delete(key);
        continue;
      }
      const auto head = make_frame_head(change.key, change.value);
      const std::array parts{slice(head.view()), slice(change.value)};
      changes_.Put(rocksdb::SliceParts(&key, 1), rocksdb::SliceParts(parts.data(), parts.size()));
    }
    rocksdb::WriteOptions how;
    how.sync = true;
    if (const auto written = db_->Write(how, &changes_); !written.ok()) {
      failure_ = error_of(written, directory_);
      return tl::unexpected(*failure_);
    }
    // Durable from here.
    return {};
  }

  result<std::optional<std::string>> get(std::string_view key) const override {
    rocksdb::PinnableSlice found;
    const auto read = db_->Get(rocksdb::ReadOptions{}, db_->DefaultColumnFamily(), slice(key), &found);
    if (read.IsNotFound()) {
      return std::optional<std::string>{};
    }
    if (!read.ok()) {
      return tl::unexpected(error_of(read, directory_));
    }
    const auto value = unframe(key, view(found));
    if (!value) {
      return tl::unexpected(located(value.error()));
    }
    return std::optional<std::string>{*value};
  }

  result<void> scan(std::string_view prefix, const visitor& visit) const override {
    rocksdb::ReadOptions how;
    how.fill_cache = false; // a scan over everything would push out what is read by key
    how.auto_prefix_mode = false;
    how.total_order_seek = true;
    const std::unique_ptr<rocksdb::Iterator> i{db_->NewIterator(how)};
    for (i->Seek(slice(prefix)); i->Valid() && i->key().starts_with(slice(prefix)); i->Next()) {
      const auto key = view(i->key());
      const auto value = unframe(key, view(i->value()));
      if (!value) {
        return tl::unexpected(located(value.error()));
      }
      if (!visit(key, *value)) {
        return {};
      }
    }
    if (!i->status().ok()) {
      return tl::unexpected(error_of(i->status(), directory_));
    }
    return {};
  }

  std::uint64_t free_bytes() const override {
    struct statvfs space {};
    return ::statvfs(directory_.c_str(), &space) == 0 ? std::uint64_t{space.f_bavail} * space.f_frsize
                                                      : ~std::uint64_t{0};
  }

  std::uint64_t used_bytes() const override {
    std::uint64_t bytes = 0;
    std::error_code trouble; // files come and go meanwhile
    for (std::filesystem::directory_iterator i{directory_, trouble}, end; !trouble && i != end;
         i.increment(trouble)) {
      std::error_code gone;
      const auto size = i->file_size(gone);
      bytes += gone ? 0 : size;
    }
    return bytes;
  }

private:
  error located(const error& reason) const {
    return {reason.code, directory_.string() + ": " + reason.message};
  }

  std::unique_ptr<rocksdb::DB> db_;
  std::filesystem::path directory_;
  rocksdb::WriteBatch changes_;  // kept for its memory
  std::optional<error> failure_; // of the first commit that failed: refuses every later one
};

} // namespace

result<std::unique_ptr<store>> rocksdb_store::open(const rocksdb_options& options) {
  rocksdb::DB* db = nullptr;
  const auto opened = rocksdb::DB::Open(rocksdb_settings(options), options.directory.string(), &db);
  if (!opened.ok()) {
    return tl::unexpected(error_of(opened, options.directory));
  }
  return std::unique_ptr<store>{
      std::make_unique<opened_store>(std::unique_ptr<rocksdb::DB>{db}, options.directory)};
}

} // namespace continuo::journal
