#pragma once

#include "engine/placement.hpp"

#include <continuo/definition.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace continuo::engine {

/// Where a message goes.
struct destination {
  instance_id to;       ///< without a key: a stateless service, by its address
  bool effects = false; ///< its handler has effects outside the node
};

/// Who handles which command and who hears which event. Filled at start, then only read, from any thread.
class routing_table {
public:
  // -- filling -----------------------------------------------------------------
  /// Each returns what contradicts an earlier entry (a second service for a command, a name used twice).
  result<void> add(const detail::saga_type& saga);
  result<void> add(const detail::service_type& service);
  result<void> add(const detail::keyed_service_type& service);

  /// On which nodes everything runs, which of them are up, and which peer a store belongs to (asked from any
  /// thread; empty: to none. The view stays valid).
  void place(placement where, std::function<bool(std::string_view node)> is_live,
             std::function<std::string_view(std::uint64_t store)> peer_of_store = {}) {
    where_ = std::move(where);
    is_live_ = std::move(is_live);
    peer_of_store_ = std::move(peer_of_store);
  }

  // -- queries ------------------------------------------------------------------
  bool knows_command(std::string_view type) const { return commands_.find(type) != commands_.end(); }

  /// Whether a saga handles the command, which may have a chain of parents then.
  bool goes_to_saga(std::string_view command) const {
    const auto found = commands_.find(command);
    return found != commands_.end() && found->second.is_saga;
  }
  bool knows_event(std::string_view type) const { return subscribers_.find(type) != subscribers_.end(); }
  const placement& where() const { return where_; }

  /// Whether an instance lives on this node. Built-in types do: what they exchange with others goes out by
  /// the store's id in their key.
  bool is_here(const instance_id& id) const {
    if (where_.is_alone()) {
      return true;
    }
    const auto node = where_.node_of(id);
    return node.empty() || node == where_.here();
  }

  /// Whether anything in the cluster hosts the receiver of a message, by the definitions and the cluster file
  /// of this program. Built-in types always are.
  bool is_hosted(const instance_id& to) const;

  /// The peer where an instance lives; empty for one that lives here, or nowhere. The view stays valid as
  /// long as `id` and this.
  std::string_view peer_of(const instance_id& id) const;

  /// The destination of a command of `sender`; `errc::unknown_type` where no service handles it,
  /// `errc::malformed` where its key cannot be read.
  result<destination> command(std::string_view type, std::string_view payload,
                              const instance_id& sender = {}) const;

  /// The subscribers of an event, in a fixed order; `errc::malformed` where a key cannot be read,
  /// `errc::unknown_type` for a command.
  result<std::vector<destination>> event(std::string_view type, std::string_view payload,
                                         const instance_id& sender = {}) const;

private:
  struct handler {
    std::string service;
    bool effects = false;
    detail::key_reader key; // empty: stateless
    bool is_saga = false;
  };

  result<void> claim_name(const std::string& name);
  result<void> claim_command(const std::string& command, handler by);

  std::map<std::string, handler, std::less<>> commands_;
  std::map<std::string, std::vector<handler>, std::less<>> subscribers_;
  std::map<std::string, bool, std::less<>> names_;
  placement where_;
  std::function<bool(std::string_view node)> is_live_;
  std::function<std::string_view(std::uint64_t store)> peer_of_store_;
};

} // namespace continuo::engine
