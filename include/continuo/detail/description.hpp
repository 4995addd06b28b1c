#pragma once

#include <boost/mpl/int.hpp>
#include <boost/mpl/integral_c_tag.hpp>
#include <boost/serialization/version.hpp>

#include <array>
#include <concepts>
#include <string_view>
#include <type_traits>

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

  /// Calls `visitor.field(name, pointer to member, class version)` for each field and `visitor.template
  /// base<B>(name)` for each base, in the order of the list.
  template <class T, class Visitor>
  static constexpr void visit(Visitor& visitor) {
    T::continuo_visit(visitor);
  }

  template <class T, class Archive>
  static void serialize(Archive& archive, T& value, unsigned version) {
    value.serialize(archive, version);
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

/// Finds the highest CONTINUO_SINCE of a list.
struct newest_field {
  unsigned since = 0;

  template <class Member>
  constexpr void field(const char*, Member, unsigned version) {
    since = version > since ? version : since;
  }
  template <class Base>
  constexpr void base(const char*) {}
};

template <described T>
constexpr unsigned highest_since() {
  newest_field newest;
  field_access::visit<T>(newest);
  return newest.since;
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

template <class T>
struct equality {
  const T& left;
  const T& right;
  bool equal = true;

  template <class Member, class Class>
  void field(const char*, Member Class::*member, unsigned) {
    equal = equal && equal_field(left.*member, right.*member);
  }
  template <class Base>
  void base(const char*) {
    equal = equal && equal_field<Base>(left, right);
  }
};

template <class T>
bool equal_fields(const T& left, const T& right) {
  equality<T> both{left, right};
  field_access::visit<T>(both);
  return both.equal;
}

// -- enums ------------------------------------------------------------------------

template <class Enum>
struct enumerator {
  Enum value;
  std::string_view name;
};

template <class T>
concept named_enum = std::is_enum_v<T> && requires {
  continuo_enumerators(tag<T>{});
};

template <named_enum Enum>
inline constexpr auto enumerators = continuo_enumerators(tag<Enum>{});

/// The value's name; `"unknown"` where it is not in the list of CONTINUO_ENUM.
template <named_enum Enum>
constexpr std::string_view enumerator_name(Enum value) {
  for (const auto& known : enumerators<Enum>) {
    if (known.value == value) {
      return known.name;
    }
  }
  return "unknown";
}

/// Whether the number is that of a value in the list of CONTINUO_ENUM; true for enums without one.
template <class Enum>
constexpr bool is_known(std::underlying_type_t<Enum> number) {
  if constexpr (named_enum<Enum>) {
    for (const auto& known : enumerators<Enum>) {
      if (static_cast<std::underlying_type_t<Enum>>(known.value) == number) {
        return true;
      }
    }
    return false;
  } else {
    return true;
  }
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
