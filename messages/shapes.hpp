#pragma once

#include <continuo/detail/shape_of.hpp>
#include <continuo/result.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

/// What the archives share in walking a shape.
namespace continuo::detail {

/// What the exception that is being handled says about bytes of a type, or about text if `type` is empty.
/// @pre called from a catch block
error reading_error(const std::string& type);

/// As `decode_shaped`; of bytes whose lists and maps have more than so many elements in all, `malformed`: an
/// element may take far more memory than bytes.
result<void> decode_bounded(const shape& of, void* value, std::string_view bytes, std::size_t elements);

// -- objects ------------------------------------------------------------------------
inline std::span<const field> fields(const shape& object) {
  return {object.object->fields, object.object->size};
}

inline const void* field_at(const field& one, const void* object) {
  return static_cast<const char*>(object) + one.offset;
}

inline void* field_at(const field& one, void* object) {
  return static_cast<char*>(object) + one.offset;
}

// -- numbers ------------------------------------------------------------------------
inline bool is_floating(form number) {
  return number == form::float32 || number == form::float64;
}

/// Calls `visit` with a zero of the integer's type, a bool included.
template <class Visit>
auto visit_integer(form number, Visit visit) {
  switch (number) {
  case form::boolean:
    return visit(false);
  case form::int8:
    return visit(std::int8_t{0});
  case form::uint8:
    return visit(std::uint8_t{0});
  case form::int16:
    return visit(std::int16_t{0});
  case form::uint16:
    return visit(std::uint16_t{0});
  case form::int32:
    return visit(std::int32_t{0});
  case form::uint32:
    return visit(std::uint32_t{0});
  case form::int64:
    return visit(std::int64_t{0});
  default:
    return visit(std::uint64_t{0});
  }
}

/// The integer, in the 64 bits of its two's complement. (An enum's is no object of its underlying type, hence
/// the copy.)
inline std::int64_t integer_at(form number, const void* value) {
  return visit_integer(number, [value](auto integer) {
    std::memcpy(&integer, value, sizeof(integer));
    return static_cast<std::int64_t>(integer);
  });
}

/// @pre `in_range`
inline void set_integer(form number, void* value, std::int64_t integer) {
  visit_integer(number, [value, integer](auto converted) {
    converted = static_cast<decltype(converted)>(integer);
    std::memcpy(value, &converted, sizeof(converted));
  });
}

/// Whether a number of this form can be that integer.
inline bool in_range(form number, std::int64_t integer) {
  return visit_integer(number, [integer](auto zero) {
    const auto converted = static_cast<decltype(zero)>(integer);
    return static_cast<std::int64_t>(converted) == integer &&
           (converted < decltype(zero){0}) == (integer < 0);
  });
}

inline std::size_t number_bytes(form number) {
  return visit_integer(number, [](auto zero) { return sizeof(zero); });
}

inline double floating_at(form number, const void* value) {
  return number == form::float32 ? static_cast<double>(as<float>(value)) : as<double>(value);
}

inline void set_floating(form number, void* value, double floating) {
  if (number == form::float32) {
    as<float>(value) = static_cast<float>(floating);
  } else {
    as<double>(value) = floating;
  }
}

// -- enums --------------------------------------------------------------------------
/// Whether the number is that of a value in the list of CONTINUO_ENUM; true for enums without one.
inline bool is_known(const enumeration_shape& of, std::int64_t number) {
  if (!of.named) {
    return true;
  }
  if (number < of.lowest || number > of.highest) {
    return false;
  }
  return of.dense || std::any_of(of.names, of.names + of.size,
                                 [number](const enumerator& known) { return known.number == number; });
}

// -- containers ---------------------------------------------------------------------
template <class Visit>
void for_each(const sequence_shape& of, const void* sequence, Visit visit) {
  if (of.each != nullptr) {
    of.each(sequence, &visit,
            [](void* context, const void* element) { (*static_cast<Visit*>(context))(element); });
    return;
  }
  const auto elements = of.view(sequence);
  const auto* at = static_cast<const char*>(elements.data);
  for (std::size_t index = 0; index < elements.size; ++index, at += of.element_bytes) {
    visit(static_cast<const void*>(at));
  }
}

/// Visits each key and what it maps to, in the order of the keys: equal values give equal bytes and equal
/// text.
template <class Visit>
void for_each(const keyed_shape& of, const void* container, Visit visit) {
  if (of.less == nullptr) {
    of.each(container, &visit, [](void* context, const void* key, const void* mapped) {
      (*static_cast<Visit*>(context))(key, mapped);
    });
    return;
  }
  using element = std::pair<const void*, const void*>;
  std::vector<element> ordered;
  ordered.reserve(of.size(container));
  of.each(container, &ordered, [](void* context, const void* key, const void* mapped) {
    static_cast<std::vector<element>*>(context)->emplace_back(key, mapped);
  });
  std::sort(ordered.begin(), ordered.end(),
            [&of](const element& left, const element& right) { return of.less(left.first, right.first); });
  for (const auto& [key, mapped] : ordered) {
    visit(key, mapped);
  }
}

// -- JSON -----------------------------------------------------------------------------
/// Maps of strings are objects, all others arrays of [key, value].
inline bool is_json_object(const shape& of) {
  return of.what == form::map && of.keyed->key->what == form::text && of.keyed->unique;
}

/// How a variant's alternatives are named in JSON: by their types' names, or by their index where two have
/// the same name.
const std::vector<std::string>& alternative_names(const variant_shape& of);

} // namespace continuo::detail
