#pragma once

#include <continuo/detail/shape.hpp>

#include <boost/mpl/int.hpp>
#include <boost/mpl/integral_c_tag.hpp>
#include <boost/serialization/version.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace continuo {

struct instance_id;
struct message_id;

} // namespace continuo

/// What `CONTINUO_FIELDS` and `CONTINUO_ENUM` leave behind, and how it is read.
namespace continuo::detail {

template <class T>
struct tag {};

/// The name without its namespaces: `"b"` of `"a::b"`. It ends where `text` ends.
constexpr const char* last_name(const char* text) {
  const char* name = text;
  for (const char* at = text; *at != '\0' && *at != '<'; ++at) {
    if (*at == ':' || *at == ' ') {
      name = at + 1;
    }
  }
  return name;
}

// -- fields ---------------------------------------------------------------------

/// Only asked whether it could be called.
void are_fields(...);

/// The one friend of every described type: what the macro leaves may stand in a private section.
struct field_access {
  /// Whether `T` itself, not only a base of it, has CONTINUO_FIELDS.
  template <class T>
  static constexpr bool is_described() {
    if constexpr (requires { typename T::continuo_self; }) {
      return std::is_same_v<typename T::continuo_self, T>;
    } else {
      return false;
    }
  }

  /// What `visitor` makes of what its `field(name, pointer to member, offset, class version)` and `base<T,
  /// B>(name)` return, for each element in the order of the list. They may be called in any order.
  template <class T, class Visitor>
  static constexpr auto visit(Visitor&& visitor) {
    return T::template continuo_visit<T>(visitor);
  }

  /// Whether each name in the list is that of a field.
  template <class T>
  static constexpr bool lists_fields() {
    return T::template continuo_lists_fields<T>;
  }

  /// Whether a saga handles the message, and the call of that handler.
  template <class Saga, class Message, class Context>
  static constexpr bool has_handler() {
    return requires(Saga & saga, const Message& message, Context& context) {
      saga.on(message, context);
    };
  }

  /// Whether it would handle it without a context, which nobody calls.
  template <class Saga, class Message>
  static constexpr bool has_handler_alone() {
    return requires(Saga & saga, const Message& message) {
      saga.on(message);
    };
  }
  template <class Saga, class Message, class Context>
  static void call_handler(Saga& saga, const Message& message, Context& context) {
    saga.on(message, context);
  }

  /// Whether it handles the message and gives an `Answer`.
  template <class Saga, class Message, class Context, class Answer>
  static constexpr bool has_answer() {
    return requires(Saga & saga, const Message& message, Context& context, void (*take)(Answer)) {
      take(saga.on(message, context));
    };
  }

  /// The same of a handler that gives an answer: what it gives.
  template <class Saga, class Message, class Context>
  static auto ask_handler(Saga& saga, const Message& message, Context& context) {
    return saga.on(message, context);
  }

  /// The registered name.
  template <class T>
  static constexpr std::string_view name() {
    if constexpr (has_own_name<T>()) {
      static_assert(!T::continuo_name().empty(), "continuo: CONTINUO_NAME takes a name that is not empty");
      return T::continuo_name();
    } else {
      return T::continuo_type_name();
    }
  }

private:
  // A base's CONTINUO_NAME is the base's: a pointer to an inherited member has the base's type.
  template <class T>
  static constexpr bool has_own_name() {
    if constexpr (requires { &T::continuo_has_name; }) {
      return std::is_same_v<decltype(&T::continuo_has_name), void (T::*)() const>;
    } else {
      return false;
    }
  }
};

template <class T>
concept described = std::is_class_v<T> && field_access::is_described<T>();

template <class T>
struct shape_for {
  static const shape value;
};

// The ids are described in messages/id_shapes.cpp: CONTINUO_FIELDS in them would tie their header to Boost.
// Said here, so that no application describes them otherwise.
template <>
const shape shape_for<instance_id>::value;
template <>
const shape shape_for<message_id>::value;

/// The fields of a type as the archives walk them.
template <std::size_t Size>
struct field_table {
  static constexpr std::size_t size = Size;
  field list[Size == 0 ? 1 : Size];
};

template <class T, class Base>
struct base_of {
  static void* up(void* derived) { return static_cast<Base*>(static_cast<T*>(derived)); }
  static constexpr base_shape upward{&shape_for<Base>::value, &up};
  static constexpr detail::shape shape{form::base, {}, nullptr, {.base = &upward}};
};

struct table_maker {
  template <class Member, class Class>
  constexpr detail::field field(const char* name, Member Class::*, std::size_t offset, unsigned since) const {
    static_assert(!std::is_const_v<Member>, "continuo: a const field cannot be read");
    return {name, &shape_for<Member>::value, static_cast<std::uint32_t>(offset), since};
  }
  template <class T, class Base>
  constexpr detail::field base(const char* name) const {
    return {name, &base_of<T, Base>::shape, 0, 0};
  }
  template <class... Fields>
  constexpr auto operator()(const Fields&... fields) const {
    return field_table<sizeof...(Fields)>{{fields...}};
  }
};

template <described T>
constexpr auto make_fields() {
  static_assert(
      field_access::lists_fields<T>(),
      "continuo: CONTINUO_FIELDS lists a name that is no field of the type; the compiler says below "
      "which");
  return field_access::visit<T>(table_maker{});
}

template <described T>
inline constexpr auto fields_of = make_fields<T>();

constexpr unsigned highest_since(const field* fields, std::size_t size) {
  unsigned highest = 0;
  for (std::size_t index = 0; index < size; ++index) {
    highest = fields[index].since > highest ? fields[index].since : highest;
  }
  return highest;
}

template <described T>
constexpr unsigned highest_since() {
  return highest_since(fields_of<T>.list, fields_of<T>.size);
}

template <long long Since>
constexpr unsigned checked_since() {
  static_assert(Since >= 1 && Since <= 255, "continuo: CONTINUO_SINCE takes a class version from 1 to 255");
  return static_cast<unsigned>(Since);
}

/// The class version under which `T` is written.
template <class T>
constexpr unsigned class_version() {
  constexpr auto version = static_cast<unsigned>(boost::serialization::version<T>::value);
  if constexpr (described<T>) {
    static_assert(
        version >= highest_since<T>(),
        "continuo: BOOST_CLASS_VERSION is lower than a CONTINUO_SINCE of the same type; leave it out");
  }
  return version;
}

// -- equality --------------------------------------------------------------------

template <class T>
bool equal_field(const T& left, const T& right) {
  static_assert(
      requires { static_cast<bool>(left == right); },
      "continuo: this field's type has no operator==, so what holds it cannot be compared");
  return static_cast<bool>(left == right);
}

/// Compares one field after the other, until two differ.
template <class T>
struct equality {
  const T& left;
  const T& right;
  bool equal = true;

