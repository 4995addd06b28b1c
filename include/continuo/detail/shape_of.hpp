#pragma once

#include <continuo/detail/boost_archive.hpp>
#include <continuo/detail/description.hpp>
#include <continuo/detail/shape.hpp>

#include <boost/serialization/serialization.hpp>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

/// Makes the shape of a C++ type. A type of the standard library is known by its name, so that a message pays
/// for no header but those that its own fields need.
namespace continuo::detail {

// -- which kinds of field there are ------------------------------------------------

/// `vector` of `std::vector<...>`; empty for what is no type of the standard library.
template <class T>
consteval std::string_view standard_name() {
  // The compiler's own words: "... [with T = std::__cxx11::list<int>; ...]" of g++, "... [T = ...]" of clang.
  std::string_view text = __PRETTY_FUNCTION__;
  text.remove_prefix(text.find("T = ") + 4);
  if (!text.starts_with("std::")) {
    return {};
  }
  text = text.substr(0, text.find_first_of("<;]"));
  return text.substr(text.rfind(':') + 1);
}

template <class T>
concept fixed_number = (std::integral<T> && sizeof(T) <= 8 && !std::same_as<T, wchar_t>) ||
                       std::same_as<T, float> || std::same_as<T, double>;

// A message is copied into other processes and other years: what it points at would not be.
template <class T>
concept pointer_like = std::is_pointer_v<T> || std::is_member_pointer_v<T> || std::is_null_pointer_v<T> ||
    std::is_reference_v<T> || standard_name<T>()
== "reference_wrapper" || standard_name<T>() == "basic_string_view" ||
    (requires { typename T::element_type; } &&
     (
         requires(T value) { value.get(); } || requires(T value) { value.lock(); } ||
         requires(T value) { value.data(); }));

/// Says in a sentence why a type cannot be a field. Called for every type that is none of the known ones.
template <class T>
constexpr void check_field_type() {
  static_assert(!pointer_like<T>, "continuo: a field must not be a pointer, reference or view: what it "
                                  "points at is no part of the message; "
                                  "hold the value itself, a std::optional or a container");
  static_assert(!std::is_array_v<T>, "continuo: a field must not be a C array; use std::array");
  static_assert(
      !std::is_arithmetic_v<T>,
      "continuo: this number has no portable size; use an integer of up to 64 bits, a float or a double");
  static_assert(!std::is_union_v<T>, "continuo: a field must not be a union; use std::variant");
}

/// The fewest bytes that a value of `T` takes: no container may claim more elements than the input could
/// hold.
template <class T>
constexpr std::size_t least_bytes() {
  if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
    return sizeof(T);
  } else if constexpr (described<T>) {
    return 1; // its class version
  } else {
    constexpr auto name = standard_name<T>();
    if constexpr (name == "monostate") {
      return 0;
    } else if constexpr (name == "array") {
      return std::tuple_size_v<T> == 0 ? 0 : std::tuple_size_v<T> * least_bytes<typename T::value_type>();
    } else if constexpr (name == "pair" || name == "tuple") {
      return []<std::size_t... I>(std::index_sequence<I...>) {
        return (std::size_t{0} + ... + least_bytes<std::remove_const_t<std::tuple_element_t<I, T>>>());
      }
      (std::make_index_sequence<std::tuple_size_v<T>>{});
    } else if constexpr (name == "duration" || name == "time_point") {
      return sizeof(std::int64_t);
    } else {
      return 1; // a size, an index, a flag or a class version
    }
  }
}

/// A container's element must take room in the bytes, else a few bytes could claim any number of them.
template <class... Ts>
constexpr std::size_t element_bytes() {
  constexpr auto least = (least_bytes<Ts>() + ...);
  static_assert(least > 0,
                "continuo: a container's element must not be empty (std::monostate, std::tuple<>)");
  return least;
}

// -- what is done with them ----------------------------------------------------------

template <class T>
const T& as(const void* value) {
  return *static_cast<const T*>(value);
}

template <class T>
T& as(void* value) {
  return *static_cast<T*>(value);
}

template <class T>
void* address(T& value) {
  return const_cast<void*>(static_cast<const volatile void*>(__builtin_addressof(value)));
}

template <class T>
struct optional_of {
  static_assert(!std::is_const_v<typename T::value_type>, "continuo: a const field cannot be read");
  static const void* get(const void* value) { return as<T>(value) ? address(*as<T>(value)) : nullptr; }
  static void* emplace(void* value) { return address(as<T>(value).emplace()); }
  static void reset(void* value) { as<T>(value).reset(); }
  static constexpr optional_shape shape{&shape_for<typename T::value_type>::value, &get, &emplace, &reset};
};

