#pragma once

#include <continuo/detail/description.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

/// Which kinds of field there are. Each archive asks in the same order: described types first, Boost's
/// `serialize` last.
namespace continuo::detail {

template <class T, template <class...> class Template>
inline constexpr bool is_a = false;
template <template <class...> class Template, class... Ts>
inline constexpr bool is_a<Template<Ts...>, Template> = true;

template <class T>
inline constexpr bool is_array = false;
template <class T, std::size_t Size>
inline constexpr bool is_array<std::array<T, Size>> = true;

template <class T>
concept fixed_number = (std::integral<T> && sizeof(T) <= 8 && !std::same_as<T, wchar_t>) ||
                       std::same_as<T, float> || std::same_as<T, double>;

template <class T>
concept text_type = std::same_as<T, std::string>;

template <class T>
concept sequence_type = is_a<T, std::vector> || is_a<T, std::deque> || is_a<T, std::list>;

template <class T>
concept map_type = is_a<T, std::map> || is_a<T, std::multimap> || is_a<T, std::unordered_map>;

template <class T>
concept set_type = is_a<T, std::set> || is_a<T, std::multiset> || is_a<T, std::unordered_set>;

/// Holds no element twice.
template <class T>
concept unique_keys = (map_type<T> || set_type<T>)&&!is_a<T, std::multimap> && !is_a<T, std::multiset>;

template <class T>
concept unordered = is_a<T, std::unordered_map> || is_a<T, std::unordered_set>;

template <class T>
concept product_type = is_a<T, std::pair> || is_a<T, std::tuple>;

template <class T>
concept duration_type = is_a<T, std::chrono::duration>;

template <class T>
concept time_point_type = is_a<T, std::chrono::time_point>;

// A message is copied into other processes and other years: what it points at would not be.
template <class T>
concept pointer_like = std::is_pointer_v<T> || std::is_member_pointer_v<T> || std::is_null_pointer_v<T> ||
    is_a<T, std::reference_wrapper> || is_a<T, std::basic_string_view> ||
    (!described<T> && requires { typename T::element_type; } &&
     (
         requires(T value) { value.get(); } || requires(T value) { value.lock(); } ||
         requires(T value) { value.data(); }));

template <class T>
inline constexpr bool is_system_time = false;
template <class Duration>
inline constexpr bool is_system_time<std::chrono::time_point<std::chrono::system_clock, Duration>> = true;

// Written as its count: the same on every machine only while this holds.
static_assert(std::ratio_equal_v<std::chrono::system_clock::period, std::nano>,
              "continuo: this standard library's system clock does not count nanoseconds");

/// Says in a sentence why a type cannot be a field. Called for every type that an archive meets.
template <class T>
constexpr void check_field_type() {
  static_assert(!pointer_like<T>, "continuo: a field must not be a pointer, reference or view: what it "
                                  "points at is no part of the message; "
                                  "hold the value itself, a std::optional or a container");
  static_assert(!std::is_array_v<T>, "continuo: a field must not be a C array; use std::array");
  static_assert(
      !std::is_arithmetic_v<T> || fixed_number<T>,
      "continuo: this number has no portable size; use an integer of up to 64 bits, a float or a double");
  static_assert(!time_point_type<T> || is_system_time<T>,
                "continuo: a time point must be of std::chrono::system_clock: other clocks mean nothing in "
                "another process");
  static_assert(!std::is_union_v<T>, "continuo: a field must not be a union; use std::variant");
}

/// How deep objects with fields may stand within each other, in bytes and in JSON.
inline constexpr unsigned nesting_max = 128;

// A value outside of an enum's range would be undefined behaviour, and only a fixed underlying type has none.
template <class T>
constexpr void check_enum() {
  static_assert(
      named_enum<T> || requires { T{0}; },
      "continuo: this enum needs an underlying type (enum e : int) or CONTINUO_ENUM");
}

/// The fewest bytes that a value of `T` takes: no container may claim more elements than the input could
/// hold.
template <class T>
constexpr std::size_t least_bytes() {
  if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
    return sizeof(T);
  } else if constexpr (std::same_as<T, std::monostate>) {
    return 0;
  } else if constexpr (is_array<T>) {
    return std::tuple_size_v<T> == 0 ? 0 : std::tuple_size_v<T> * least_bytes<typename T::value_type>();
  } else if constexpr (product_type<T>) {
    return []<std::size_t... I>(std::index_sequence<I...>) {
      return (std::size_t{0} + ... + least_bytes<std::remove_const_t<std::tuple_element_t<I, T>>>());
    }
    (std::make_index_sequence<std::tuple_size_v<T>>{});
  } else if constexpr (duration_type<T> || time_point_type<T>) {
    return sizeof(std::int64_t);
  } else {
    return 1; // a size, an index, a flag or a class version
  }
}

/// A container's element must take room in the bytes, else a few bytes could claim any number of them.
template <class T>
constexpr void check_element_type() {
  static_assert(least_bytes<T>() > 0,
                "continuo: a container's element must not be empty (std::monostate, std::tuple<>)");
}

/// Whether `T` is written as one block: numbers in the order of bytes that the archive uses.
template <class T>
inline constexpr bool block_of_numbers = false;
template <fixed_number Number>
inline constexpr bool block_of_numbers<std::vector<Number>> =
    !std::is_same_v<Number, bool> && (sizeof(Number) == 1 || std::endian::native == std::endian::little);

/// A container's element as it can be read: the key of a map's is not const.
template <class T>
struct stored_element_of {
  using type = typename T::value_type;
};
template <map_type T>
struct stored_element_of<T> {
  using type = std::pair<typename T::key_type, typename T::mapped_type>;
};
template <class T>
using stored_element = typename stored_element_of<T>::type;

template <class T, class Element>
const typename T::key_type& key_of(const Element& element) {
  if constexpr (map_type<T>) {
    return element.first;
  } else {
    return element;
  }
}

/// Whether `next` may stand after `last` in the written form.
template <class T>
bool in_order(const T& container, const typename T::key_type& last, const typename T::key_type& next) {
  if constexpr (unordered<T>) {
    return last < next;
  } else if constexpr (unique_keys<T>) {
    return container.key_comp()(last, next);
  } else {
    return !container.key_comp()(next, last);
  }
}

/// The elements of an unordered container in the order of their keys: equal values give equal bytes and
/// equal text.
template <unordered T>
auto in_key_order(const T& container) {
  static_assert(
      requires(const typename T::key_type& key) { static_cast<bool>(key < key); },
      "continuo: the key of an unordered container needs operator<, because it is written in key order");
  std::vector<const typename T::value_type*> ordered;
  ordered.reserve(container.size());
  for (const auto& element : container) {
    ordered.push_back(&element);
  }
  std::sort(ordered.begin(), ordered.end(), [](const auto* left, const auto* right) {
    if constexpr (map_type<T>) {
      return left->first < right->first;
    } else {
      return *left < *right;
    }
  });
  return ordered;
}

} // namespace continuo::detail
