#pragma once

#include <continuo/detail/binary_reader.hpp>
#include <continuo/detail/binary_writer.hpp>
#include <continuo/detail/type_name.hpp>
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
/// - An optional: 0, or 1 and the value. A variant: the index, then the value; `std::monostate` is nothing.
/// - A vector, deque or list: its size, then the elements. An array, pair or tuple: the elements.
/// - A map or set, unordered or not: its size, then the elements in the order of their keys.
/// - A duration or time point: its count as a 64-bit integer, a double where it counts in floating point.
///   The count of a `system_clock::time_point` is nanoseconds since 1970.
///
/// Everything here may be called from any thread; a value must not change meanwhile.
namespace continuo {

namespace detail {

/// A string that this thread keeps for `encode`, so that each result is allocated once, in its size.
class scratch {
public:
  scratch();
  ~scratch();
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;

  std::string& bytes() { return bytes_; }

private:
  std::string bytes_;
};

/// What the exception that is being handled says about bytes of a type, or about text if `type` is empty.
/// @pre called from a catch block
error reading_error(const std::string& type);

} // namespace detail

/// Appends the bytes of `value` to `out`. Throws what `binary_writer` throws; `out` then ends in a part of
/// them.
template <class T>
void encode_to(std::string& out, const T& value) {
  binary_writer writer{out};
  writer << value;
}

/// The bytes of `value`. Throws what `binary_writer` throws.
template <class T>
std::string encode(const T& value) {
  detail::scratch buffer;
  encode_to(buffer.bytes(), value);
  return buffer.bytes();
}

/// Reads a value out of exactly these bytes, which may be anything. `errc::malformed` with the place where
/// they have not the shape of a `T` (bytes that are left over included), `errc::newer_version` where a
/// newer class version wrote them. The value is then unspecified. Fields that the bytes do not have,
/// because their class version is older, keep what they hold.
template <class T>
result<void> decode_into(T& value, std::string_view bytes) {
  try {
    binary_reader reader{bytes};
    reader >> value;
    reader.finish();
    return {};
  } catch (...) {
    return tl::unexpected(detail::reading_error(detail::type_name<T>()));
  }
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

} // namespace continuo
