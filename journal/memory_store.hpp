#pragma once

#include "journal/store.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace continuo::journal {

/// A disk in memory, for tests: it outlives the stores opened on it, knows what is synced and what is not,
/// and fails when it is told to. All members may be called from any thread at any time.
class memory_disk {
public:
  // -- member types ------------------------------------------------------------------------------

  using contents = std::map<std::string, std::string, std::less<>>;

  /// What one commit was.
  struct batch_size {
    std::size_t operations = 0;
    std::size_t bytes = 0; ///< of keys and values
  };

  // -- faults --------------------------------------------------------------------------------------

  /// Takes the power away: what is not synced is gone, and the open store answers everything with
  /// `errc::storage_failed`. Faults that were ordered and did not happen yet are forgotten; the disk can be
  /// opened again.
  void crash();

  /// Of the commits that follow, the first `count` are synced. Later ones are accepted and can be read, but
  /// the next `crash` drops them.
  void crash_after_commits(std::uint64_t count);

  /// The `nth` commit from now (1 is the next) fails with `code`. `applied` says whether the batch is there
  /// nevertheless once the disk is opened again; the store that failed shows the state before it, and refuses
  /// every later commit.
  void fail_commit(std::uint64_t nth, errc code, bool applied);

  /// A commit that would make the contents larger than `bytes` (keys and values) fails with
  /// `errc::storage_full`.
  void set_bytes_max(std::uint64_t bytes);

  /// What `free_bytes()` of the store answers; without it what `set_bytes_max` leaves.
  void set_free_bytes(std::uint64_t bytes);

  /// Forgets what was ordered of these and has not happened, and has room again.
  void mend();

  /// Reading `key`, by itself or in a scan, gives `errc::corrupt` from now on, until it is written again.
  void damage(std::string key);

  // -- observation -----------------------------------------------------------------------------------

  /// Everything that a store opened after a `crash` now would hold.
  [[nodiscard]] contents snapshot() const;

  /// Commits that succeeded, since the disk exists.
  [[nodiscard]] std::uint64_t commits() const;

  /// Bytes of keys and values of all commits that succeeded.
  [[nodiscard]] std::uint64_t bytes_written() const;

  /// Bytes of the keys and values that can be read now.
  [[nodiscard]] std::uint64_t used_bytes() const;

  /// The commits that succeeded last, newest last: at most 1,024 of them.
  [[nodiscard]] std::vector<batch_size> last_batches() const;

  /// Whether a commit has failed since the disk was opened last.
  [[nodiscard]] bool has_failed() const;

private:
  friend class memory_store;

  struct ordered_failure {
    std::uint64_t at = 0; // the number of the commit
    errc code = errc::storage_failed;
    bool applied = false;
  };

  std::uint64_t open();
  [[nodiscard]] result<void> check(std::uint64_t opening) const;
  result<void> commit(std::uint64_t opening, const batch& changes);
  result<void> fail_with(errc code, const batch* applied);
  void apply(const batch& changes);
  [[nodiscard]] std::uint64_t free_bytes() const;

  mutable std::mutex mutex_;
  contents visible_;               // what the open store shows
  std::optional<contents> synced_; // what a crash leaves, where it is not the same
  std::optional<batch> undecided_; // a failed commit that is there once the disk is opened again
  std::set<std::string, std::less<>> damaged_;
  std::optional<error> failure_; // refuses every commit
  std::optional<ordered_failure> ordered_;
  std::optional<std::uint64_t> synced_until_; // commits beyond this number are not synced
  std::optional<std::uint64_t> free_bytes_;
  std::uint64_t bytes_max_ = ~std::uint64_t{0};
  std::uint64_t used_ = 0;
  std::uint64_t opening_ = 0; // stores of earlier openings are dead
  std::uint64_t commits_ = 0;
  std::uint64_t bytes_written_ = 0;
  std::deque<batch_size> last_;
};

/// The store on a `memory_disk`. Opening one makes any other on the same disk useless, as a crash does, but
/// loses nothing.
class memory_store : public store {
public:
  explicit memory_store(std::shared_ptr<memory_disk> disk);

  [[nodiscard]] result<void> commit(const batch& changes) override;
  [[nodiscard]] result<std::optional<std::string>> get(std::string_view key) const override;
  [[nodiscard]] result<void> scan(std::string_view prefix, const visitor& visit,
                                  std::string_view after = {}) const override;
  [[nodiscard]] std::uint64_t free_bytes() const override;
  [[nodiscard]] std::uint64_t written_bytes() const override;
  [[nodiscard]] std::uint64_t used_bytes() const override;

private:
  std::shared_ptr<memory_disk> disk_;
  std::uint64_t opening_;
};

} // namespace continuo::journal
