#include "journal/rocksdb_store.hpp"

#include "journal/commit_log.hpp"
#include "journal/copies.hpp"
#include "journal/files.hpp"
#include "journal/frame.hpp"
#include "journal/key_ranges.hpp"
#include "journal/large_values.hpp"
#include "journal/patch_chains.hpp"
#include "journal/rocksdb_tables.hpp"

#include <fmt/format.h>
#include <rocksdb/listener.h>
#include <rocksdb/perf_level.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <optional>
#include <sys/statvfs.h>
#include <system_error>
#include <vector>

namespace continuo::journal {

namespace {

/// Log segments in use beyond which the write buffer is flushed, full or not.
constexpr std::size_t segments_max = 12;

/// Ranges with more keys are given to RocksDB as ranges, others key by key: at each read it goes through all
/// ranges that stand in the write buffer. So there must be few; beyond so many the buffer is flushed.
constexpr std::size_t range_keys_max = 1'000;
constexpr std::size_t ranges_max = 64;

/// Tells how far the tables on disk reach, in RocksDB's own numbers.
class flush_listener : public rocksdb::EventListener {
public:
  explicit flush_listener(std::shared_ptr<std::atomic<std::uint64_t>> flushed)
      : flushed_(std::move(flushed)) {}

  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo& info) override {
    auto known = flushed_->load();
    while (known < info.largest_seqno && !flushed_->compare_exchange_weak(known, info.largest_seqno)) {
    }
  }

  /// No waiting for room on a full disk, in which a write would hang: the node must stop, and comes back by
  /// recovery.
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* auto_recovery) override {
    *auto_recovery = false;
  }

private:
  std::shared_ptr<std::atomic<std::uint64_t>> flushed_;
};

/// Lets RocksDB look for the place of a key in its write buffer from the place of the last one with the same
/// first byte, the kind of the key: a batch in the order of its keys then costs half as many comparisons. But
/// it has one place for the list of keys and the list of ranges, and would write into the wrong list (an
/// assertion in Debian's library ends the process): so none while a batch holds a range.
class places_by_kind : public rocksdb::SliceTransform {
public:
  const char* Name() const override { return "continuo.places_by_kind"; }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override { return {key.data(), 1}; }
  bool InDomain(const rocksdb::Slice& key) const override { return !holds_range && !key.empty(); }

  bool holds_range = false; ///< of the thread that writes, as all of this
};

void put_applied(rocksdb::WriteBatch& to, std::uint64_t commit) {
  char number[8];
  put_u64(number, commit);
  to.Put(slice(applied_key), frame(applied_key, {number, sizeof number}));
}

/// The store, open. RocksDB's own log stays empty: `commit_log` makes commits durable, and the tables say by
/// `applied_key` up to which commit they hold everything.
class opened_store : public store {
public:
  explicit opened_store(const rocksdb_options& options)
      : directory_(options.directory), flushed_(std::make_shared<std::atomic<std::uint64_t>>(0)) {}

