#pragma once

#include "config/cluster_file.hpp"
#include "tools/node_process.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace continuo::tools {

/// What can be said of one node from outside.
struct node_state {
  const config::node_entry* entry = nullptr;
  std::filesystem::path token_file;    ///< for who is asked, whoever it is; empty: that of the cluster file
  std::optional<process_mark> process; ///< as its pid file names it
  std::optional<pid_t> holder;         ///< who holds its data directory, where no pid file names a process
  bool ready = false;                  ///< it takes calls
  bool answers = false;                ///< whether it is ready
  bool is_hidden = false;  ///< nobody here can say: its pid file cannot be read, or the token is refused
  bool is_strange = false; ///< something answers at its address that is no node
  std::string why;         ///< it is not ready, or hidden
  nlohmann::json peers;    ///< the others as it sees them; null where it does not say

  /// "ready", "not ready" (it runs), "unknown" (it may run, and may be ready), or "down".
  std::string_view word() const;
};

/// Commands that wait at one service, added up over all nodes that answered.
struct service_state {
  std::string name;
  std::vector<std::string> nodes;
  bool paused = false; ///< by an operator
  std::uint64_t waiting = 0;
  std::optional<std::chrono::system_clock::time_point> oldest;
};

struct cluster_state {
  std::vector<node_state> nodes;
  std::vector<service_state> services;                                   ///< empty where no node answered
  std::map<std::string, std::map<std::string, std::uint64_t>> instances; ///< by type, by status
  std::vector<std::string> silent; ///< nodes that run and did not say what they hold

  const node_state* find(std::string_view name) const; ///< null: the cluster file has none of that name
};

/// Whether the node takes calls: by `/readyz`; of one without an HTTP address, whether it listens for its
/// peers. Takes at most about a second.
void look_at(node_state& node);

/// Everything. Asks each node that is ready over HTTP.
cluster_state look_at_all(const config::cluster_file& file, const std::filesystem::path& token_file);

/// For people, and for scripts.
std::string text_of(const cluster_state& state, const std::string& cluster);
nlohmann::ordered_json json_of(const cluster_state& state, const std::string& cluster);

} // namespace continuo::tools
