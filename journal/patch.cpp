#include "journal/patch.hpp"

#include "journal/sectors.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

namespace continuo::journal {

namespace {

constexpr std::size_t block_bytes = 24;
constexpr std::size_t candidates_max = 8; // blocks of the same bytes of which the longest match is taken
constexpr std::size_t sure_bytes = 4 * block_bytes; // a piece of so many is taken without a further look
constexpr std::size_t head_bytes = 16;

/// Where blocks of the old value stand, by their bytes.
class block_index {
public:
  explicit block_index(std::string_view of) : of_(of) {
    const auto count = of.size() / block_bytes;
    std::size_t slots = 1;
    while (slots < count * 2) {
      slots *= 2;
    }
    mask_ = slots - 1;
    // Sorted by slot with a count of each, so that those of a slot stand in the order of their places.
    begins_.assign(slots + 1, 0);
    std::vector<std::uint32_t> slot_of_block(count);
    for (std::size_t i = 0; i < count; ++i) {
      slot_of_block[i] = static_cast<std::uint32_t>(slot_of(of.substr(i * block_bytes, block_bytes)));
      ++begins_[slot_of_block[i] + 1];
    }
    for (std::size_t slot = 1; slot <= slots; ++slot) {
      begins_[slot] += begins_[slot - 1];
    }
    blocks_.resize(count);
    auto next = begins_;
    for (std::size_t i = 0; i < count; ++i) {
      blocks_[next[slot_of_block[i]]++] = static_cast<std::uint32_t>(i);
    }
  }

  struct match {
    std::size_t place = 0;
    std::size_t bytes = 0;
  };

  /// The longest piece of the old value that `wanted` begins with, of those that begin at a block; of blocks
  /// with the same bytes the ones from `near` on are looked at, since most changes leave what follows in its
  /// order.
  match find(std::string_view wanted, std::size_t near) const {
    match best;
    if (wanted.size() < block_bytes || blocks_.empty()) {
      return best;
    }
    const auto slot = slot_of(wanted.substr(0, block_bytes));
    const auto first = blocks_.begin() + begins_[slot];
    const auto last = blocks_.begin() + begins_[slot + 1];
    auto one = std::lower_bound(first, last, near / block_bytes);
    one -= one != first && std::distance(one, last) < static_cast<std::ptrdiff_t>(candidates_max) ? 1 : 0;
    for (auto left = candidates_max; one != last && left > 0; ++one, --left) {
      const auto place = std::size_t{*one} * block_bytes;
      const auto bytes = common_prefix(of_.substr(place), wanted);
      if (bytes >= block_bytes && bytes > best.bytes) {
        best = {place, bytes};
      }
    }
    return best;
  }

  static std::size_t common_prefix(std::string_view a, std::string_view b) {
    const auto end = std::min(a.size(), b.size());
    return static_cast<std::size_t>(std::mismatch(a.begin(), a.begin() + end, b.begin()).first - a.begin());
  }

private:
  std::size_t slot_of(std::string_view block) const { return patch_checksum(block) & mask_; }

  std::string_view of_;
  std::size_t mask_ = 0;
  std::vector<std::uint32_t> begins_; // of each slot, in `blocks_`
  std::vector<std::uint32_t> blocks_; // by slot, and there by place
};

void put_number(std::string& to, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) {
    to += static_cast<char>(number | 0x80);
  }
  to += static_cast<char>(number);
}

std::optional<std::uint64_t> take_number(std::string_view& from) {
  std::uint64_t number = 0;
  for (unsigned shift = 0; shift < 63 && !from.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(from.front());
    from.remove_prefix(1);
    number |= std::uint64_t{byte & 0x7Fu} << shift;
    if (byte < 0x80) {
      return number;
    }
  }
  return std::nullopt;
}

void put_bytes(std::string& to, std::string_view bytes) {
  if (!bytes.empty()) {
    put_number(to, bytes.size() * 2 + 1);
    to += bytes;
  }
}

void put_piece(std::string& to, std::size_t place, std::size_t bytes) {
  put_number(to, bytes * 2);
  put_number(to, place);
}

/// Of what comes of a patch.
std::size_t bytes_max(std::string_view from, std::string_view patch) {
  return std::min(patched_bytes_max, 2 * (from.size() + patch.size()));
}

error damaged(const char* what) {
  return {errc::corrupt, std::string{"a patch "} + what};
}

} // namespace

