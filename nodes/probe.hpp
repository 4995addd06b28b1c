#pragma once

#include <continuo/cluster.hpp>
#include <continuo/result.hpp>

#include <chrono>
#include <cstdint>
#include <string>

namespace continuo::nodes {

/// A host with a port to listen at.
struct listener {
  std::string host;
  std::uint16_t port = 0;
};

/// Where it listens, which may be elsewhere than where others reach it.
listener listener_of(const cluster_node& node);
listener listener_of(const http_address& at);

/// Whether somebody accepts TCP connections at the address: connects, and closes again. Blocks for at most
/// `time`, a slow name server aside. `errc::unavailable` with the reason where nobody does.
result<void> probe(const std::string& host, std::uint16_t port, std::chrono::milliseconds time);

/// The same, and keeps the connection: its descriptor, which does not block, is the caller's to close.
result<int> open_connection(const std::string& host, std::uint16_t port, std::chrono::milliseconds time);

/// Whether this process can listen at the address: listens, and stops again. `errc::address_in_use`,
/// `errc::invalid_configuration` where this user may not, or `errc::unavailable` for what may pass: the name
/// cannot be resolved, or the address is none of this machine. A slow name server makes it block.
result<void> try_to_listen(const std::string& host, std::uint16_t port);

/// Why it cannot, in those codes, by the number of the system.
error listen_failure(const std::string& host, std::uint16_t port, int number);

/// The same where the name has no address, which `reason` explains.
error unknown_host(const std::string& host, std::uint16_t port, const std::string& reason);

} // namespace continuo::nodes