template <class T>
struct variant_of;
template <template <class...> class Variant, class... Ts>
struct variant_of<Variant<Ts...>> {
  using type = Variant<Ts...>;
  static_assert((!std::is_const_v<Ts> && ...), "continuo: a const field cannot be read");

  static const void* get(const void* value, std::size_t& index) {
    const auto& held = as<type>(value);
    index = held.index();
    return get_one(held, std::index_sequence_for<Ts...>{});
  }
  template <std::size_t... I>
  static const void* get_one(const type& held, std::index_sequence<I...>) {
    const void* found = nullptr;
    ((held.index() == I ? void(found = get_if<I>(&held)) : void()), ...);
    return found;
  }
  static void* emplace(void* value, std::size_t index) {
    return emplace_one(as<type>(value), index, std::index_sequence_for<Ts...>{});
  }
  template <std::size_t... I>
  static void* emplace_one(type& held, std::size_t index, std::index_sequence<I...>) {
    void* made = nullptr;
    ((index == I ? void(made = address(held.template emplace<I>())) : void()), ...);
    return made;
  }

  static constexpr const detail::shape* alternatives[] = {&shape_for<Ts>::value...};
  static constexpr variant_shape shape{alternatives, sizeof...(Ts), &get, &emplace};
};

template <class T, class Elements = std::make_index_sequence<std::tuple_size_v<T>>>
struct product_of;
template <class T, std::size_t... I>
struct product_of<T, std::index_sequence<I...>> {
  static_assert((!std::is_const_v<std::tuple_element_t<I, T>> && ...),
                "continuo: a const field cannot be read");

  static const void* element(const void* value, std::size_t index) {
    const void* found = nullptr;
    ((index == I ? void(found = address(get<I>(as<T>(value)))) : void()), ...);
    return found;
  }
  static constexpr const detail::shape* elements[] = {&shape_for<std::tuple_element_t<I, T>>::value...,
                                                      nullptr};
  static constexpr product_shape shape{elements, sizeof...(I), &element};
};

template <class T>
struct array_of {
  using element = typename T::value_type;
  static_assert(!std::is_const_v<element>, "continuo: a const field cannot be read");
  static_assert(std::tuple_size_v<T> == 0 || sizeof(T) == std::tuple_size_v<T> * sizeof(element));
  static constexpr array_shape shape{&shape_for<element>::value, std::tuple_size_v<T>, sizeof(element)};
};

template <class T>
struct count_of {
  using rep = typename T::rep;
  static_assert(fixed_number<rep>,
                "continuo: this number has no portable size; a duration counts in an integer "
                "of up to 64 bits, a float or a double");
  static_assert(sizeof(T) == sizeof(rep) && std::is_standard_layout_v<T>);
  static constexpr count_shape shape{&shape_for<rep>::value, {T::period::num, T::period::den}};
};

/// Whether numbers are written as one block: in the order of bytes that the archive uses.
template <class T>
inline constexpr bool is_block = fixed_number<T> && !std::is_same_v<T, bool> &&
                                 (sizeof(T) == 1 || std::endian::native == std::endian::little);

template <class T>
struct sequence_of {
  using element = typename T::value_type;
  static constexpr bool in_one_piece = requires(const T& sequence) { sequence.data(); };

  static elements_view view(const void* value) {
    if constexpr (in_one_piece) {
      return {as<T>(value).data(), as<T>(value).size()};
    } else {
      return {nullptr, as<T>(value).size()};
    }
  }
  static void each(const void* value, void* context, element_visitor visit) {
    for (const auto& one : as<T>(value)) {
      visit(context, address(one));
    }
  }
  static void clear(void* value, std::size_t reserve) {
    as<T>(value).clear();
    if constexpr (in_one_piece) {
      as<T>(value).reserve(reserve);
    }
  }
  static void* grow(void* value) { return address(as<T>(value).emplace_back()); }
  static void* resize(void* value, std::size_t size) {
    as<T>(value).clear();
    as<T>(value).resize(size);
    return as<T>(value).data();
  }

  static constexpr sequence_shape make() {
    sequence_shape made{&shape_for<element>::value,
                        sizeof(element),
                        element_bytes<element>(),
                        false,
                        &view,
                        nullptr,
                        nullptr,
                        nullptr,
                        nullptr};
    if constexpr (in_one_piece && is_block<element>) {
      made.block = true;
      made.resize = &resize;
    } else {
      made.clear = &clear;
      made.grow = &grow;
      if constexpr (!in_one_piece) {
        made.each = &each;
      }
    }
    return made;
  }
  static constexpr sequence_shape shape = make();
};

