#pragma once

#include <continuo/detail/archives.hpp>
#include <continuo/detail/shape_of.hpp>
#include <continuo/result.hpp>

#include <string>
#include <string_view>

/// Values as JSON, for people, the HTTP interface and the tools. `from_json` reads what `to_json` writes to
/// an equal value, except where it says otherwise here.
///
/// - A type with fields: an object, by the names of the fields; a base under its own name.
/// - An integer or char: a number, exactly, also beyond 2^53.
/// - A float or double: a number in the fewest digits that give it back. NaN and infinity become `null`,
///   which only an optional reads, as empty.
/// - A string: a string; each byte that is not UTF-8 becomes U+FFFD and is lost.
/// - An enum with CONTINUO_ENUM: its name (a value without one: its number, which is not read back). Other
///   enums: the number.
/// - An optional: the value, or `null`; when read it may also be left out.
/// - A variant: `{"type": "order_line", "value": ...}`. The type goes by its name, or by its index as a
///   string where two alternatives have the same name.
/// - A vector, deque, list, set, array, pair or tuple: an array.
/// - A map with string keys: an object. Other maps, and multimaps: an array of `[key, value]`.
/// - A duration: a string with the unit in which it counts, `"1500ms"`; read in any of ns, us, ms, s, min,
///   h, d, w that comes out even. A duration that counts in none of them: a number.
/// - A time point: RFC 3339 in UTC, `"2024-05-01T12:00:00Z"`, with nine digits of a second where it is not
///   whole; read with any offset and up to nine digits. Outside the years 0 to 9999: its count as a number.
///
/// Everything here may be called from any thread; a value must not change meanwhile.
namespace continuo {

/// The value as compact JSON, its fields in the order of their list. Throws `std::length_error` for objects
/// nested deeper than `binary_writer::nesting_max`.
template <class T>
std::string to_json(const T& value) {
  return detail::shaped_to_json(detail::shape_of<T>(), detail::address(value));
}

/// Reads a value. `errc::malformed` with the JSON path ("$.lines[2].cents: expected an integer from ... to
/// ..., found "x"") for text that is no JSON, an unknown or missing field (only optional ones and those of
/// CONTINUO_SINCE may be missing), a wrong type, a number out of range, a key that is there twice, or
/// nesting that is too deep.
template <class T>
result<T> from_json(std::string_view text) {
  result<T> value{tl::in_place};
  if (auto read = detail::shaped_from_json(detail::shape_of<T>(), detail::address(*value), text); !read) {
    value = tl::unexpected(std::move(read.error()));
  }
  return value;
}

} // namespace continuo
