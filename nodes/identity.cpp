#include "nodes/identity.hpp"

#include "engine/planted.hpp"
#include "engine/record.hpp"
#include "journal/journal.hpp"
#include "nodes/probe.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <set>

namespace continuo::nodes {

namespace {

constexpr std::string_view starts_key = "mstarts";
constexpr std::string_view lives_key = "mlives";
constexpr std::string_view replaces_key = "mreplaces";
constexpr std::string_view cluster_key = cluster_mark_key;

/// Of lives that are kept. A peer that was last seen more starts ago than this would take the store for a
/// wrong one.
constexpr std::size_t lives_max = 4'096;

/// Reads the store's own values, and keeps the first trouble.
class own_values {
public:
  explicit own_values(const journal::store& from) : from_(&from) {}

  template <class T>
  std::optional<T> read(std::string_view key) {
    const auto bytes = from_->get(key);
    if (!bytes) {
      trouble_ = trouble_ ? trouble_ : bytes.error();
      return std::nullopt;
    }
    if (!*bytes) {
      return std::nullopt;
    }
    auto value = decode<T>(**bytes);
    if (!value) {
      trouble_ = trouble_ ? trouble_
                          : error{value.error().code,
                                  fmt::format("the store's own value {}: {}", key, value.error().message)};
      return std::nullopt;
    }
    return std::move(*value);
  }