  template <class Member, class Class>
  bool field(const char*, Member Class::*member, std::size_t, unsigned) {
    return equal = equal && equal_field(left.*member, right.*member);
  }
  template <class, class Base>
  bool base(const char*) {
    return equal = equal && equal_field<Base>(left, right);
  }
  template <class... Fields>
  bool operator()(Fields...) const {
    return equal;
  }
};

template <class T>
bool equal_fields(const T& left, const T& right) {
  return field_access::visit<T>(equality<T>{left, right});
}

// -- enums ------------------------------------------------------------------------

template <std::size_t Size>
struct enumerator_table {
  static constexpr std::size_t size = Size;
  enumerator list[Size];
};
template <class... Enumerators>
constexpr auto make_enumerators(const Enumerators&... enumerators) {
  return enumerator_table<sizeof...(Enumerators)>{{enumerators...}};
}

template <class T>
concept named_enum = std::is_enum_v<T> && requires {
  continuo_enumerators(tag<T>{});
};

template <named_enum Enum>
inline constexpr auto enumerators = continuo_enumerators(tag<Enum>{});

/// The name of a number in a list; `"unknown"` where it has none.
constexpr std::string_view enumerator_name(const enumerator* list, std::size_t size, std::int64_t number) {
  for (std::size_t index = 0; index < size; ++index) {
    if (list[index].number == number) {
      return list[index].name;
    }
  }
  return "unknown";
}

/// The value's name; `"unknown"` where it is not in the list of CONTINUO_ENUM.
template <named_enum Enum>
constexpr std::string_view enumerator_name(Enum value) {
  return enumerator_name(enumerators<Enum>.list, enumerators<Enum>.size, static_cast<std::int64_t>(value));
}

/// Fills in what a list of names says of the numbers in it.
constexpr void measure(enumeration_shape& enumeration) {
  enumeration.lowest = enumeration.highest = enumeration.names[0].number;
  for (std::size_t index = 1; index < enumeration.size; ++index) {
    const auto number = enumeration.names[index].number;
    enumeration.lowest = number < enumeration.lowest ? number : enumeration.lowest;
    enumeration.highest = number > enumeration.highest ? number : enumeration.highest;
  }
  bool dense =
      static_cast<std::uint64_t>(enumeration.highest) - static_cast<std::uint64_t>(enumeration.lowest) <
      enumeration.size;
  for (auto number = enumeration.lowest; dense && number < enumeration.highest; ++number) {
    bool found = false;
    for (std::size_t index = 0; index < enumeration.size; ++index) {
      found = found || enumeration.names[index].number == number;
    }
    dense = found;
  }
  enumeration.dense = dense;
}

} // namespace continuo::detail

/// Gives Boost's archives the class version that the list says. BOOST_CLASS_VERSION, a full specialization,
/// goes first.
template <class T>
requires continuo::detail::described<T>
struct boost::serialization::version<T> {
  using type = boost::mpl::int_<static_cast<int>(continuo::detail::highest_since<T>())>;
  using tag = boost::mpl::integral_c_tag;
  static constexpr int value = type::value;
};
