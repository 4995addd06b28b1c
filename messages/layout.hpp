#pragma once

#include <continuo/message_type.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// What bytes of a type look like, so that a later program can tell whether it would read them as what they
/// are not. Pure functions.
namespace continuo::messages {

/// One field, or one value of an enum with its number as `type`.
struct field_layout {
  std::string name;
  std::string type;
  std::uint32_t since = 0; ///< the class version that brought it

  CONTINUO_FIELDS(field_layout, name, type, since)
};

/// A type with fields, or an enum.
struct type_layout {
  std::string name;
  std::uint32_t version = 0; ///< the class version
  std::string underlying;    ///< of an enum; empty for a type with fields
  std::vector<field_layout> fields;
  bool is_ambiguous = false; ///< two types of this program have the name; not stored

  CONTINUO_FIELDS(type_layout, name, version, underlying, fields)
};

/// By name.
using layout_map = std::map<std::string, type_layout, std::less<>>;

/// Adds the layouts of a type and of all types and enums that its fields are made of. Types with a
/// `serialize` of their own have none: only they know what they write.
void add_layouts(const message_type& type, layout_map& into);

/// Why a program that has `now` would not read, or misread, what one with `was` has written, and what to do;
/// nothing where it reads it. Bytes of a newer class version than `now` are not misread: they are refused,
/// and wait. A field may be renamed where it stands.
std::optional<std::string> misreading(const type_layout& was, const type_layout& now);

/// Adds to an enum the values that only `was` has, so that the store remembers their numbers while an older
/// program runs.
void keep_values(const type_layout& was, type_layout& now);

} // namespace continuo::messages
