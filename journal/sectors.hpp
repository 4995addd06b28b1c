#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// What a log segment is made of: sectors of 512 bytes, the unit that a disk writes whole or not at all, each
/// with a checksum of its own. So a sector is the one before the write or the one after it (torn), or it is
/// damaged: the two cannot be mistaken for each other, which a checksum over a whole entry could not promise.
/// Pure functions.
namespace continuo::journal {

constexpr std::size_t sector_bytes = 512;
constexpr std::size_t sector_head_bytes = 32;
constexpr std::size_t sector_payload_bytes = sector_bytes - sector_head_bytes;
constexpr std::uint32_t log_version = 1;

/// What a sector says of itself. On disk, little-endian: checksum (8 bytes, over all that follows, seeded
/// with the sector's place in the file), commit (8), segment (4), ordinal (4), payload_bytes (4), version
/// (4), payload.
struct sector_head {
  std::uint64_t commit = 0;        ///< the number of the commit; in a segment's head that of its first one
  std::uint32_t segment = 0;       ///< the number of the segment for which it was written
  std::uint32_t ordinal = 0;       ///< its place in the entry; `head_ordinal` in a segment's head
  std::uint32_t payload_bytes = 0; ///< of the whole entry
  std::uint32_t version = log_version;

  friend bool operator==(const sector_head&, const sector_head&) = default;
};

/// The ordinal of the sector with which a segment begins.
constexpr std::uint32_t head_ordinal = 0xFFFF'FFFF;

/// How many sectors an entry takes.
[[nodiscard]] constexpr std::size_t sectors_of(std::size_t payload_bytes) {
  return payload_bytes == 0 ? 1 : (payload_bytes + sector_payload_bytes - 1) / sector_payload_bytes;
}

enum class sector_kind : std::uint8_t {
  absent, ///< never written for this segment: zeros, the content of an earlier use of the file, or beyond its
          ///< end
  present, ///< written, and as it was written
  damaged, ///< neither
};

/// Looks at a sector (fewer bytes: beyond the end of the file) that stands at `place`, 0 being the first, and
/// reads its head if it is present.
[[nodiscard]] sector_kind look_at_sector(std::string_view sector, std::size_t place, std::uint32_t segment,
                                         sector_head& head);

/// The same for the one at `place` of a segment's bytes.
[[nodiscard]] sector_kind look_at(std::string_view segment_bytes, std::size_t place, std::uint32_t segment,
                                  sector_head& head);

/// The payload part of a sector; the last sector of an entry holds fewer bytes than this gives.
[[nodiscard]] std::string_view payload_of(std::string_view sector);

/// Builds one entry as the sectors that will stand at `place` and after it. Reused for its memory.
class sector_writer {
public:
  /// Begins an entry of `payload_bytes` bytes, which `append` must then give altogether.
  void begin(std::uint64_t commit, std::uint32_t segment, std::size_t place, std::uint32_t payload_bytes,
             std::uint32_t ordinal = 0);
  void append(std::string_view bytes);
  /// Writes the checksums and gives the sectors, valid until the next `begin`.
  [[nodiscard]] std::string_view finish();

private:
  std::string bytes_;
  std::size_t at_ = 0;
  std::size_t place_ = 0;
};

void put_u32(char* to, std::uint32_t number);
void put_u64(char* to, std::uint64_t number);
[[nodiscard]] std::uint32_t get_u32(const char* from);
[[nodiscard]] std::uint64_t get_u64(const char* from);

} // namespace continuo::journal
