#pragma once

#include <continuo/detail/archives.hpp>
#include <continuo/detail/boost_fields.hpp>
#include <continuo/detail/description.hpp>
#include <continuo/detail/field_list.hpp>
#include <continuo/detail/shape_of.hpp>

#include <boost/serialization/access.hpp>

#include <concepts>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Describes a message or a state once, inside its struct or class:
///
///     struct make_payment {
///       using reply = payment_completed;
///       std::string order_id;
///       std::int64_t cents = 0;
///       CONTINUO_FIELDS(make_payment, order_id, cents)
///     };
///
/// From it come the bytes of the journal and the wire (`archive.hpp`), JSON (`json.hpp`), the type's
/// description (`message_type.hpp`), `operator==`, and `to_string` and `operator<<`, which print
/// `make_payment{order_id: "o-1", cents: 4200}`. It is a Boost.Serialization `serialize` with name-value
/// pairs, so the type goes through Boost's own archives as well (`boost_archives.hpp` has what Boost 1.74
/// lacks for that).
///
/// - The first argument is the type; without its namespaces it is the registered name, unless
///   `CONTINUO_NAME` gives another.
/// - The list has fields in the order in which they are written, `CONTINUO_SINCE(version, field)` and
///   `CONTINUO_BASE(base)`. It may be empty; it takes 256.
/// - The fields, and the macro itself, may be private: what it leaves has the access of the place where it
///   stands, which does not change, and all of the above works nevertheless. An aggregate stays one.
/// - To be a message the type needs a default constructor and copies.
/// - A field is a bool, an integer of up to 64 bits, a float or double, an enum, `std::string`,
///   `std::optional`, `std::variant`, `std::vector`, `std::deque`, `std::list`, `std::array`, `std::pair`,
///   `std::tuple`, a map or set of `std`, a duration, a time point of the system clock, another type with
///   `CONTINUO_FIELDS`, or one with a plain Boost `serialize` that takes any archive. Pointers, references,
///   views and const fields are refused at compile time, and so is an optional of an optional.
/// - A field may be inherited, but not from a virtual base: list that with `CONTINUO_BASE`.
/// - `operator==`, `to_string` and `operator<<` are templates, so a type may bring its own instead.
#define CONTINUO_FIELDS(Type, ...)                                                                           \
  friend class ::boost::serialization::access;                                                               \
  friend struct ::continuo::detail::field_access;                                                            \
  using continuo_self = Type;                                                                                \
  static constexpr const char* continuo_type_name() {                                                        \
    return ::continuo::detail::last_name(#Type);                                                             \
  }                                                                                                          \
  template <class ContinuoSelf>                                                                              \
  [[maybe_unused]] static constexpr bool continuo_lists_fields = requires {                                  \
    ::continuo::detail::are_fields(                                                                          \
        CONTINUO_DETAIL_FOR_EACH(CONTINUO_DETAIL_MEMBER __VA_OPT__(, ) __VA_ARGS__));                        \
  };                                                                                                         \
  template <class ContinuoSelf, class ContinuoVisitor>                                                       \
  static constexpr auto continuo_visit(ContinuoVisitor& continuo_visitor) {                                  \
    return continuo_visitor(CONTINUO_DETAIL_FOR_EACH(CONTINUO_DETAIL_VISIT __VA_OPT__(, ) __VA_ARGS__));     \
  }                                                                                                          \
  template <::std::same_as<Type> ContinuoType>                                                               \
  friend bool operator==(const ContinuoType& left, const ContinuoType& right) {                              \
    return ::continuo::detail::equal_fields(left, right);                                                    \
  }                                                                                                          \
  template <::std::same_as<Type> ContinuoType>                                                               \
  friend ::std::string to_string(const ContinuoType& value) {                                                \
    return ::continuo::detail::print(::continuo::detail::shape_of<Type>(), &value);                          \
  }                                                                                                          \
  template <::std::same_as<Type> ContinuoType>                                                               \
  friend ::std::ostream& operator<<(::std::ostream& out, const ContinuoType& value) {                        \
    return ::continuo::detail::print_to(out, ::continuo::detail::shape_of<Type>(), &value);                  \
  }                                                                                                          \
  template <class ContinuoArchive>                                                                           \
  void serialize(ContinuoArchive& continuo_archive, const unsigned continuo_version) {                       \
    ::continuo::detail::serialize_fields(continuo_archive, *this, continuo_version);                         \
  }

/// In the list of `CONTINUO_FIELDS`: the field was added in class version `version`, 1 to 255. The type's
/// class version is the highest of its list, or that of `BOOST_CLASS_VERSION` if it is higher. Bytes of an
/// older version leave the field's default, and JSON may leave it out; bytes of a newer version are refused
/// with `errc::newer_version`. An added field may stand anywhere in the list; afterwards neither the order
/// nor a field's type may change.
#define CONTINUO_SINCE(version, field) (continuo_since, version, field)

/// In the list of `CONTINUO_FIELDS`: a public base class with fields of its own. In JSON they stand in an
/// object under the name that the base has here.
#define CONTINUO_BASE(...) (continuo_base, __VA_ARGS__)

/// Beside `CONTINUO_FIELDS`: the registered name, a string literal, as in `CONTINUO_NAME("bank.transfer")`.
#define CONTINUO_NAME(name)                                                                                  \
  static constexpr ::std::string_view continuo_name() {                                                      \
    return name;                                                                                             \
  }                                                                                                          \
  void continuo_has_name() const {}

/// After an enum, in its namespace: the names of its values in JSON and print. For an enum inside a class
/// it stands after the class: `CONTINUO_ENUM(order::state, open, paid)`. Bytes are the underlying integer.
/// A value that is not in the list is refused, in bytes (read, as `errc::newer_version`, and written) and in
/// JSON (read).
/// `to_string(value)` gives the name, `"unknown"` for such a value.
#define CONTINUO_ENUM(Enum, ...)                                                                             \
  [[maybe_unused]] constexpr auto continuo_enumerators(::continuo::detail::tag<Enum>) {                      \
    using continuo_enum = Enum;                                                                              \
    return ::continuo::detail::make_enumerators(                                                             \
        CONTINUO_DETAIL_FOR_EACH(CONTINUO_DETAIL_ENUMERATOR, __VA_ARGS__));                                  \
  }                                                                                                          \
  [[maybe_unused]] constexpr const char* continuo_enum_name(::continuo::detail::tag<Enum>) {                 \
    return ::continuo::detail::last_name(#Enum);                                                             \
  }                                                                                                          \
  template <::std::same_as<Enum> ContinuoEnum>                                                               \
  constexpr ::std::string_view to_string(ContinuoEnum value) {                                               \
    return ::continuo::detail::enumerator_name(value);                                                       \
  }
