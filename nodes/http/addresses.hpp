#pragma once

#include <continuo/result.hpp>

#include <boost/asio/ip/tcp.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace continuo::http {

using addresses = std::vector<boost::asio::ip::tcp::endpoint>;

/// The addresses of a host: an IP address, or a name that is looked up. Blocks until the deadline at most. A
/// name server may be silent for longer: of 64 look-ups at the same time the next one waits for its place.
/// `errc::timed_out` where the name was not found by then, `errc::handler_failed` where nobody knows it,
/// `errc::unavailable` once `stopping` is set. Each a sentence without the name.
result<addresses> addresses_of(const std::string& host, std::uint16_t port,
                               std::chrono::steady_clock::time_point deadline,
                               const std::atomic<bool>& stopping);

} // namespace continuo::http
