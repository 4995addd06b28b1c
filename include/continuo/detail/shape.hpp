#pragma once

#include <continuo/detail/language.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <typeinfo>

/// What the archives know of a C++ type: constants that `shape_of.hpp` makes of it. The archives themselves
/// (bytes, JSON, printing) are ordinary code of the library that walks these constants, so that a message
/// type costs its user's compiler a table and no functions.
namespace continuo::detail {

class saving_archive;
class loading_archive;
struct shape;

enum class form : std::uint8_t {
  boolean,
  int8,
  uint8,
  int16,
  uint16,
  int32,
  uint32,
  int64,
  uint64,
  float32,
  float64,
  text,
  object, ///< with CONTINUO_FIELDS
  base,   ///< one of an object's bases
  enumeration,
  optional,
  variant,
  nothing, ///< `std::monostate`
  duration,
  time_point,
  product, ///< a pair or tuple
  array,
  sequence,
  flags, ///< `std::vector<bool>`, whose elements have no address
  map,
  set,
  custom, ///< with a plain Boost `serialize`
};

/// A field of an object.
struct field {
  const char* name = nullptr;
  const shape* of = nullptr;
  std::uint32_t offset = 0;
  std::uint32_t since = 0; ///< the class version that brought it
};

struct object_shape {
  const field* fields = nullptr;
  std::uint32_t size = 0;
  std::uint32_t version = 0; ///< the class version
  /// Appends what stands for the value in print; null where that is its fields.
  void (*print)(std::string& out, const void* value) = nullptr;
  bool is_message_id = false; ///< has a form of its own in bytes (`continuo/archive.hpp`)
};

struct base_shape {
  const shape* of;
  void* (*up)(void* derived);
};

struct enumerator {
  std::int64_t number = 0;
  std::string_view name;
};

struct enumeration_shape {
  const shape* underlying;
  bool named; ///< has a CONTINUO_ENUM
  bool dense; ///< every number from the lowest to the highest has a name
  const enumerator* names;
  std::size_t size;
  std::int64_t lowest;
  std::int64_t highest;
};

struct optional_shape {
  const shape* of;
  const void* (*get)(const void* optional); ///< null where it is empty
  void* (*emplace)(void* optional);
  void (*reset)(void* optional);
};

struct variant_shape {
  const shape* const* alternatives;
  std::size_t size;
  /// The alternative and its index; null where it is valueless.
  const void* (*get)(const void* variant, std::size_t& index);
  void* (*emplace)(void* variant, std::size_t index);
};

/// How many seconds one count is.
struct period {
  std::intmax_t numerator = 1;
  std::intmax_t denominator = 1;

  friend constexpr bool operator==(const period&, const period&) = default;
};

/// Of a duration or time point. Its count is all that there is of it, so it stands at the same address.
struct count_shape {
  const shape* of;
  period counted;
};

struct product_shape {
  const shape* const* elements;
  std::size_t size;
  const void* (*get)(const void* product, std::size_t index);
};

struct array_shape {
  const shape* of;
  std::size_t size;
  std::size_t element_bytes; ///< in memory
};

struct elements_view {
  const void* data;
  std::size_t size;
};

using element_visitor = void (*)(void* context, const void* element);

struct sequence_shape {
  const shape* of;
  std::size_t element_bytes; ///< in memory
  std::size_t least_bytes;   ///< of an element, when written
  bool block;                ///< written as one block
  /// Where the elements stand; the data are null where they do not stand in one piece.
  elements_view (*view)(const void* sequence);
  void (*each)(const void* sequence, void* context, element_visitor visit); ///< null where `view` says it all
  void (*clear)(void* sequence, std::size_t reserve);                       ///< and takes room for more
  void* (*grow)(void* sequence);                                            ///< the new last element
  void* (*resize)(void* sequence, std::size_t size);                        ///< null but for a block
};

/// Hands out the elements that a map or set is filled with.
class element_source {
public:
  virtual void read(void* key, void* mapped) = 0;
  /// Refuses the element last read, whose key is not in order or there twice.
  [[noreturn]] virtual void refuse() = 0;
  /// Whether only the order in which a writer puts them is taken.
  bool ordered = false;

protected:
  ~element_source() = default;
};

using keyed_visitor = void (*)(void* context, const void* key, const void* mapped);

/// Of a map or set; what is said of mapped values is null in a set.
struct keyed_shape {
  const shape* key;
  const shape* mapped;
  std::size_t least_bytes; ///< of an element, when written
  bool unique;
  std::size_t (*size)(const void* container);
  void (*each)(const void* container, void* context, keyed_visitor visit);
  /// Null where the elements are in the order of their keys anyway.
  bool (*less)(const void* left, const void* right);
  void (*fill)(void* container, std::size_t size, element_source& source);
};

struct custom_shape {
  std::uint32_t version = 0; ///< the class version
  void (*save)(saving_archive& archive, void* value, unsigned version);
  void (*load)(loading_archive& archive, void* value, unsigned version);
  /// Appends what `to_string` makes of the value; null where there is none.
  void (*print)(std::string& out, const void* value);
};

/// A C++ type. What its form has more to say stands behind one of the pointers.
struct shape {
  form what = form::nothing;
  /// As people are told of it; of a container the template's, empty where only the compiler has a name.
  std::string_view name{};
  const std::type_info* cpp = nullptr; ///< where `name` is empty
  union {
    const void* none = nullptr;
    const object_shape* object;
    const base_shape* base;
    const enumeration_shape* enumeration;
    const optional_shape* optional;
    const variant_shape* variant;
    const count_shape* count;
    const product_shape* product;
    const array_shape* array;
    const sequence_shape* sequence;
    const keyed_shape* keyed;
    const custom_shape* custom;
  };
};

} // namespace continuo::detail
