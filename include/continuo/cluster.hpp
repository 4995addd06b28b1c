#pragma once

#include <continuo/file_path.hpp>
#include <continuo/result.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace continuo {

/// What a node shows to clients that speak HTTPS, as PEM files. They are read at start, and again for later
/// connections.
struct http_certificate {
  file_path certificate; ///< the node's own; behind it those of authorities that stand above it
  file_path key;

  friend bool operator==(const http_certificate&, const http_certificate&) = default;
};

/// Where a node answers HTTP.
struct http_address {
  /// Where clients reach it: an IP address or a host name. It listens there unless `listen_host` and
  /// `listen_port` say otherwise.
  std::string host = "127.0.0.1";
  std::uint16_t port = 0; ///< 0: the system chooses one
  /// A file whose first line is what clients must send as `Authorization: Bearer`. Empty: nothing, which is
  /// allowed for loopback addresses only. Read at start.
  file_path token_file{};
  /// Where others cannot reach the address: whether nothing is asked for if there is no such file. Else that
  /// is an error.
  bool token_may_be_missing = false;
  std::string listen_host{};     ///< empty: `host`; `0.0.0.0` and `::` are all addresses of the machine
  std::uint16_t listen_port = 0; ///< 0: `port`
  std::optional<http_certificate> tls{}; ///< empty: it speaks plain HTTP

  friend bool operator==(const http_address&, const http_address&) = default;
};

/// A service of which an HTTP endpoint does the work, whatever handlers of commands the program has for it.
/// See `service::calls_http`.
struct http_service {
  std::string url; ///< each command is a POST to URL/<command type>; `http://HOST:PORT` or with a path
  std::optional<std::chrono::milliseconds> timeout{}; ///< of one call; empty: as the service's retry policy
  std::optional<std::uint32_t> connections{};         ///< calls at a time; empty: the service's concurrency
  std::optional<std::uint32_t> attempts{};            ///< in all; empty: as the service's retry policy
  std::string where{}; ///< where it was written down, for errors: `FILE:LINE: KEY`

  friend bool operator==(const http_service&, const http_service&) = default;
};

/// One node of a cluster, as every other node has to know it.
struct cluster_node {
  std::string name; ///< unique in the cluster; letters, digits, `-` and `_`
  /// Where its peers reach it: an IP address or a host name. It listens there unless `listen_host` and
  /// `listen_port` say otherwise.
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::vector<std::string> hosts;     ///< names of the sagas and services that run there; none: it only takes
                                      ///< in what clients send
  std::optional<http_address> http{}; ///< empty: it answers no HTTP
  std::string where{};                ///< where `hosts` were written down, for errors: `FILE:LINE: KEY`
  std::string listen_host{};          ///< empty: `host`; `0.0.0.0` and `::` are all addresses of the machine
  std::uint16_t listen_port = 0;      ///< 0: `port`

  friend bool operator==(const cluster_node&, const cluster_node&) = default;
};

/// The certificates of one node, as PEM files. Every node of the cluster presents one that an authority of
/// `authority` has signed, and that has the node's name (subjectAltName, a DNS name); a peer without is
/// refused, and one that was revoked. The files are read again while the node runs.
struct tls_files {
  file_path certificate;
  file_path key;
  file_path authority; ///< one certificate or several, as while one takes the place of another
  file_path revoked{}; ///< their lists of revoked certificates (CRL); empty, or no such file: none was

  friend bool operator==(const tls_files&, const tls_files&) = default;
};

/// The cluster that a node belongs to. Every node of a cluster is given the same name, nodes and hosts: nodes
/// that differ in it refuse each other.
struct cluster_config {
  std::string name;
  std::vector<cluster_node> nodes; ///< in a fixed order; this node among them

  /// Empty: connections are neither encrypted nor authenticated, which is allowed between loopback addresses
  /// only.
  std::optional<tls_files> tls;

  /// How often the connections of idle peers are probed, and how long a peer may be silent before it is
  /// treated as gone. At least 1 s each, at most 1 h and 24 h; the same on all nodes.
  std::chrono::milliseconds heartbeat{1'000};
  std::chrono::milliseconds silence{4'000};

  /// The longest wait between two attempts to reach a peer: from 1 ms to 1 h.
  std::chrono::milliseconds redial_cap{1'000};

  /// After this time a command of an idempotent stateless service leaves a node that is down for another one.
  /// At least 0; `max()`: never.
  std::chrono::milliseconds move_after{30'000};

  friend bool operator==(const cluster_config&, const cluster_config&) = default;
};

/// What a node sees of one of its peers. A snapshot.
struct peer_status {
  std::string name;
  bool up = false;
  std::chrono::system_clock::time_point since; ///< it is up, or down
  std::string last_error;                      ///< why it could not be reached, or was refused
  std::string version;                         ///< of its program; empty before it was reached
  std::uint64_t waiting = 0;                   ///< messages that wait for its credit
  std::uint64_t unanswered = 0;                ///< units of credit that it has not given back
  std::uint64_t connections = 0;               ///< in this life of the node
};

} // namespace continuo
