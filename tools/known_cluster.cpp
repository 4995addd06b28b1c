#include "tools/known_cluster.hpp"

#include "config/values.hpp"

#include <fmt/format.h>

namespace continuo::tools {

namespace {

/// The same for each way to write an address; empty for what no cluster file can hold.
std::string key_of(const node_address& at) {
  const auto found = config::read_endpoint(text_of(at));
  return found ? found->key : std::string{};
}

} // namespace

result<std::optional<config::cluster_file>> read_known_cluster(const std::filesystem::path& file) {
  if (file.empty() && !std::filesystem::exists(default_configuration)) {
    return std::optional<config::cluster_file>{};
  }
  return config::read_cluster_file(file.empty() ? default_configuration : file)
      .map([](config::cluster_file&& read) { return std::optional{std::move(read)}; });
}

result<node_address> find_address(const std::optional<config::cluster_file>& known, std::string_view url) {
  auto named = read_node_address(url);
  if (!named || !known) {
    return named;
  }
  for (const auto& node : known->nodes) {
    if (!node.seen_by_peers.http) {
      continue;
    }
    auto at = address_of(node);
    if (key_of(at).empty() || key_of(at) != key_of(*named)) {
      continue;
    }
    if (url.find("://") != std::string_view::npos && at.trust.has_value() != named->trust.has_value()) {
      return fail(errc::invalid_configuration, fmt::format("the node's address \"{}\" is {} in {}", url,
                                                           url_of(at), known->file.string()));
    }
    return at;
  }
  return named;
}

} // namespace continuo::tools
