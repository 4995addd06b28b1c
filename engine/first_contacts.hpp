#pragma once

#include "engine/store_point.hpp"

#include <cstdint>
#include <map>
#include <mutex>

namespace continuo::engine {

/// From which revision on the messages of each store are new in this life of the process, so that no earlier
/// life can have begun to handle them. Revisions of different stores do not compare: each store is known by
/// itself, this node's by its last revision before the start, a peer's by its position at the first contact.
/// Any thread.
class first_contacts {
public:
  /// All that the store sends from now on is behind this point. What was known of it before stays.
  void met(const store_point& at) {
    const std::lock_guard lock{mutex_};
    known_.try_emplace(at.store, at);
  }

  /// Whether the message was made since; false while nothing is known of its store.
  bool is_new(const message_id& id) const {
    const std::lock_guard lock{mutex_};
    const auto known = known_.find(id.store);
    return known != known_.end() && known->second.precedes(id);
  }

private:
  mutable std::mutex mutex_;
  std::map<std::uint64_t, store_point> known_; // by store
};

} // namespace continuo::engine
