#pragma once

#include <continuo/ids.hpp>

#include <cstdint>

namespace continuo::engine {

/// A point in the life of one store: all that its transitions sent up to this revision. Revisions of
/// different stores do not compare, so a point has no order, and answers for its own store's messages alone.
struct store_point {
  std::uint64_t store = 0; ///< 0: of none, so no message is before or behind it
  std::uint64_t revision = 0;

  /// Whether the message was sent up to here; false for one of another store.
  bool covers(const message_id& id) const { return id.store == store && id.revision <= revision; }

  /// Whether it was sent later; false for one of another store.
  bool precedes(const message_id& id) const { return id.store == store && id.revision > revision; }

  friend bool operator==(const store_point&, const store_point&) = default;
};

} // namespace continuo::engine
