#pragma once

#include <continuo/result.hpp>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace continuo {

/// The longest name of a saga or a service; that of a node is shorter.
constexpr std::size_t name_bytes_max = 128;

/// The longest correlation key. A key is UTF-8 without control characters, line ends and marks that turn the
/// direction of text: it stands in logs, on terminals and in URLs.
constexpr std::size_t key_bytes_max = 512;

/// Names one durable actor: a saga instance, a keyed service instance, a command in execution, an accepted
/// publish or a dead letter.
struct instance_id {
  std::string type; ///< the saga's or service's name
  std::string key;  ///< the correlation key; for commands and publishes the message's id

  friend auto operator<=>(const instance_id&, const instance_id&) = default;
};

/// `type/key`, for people.
std::string to_string(const instance_id& id);

/// Names one message for ever. Every transition of a store has a number of its own, its revision, which never
/// repeats within the store's life; a message is the `index`th that this transition sent. Ids of one sender
/// therefore grow in the order of sending, and a key that lives twice never repeats one.
struct message_id {
  std::uint64_t store = 0;    ///< random id of the store, never 0 in a real id
  std::uint64_t revision = 0; ///< number of the transition that sent it
  std::uint32_t index = 0;    ///< position among the messages of that transition

  /// False for the id that stands for "none".
  explicit operator bool() const { return store != 0; }

  friend auto operator<=>(const message_id&, const message_id&) = default;
};

/// `store-revision-index`, store in 16 hexadecimal digits, the others decimal: the form in logs, JSON and
/// URLs.
std::string to_string(const message_id& id);

/// Reads what `to_string` wrote; `errc::malformed` for anything else.
result<message_id> parse_message_id(std::string_view text);

} // namespace continuo

template <>
struct std::hash<continuo::instance_id> {
  std::size_t operator()(const continuo::instance_id& id) const noexcept {
    // Of the key alone but for a hint of the type: few instances of different types have the same key.
    const auto type = id.type.empty() ? 0 : id.type.size() + 31 * static_cast<unsigned char>(id.type.back());
    return std::hash<std::string>{}(id.key) ^ (type * 0x9e3779b97f4a7c15ULL);
  }
};

template <>
struct std::hash<continuo::message_id> {
  std::size_t operator()(const continuo::message_id& id) const noexcept {
    auto mixed = id.store ^ (id.revision * 0x9e3779b97f4a7c15ULL) ^ (std::uint64_t{id.index} << 48);
    mixed ^= mixed >> 32;
    return static_cast<std::size_t>(mixed);
  }
};
