#pragma once

#include <continuo/result.hpp>

#include <chrono>
#include <cstdint>
#include <string>

namespace continuo::nodes {

/// Whether somebody accepts TCP connections at the address: connects, and closes again. Blocks for at most
/// `time`, a slow name server aside. `errc::unavailable` with the reason where nobody does.
result<void> probe(const std::string& host, std::uint16_t port, std::chrono::milliseconds time);

/// The same, and keeps the connection: its descriptor, which does not block, is the caller's to close.
result<int> open_connection(const std::string& host, std::uint16_t port, std::chrono::milliseconds time);

} // namespace continuo::nodes
