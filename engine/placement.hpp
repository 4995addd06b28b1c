#pragma once

#include <continuo/ids.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace continuo::engine {

/// Which node an instance lives on. Sagas and keyed services are placed by rendezvous hashing (Thaler and
/// Ravishankar, 1996) over the nodes that the cluster lists for them, up or down; so every node computes the
/// same place, and an instance whose node is down waits. A stateless service has an address on each of its
/// nodes, `name@node`: what handles a command is part of the command's entry in its sender's record. Filled
/// at start, then only read, from any thread.
class placement {
public:
  using hosts_map = std::map<std::string, std::vector<std::string>, std::less<>>;

  /// A node that stands alone: everything is here, and services have no node in their address.
  placement() = default;

  /// `hosts` holds the nodes of each saga and service.
  placement(std::string here, hosts_map hosts) : here_(std::move(here)), hosts_(std::move(hosts)) {}

  // -- queries ---------------------------------------------------------------------
  bool is_alone() const { return here_.empty(); }
  const std::string& here() const { return here_; }
  const hosts_map& hosts() const { return hosts_; }

  /// Whether a saga or service runs on this node, perhaps beside others.
  bool runs_here(std::string_view name) const;

  /// The node of a saga's or keyed service's instance, or of a service's address. Empty where nothing hosts
  /// it, and for the built-in types, which live where they were made.
  std::string_view node_of(const instance_id& id) const;

  /// The address of a stateless service for a message of `sender`: on this node if it runs here; else on the
  /// live node that is first by rendezvous hashing of the sender, so that a sender stays with its node; if
  /// none is live, on the first of all.
  std::string address(std::string_view service, const instance_id& sender,
                      const std::function<bool(std::string_view node)>& is_live) const;

  /// The address of a service on a node.
  static std::string address_on(std::string_view service, std::string_view node);

  /// The service behind an address; the name itself where it has no node.
  static std::string_view service_of(std::string_view address);

  /// The node in an address; empty where it has none.
  static std::string_view node_in(std::string_view address);

  /// Equal for nodes that place everything alike.
  std::uint64_t hash() const;

private:
  std::string here_;
  hosts_map hosts_;
};

/// The weight of `node` for an instance: the node of the greatest weight hosts it. Part of the protocol
/// between nodes, and of what data directories rest on: it never changes.
std::uint64_t rendezvous_weight(std::string_view node, const instance_id& id);

} // namespace continuo::engine
