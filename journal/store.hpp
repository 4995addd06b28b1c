#pragma once

#include <continuo/result.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace continuo::journal {

/// One change: of one key, or of a range of them, which is emptied.
struct operation {
  enum class kind : std::uint8_t { put, erase, erase_range };
  kind what = kind::put;
  std::string key;   ///< of `erase_range`: the first one
  std::string value; ///< empty for `erase`; of `erase_range`: the key up to which, which stays itself
};

/// A batch is applied whole or not at all, in its order (a later operation on a key wins; a range erases what
/// was put into it before, and nothing that is put later).
using batch = std::vector<operation>;

/// What a scan calls for every entry, in key order; returning false ends the scan without an error.
using visitor = std::function<bool(std::string_view key, std::string_view value)>;

/// What the journal writes to. One thread commits; any thread reads at any time. A store knows nothing of
/// records: it keeps bytes under keys, in key order, each value with a checksum of its own over key and
/// value, so that a flipped bit anywhere is `errc::corrupt` with the place, never other data.
class store {
public:
  virtual ~store() = default;

  /// Writes the batch and syncs it: returns after the sync. An error means unknown: the batch may be there,
  /// wholly or not at all, after a restart. After the first error every later commit is refused with the same
  /// error; the way out is to close the store and open it again.
  [[nodiscard]] virtual result<void> commit(const batch& changes) = 0;

  /// The value under `key`, nothing where there is none. Sees every commit that has returned.
  [[nodiscard]] virtual result<std::optional<std::string>> get(std::string_view key) const = 0;

  /// Visits all entries whose key begins with `prefix` and is greater than `after`, in key order, of one
  /// consistent moment.
  [[nodiscard]] virtual result<void> scan(std::string_view prefix, const visitor& visit,
                                          std::string_view after = {}) const = 0;

  /// Bytes that the file system still has free for this store; a very large number where that has no meaning.
  [[nodiscard]] virtual std::uint64_t free_bytes() const = 0;

  /// Bytes of keys and values that commits have written since the store was opened. That may be less than
  /// what they were given: of a large value that is like the last one of its key only what changed is
  /// written.
  [[nodiscard]] virtual std::uint64_t written_bytes() const = 0;

  /// Bytes that the store takes on its disk, roughly.
  [[nodiscard]] virtual std::uint64_t used_bytes() const = 0;

  /// Copies what was committed before the call, and perhaps some of what came since, as of one moment, to the
  /// directory `to`: returns the bytes of the copy after the sync. What an earlier copy there has is not
  /// copied again; the earlier one goes when the new one is complete. `goes_on` is called now and then with
  /// the bytes so far, and gives the copy up with false (`errc::unavailable`).
  ///
  /// Any thread, while others read and commit; one copy at a time into a directory. `errc::conflict` where
  /// the store is not on a disk, `errc::storage_full` and `errc::storage_failed` with path and reason.
  [[nodiscard]] virtual result<std::uint64_t>
  back_up(const std::filesystem::path& /*to*/,
          const std::function<bool(std::uint64_t bytes)>& /*goes_on*/) const {
    return continuo::fail(errc::conflict, "this journal is not on a disk: there is nothing to back up");
  }
};

} // namespace continuo::journal