  result<void> recover(const rocksdb_options& options) {
    if (auto made = make_directory(directory_); !made) {
      return made;
    }
    // Looked at first without a right to write: opening for writing removes tables that the manifest does not
    // know, and a damaged manifest may have forgotten some. What the log cannot make whole is refused with
    // everything in place.
    auto settings = rocksdb_settings(options);
    std::uint64_t applied = 0;
    auto looked_at = open_tables(directory_, settings);
    if (!looked_at) {
      return tl::unexpected(looked_at.error());
    }
    if (*looked_at) {
      const auto known = read_applied(**looked_at, directory_);
      if (!known) {
        return tl::unexpected(known.error());
      }
      applied = *known;
    }
    const auto log = directory_ / "log";
    patch_chains patches{looked_at->get()};
    auto found = read_log(log, applied, [&](std::uint64_t, const auto& operations) {
      result<void> fits;
      for (auto one = operations.begin(); fits && one != operations.end(); ++one) {
        fits = patches.note(*one);
      }
      return fits ? fits : tl::unexpected(located(fits.error()));
    });
    looked_at->reset();
    if (!found) {
      return tl::unexpected(found.error());
    }
    if (found->segments.empty() && applied != 0) {
      return continuo::fail(errc::corrupt, log.string() + ": the log is missing; nothing was changed");
    }
    settings.listeners.push_back(std::make_shared<flush_listener>(flushed_));
    settings.memtable_insert_with_hint_prefix_extractor = places_;
    rocksdb::DB* db = nullptr;
    try {
      if (const auto opened = rocksdb::DB::Open(settings, tables().string(), &db); !opened.ok()) {
        return tl::unexpected(error_of(opened, directory_));
      }
    } catch (const std::system_error& none) { // it gets no thread
      return continuo::fail(errc::overloaded, fmt::format("the store in {} cannot be opened: {}",
                                                          directory_.string(), none.what()));
    }
    db_.reset(db);
    if (auto replayed = replay(log, applied); !replayed) {
      return replayed;
    }
    last_commit_ = std::max(applied, found->last_commit);
    auto begun = commit_log::begin(log, std::move(*found), last_commit_ + 1, options.segment_bytes);
    if (!begun) {
      return tl::unexpected(begun.error());
    }
    log_ = std::move(*begun);
    log_->release(last_commit_); // the tables hold all of it: `replay` flushed
    return {};
  }

  result<void> commit(const batch& changes) override {
    if (failure_) {
      return tl::unexpected(*failure_);
    }
    if (auto done = write(changes); !done) {
      failure_ = done.error();
      return done;
    }
    release_log();
    return {};
  }

  result<std::optional<std::string>> get(std::string_view key) const override {
    rocksdb::PinnableSlice found;
    const auto read = db_->Get(rocksdb::ReadOptions{}, db_->DefaultColumnFamily(), slice(key), &found);
    if (read.IsNotFound()) {
      return std::optional<std::string>{};
    }
    if (!read.ok()) {
      auto why = error_of(read, directory_);
      why.message += fmt::format(", at the key '{}'", printable(key));
      return tl::unexpected(std::move(why));
    }
    const auto value = unframe(key, view(found));
    if (!value) {
      return tl::unexpected(located(value.error()));
    }
    return std::optional<std::string>{*value};
  }

