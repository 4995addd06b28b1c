#pragma once

#include <continuo/detail/shape.hpp>
#include <continuo/result.hpp>

#include <iosfwd>
#include <string>
#include <string_view>

/// What can be done with a value of which only the shape is known. @pre the value is of this shape
namespace continuo::detail {

/// How deep objects with fields may stand within each other, in bytes and in JSON.
inline constexpr unsigned nesting_max = 128;

// -- `archive.hpp` ------------------------------------------------------------------
std::string encode_shaped(const shape& of, const void* value);
void encode_shaped_to(std::string& out, const shape& of, const void* value);
result<void> decode_shaped(const shape& of, void* value, std::string_view bytes);
/// Reads the value at `offset` and returns where it ends. Throws an `error` where the bytes are not its.
std::size_t decode_shaped_part(const shape& of, void* value, std::string_view bytes, std::size_t offset);

// -- `json.hpp` ---------------------------------------------------------------------
std::string shaped_to_json(const shape& of, const void* value);
result<void> shaped_from_json(const shape& of, void* value, std::string_view text);

// -- for people ---------------------------------------------------------------------
/// As people read values in logs and failed tests: `make_payment{order_id: "o-1", cents: 4200}`. Nothing
/// reads it back.
std::string print(const shape& of, const void* value);
std::ostream& print_to(std::ostream& out, const shape& of, const void* value);

/// `int64`, `optional<string>`, `map<string, vector<order_line>>`.
std::string type_name(const shape& of);

} // namespace continuo::detail
