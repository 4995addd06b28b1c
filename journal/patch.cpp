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
constexpr std::size_t head_bytes = 16;

std::uint64_t checksum(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

/// Where blocks of the old value stand, by their bytes.
class block_index {
public:
  explicit block_index(std::string_view of) : of_(of) {
    std::size_t slots = 1;
    while (slots < of.size() / block_bytes * 2) {
      slots *= 2;
    }
    mask_ = slots - 1;
    slots_.assign(slots, none);
    next_.assign(of.size() / block_bytes, none);
    // From the end on, so that a list begins with the first block of its bytes.
    for (auto i = next_.size(); i-- > 0;) {
      auto& first = slots_[slot_of(of.substr(i * block_bytes, block_bytes))];
      next_[i] = first;
      first = static_cast<std::uint32_t>(i);
    }
  }

  struct match {
    std::size_t place = 0;
    std::size_t bytes = 0;
  };

  /// The longest piece of the old value that `wanted` begins with, of those that begin at a block.
  match find(std::string_view wanted) const {
    match best;
    if (wanted.size() < block_bytes || next_.empty()) {
      return best;
    }
    auto left = candidates_max;
    for (auto i = slots_[slot_of(wanted.substr(0, block_bytes))]; i != none && left > 0;
         i = next_[i], --left) {
      const auto there = of_.substr(i * block_bytes);
      const auto bytes = common_prefix(there, wanted);
      if (bytes >= block_bytes && bytes > best.bytes) {
        best = {i * block_bytes, bytes};
      }
    }
    return best;
  }

  static std::size_t common_prefix(std::string_view a, std::string_view b) {
    const auto end = std::min(a.size(), b.size());
    return static_cast<std::size_t>(std::mismatch(a.begin(), a.begin() + end, b.begin()).first - a.begin());
  }

private:
  static constexpr std::uint32_t none = ~std::uint32_t{0};

  std::size_t slot_of(std::string_view block) const { return checksum(block) & mask_; }

  std::string_view of_;
  std::size_t mask_ = 0;
  std::vector<std::uint32_t> slots_; // the first block of a list
  std::vector<std::uint32_t> next_;  // of each block, the next one in its list
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
  return 2 * (from.size() + patch.size());
}

error damaged(const char* what) {
  return {errc::corrupt, std::string{"a patch "} + what};
}

} // namespace

std::string make_patch(std::string_view from, std::string_view to) {
  std::string patch(head_bytes, '\0');
  put_u64(patch.data(), checksum(from));
  put_u64(patch.data() + 8, checksum(to));
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
    // A field that kept its length: it goes on where it would stand without the change.
    const auto same = behind + (at - done);
    const auto straight =
        same < from.size() ? block_index::common_prefix(from.substr(same), to.substr(at)) : 0;
    const auto found = straight >= block_bytes * 4 ? block_index::match{} : old.find(to.substr(at));
    if (straight >= block_bytes && straight >= found.bytes) {
      take(same, straight);
    } else if (found.bytes != 0) {
      take(found.place, found.bytes);
    } else {
      ++at;
    }
  }
  put_bytes(patch, to.substr(done));
  const auto is_worth_it = patch.size() < to.size() / 2 && to.size() <= bytes_max(from, patch);
  return is_worth_it ? patch : std::string{};
}

result<std::string> apply_patch(std::string_view from, std::string_view patch) {
  if (patch.size() < head_bytes) {
    return tl::unexpected(damaged("is cut short"));
  }
  if (get_u64(patch.data()) != checksum(from)) {
    return tl::unexpected(damaged("is for another value"));
  }
  const auto wanted = get_u64(patch.data() + 8);
  std::string to;
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
  if (checksum(to) != wanted) {
    return tl::unexpected(damaged("gives another value than it should"));
  }
  return to;
}

} // namespace continuo::journal