template <class T>
struct keyed_of {
  using key = typename T::key_type;
  static_assert(!std::is_const_v<key>, "continuo: a const field cannot be read");
  static constexpr bool is_map = requires { typename T::mapped_type; };
  static constexpr bool is_unordered = requires { typename T::hasher; };
  static constexpr bool is_unique = requires(T container, typename T::value_type element) {
    container.insert(element).second;
  };

  static std::size_t size(const void* value) { return as<T>(value).size(); }

  static void each(const void* value, void* context, keyed_visitor visit) {
    for (const auto& one : as<T>(value)) {
      if constexpr (is_map) {
        visit(context, address(one.first), address(one.second));
      } else {
        visit(context, address(one), nullptr);
      }
    }
  }

  static bool less(const void* left, const void* right) {
    static_assert(
        requires(const key& one) { static_cast<bool>(one < one); },
        "continuo: the key of an unordered container needs operator<, because it is written in key order");
    if constexpr (requires(const key& one) { static_cast<bool>(one < one); }) {
      return as<key>(left) < as<key>(right);
    } else {
      return false;
    }
  }

  // Whether `next` may stand after `last` in the written form.
  static bool in_order(const T& container, const key& last, const key& next) {
    if constexpr (is_unordered) {
      return less(address(last), address(next));
    } else if constexpr (is_unique) {
      return container.key_comp()(last, next);
    } else {
      return !container.key_comp()(next, last);
    }
  }

  template <class Element>
  static auto& key_in(Element& element) {
    if constexpr (is_map) {
      return element.first;
    } else {
      return element;
    }
  }

  static void fill(void* value, std::size_t size, element_source& source) {
    auto& container = as<T>(value);
    container.clear();
    const key* last = nullptr;
    for (; size > 0; --size) {
      // The key in a map's own elements is const.
      auto element = [] {
        if constexpr (is_map) {
          return std::pair<key, typename T::mapped_type>{};
        } else {
          return key{};
        }
      }();
      if constexpr (is_map) {
        source.read(address(element.first), address(element.second));
      } else {
        source.read(address(element), nullptr);
      }
      if (source.ordered && last != nullptr && !in_order(container, *last, key_in(element))) {
        source.refuse();
      }
      const auto before = container.size();
      last = &key_in(*container.insert(container.end(), std::move(element)));
      if (is_unique && !source.ordered && container.size() == before) {
        source.refuse();
      }
    }
  }

  static constexpr keyed_shape make() {
    keyed_shape made{&shape_for<key>::value, nullptr, 0, is_unique, &size, &each, nullptr, &fill};
    if constexpr (is_map) {
      made.mapped = &shape_for<typename T::mapped_type>::value;
      made.least_bytes = element_bytes<key, typename T::mapped_type>();
    } else {
      made.least_bytes = element_bytes<key>();
    }
    if constexpr (is_unordered) {
      made.less = &less;
    }
    return made;
  }
  static constexpr keyed_shape shape = make();
};

template <class T>
struct custom_of {
  static void save(saving_archive& archive, void* value, unsigned version) {
    boost::serialization::serialize_adl(archive, as<T>(value), version);
  }
  static void load(loading_archive& archive, void* value, unsigned version) {
    boost::serialization::serialize_adl(archive, as<T>(value), version);
  }
  static void print(std::string& out, const void* value) { out += std::string_view{to_string(as<T>(value))}; }

  static constexpr custom_shape make() {
    custom_shape made{class_version<T>(), &save, &load, nullptr};
    if constexpr (requires(const T& value) {
                    { to_string(value) } -> std::convertible_to<std::string_view>;
                  }) {
      made.print = &print;
    }
    return made;
  }
  static constexpr custom_shape shape = make();
};

template <class T>
struct enumeration_of {
  // A value outside of an enum's range would be undefined behaviour, and only a fixed underlying type has
  // none.
  static_assert(
      named_enum<T> || requires { T{0}; },
      "continuo: this enum needs an underlying type (enum e : int) or CONTINUO_ENUM");

  static constexpr enumeration_shape make() {
    enumeration_shape made{&shape_for<std::underlying_type_t<T>>::value, false, false, nullptr, 0, 0, 0};
    if constexpr (named_enum<T>) {
      made.named = true;
      made.names = enumerators<T>.list;
      made.size = enumerators<T>.size;
      measure(made);
    }
    return made;
  }
  static constexpr enumeration_shape shape = make();
};

template <class T>
struct object_of {
  static constexpr object_shape shape{fields_of<T>.list, fields_of<T>.size, class_version<T>()};
};

// -- the shape of a type -------------------------------------------------------------

