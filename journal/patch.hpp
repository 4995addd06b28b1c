#pragma once

#include <continuo/result.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// What turns one value into the next one of its key, where both are long and most of their bytes are the
/// same: a saga with a thousand open commands writes what one answer changed, not all of them. Pure
/// functions; any thread.
///
/// A patch is the checksum of the value that it is for and of the one that comes of it (XXH3, 64 bits, each
/// eight bytes, little-endian), then pieces of the new value in order. Each begins with a number (LEB128)
/// that is twice a length, and odd where the bytes follow; of others a second number is the place in the old
/// value where they stand. The search for pieces is a greedy one, over blocks of the old value that begin at
/// multiples of their size, as rsync does it (A. Tridgell, "Efficient Algorithms for Sorting and
/// Synchronization", 1999, ch. 3), but without its rolling checksum, since both values are at hand.
namespace continuo::journal {

/// Of a value that comes of a patch: with a bound for each step alone, a chain of them could double it for
/// ever.
constexpr std::size_t patched_bytes_max = 64u << 20;

/// The checksums that a patch begins with: of the value that it is for, and of the one that comes of it.
struct patch_ends {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
};

/// Nothing where it is cut short.
[[nodiscard]] std::optional<patch_ends> ends_of(std::string_view patch);

/// The checksum of a value, as patches name it.
[[nodiscard]] std::uint64_t patch_checksum(std::string_view value);

/// The patch from one value to the other. Empty where it would not be worth it: at least half as long as
/// `to`, or `to` more than twice as long as `from` and the patch together, or longer than
/// `patched_bytes_max`, which `apply_patch` refuses. Takes time by the bytes of both, and gives up where half
/// of `to` is new.
[[nodiscard]] std::string make_patch(std::string_view from, std::string_view to);

/// The value that comes of it. `errc::corrupt` where the patch is for another value than `from`, is damaged,
/// or another value comes of it. Takes no more memory than that says, whatever the patch.
[[nodiscard]] result<std::string> apply_patch(std::string_view from, std::string_view patch);

} // namespace continuo::journal
