#include "journal/frame.hpp"

#include "journal/sectors.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <fmt/format.h>

namespace continuo::journal {

namespace {

// The key's hash is the seed of the value's: one pass over each, no copy to join them, and key and value
// cannot trade bytes at their border. The version is part of the seed.
std::uint64_t checksum(std::uint8_t version, std::string_view key, std::string_view value) {
  const auto seed = XXH3_64bits_withSeed(key.data(), key.size(), version);
  return XXH3_64bits_withSeed(value.data(), value.size(), seed);
}

} // namespace

frame_head make_frame_head(std::string_view key, std::string_view value) {
  frame_head head;
  head.bytes[0] = static_cast<char>(frame_version);
  put_u64(head.bytes + 1, checksum(frame_version, key, value));
  return head;
}

std::string frame(std::string_view key, std::string_view value) {
  const auto head = make_frame_head(key, value);
  std::string framed;
  framed.reserve(frame_bytes + value.size());
  framed.append(head.view());
  framed.append(value);
  return framed;
}

result<std::string_view> unframe(std::string_view key, std::string_view framed) {
  if (framed.size() < frame_bytes) {
    return fail(errc::corrupt,
                fmt::format("the value of key '{}' is cut short: {} bytes, its frame alone takes {}",
                            printable(key), framed.size(), frame_bytes));
  }
  const auto version = static_cast<std::uint8_t>(framed.front());
  const auto value = framed.substr(frame_bytes);
  if (checksum(version, key, value) != get_u64(framed.data() + 1)) {
    return fail(errc::corrupt, fmt::format("the checksum of key '{}' does not fit its {} bytes",
                                           printable(key), value.size()));
  }
  if (version != frame_version) {
    return fail(errc::newer_version,
                fmt::format("the value of key '{}' has frame version {}, this program knows {}",
                            printable(key), version, frame_version));
  }
  return value;
}

std::string printable(std::string_view key) {
  std::string text;
  for (const char c : key) {
    if (c >= ' ' && c <= '~' && c != '\\') {
      text += c;
    } else {
      text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return text;
}

} // namespace continuo::journal
