#pragma once

#include <continuo/detail/archives.hpp>
#include <continuo/detail/shape_of.hpp>
#include <continuo/result.hpp>

#include <string>
#include <string_view>

/// Values as bytes: the form of the journal and the wire. It is the same on every machine, and equal values
/// give equal bytes (0.0 and -0.0 aside).
///
/// - An integer, char, float or double: its size, little-endian; floating point as IEEE 754.
/// - A bool: one byte, 0 or 1. An enum: its underlying integer.
/// - A size, index or class version: LEB128, which is 7 bits a byte, lowest first, in as few bytes as it
///   takes.
/// - A string: its size, then its characters.
/// - A type with fields (CONTINUO_FIELDS or Boost's `serialize`): its class version, then the fields in
///   order.
/// - A `message_id`: a byte in which bits 0 to 3 say how many bytes of the revision follow, bits 4 to 6 how
/// many of
///   the index, and bit 7 whether the store; then these, little-endian, the first two without leading zeros.
///   So the one that stands for "none" is a single 0.
/// - An optional: 0, or 1 and the value. A variant: the index, then the value; `std::monostate` is nothing.
/// - A vector, deque or list: its size, then the elements. An array, pair or tuple: the elements.
/// - A map or set, unordered or not: its size, then the elements in the order of their keys.
/// - A duration or time point: its count as a 64-bit integer, a double where it counts in floating point.
///   The count of a `system_clock::time_point` is nanoseconds since 1970.
///
/// Everything here may be called from any thread; a value must not change meanwhile.
namespace continuo {

/// Appends the bytes of `value` to `out`. Values that no reader would take throw and leave `out` as it was:
/// `std::invalid_argument` (an enum value that CONTINUO_ENUM does not list, a valueless variant),
/// `std::length_error` (objects nested deeper than `nesting_max`).
template <class T>
void encode_to(std::string& out, const T& value) {
  detail::encode_shaped_to(out, detail::shape_of<T>(), detail::address(value));
}

/// The bytes of `value`. Throws what `encode_to` throws.
template <class T>
std::string encode(const T& value) {
  return detail::encode_shaped(detail::shape_of<T>(), detail::address(value));
}

/// Reads a value out of exactly these bytes, which may be anything. `errc::malformed` with the place where
/// they have not the shape of a `T` (bytes that are left over included), `errc::newer_version` where a
/// newer class version wrote them or an enum holds a value that CONTINUO_ENUM does not list. The value is
/// then unspecified. Fields that the bytes do not have, because their class version is older, keep what they
/// hold.
template <class T>
result<void> decode_into(T& value, std::string_view bytes) {
  return detail::decode_shaped(detail::shape_of<T>(), detail::address(value), bytes);
}

/// As `decode_into`, into a new value: fields that older bytes do not have get their defaults.
template <class T>
result<T> decode(std::string_view bytes) {
  result<T> decoded{tl::in_place};
  if (auto read = decode_into(*decoded, bytes); !read) {
    decoded = tl::unexpected(std::move(read.error()));
  }
  return decoded;
}

/// Appends one value after the other to a string, as `encode_to` does.
class binary_writer {
public:
  /// How deep objects with fields may stand within each other.
  static constexpr unsigned nesting_max = detail::nesting_max;

  /// @param out outlives the writer; what it holds stays in front.
  explicit binary_writer(std::string& out) : out_(out) {}

  template <class T>
  binary_writer& operator<<(const T& value) {
    encode_to(out_, value);
    return *this;
  }

private:
  std::string& out_;
};

/// Reads one value after the other. What does not fit is thrown as an `error`; after that the reader is of no
/// more use, and the values read are unspecified.
class binary_reader {
public:
  /// @param bytes outlive the reader.
  explicit binary_reader(std::string_view bytes) : bytes_(bytes) {}

  template <class T>
  binary_reader& operator>>(T& value) {
    offset_ = detail::decode_shaped_part(detail::shape_of<T>(), detail::address(value), bytes_, offset_);
    return *this;
  }

  std::size_t offset() const { return offset_; }
  std::size_t left() const { return bytes_.size() - offset_; }

private:
  std::string_view bytes_;
  std::size_t offset_ = 0;
};

} // namespace continuo