  result<void> scan(std::string_view prefix, const visitor& visit, std::string_view after) const override {
    rocksdb::ReadOptions how;
    how.fill_cache = false; // a scan over everything would push out what is read by key
    how.auto_prefix_mode = false;
    how.total_order_seek = true;
    const std::unique_ptr<rocksdb::Iterator> i{db_->NewIterator(how)};
    const auto from = std::max(prefix, after);
    for (i->Seek(slice(from)); i->Valid() && i->key().starts_with(slice(prefix)); i->Next()) {
      const auto key = view(i->key());
      if (key == applied_key || (key == after && !after.empty())) {
        continue;
      }
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

  std::uint64_t written_bytes() const override { return written_bytes_; }

  std::uint64_t used_bytes() const override {
    std::uint64_t bytes = 0;
    std::error_code trouble; // files come and go meanwhile
    for (const auto& part : {tables(), directory_ / "log"}) {
      for (std::filesystem::directory_iterator i{part, trouble}, end; !trouble && i != end;
           i.increment(trouble)) {
        std::error_code gone;
        const auto size = i->file_size(gone);
        bytes += gone ? 0 : size;
      }
    }
    return bytes;
  }

  result<std::uint64_t> back_up(const std::filesystem::path& to,
                                const std::function<bool(std::uint64_t bytes)>& goes_on) const override {
    // Everything that was committed is in the tables, but perhaps in memory only; the copy is of what is on
    // disk. `\0commit` makes it whole: it holds exactly the commits up to that number, without the log.
    rocksdb::FlushOptions at_once;
    at_once.allow_write_stall = true; // as in `release_log`
    if (const auto flushed = db_->Flush(at_once); !flushed.ok()) {
      return tl::unexpected(error_of(flushed, directory_));
    }
    return copy_tables(*db_, to, goes_on);
  }

private:
  [[nodiscard]] std::filesystem::path tables() const { return directory_ / "tables"; }

  [[nodiscard]] error located(const error& reason) const {
    return {reason.code, directory_.string() + ": " + reason.message};
  }

  /// Puts what only the log holds into the tables, and makes that durable: a node that crashes again and
  /// again reads each log once.
  result<void> replay(const std::filesystem::path& log, std::uint64_t applied) {
    bool any = false;
    auto read = read_log(log, applied, [&](std::uint64_t commit, const auto& operations) -> result<void> {
      put_changes(operations);
      put_applied(changes_, commit);
      any = true;
      const auto written = write_changes();
      return written.ok() ? result<void>{} : tl::unexpected(error_of(written, directory_));
    });
    if (!read) {
      return tl::unexpected(read.error());
    }
    if (any) {
      if (const auto flushed = db_->Flush(rocksdb::FlushOptions{}); !flushed.ok()) {
        return tl::unexpected(error_of(flushed, directory_));
      }
    }
    return {};
  }

  /// Fills `changes_` with what the operations do, in the order of their keys. Ranges go first, in place of
  /// what stands before them in `operations`.
  void put_changes(const std::vector<logged_operation>& operations) {
    using kind = logged_operation::kind;
    changes_.Clear();
    steps_.clear();
    erased_.clear();
    key_ranges emptied;
    for (auto one = operations.rbegin(); one != operations.rend(); ++one) {
      if (one->what == kind::erase_range) {
        emptied.add(one->key, one->value);
      } else if (emptied.empty() || !emptied.contains(one->key)) {
        steps_.push_back({one->key, &*one});
      }
    }
    erase(emptied);
    for (const auto& key : erased_) {
      steps_.push_back({key, nullptr});
    }
    std::reverse(steps_.begin(), steps_.end());
    std::stable_sort(steps_.begin(), steps_.end(),
                     [](const step& a, const step& b) { return a.key < b.key; });
    for (const auto& [name, what] : steps_) {
      const auto key = slice(name);
      if (what == nullptr || what->what == kind::erase) {
        changes_.Delete(key);
        continue;
      }
      const std::array parts{slice(what->head), slice(what->value)};
      const rocksdb::SliceParts keys{&key, 1};
      const rocksdb::SliceParts values{parts.data(), parts.size()};
      if (what->what == kind::put) {
        changes_.Put(keys, values);
      } else {
        changes_.Merge(keys, values);
      }
    }
  }

  /// Adds to `erased_` the keys of the tables that stand in these ranges, and to `changes_` the ranges with
  /// too many of them.
  void erase(const key_ranges& emptied) {
    if (emptied.empty()) {
      return;
    }
    rocksdb::ReadOptions how;
    how.fill_cache = false;
    how.total_order_seek = true;
    for (const auto& [from, to] : emptied.all()) {
      const auto end = slice(to);
      how.iterate_upper_bound = &end; // else it goes through all that was deleted behind the range
      const std::unique_ptr<rocksdb::Iterator> i{db_->NewIterator(how)};
      const auto found = erased_.size();
      for (i->Seek(slice(from)); i->Valid() && erased_.size() - found <= range_keys_max; i->Next()) {
        erased_.emplace_back(view(i->key()));
      }
      if (!i->status().ok() || erased_.size() - found > range_keys_max) {
        erased_.resize(found);
        changes_.DeleteRange(slice(from), slice(to));
        ++ranges_;
      }
    }
  }

  /// Brings `changes_` into the tables.
  rocksdb::Status write_changes() {
    // Its counters, which nobody reads, are a third of each comparison. The level is the thread's.
    rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);
    places_->holds_range = changes_.HasDeleteRange();
    rocksdb::WriteOptions how;
    how.disableWAL = true;
    return db_->Write(how, &changes_);
  }

  result<void> write(const batch& changes) {
    heads_.resize(changes.size());
    patches_.clear();
    logged_.clear();
    for (std::size_t i = 0; i < changes.size(); ++i) {
      const auto& change = changes[i];
      if (change.what == operation::kind::erase) {
        logged_.push_back({logged_operation::kind::erase, change.key, {}, {}});
        large_.erase(change.key);
        continue;
      }
      if (change.what == operation::kind::erase_range) {
        logged_.push_back({logged_operation::kind::erase_range, change.key, {}, change.value});
        large_.erase_range(change.key, change.value);
        continue;
      }
      auto patch = large_.next(change.key, change.value);
      const auto is_whole = patch.empty();
      const std::string& value = is_whole ? change.value : patches_.emplace_back(std::move(patch));
      heads_[i] = make_frame_head(change.key, value);
      logged_.push_back({is_whole ? logged_operation::kind::put : logged_operation::kind::patch, change.key,
                         heads_[i].view(), value});
    }
    put_changes(logged_);
    const auto number = last_commit_ + 1;
    put_applied(changes_, number);
    const auto segment = log_->segment_number();
    if (auto appended = log_->append(number, logged_); !appended) {
      return appended;
    }
    // Durable from here. The tables follow, so that nobody reads what is not durable.
    if (log_->segment_number() != segment) {
      full_.push_back({last_commit_, db_->GetLatestSequenceNumber()});
    }
    last_commit_ = number;
    if (const auto written = write_changes(); !written.ok()) {
      return tl::unexpected(error_of(written, directory_));
    }
    std::uint64_t bytes = 0;
    for (const auto& one : logged_) {
      bytes += one.key.size() + one.value.size();
    }
    written_bytes_ += bytes;
    return {};
  }

  void release_log() {
    while (!full_.empty() && full_.front().sequence <= flushed_->load()) {
      log_->release(full_.front().commit);
      full_.pop_front();
      flush_asked_ = false;
    }
    // Tiny commits fill the log faster than the write buffer; without this it would grow until the buffer is
    // full.
    const auto is_long = log_->segment_count() > segments_max && !flush_asked_;
    if (is_long || ranges_ >= ranges_max) {
      flush_asked_ = flush_asked_ || is_long;
      ranges_ = 0;
      rocksdb::FlushOptions how;
      how.wait = false;
      how.allow_write_stall = true;       // else it waits for room in memory, on a full disk for ever
      static_cast<void>(db_->Flush(how)); // a failure shows in the next write
    }
  }

  /// One change of the tables; null: the key goes.
  struct step {
    std::string_view key;
    const logged_operation* what;
  };

  struct full_segment {
    std::uint64_t commit;   // the last one in it
    std::uint64_t sequence; // RocksDB's number after it
  };

  std::filesystem::path directory_;
  std::shared_ptr<std::atomic<std::uint64_t>> flushed_; // RocksDB's number up to which the tables are on disk
  std::shared_ptr<places_by_kind> places_ = std::make_shared<places_by_kind>();
  std::unique_ptr<rocksdb::DB> db_;
  std::unique_ptr<commit_log> log_;
  std::uint64_t last_commit_ = 0;
  std::deque<full_segment> full_;
  bool flush_asked_ = false;
  large_values large_;
  std::atomic<std::uint64_t> written_bytes_{0};
  std::size_t ranges_ = 0;       // in the write buffer, at most
  std::optional<error> failure_; // of the first commit that failed: refuses every later one
  // Kept for their memory.
  std::vector<step> steps_;
  std::vector<std::string> erased_;
  rocksdb::WriteBatch changes_;
  std::vector<frame_head> heads_;
  std::deque<std::string> patches_;
  std::vector<logged_operation> logged_;
};

} // namespace

result<std::unique_ptr<store>> rocksdb_store::open(const rocksdb_options& options) {
  auto opened = std::make_unique<opened_store>(options);
  if (auto recovered = opened->recover(options); !recovered) {
    return tl::unexpected(recovered.error());
  }
  return opened;
}

} // namespace continuo::journal
