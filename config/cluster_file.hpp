#pragma once

#include <continuo/cluster.hpp>
#include <continuo/node.hpp>
#include <continuo/result.hpp>

#include <caf/settings.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace continuo::config {

/// More nodes than that are refused.
inline constexpr std::size_t nodes_max = 256;

/// The bounds of one node, as `node_config` has them and with its defaults: what `[nodes.NAME]` says, else
/// what
/// `[node]` says.
struct node_limits {
  std::uint32_t in_flight = 10'000;
  std::uint32_t instances_in_memory = 10'000;
  std::uint32_t shards = 4;
  std::uint64_t disk_reserve = 256u << 20; ///< bytes
  std::uint64_t store_memory = 128u << 20; ///< bytes
  std::chrono::hours keep_ended{7 * 24};
  bool history = true;
  std::filesystem::path trace_folder{}; ///< absolute; empty: none
  std::string trace_url{};

  std::uint32_t handler_attempts = 3;
  std::chrono::milliseconds handler_delay{100};
  std::string log_level = "info";        ///< trace, debug, info, warn, error, critical or off
  std::filesystem::path backup_folder{}; ///< absolute

  friend bool operator==(const node_limits&, const node_limits&) = default;
};

/// How a client of HTTPS knows whom it speaks with.
struct http_trust {
  std::filesystem::path
      authority;    ///< that has signed the certificate; absolute; empty: one that the system knows
  std::string name; ///< that the certificate is for: a DNS name or an IP address

  friend bool operator==(const http_trust&, const http_trust&) = default;
};

/// One node of a cluster file. Its paths are absolute.
struct node_entry {
  cluster_node seen_by_peers;
  std::filesystem::path data;
  std::filesystem::path program;                  ///< that runs it; empty if the file names none
  std::vector<std::string> arguments;             ///< of the program, behind those that the node itself needs
  std::map<std::string, std::string> environment; ///< added to what the program inherits
  node_limits limits;
  std::optional<http_trust> trust{}; ///< empty: its HTTP is plain, or it has none
  unsigned line = 0;                 ///< of its section
};

/// What a cluster file says, complete: what it leaves out has its default.
struct cluster_file {
  std::filesystem::path file; ///< absolute
  cluster_config cluster;     ///< without `tls`, which is different on each node: see `certificates_of`
  bool tls = true;
  std::filesystem::path certificates;           ///< the folder; absolute, need not exist
  std::filesystem::path token_file;             ///< of all HTTP addresses; absolute, need not exist
  std::vector<node_entry> nodes;                ///< in the order of their sections, as in `cluster.nodes`
  std::map<std::string, http_service> services; ///< that HTTP endpoints answer, by name
  std::vector<schedule> schedules;              ///< in the order of their sections
  std::map<std::string, continuo::service_limits> service_limits; ///< by name of the service
  caf::settings caf; ///< what stands in [scheduler], [work-stealing] and [middleman]

  /// The node of that name, or null. It lives as long as this object.
  const node_entry* find(std::string_view name) const;

  /// The files of that node: NAME.pem, NAME.key, ca.pem and revoked.pem in `certificates`. They need not
  /// exist.
  tls_files certificates_of(std::string_view name) const;

  /// Whether that node shows its certificate of `certificates`, to its peers or to clients of HTTP.
  bool shows_certificate(const node_entry& node) const;
};

/// Reads a cluster file and checks all of it. Relative paths in it are taken from its own folder. Nothing but
/// the file is looked at, and nothing is created.
///
/// Errors: `invalid_configuration`, with one line `FILE:LINE: KEY: what is wrong; what would be right` for
/// each mistake, in the order of lines; but where the text cannot be taken apart (see `scan`) only for the
/// first one. What is missing has the line of the section where it belongs. A file that cannot be read has no
/// line.
result<cluster_file> read_cluster_file(const std::filesystem::path& file);

/// The same for a text that was read from `file`, which is not touched.
result<cluster_file> parse_cluster_file(std::string_view text, const std::filesystem::path& file);

/// How that node of the cluster runs: name, cluster with its certificates (if `tls`), data directory, HTTP
/// address, limits, HTTP services, schedules and CAF's settings. The logger, with its level, is for the
/// caller to make. Errors: `invalid_configuration` if there is no such node; names those there are.
result<node_config> node_config_of(const cluster_file& file, const std::string& node);

} // namespace continuo::config
