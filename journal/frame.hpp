#pragma once

#include <continuo/result.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// The bytes around each stored value: one byte of format version, eight bytes of checksum over version, key
/// and value (XXH3, 64 bits, little-endian), then the value. The key is part of the checksum, so a value that
/// turns up under another key is found out as well. Pure functions; any thread.
namespace continuo::journal {

/// The version that `frame` writes and the only one that `unframe` reads.
constexpr std::uint8_t frame_version = 1;

/// Bytes that a frame adds to a value.
constexpr std::size_t frame_bytes = 9;

/// The head of the frame: what stands before `value` in the store.
struct frame_head {
  char bytes[frame_bytes];
  [[nodiscard]] std::string_view view() const { return {bytes, frame_bytes}; }
};

/// Makes the head alone, for stores that gather head and value without copying the value.
[[nodiscard]] frame_head make_frame_head(std::string_view key, std::string_view value);

/// The value with its frame.
[[nodiscard]] std::string frame(std::string_view key, std::string_view value);

/// The value inside `framed`, a view into it.
/// `errc::corrupt` if the checksum does not fit or the frame is cut short, `errc::newer_version` if its
/// version is higher than `frame_version` and the checksum fits. The message names the key.
[[nodiscard]] result<std::string_view> unframe(std::string_view key, std::string_view framed);

/// A key as people can read it: printable characters as they are, others as `\xNN`.
[[nodiscard]] std::string printable(std::string_view key);

} // namespace continuo::journal