  const std::optional<error>& trouble() const { return trouble_; }

private:
  const journal::store* from_;
  std::optional<error> trouble_;
};

template <class T>
journal::operation put(std::string_view key, const T& value) {
  return {journal::operation::kind::put, std::string{key}, encode(value)};
}

result<bool> has_records(const journal::store& store) {
  bool any = false;
  const auto scanned = store.scan("r", [&](std::string_view, std::string_view) {
    any = true;
    return false;
  });
  return scanned ? result<bool>{any} : tl::unexpected(scanned.error());
}

cluster_mark mark_of(const engine::placement& where, const cluster_config& cluster) {
  cluster_mark mark{cluster.name, where.here(), {}, {}};
  for (const auto& node : cluster.nodes) {
    mark.nodes.push_back(node.name);
  }
  std::sort(mark.nodes.begin(), mark.nodes.end());
  for (const auto& [name, nodes] : where.hosts()) {
    auto& sorted = mark.hosts[name] = nodes;
    std::sort(sorted.begin(), sorted.end());
  }
  return mark;
}

/// What in a record would not be where the new placement looks for it; empty if nothing.
std::string misplaced(const engine::record& stored, const engine::placement& where,
                      const std::set<std::string, std::less<>>& nodes) {
  const auto is_instance =
      stored.kind == engine::record_kind::saga || stored.kind == engine::record_kind::keyed;
  const auto node = where.node_of(stored.self);
  if (is_instance && node != where.here()) {
    return fmt::format("{} lives here and would move to {}", to_string(stored.self),
                       node.empty() ? "no node at all" : node);
  }
  const auto look = [&](const auto& entries) -> std::string {
    for (const auto& sent : entries) {
      const auto to = engine::placement::node_in(sent.to.type);
      if (!to.empty() && nodes.find(to) == nodes.end()) {
        return fmt::format("{} waits for {}, and the cluster has no node {} any more", to_string(stored.self),
                           sent.to.type, to);
      }
    }
    return {};
  };
  const auto request = look(stored.requests);
  return request.empty() ? look(stored.outbox) : request;
}

/// A list of hosts may change as long as everything stays where it is.
result<void> check_moves(const journal::store& store, const engine::placement& where,
                         const cluster_mark& now) {
  const std::set<std::string, std::less<>> nodes{now.nodes.begin(), now.nodes.end()};
  result<void> outcome;
  const auto scanned = store.scan("r", [&](std::string_view, std::string_view bytes) {
    const auto stored = decode<engine::record>(bytes);
    if (!stored) {
      outcome = tl::unexpected(stored.error());
    } else if (const auto what = misplaced(*stored, where, nodes); !what.empty()) {
      outcome =
          fail(errc::invalid_configuration,
               fmt::format("the cluster file places things on other nodes than before: {}. Instances do not "
                           "move yet: restore the lists of hosts, and change them when nothing of it is left",
                           what));
    }
    return outcome.has_value();
  });
  return outcome ? scanned : outcome;
}

result<void> check_mark(const journal::store& store, const engine::placement& where, const cluster_mark& now,
                        const std::optional<cluster_mark>& before) {
  const auto refuse = [](std::string what) { return fail(errc::invalid_configuration, std::move(what)); };
  if (before && (before->cluster != now.cluster || before->node != now.node)) {
    return refuse(fmt::format("the data directory belongs to node {} of the cluster \"{}\", and this is {}",
                              before->node, before->cluster,
                              where.is_alone() ? "a node that stands alone"
                                               : fmt::format("node {} of \"{}\"", now.node, now.cluster)));
  }
  if (!before && !where.is_alone()) {
    const auto used = has_records(store);
    if (!used) {
      return tl::unexpected(used.error());
    }
    if (*used) {
      return refuse("the data directory belongs to a node that stood alone: give this node another one");
    }
  }
  const auto moves = before && (before->hosts != now.hosts || before->nodes != now.nodes);
  return moves ? check_moves(store, where, now) : result<void>{};
}

} // namespace

result<identity> begin_life(journal::store& store, const engine::placement& where,
                            const cluster_config& cluster, const std::function<std::uint64_t()>& draw,
                            std::uint64_t new_store) {
  own_values values{store};
  const auto id = values.read<std::uint64_t>(journal::store_id_key);
  const auto revision = values.read<std::uint64_t>(journal::revision_key);
  const auto starts = values.read<std::uint64_t>(starts_key);
  const auto replaces = values.read<std::uint64_t>(replaces_key);
  const auto lives = values.read<std::vector<engine::incarnation>>(lives_key);
  const auto before = values.read<cluster_mark>(cluster_key);
  if (values.trouble()) {
    return tl::unexpected(*values.trouble());
  }
  const auto now = mark_of(where, cluster);
  if (auto checked = check_mark(store, where, now, before); !checked) {
    return tl::unexpected(checked.error());
  }
  identity me;
  me.store = id.value_or(0);
  me.replaces = replaces.value_or(0);
  me.last_revision = revision.value_or(0);
  if (planted("sequence_reused_after_restart")) {
    me.last_revision -= std::min<std::uint64_t>(me.last_revision, 8);
  }
  journal::batch changes;
  if (me.store == 0) {
    me.store = new_store != 0 ? new_store : draw();
    changes.push_back(put(journal::store_id_key, me.store));
  }
  if (!where.is_alone()) {
    me.starts = starts.value_or(0) + 1;
    me.lives = lives.value_or(std::vector<engine::incarnation>{});
    me.lives.push_back({draw(), me.last_revision + 1});
    if (me.lives.size() > lives_max) {
      me.lives.erase(me.lives.begin());
    }
    changes.push_back(put(starts_key, me.starts));
    changes.push_back(put(lives_key, me.lives));
    changes.push_back(put(cluster_key, now));
  }
  if (!changes.empty()) {
    if (auto written = store.commit(changes); !written) {
      return tl::unexpected(written.error());
    }
  }
  return me;
}

result<void> check_own_value(std::string_view key, std::string_view bytes) {
  const auto check = [&](auto value) { return value ? result<void>{} : tl::unexpected(value.error()); };
  if (key == lives_key) {
    return check(decode<std::vector<engine::incarnation>>(bytes));
  }
  if (key == cluster_key) {
    return check(decode<cluster_mark>(bytes));
  }
  const auto is_number = key == journal::store_id_key || key == journal::revision_key || key == starts_key ||
                         key == replaces_key || key == owed_for_key;
  return is_number ? check(decode<std::uint64_t>(bytes)) : result<void>{};
}

std::uint64_t make_store_id(time_point now, std::uint64_t random) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  return (static_cast<std::uint64_t>(seconds) << 32) | (random & 0xffff'ffffu);
}

result<void> accept_loss(journal::store& store, std::uint64_t new_store, std::uint64_t beyond) {
  own_values values{store};
  const auto mark = values.read<cluster_mark>(cluster_key);
  if (values.trouble() || !mark) {
    return tl::unexpected(values.trouble().value_or(error{
        errc::not_found, "no node of a cluster ever ran on this data: start the node once, so that it is "
                         "known which one it is"}));
  }
  // Ids of one sender grow, and a message's id begins with the store's. Starts are counted from a number that
  // the lost life has not come to, so that no connection is named twice.
  const auto id = values.read<std::uint64_t>(journal::store_id_key).value_or(0);
  const auto greater = std::max({new_store, id + 1, beyond + 1});
  return store.commit({put(replaces_key, messages::any_store),
                       put(starts_key, (std::uint64_t{1} << 32) + (greater >> 16)),
                       put(journal::store_id_key, greater),
                       {journal::operation::kind::erase, std::string{lives_key}, {}}});
}

bool is_loopback(const std::string& host) {
  in_addr four{};
  in6_addr six{};
  if (::inet_pton(AF_INET, host.c_str(), &four) == 1) {
    return (ntohl(four.s_addr) >> 24) == 127;
  }
  if (::inet_pton(AF_INET6, host.c_str(), &six) == 1) {
    return IN6_IS_ADDR_LOOPBACK(&six) != 0;
  }
  return host == "localhost";
}

result<engine::placement> place(const cluster_config& cluster, const std::string& here,
                                const std::function<bool(std::string_view name)>& is_offered) {
  engine::placement::hosts_map hosts;
  std::vector<std::string> names;
  for (const auto& node : cluster.nodes) {
    names.push_back(node.name);
    for (const auto& name : node.hosts) {
      if (!is_offered(name)) {
        return fail(
            errc::invalid_configuration,
            fmt::format("{}: this program offers no \"{}\": the programs of all nodes offer everything, and "
                        "the cluster file says where it runs",
                        node.where.empty() ? "the hosts of node " + node.name : node.where, name));
      }
      hosts[name].push_back(node.name);
    }
    for (const auto& host : {node.host, listener_of(node).host}) {
      if (!cluster.tls && !is_loopback(host)) {
        return fail(
            errc::invalid_configuration,
            fmt::format("node {} has the address {}, which others can reach, and TLS is off: that is allowed "
                        "between loopback addresses only",
                        node.name, host));
      }
    }
  }
  if (std::find(names.begin(), names.end(), here) == names.end()) {
    return fail(errc::invalid_configuration,
                fmt::format("the cluster \"{}\" has no node \"{}\"; its nodes are {}", cluster.name, here,
                            fmt::join(names, ", ")));
  }
  return engine::placement{here, std::move(hosts)};
}

} // namespace continuo::nodes
