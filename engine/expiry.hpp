#pragma once

#include "engine/record.hpp"
#include "engine/transition.hpp"

#include <optional>
#include <string>
#include <string_view>

/// The expiry index: tiny keys in the order of time, without values, by which a sweep finds what has been
/// kept long enough and reads nothing else. An entry comes with the write that makes it true and goes with
/// the one that ends it, so the index says no more and no less than the records do.
namespace continuo::engine {

/// What an entry of the index is about.
enum class expiry_kind : char {
  ended = 'r',      ///< a record that has ended: from when it was written last
  history = 'h',    ///< the history of a keyed instance: from before its oldest entry
  client_key = 'k', ///< a client's idempotency key: from when it was used, or last found to be needed
};

/// Before all entries of a kind, in the order of time.
std::string expiry_prefix(expiry_kind kind);

/// The key of an entry: what it is about stands behind the time, as in the key of that itself, without its
/// prefix.
std::string expiry_key(expiry_kind kind, time_point from, std::string_view about);
std::string expiry_key(expiry_kind kind, time_point from, const instance_id& about);

/// An entry of the index, in parts of its key.
struct expiry_entry {
  expiry_kind kind = expiry_kind::ended;
  time_point from;
  std::string_view about;

  /// @pre the kind is not `client_key`
  instance_id instance() const;
};

/// Nothing where it is no such key.
std::optional<expiry_entry> parse_expiry_key(std::string_view key);

/// The times under which an instance stands in the index.
struct expiry_times {
  std::optional<time_point> ended;
  std::optional<time_point> history;

  friend bool operator==(const expiry_times&, const expiry_times&) = default;
};

/// Those that belong to this record: what the index must say of it.
expiry_times expiry_of(const record& of);

/// An instance that the index has under the times `indexed` gets the times `after` with this transition: adds
/// what changes.
void change_expiry(const instance_id& of, expiry_times& indexed, const expiry_times& after, transition& into);

} // namespace continuo::engine
