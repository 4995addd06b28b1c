#pragma once

#include "engine/link.hpp"
#include "engine/placement.hpp"
#include "journal/store.hpp"

#include <continuo/cluster.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace continuo::nodes {

/// The cluster that a data directory belongs to, as it stands in its store: what lives here rests on it.
struct cluster_mark {
  std::string cluster;
  std::string node;
  std::vector<std::string> nodes;
  std::map<std::string, std::vector<std::string>> hosts; ///< the nodes of each saga and service

  CONTINUO_FIELDS(cluster_mark, cluster, node, nodes, hosts)
};

/// Who a store is, across its lives.
struct identity {
  std::uint64_t store = 0;
  std::uint64_t replaces = 0; ///< as in `messages::greeting`
  std::uint64_t starts = 0;   ///< this one included; 0 where the node stands alone
  std::uint64_t last_revision = 0;
  std::vector<engine::incarnation> lives;
};

/// Reads who the store is, and writes down that a new life begins: returns after the sync. `draw` gives
/// random numbers that are not 0. A store of another cluster or node, of a node that stood alone, or with
/// instances that `where` would move is `errc::invalid_configuration`; nothing is written then.
result<identity> begin_life(journal::store& store, const engine::placement& where,
                            const cluster_config& cluster, const std::function<std::uint64_t()>& draw,
                            std::uint64_t new_store);

/// The id of a store that is made now: later ones are greater, as ids of messages have to be that come from
/// what stands for a lost store. Its upper half counts seconds since 1970, its lower half is random.
std::uint64_t make_store_id(time_point now, std::uint64_t random);

/// Gives the store of a cluster's node a new id, which peers accept in place of whatever they knew: the way
/// out when acknowledged data is lost for good. The id is `new_store`, or the next one after the old id where
/// that is not smaller; greater than `beyond` too, the id that a peer knows. Returns after the sync.
/// `errc::not_found` where no node of a cluster ever ran on it.
/// @pre no node has the store open
result<void> accept_loss(journal::store& store, std::uint64_t new_store, std::uint64_t beyond = 0);

/// Whether the bytes under one of the store's own keys (`m...`) can be read; true of a key that this program
/// does not know.
result<void> check_own_value(std::string_view key, std::string_view bytes);

/// Which node of which cluster a store belongs to, from the value under its key `mcluster`.
constexpr std::string_view cluster_mark_key = "mcluster";

/// The key under which stands for which cluster file the index of what is owed to which peer was made: while
/// it is there the index is true of every record, as that file resolves addresses. Absent where the node
/// stands alone, or where the index is in the making (nodes/owed_index.hpp).
constexpr std::string_view owed_for_key = "mowed";

/// The nodes of everything that the cluster hosts. `errc::invalid_configuration` where the node is not in its
/// cluster, a node hosts what is not in `offered`, or an unencrypted cluster has an address that is not
/// loopback.
result<engine::placement> place(const cluster_config& cluster, const std::string& here,
                                const std::function<bool(std::string_view name)>& is_offered);

/// Whether only this machine can reach the address: 127.0.0.0/8, ::1 or `localhost`.
bool is_loopback(const std::string& host);

} // namespace continuo::nodes
