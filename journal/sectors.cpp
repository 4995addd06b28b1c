#include "journal/sectors.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>

namespace continuo::journal {

namespace {

std::uint64_t checksum(const char* sector, std::size_t place) {
  return XXH3_64bits_withSeed(sector + 8, sector_bytes - 8, place);
}

template <class Number>
void put_number(char* to, Number number) {
  for (std::size_t i = 0; i < sizeof number; ++i) {
    to[i] = static_cast<char>(number >> (8 * i));
  }
}

template <class Number>
Number get_number(const char* from) {
  Number number = 0;
  for (std::size_t i = 0; i < sizeof number; ++i) {
    number |= static_cast<Number>(Number{static_cast<unsigned char>(from[i])} << (8 * i));
  }
  return number;
}

} // namespace

void put_u32(char* to, std::uint32_t number) {
  put_number(to, number);
}
void put_u64(char* to, std::uint64_t number) {
  put_number(to, number);
}
std::uint32_t get_u32(const char* from) {
  return get_number<std::uint32_t>(from);
}
std::uint64_t get_u64(const char* from) {
  return get_number<std::uint64_t>(from);
}

sector_kind look_at_sector(std::string_view bytes, std::size_t place, std::uint32_t segment,
                           sector_head& head) {
  if (bytes.size() < sector_bytes) {
    return sector_kind::absent;
  }
  const auto* sector = bytes.data();
  static constexpr char zeros[sector_bytes] = {};
  if (std::memcmp(sector, zeros, sector_bytes) == 0) {
    return sector_kind::absent;
  }
  head.segment = get_u32(sector + 16);
  if (checksum(sector, place) != get_u64(sector) || head.segment > segment) {
    return sector_kind::damaged;
  }
  head.commit = get_u64(sector + 8);
  head.ordinal = get_u32(sector + 20);
  head.payload_bytes = get_u32(sector + 24);
  head.version = get_u32(sector + 28);
  return head.segment == segment ? sector_kind::present : sector_kind::absent;
}

sector_kind look_at(std::string_view segment_bytes, std::size_t place, std::uint32_t segment,
                    sector_head& head) {
  const auto at = std::min(place * sector_bytes, segment_bytes.size());
  return look_at_sector(segment_bytes.substr(at, sector_bytes), place, segment, head);
}

std::string_view payload_of(std::string_view sector) {
  return sector.substr(sector_head_bytes, sector_payload_bytes);
}

void sector_writer::begin(std::uint64_t commit, std::uint32_t segment, std::size_t place,
                          std::uint32_t payload_bytes, std::uint32_t ordinal) {
  const auto count = sectors_of(payload_bytes);
  bytes_.resize(count * sector_bytes);
  place_ = place;
  at_ = sector_head_bytes;
  for (std::size_t i = 0; i < count; ++i) {
    auto* sector = bytes_.data() + i * sector_bytes;
    put_u64(sector + 8, commit);
    put_u32(sector + 16, segment);
    put_u32(sector + 20, ordinal + static_cast<std::uint32_t>(i));
    put_u32(sector + 24, payload_bytes);
    put_u32(sector + 28, log_version);
  }
  // What the payload does not fill must not depend on the entry before.
  const auto used = payload_bytes - (count - 1) * sector_payload_bytes;
  std::memset(bytes_.data() + (count - 1) * sector_bytes + sector_head_bytes + used, 0,
              sector_payload_bytes - used);
}

void sector_writer::append(std::string_view bytes) {
  while (!bytes.empty()) {
    if (at_ % sector_bytes == 0) {
      at_ += sector_head_bytes;
    }
    const auto length = std::min(bytes.size(), sector_bytes - at_ % sector_bytes);
    std::memcpy(bytes_.data() + at_, bytes.data(), length);
    at_ += length;
    bytes.remove_prefix(length);
  }
}

std::string_view sector_writer::finish() {
  for (std::size_t i = 0; i * sector_bytes < bytes_.size(); ++i) {
    auto* sector = bytes_.data() + i * sector_bytes;
    put_u64(sector, checksum(sector, place_ + i));
  }
  return bytes_;
}

} // namespace continuo::journal