std::uint64_t patch_checksum(std::string_view value) {
  return XXH3_64bits(value.data(), value.size());
}

std::optional<patch_ends> ends_of(std::string_view patch) {
  return patch.size() < head_bytes
             ? std::nullopt
             : std::optional{patch_ends{get_u64(patch.data()), get_u64(patch.data() + 8)}};
}

std::string make_patch(std::string_view from, std::string_view to) {
  std::string patch(head_bytes, '\0');
  put_u64(patch.data(), patch_checksum(from));
  put_u64(patch.data() + 8, patch_checksum(to));
  const block_index old{from};
  std::size_t done = 0;   // of `to`
  std::size_t at = 0;     // up to here from `done` on nothing was found
  std::size_t behind = 0; // in `from`, the last piece
  const auto take = [&](std::size_t place, std::size_t bytes) {
    while (at > done && place > 0 && from[place - 1] == to[at - 1]) {
      --at;
      --place;
      ++bytes;
    }
    put_bytes(patch, to.substr(done, at - done));
    put_piece(patch, place, bytes);
    done = at = at + bytes;
    behind = place + bytes;
  };
  while (at < to.size()) {
    if (patch.size() + (at - done) >= to.size() / 2) {
      return {};
    }
    // A field that kept its length: it goes on where it would stand without the change.
    const auto same = behind + (at - done);
    const auto straight =
        same < from.size() ? block_index::common_prefix(from.substr(same), to.substr(at)) : 0;
    auto best = straight >= sure_bytes ? block_index::match{} : old.find(to.substr(at), behind);
    best = straight >= block_bytes && straight >= best.bytes ? block_index::match{same, straight} : best;
    if (best.bytes == 0) {
      ++at;
      continue;
    }
    // Elements of one shape are like each other up to their ids: a longer piece may begin a little later.
    auto begins = at;
    for (std::size_t i = 1; i < block_bytes && best.bytes < sure_bytes && at + i < to.size(); ++i) {
      const auto later = old.find(to.substr(at + i), behind);
      if (later.bytes > best.bytes) {
        best = later;
        begins = at + i;
      }
    }
    at = begins;
    take(best.place, best.bytes);
  }
  put_bytes(patch, to.substr(done));
  const auto is_worth_it = patch.size() < to.size() / 2 && to.size() <= bytes_max(from, patch);
  return is_worth_it ? patch : std::string{};
}

result<std::string> apply_patch(std::string_view from, std::string_view patch) {
  const auto ends = ends_of(patch);
  if (!ends) {
    return tl::unexpected(damaged("is cut short"));
  }
  if (ends->from != patch_checksum(from)) {
    return tl::unexpected(damaged("is for another value"));
  }
  std::string to;
  to.reserve(std::min(from.size() + patch.size(), patched_bytes_max));
  for (auto left = patch.substr(head_bytes); !left.empty();) {
    const auto number = take_number(left);
    const auto bytes = number ? *number / 2 : 0;
    if (bytes > bytes_max(from, patch) - to.size()) {
      return tl::unexpected(damaged("makes a value that is too long"));
    }
    if (number && *number % 2 == 1 && bytes <= left.size()) {
      to += left.substr(0, bytes);
      left.remove_prefix(bytes);
      continue;
    }
    const auto place = number && *number % 2 == 0 ? take_number(left) : std::nullopt;
    if (!place || *place > from.size() || bytes > from.size() - *place) {
      return tl::unexpected(damaged("has a piece that cannot be"));
    }
    to += from.substr(*place, bytes);
  }
  if (patch_checksum(to) != ends->to) {
    return tl::unexpected(damaged("gives another value than it should"));
  }
  return to;
}

} // namespace continuo::journal
