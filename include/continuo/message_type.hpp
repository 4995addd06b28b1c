#pragma once

#include <continuo/archive.hpp>
#include <continuo/fields.hpp>
#include <continuo/json.hpp>
#include <continuo/result.hpp>

#include <concepts>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <typeindex>
#include <vector>

/// Message types without their C++ types: what the runtime knows of a type that it meets by name.
namespace continuo {

/// A field as people are told of it.
struct field_description {
  std::string name;
  std::string type; ///< `string`, `int64`, `optional<...>`, the name of a type with fields ...

  friend bool operator==(const field_description&, const field_description&) = default;
};

/// A type's name, version, fields and functions. The functions may be called from any thread.
struct message_type {
  std::string name;     ///< the registered name
  unsigned version = 0; ///< the class version
  std::type_index cpp;  ///< the C++ type

  /// As `continuo::encode`. @pre `value` points at a `cpp`
  std::string (*encode)(const void* value);
  /// As `continuo::decode`; the pointer holds a `cpp`.
  result<std::shared_ptr<void>> (*decode)(std::string_view bytes);
  /// From bytes to JSON text; fails as `decode`.
  result<std::string> (*to_json)(std::string_view bytes);
  /// From JSON text to bytes; fails as `continuo::from_json`.
  result<std::string> (*from_json)(std::string_view text);

  std::vector<field_description> fields; ///< in the order of the list; a base under its own name
};

/// What can be sent and kept: a type with CONTINUO_FIELDS of its own that can be made and copied.
template <class T>
concept message = detail::described<T> && std::default_initializable<T> && std::copyable<T>;

/// The name under which a type is registered: of a message, or `string`, `bool`, `int64` or `double` of
/// these.
template <class T>
std::string_view message_name() {
  static_assert(
      message<T> || std::same_as<T, std::string> || std::same_as<T, bool> || std::same_as<T, std::int64_t> ||
          std::same_as<T, double>,
      "continuo: a message needs CONTINUO_FIELDS, a default constructor and copies; else it must be a "
      "std::string, bool, std::int64_t or double");
  return detail::simple_name<T>();
}

namespace detail {

struct field_collector {
  std::vector<field_description> fields;

  template <class Member, class Class>
  void field(const char* name, Member Class::*, unsigned) {
    fields.push_back({name, type_name<Member>()});
  }
  template <class Base>
  void base(const char* name) {
    fields.push_back({name, type_name<Base>()});
  }
};

template <class T>
message_type describe() {
  message_type type{
      std::string{message_name<T>()}, class_version<T>(), typeid(T), nullptr, nullptr, nullptr, nullptr, {}};
  type.encode = [](const void* value) { return continuo::encode(*static_cast<const T*>(value)); };
  type.decode = [](std::string_view bytes) -> result<std::shared_ptr<void>> {
    auto value = std::make_shared<T>();
    if (auto read = decode_into(*value, bytes); !read) {
      return tl::unexpected(std::move(read.error()));
    }
    return value;
  };
  type.to_json = [](std::string_view bytes) -> result<std::string> {
    return continuo::decode<T>(bytes).map([](const T& value) { return continuo::to_json(value); });
  };
  type.from_json = [](std::string_view text) -> result<std::string> {
    return continuo::from_json<T>(text).map([](const T& value) { return continuo::encode(value); });
  };
  if constexpr (described<T>) {
    field_collector collector;
    field_access::visit<T>(collector);
    type.fields = std::move(collector.fields);
  }
  return type;
}

} // namespace detail

/// The description of a message, or of `std::string`, `bool`, `std::int64_t` or `double`. One for each
/// type, for ever.
template <class T>
const message_type& message_type_of() {
  static const auto type = detail::describe<T>();
  return type;
}

/// The message types that a node knows, by name. Filled by one thread; after that any thread may read it.
class message_registry {
public:
  // -- updates ------------------------------------------------------------------
  /// Adds a type, which outlives the registry (those of `message_type_of` do). The same C++ type again
  /// changes nothing; another one under the same name is `errc::invalid_definition` and changes nothing
  /// either.
  result<void> add(const message_type& type);

  template <class T>
  result<void> add() {
    return add(message_type_of<T>());
  }

  // -- queries ------------------------------------------------------------------
  /// The type, or null where nobody added it.
  const message_type* find(std::string_view name) const;

  /// Every type, in the order of their names.
  std::vector<const message_type*> all() const;

private:
  std::map<std::string, const message_type*, std::less<>> types_;
};

} // namespace continuo
