#pragma once

#include <continuo/archive.hpp>
#include <continuo/detail/json_reader.hpp>
#include <continuo/detail/json_writer.hpp>
#include <continuo/result.hpp>

#include <string>
#include <string_view>

/// Values as JSON, for people, the HTTP interface and the tools. What `to_json` writes `from_json` reads back
/// to an equal value, except where the table says otherwise.
///
/// | value | JSON |
/// |---|---|
/// | type with fields | object, by the names of the fields; a base under its own name |
/// | integer, char | number, exactly, also beyond 2^53 |
/// | float, double | number in the fewest digits that give it back; NaN and infinity are `null`, which is not
/// read back | | string | string; a byte that is not UTF-8 becomes U+FFFD and is lost | | enum with
/// CONTINUO_ENUM | its name (a value without one its number, which is not read back); other enums: the number
/// | | optional | the value, or `null`; read: also left out | | variant | `{"type": "order_line", "value":
/// ...}`, the type by its name, or its index as a string if two have the same name | | vector, deque, list,
/// set, array, pair, tuple | array | | map with string keys | object; other maps and multimaps: array of
/// `[key, value]` | | duration | string with the unit in which it counts, `"1500ms"`; read: any of ns, us,
/// ms, s, min, h, d, w that comes out
///   even. A duration without such a unit: the number |
/// | time point | RFC 3339 in UTC, `"2024-05-01T12:00:00Z"`, with nine digits of a second where it is not
/// whole; read: any
///   offset, up to nine digits. Outside the years 0 to 9999: the count as a number |
///
/// Everything here may be called from any thread; a value must not change meanwhile.
namespace continuo {

/// The value as compact JSON, its fields in the order of their list. Throws `std::length_error` for objects
/// nested deeper than `binary_writer::nesting_max`.
template <class T>
std::string to_json(const T& value) {
  std::string text;
  detail::json_writer{text}.put(value);
  return text;
}

/// Reads a value. `errc::malformed` with the JSON path ("$.lines[2].cents: expected an integer from ... to
/// ..., found "x"") for text that is no JSON, an unknown or missing field (only optional ones and those of
/// CONTINUO_SINCE may be missing), a wrong type, a number out of range, a key that is there twice, or nesting
/// that is too deep.
template <class T>
result<T> from_json(std::string_view text) {
  result<T> value{tl::in_place};
  try {
    detail::json_reader reader{text};
    reader.get(*value);
  } catch (...) {
    value = tl::unexpected(detail::reading_error({}));
  }
  return value;
}

} // namespace continuo