template <std::size_t Bytes>
constexpr form integer_form(bool is_signed) {
  constexpr form forms[] = {form::uint8, form::uint16, form::uint32, form::uint64};
  const auto unsigned_form = forms[std::bit_width(Bytes) - 1];
  return is_signed ? static_cast<form>(static_cast<int>(unsigned_form) - 1) : unsigned_form;
}

template <std::size_t Bytes>
constexpr std::string_view integer_name(bool is_signed) {
  constexpr std::string_view names[2][4] = {{"uint8", "uint16", "uint32", "uint64"},
                                            {"int8", "int16", "int32", "int64"}};
  return names[is_signed][std::bit_width(Bytes) - 1];
}

constexpr shape simple_shape(form what, std::string_view name) {
  return {what, name, nullptr, {nullptr}};
}

template <class T>
constexpr shape make_standard_shape(std::string_view name) {
  constexpr auto kind = standard_name<T>();
  if constexpr (kind == "optional") {
    static_assert(standard_name<typename T::value_type>() != "optional",
                  "continuo: an optional of an optional cannot be told apart in JSON");
    return {form::optional, name, nullptr, {.optional = &optional_of<T>::shape}};
  } else if constexpr (kind == "variant") {
    return {form::variant, name, nullptr, {.variant = &variant_of<T>::shape}};
  } else if constexpr (kind == "monostate") {
    return simple_shape(form::nothing, "nothing");
  } else if constexpr (kind == "pair" || kind == "tuple") {
    return {form::product, name, nullptr, {.product = &product_of<T>::shape}};
  } else if constexpr (kind == "array") {
    return {form::array, name, nullptr, {.array = &array_of<T>::shape}};
  } else if constexpr (kind == "duration") {
    return {form::duration, "duration", nullptr, {.count = &count_of<T>::shape}};
  } else if constexpr (kind == "time_point") {
    static_assert(standard_name<typename T::clock>() == "system_clock",
                  "continuo: a time point must be of std::chrono::system_clock: other clocks mean nothing in "
                  "another process");
    return {form::time_point, "time_point", nullptr, {.count = &count_of<T>::shape}};
  } else if constexpr (kind == "vector" || kind == "deque" || kind == "list") {
    if constexpr (kind == "vector" && std::is_same_v<typename T::value_type, bool>) {
      static_assert(std::is_same_v<typename T::allocator_type, std::allocator<bool>>,
                    "continuo: a std::vector<bool> cannot have an allocator of its own");
      return simple_shape(form::flags, name);
    } else {
      return {form::sequence, name, nullptr, {.sequence = &sequence_of<T>::shape}};
    }
  } else if constexpr (kind == "map" || kind == "multimap" || kind == "unordered_map") {
    return {form::map, keyed_of<T>::is_unique ? "map" : "multimap", nullptr, {.keyed = &keyed_of<T>::shape}};
  } else if constexpr (kind == "set" || kind == "multiset" || kind == "unordered_set") {
    return {form::set, keyed_of<T>::is_unique ? "set" : "multiset", nullptr, {.keyed = &keyed_of<T>::shape}};
  } else {
    check_field_type<T>();
    return {form::custom, {}, &typeid(T), {.custom = &custom_of<T>::shape}};
  }
}

template <class T>
constexpr shape make_shape() {
  if constexpr (std::is_same_v<T, bool>) {
    return simple_shape(form::boolean, "bool");
  } else if constexpr (fixed_number<T> && std::is_integral_v<T>) {
    return simple_shape(integer_form<sizeof(T)>(std::is_signed_v<T>),
                        std::is_same_v<T, char> ? "char" : integer_name<sizeof(T)>(std::is_signed_v<T>));
  } else if constexpr (std::is_same_v<T, float>) {
    return simple_shape(form::float32, "float");
  } else if constexpr (std::is_same_v<T, double>) {
    return simple_shape(form::float64, "double");
  } else if constexpr (std::is_same_v<T, std::string>) {
    return simple_shape(form::text, "string");
  } else if constexpr (std::is_enum_v<T>) {
    if constexpr (named_enum<T>) {
      return {form::enumeration,
              continuo_enum_name(tag<T>{}),
              nullptr,
              {.enumeration = &enumeration_of<T>::shape}};
    } else {
      return {form::enumeration, {}, &typeid(T), {.enumeration = &enumeration_of<T>::shape}};
    }
  } else if constexpr (described<T>) {
    return {form::object, field_access::name<T>(), nullptr, {.object = &object_of<T>::shape}};
  } else {
    return make_standard_shape<T>(standard_name<T>());
  }
}

template <class T>
constinit const shape shape_for<T>::value = make_shape<T>();

template <class T>
const shape& shape_of() {
  return shape_for<T>::value;
}

} // namespace continuo::detail
