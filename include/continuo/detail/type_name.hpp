#pragma once

#include <continuo/detail/types.hpp>

#include <string>
#include <string_view>
#include <typeinfo>

/// The names of types for people: `int64`, `optional<string>`, `map<string, vector<order_line>>`.
namespace continuo::detail {

/// What the compiler calls a type, with its namespaces.
std::string demangled(const std::type_info& type);

/// The names that are fixed; empty for other types.
template <class T>
constexpr std::string_view simple_name() {
  if constexpr (std::is_same_v<T, bool>) {
    return "bool";
  } else if constexpr (std::is_same_v<T, char>) {
    return "char";
  } else if constexpr (std::is_integral_v<T>) {
    constexpr std::string_view names[2][4] = {{"uint8", "uint16", "uint32", "uint64"},
                                              {"int8", "int16", "int32", "int64"}};
    return names[std::is_signed_v<T>][std::bit_width(sizeof(T)) - 1];
  } else if constexpr (std::is_same_v<T, float>) {
    return "float";
  } else if constexpr (std::is_same_v<T, double>) {
    return "double";
  } else if constexpr (std::is_same_v<T, std::string>) {
    return "string";
  } else if constexpr (std::is_same_v<T, std::monostate>) {
    return "nothing";
  } else if constexpr (duration_type<T>) {
    return "duration";
  } else if constexpr (time_point_type<T>) {
    return "time_point";
  } else if constexpr (named_enum<T>) {
    return continuo_enum_name(tag<T>{});
  } else if constexpr (described<T>) {
    return field_access::name<T>();
  } else {
    return {};
  }
}

template <class T>
std::string type_name();

template <class... Ts>
std::string joined_names() {
  std::string names;
  ((names += (names.empty() ? "" : ", ") + type_name<Ts>()), ...);
  return names;
}

template <class T>
struct names_of;
template <template <class...> class Template, class... Ts>
struct names_of<Template<Ts...>> {
  static std::string joined() { return joined_names<Ts...>(); }
};

template <class T>
std::string type_name() {
  if constexpr (!simple_name<T>().empty()) {
    return std::string{simple_name<T>()};
  } else if constexpr (is_a<T, std::optional>) {
    return "optional<" + type_name<typename T::value_type>() + ">";
  } else if constexpr (is_a<T, std::variant>) {
    return "variant<" + names_of<T>::joined() + ">";
  } else if constexpr (is_a<T, std::pair>) {
    return "pair<" + names_of<T>::joined() + ">";
  } else if constexpr (is_a<T, std::tuple>) {
    return "tuple<" + names_of<T>::joined() + ">";
  } else if constexpr (is_array<T>) {
    return "array<" + type_name<typename T::value_type>() + ", " + std::to_string(std::tuple_size_v<T>) + ">";
  } else if constexpr (sequence_type<T>) {
    constexpr std::string_view kind = is_a<T, std::vector>  ? "vector<"
                                      : is_a<T, std::deque> ? "deque<"
                                                            : "list<";
    return std::string{kind} + type_name<typename T::value_type>() + ">";
  } else if constexpr (map_type<T>) {
    constexpr std::string_view kind = unique_keys<T> ? "map<" : "multimap<";
    return std::string{kind} + joined_names<typename T::key_type, typename T::mapped_type>() + ">";
  } else if constexpr (set_type<T>) {
    constexpr std::string_view kind = unique_keys<T> ? "set<" : "multiset<";
    return std::string{kind} + type_name<typename T::key_type>() + ">";
  } else {
    return demangled(typeid(T));
  }
}

} // namespace continuo::detail
