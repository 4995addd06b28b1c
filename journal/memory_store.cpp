#include "journal/memory_store.hpp"

#include "journal/frame.hpp"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

namespace continuo::journal {

namespace {

constexpr std::size_t last_batches_max = 1'024;

std::size_t size_of(const batch& changes) {
  std::size_t bytes = 0;
  for (const auto& change : changes) {
    bytes += change.key.size() + change.value.size();
  }
  return bytes;
}

std::uint64_t size_of(const memory_disk::contents& all) {
  std::uint64_t bytes = 0;
  for (const auto& [key, value] : all) {
    bytes += key.size() + value.size();
  }
  return bytes;
}

/// The entries that a change erases, as a range of them.
auto erased_by(memory_disk::contents& in, const operation& change) {
  if (change.what == operation::kind::erase) {
    const auto found = in.find(change.key);
    return std::pair{found, found == in.end() ? found : std::next(found)};
  }
  const auto from = in.lower_bound(change.key);
  return std::pair{from, change.key < change.value ? in.lower_bound(change.value) : from};
}

void put_all(memory_disk::contents& to, const batch& changes) {
  for (const auto& change : changes) {
    if (change.what == operation::kind::put) {
      to.insert_or_assign(change.key, change.value);
    } else {
      const auto [first, last] = erased_by(to, change);
      to.erase(first, last);
    }
  }
}

} // namespace

// -- faults ------------------------------------------------------------------------------------------

void memory_disk::crash() {
  const std::lock_guard lock{mutex_};
  ++opening_;
  if (synced_) {
    visible_ = std::move(*synced_);
  }
  if (undecided_) {
    put_all(visible_, *undecided_);
  }
  synced_.reset();
  undecided_.reset();
  ordered_.reset();
  synced_until_.reset();
  failure_.reset();
  used_ = size_of(visible_);
}

void memory_disk::crash_after_commits(std::uint64_t count) {
  const std::lock_guard lock{mutex_};
  synced_until_ = commits_ + count;
}

void memory_disk::fail_commit(std::uint64_t nth, errc code, bool applied) {
  const std::lock_guard lock{mutex_};
  ordered_ = ordered_failure{commits_ + nth, code, applied};
}

void memory_disk::set_bytes_max(std::uint64_t bytes) {
  const std::lock_guard lock{mutex_};
  bytes_max_ = bytes;
}

void memory_disk::set_free_bytes(std::uint64_t bytes) {
  const std::lock_guard lock{mutex_};
  free_bytes_ = bytes;
}

void memory_disk::mend() {
  const std::lock_guard lock{mutex_};
  ordered_.reset();
  synced_until_.reset();
  free_bytes_.reset();
  bytes_max_ = ~std::uint64_t{0};
}

void memory_disk::damage(std::string key) {
  const std::lock_guard lock{mutex_};
  damaged_.insert(std::move(key));
}

// -- observation ---------------------------------------------------------------------------------------

memory_disk::contents memory_disk::snapshot() const {
  const std::lock_guard lock{mutex_};
  auto all = synced_ ? *synced_ : visible_;
  if (undecided_) {
    put_all(all, *undecided_);
  }
  return all;
}

std::uint64_t memory_disk::commits() const {
  const std::lock_guard lock{mutex_};
  return commits_;
}

std::uint64_t memory_disk::bytes_written() const {
  const std::lock_guard lock{mutex_};
  return bytes_written_;
}

std::uint64_t memory_disk::used_bytes() const {
  const std::lock_guard lock{mutex_};
  return used_;
}

std::vector<memory_disk::batch_size> memory_disk::last_batches() const {
  const std::lock_guard lock{mutex_};
  return {last_.begin(), last_.end()};
}

bool memory_disk::has_failed() const {
  const std::lock_guard lock{mutex_};
  return failure_.has_value();
}

// -- what a store does with it -------------------------------------------------------------------------

std::uint64_t memory_disk::open() {
  const std::lock_guard lock{mutex_};
  // A process that ends without a power cut leaves what it wrote, synced or not; only a failed commit is
  // decided now.
  if (undecided_) {
    put_all(visible_, *undecided_);
    if (synced_) {
      put_all(*synced_, *undecided_);
    }
    undecided_.reset();
    used_ = size_of(visible_);
  }
  failure_.reset();
  return ++opening_;
}

result<void> memory_disk::check(std::uint64_t opening) const {
  if (opening != opening_) {
    return continuo::fail(errc::storage_failed, "the disk crashed, or was opened again, under this store");
  }
  return {};
}

result<void> memory_disk::fail_with(errc code, const batch* applied) {
  if (applied != nullptr) {
    undecided_ = *applied;
  }
  failure_ =
      error{code, code == errc::storage_full ? "the memory disk is full" : "the memory disk failed to sync"};
  return tl::unexpected(*failure_);
}

result<void> memory_disk::commit(std::uint64_t opening, const batch& changes) {
  const std::lock_guard lock{mutex_};
  if (auto usable = check(opening); !usable) {
    return usable;
  }
  if (failure_) {
    return tl::unexpected(*failure_);
  }
  const auto number = commits_ + 1;
  if (ordered_ && ordered_->at == number) {
    const auto ordered = *std::exchange(ordered_, std::nullopt);
    return fail_with(ordered.code, ordered.applied ? &changes : nullptr);
  }
  const auto bytes = size_of(changes);
  if (used_ + bytes > bytes_max_) {
    return fail_with(errc::storage_full, nullptr);
  }
  if (synced_until_ && number > *synced_until_ && !synced_) {
    synced_ = visible_; // from here on what is shown and what is synced differ
  }
  apply(changes);
  commits_ = number;
  bytes_written_ += bytes;
  if (last_.size() == last_batches_max) {
    last_.pop_front();
  }
  last_.push_back({changes.size(), bytes});
  return {};
}

void memory_disk::apply(const batch& changes) {
  for (const auto& change : changes) {
    if (change.what == operation::kind::put) {
      if (!damaged_.empty()) {
        damaged_.erase(change.key);
      }
      const auto place = visible_.lower_bound(change.key);
      if (place != visible_.end() && place->first == change.key) {
        used_ -= place->second.size();
        place->second = change.value;
      } else {
        used_ += change.key.size();
        visible_.emplace_hint(place, change.key, change.value);
      }
      used_ += change.value.size();
      continue;
    }
    const auto [first, last] = erased_by(visible_, change);
    for (auto gone = first; gone != last; ++gone) {
      damaged_.erase(gone->first);
      used_ -= gone->first.size() + gone->second.size();
    }
    visible_.erase(first, last);
  }
}

std::uint64_t memory_disk::free_bytes() const {
  const std::lock_guard lock{mutex_};
  return free_bytes_ ? *free_bytes_ : bytes_max_ - std::min(bytes_max_, used_);
}

// -- the store -------------------------------------------------------------------------------------------

memory_store::memory_store(std::shared_ptr<memory_disk> disk)
    : disk_(std::move(disk)), opening_(disk_->open()) {}

result<void> memory_store::commit(const batch& changes) {
  return disk_->commit(opening_, changes);
}

result<std::optional<std::string>> memory_store::get(std::string_view key) const {
  const std::lock_guard lock{disk_->mutex_};
  if (auto usable = disk_->check(opening_); !usable) {
    return tl::unexpected(usable.error());
  }
  if (disk_->damaged_.contains(key)) {
    return continuo::fail(errc::corrupt, "the memory disk has damage at key '" + printable(key) + "'");
  }
  const auto found = disk_->visible_.find(key);
  return found == disk_->visible_.end() ? std::optional<std::string>{} : found->second;
}

result<void> memory_store::scan(std::string_view prefix, const visitor& visit, std::string_view after) const {
  // Copied first: the visitor may read or commit, and sees one moment whatever is committed meanwhile.
  std::vector<std::pair<std::string, std::string>> found;
  std::optional<std::string> damaged;
  {
    const std::lock_guard lock{disk_->mutex_};
    if (auto usable = disk_->check(opening_); !usable) {
      return usable;
    }
    for (auto i = after < prefix ? disk_->visible_.lower_bound(prefix) : disk_->visible_.upper_bound(after);
         i != disk_->visible_.end() && i->first.starts_with(prefix); ++i) {
      if (disk_->damaged_.contains(i->first)) {
        damaged = i->first;
        break;
      }
      found.emplace_back(*i);
    }
  }
  for (const auto& [key, value] : found) {
    if (!visit(key, value)) {
      return {};
    }
  }
  if (damaged) {
    return continuo::fail(errc::corrupt, "the memory disk has damage at key '" + printable(*damaged) + "'");
  }
  return {};
}

std::uint64_t memory_store::free_bytes() const {
  return disk_->free_bytes();
}

std::uint64_t memory_store::written_bytes() const {
  return disk_->bytes_written();
}

std::uint64_t memory_store::used_bytes() const {
  return disk_->used_bytes();
}

} // namespace continuo::journal
