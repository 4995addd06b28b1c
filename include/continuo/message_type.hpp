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

namespace detail {

/// What the runtime needs of a message's C++ type.
struct made_type {
  const shape* of;
  const std::type_info* cpp;
  std::size_t size;
  std::size_t alignment;
  void (*make)(void* at);
  void (*destroy)(void* value);
};

} // namespace detail

/// A type's name, version, fields and functions. Everything here may be called from any thread.
struct message_type {
  explicit message_type(const detail::made_type& type);

  std::string name;                      ///< the registered name
  unsigned version = 0;                  ///< the class version
  std::type_index cpp;                   ///< the C++ type
  std::vector<field_description> fields; ///< in the order of the list; a base under its own name

  /// A new value, a `cpp`, with its defaults.
  std::shared_ptr<void> make() const;

  /// As `continuo::encode`. @pre `value` points at a `cpp`
  std::string encode(const void* value) const;
  /// As `continuo::decode`; the pointer holds a `cpp`.
  result<std::shared_ptr<void>> decode(std::string_view bytes) const;
  /// As `continuo::decode_into`. @pre `value` points at a `cpp`
  result<void> decode_into(void* value, std::string_view bytes) const;
  /// From bytes to JSON text; fails as `decode`.
  result<std::string> to_json(std::string_view bytes) const;
  /// From JSON text to bytes; fails as `continuo::from_json`.
  result<std::string> from_json(std::string_view text) const;

  /// How the archives walk a value.
  const detail::shape& described() const { return *type_->of; }

private:
  const detail::made_type* type_;
};

/// What can be sent and kept: a type with CONTINUO_FIELDS of its own that can be made and copied.
template <class T>
concept message = detail::described<T> && std::default_initializable<T> && std::copyable<T>;

/// Why a type is no `message`, behind "continuo: an event". The templates of the interface say so themselves:
/// a constraint that is not met would be told as "no matching function".
#define CONTINUO_DETAIL_NEEDS                                                                                \
  " needs CONTINUO_FIELDS, a default constructor and copies (which a std::unique_ptr among its fields "      \
  "forbids)"

namespace detail {

/// The reply of a command; `void` where it has none.
template <class T>
struct reply_type {
  using type = void;
};
template <class T>
requires requires {
  typename T::reply;
}
struct reply_type<T> {
  using type = typename T::reply;
};

template <class T>
concept plain_result = std::same_as<T, std::string> || std::same_as<T, bool> ||
    std::same_as<T, std::int64_t> || std::same_as<T, double>;

template <class T>
constexpr void check_message() {
  static_assert(message<T> || plain_result<T>,
                "continuo: a message" CONTINUO_DETAIL_NEEDS
                "; else it must be a std::string, bool, std::int64_t or double");
}

} // namespace detail

/// The name under which a type is registered: of a message, or `string`, `bool`, `int64` or `double` of
/// these.
template <class T>
std::string_view message_name() {
  detail::check_message<T>();
  if constexpr (detail::described<T>) {
    return detail::field_access::name<T>();
  } else if constexpr (detail::plain_result<T>) {
    return detail::shape_of<T>().name;
  } else {
    return {};
  }
}

namespace detail {

template <class T>
struct made {
  static void make(void* at) { ::new (at) T(); }
  static void destroy(void* value) { static_cast<T*>(value)->~T(); }
  static constexpr made_type type{&shape_for<T>::value, &typeid(T), sizeof(T), alignof(T), &make, &destroy};
};

/// Lives for ever.
const message_type& describe(const made_type& type);

/// Stands for a type that is no message. It is nowhere: the compiler has said so, and need not go on.
const message_type& no_type();

} // namespace detail

/// The description of a message, or of `std::string`, `bool`, `std::int64_t` or `double`. One for each
/// type, for ever.
template <class T>
const message_type& message_type_of() {
  detail::check_message<T>();
  if constexpr (message<T> || detail::plain_result<T>) {
    static const auto& type = detail::describe(detail::made<T>::type);
    return type;
  } else {
    return detail::no_type();
  }
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
