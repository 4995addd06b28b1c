#include "engine/placement.hpp"

#include "engine/mix.hpp"

#include <algorithm>

namespace continuo::engine {

namespace {

constexpr std::uint64_t fnv_offset = 0xcbf29ce484222325ULL;
constexpr std::uint64_t fnv_prime = 0x100000001b3ULL;

/// FNV-1a (Fowler, Noll, Vo), 64 bits; a zero byte ends each text.
std::uint64_t fnv(std::uint64_t hash, std::string_view text) {
  for (const char byte : text) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * fnv_prime;
  }
  return hash * fnv_prime;
}

template <class Wanted>
std::string_view heaviest(const std::vector<std::string>& nodes, const instance_id& id, Wanted&& wanted) {
  std::string_view best;
  std::uint64_t weight = 0;
  for (const auto& node : nodes) {
    if (!wanted(node)) {
      continue;
    }
    const auto its = nodes.size() == 1 ? 0 : rendezvous_weight(node, id);
    if (best.empty() || its > weight || (its == weight && std::string_view{node} < best)) {
      best = node;
      weight = its;
    }
  }
  return best;
}

} // namespace

std::uint64_t rendezvous_weight(std::string_view node, const instance_id& id) {
  return mixed(fnv(fnv(fnv(fnv_offset, node), id.type), id.key)); // FNV alone spreads its low bits badly
}

bool placement::runs_here(std::string_view name) const {
  if (is_alone()) {
    return true;
  }
  const auto found = hosts_.find(name);
  return found != hosts_.end() &&
         std::find(found->second.begin(), found->second.end(), here_) != found->second.end();
}

std::string_view placement::node_of(const instance_id& id) const {
  if (const auto node = node_in(id.type); !node.empty()) {
    return node;
  }
  const auto found = hosts_.find(id.type);
  if (found == hosts_.end()) {
    return {};
  }
  return heaviest(found->second, id, [](const std::string&) { return true; });
}

std::string placement::address(std::string_view service, const instance_id& sender,
                               const std::function<bool(std::string_view)>& is_live) const {
  const auto found = hosts_.find(service);
  if (is_alone() || found == hosts_.end()) {
    return std::string{service};
  }
  if (runs_here(service)) {
    return address_on(service, here_);
  }
  auto node =
      heaviest(found->second, sender, [&](const std::string& one) { return is_live && is_live(one); });
  if (node.empty()) {
    node = heaviest(found->second, sender, [](const std::string&) { return true; });
  }
  return address_on(service, node);
}

std::string placement::address_on(std::string_view service, std::string_view node) {
  std::string address{service};
  if (!node.empty()) {
    address += '@';
    address += node;
  }
  return address;
}

std::string_view placement::service_of(std::string_view address) {
  return address.substr(0, address.find('@'));
}

std::string_view placement::node_in(std::string_view address) {
  const auto at = address.find('@');
  return at == std::string_view::npos ? std::string_view{} : address.substr(at + 1);
}

std::uint64_t placement::hash() const {
  auto hash = fnv_offset;
  for (const auto& [name, nodes] : hosts_) {
    hash = fnv(hash, name);
    auto sorted = nodes; // their order decides nothing
    std::sort(sorted.begin(), sorted.end());
    for (const auto& node : sorted) {
      hash = fnv(hash, node);
    }
    hash = fnv(hash, {});
  }
  return mixed(hash);
}

} // namespace continuo::engine
