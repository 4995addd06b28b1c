#pragma once

#include <continuo/result.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

/// Plain calls from process to process, for the program that does without Continuo: a connection for each
/// call, one line there, one line back.
namespace order_fulfilment {

/// No line of a call is longer.
inline constexpr std::size_t call_bytes_max = 16 * 1024;

/// Where a server listens.
struct endpoint {
  std::string host{};
  std::uint16_t port = 0;

  /// Reads `HOST:PORT`. Errors: `invalid_configuration`.
  static continuo::result<endpoint> parse(const std::string& text);
};

/// Makes one call and returns its answer. Errors: `timed_out`, `unavailable` (no connection, or it broke).
/// After either the call may have been carried out all the same, or may be later. Does not block longer than
/// `timeout`, but for looking up a host that is no address.
continuo::result<std::string> call(const endpoint& server, const std::string& line,
                                   std::chrono::milliseconds timeout);

/// Answers calls on the loopback interface, at most `threads` of them at a time; more wait in the kernel.
class call_server {
public:
  /// May be called from any thread of the server, and may block. Must not throw.
  using handler = std::function<std::string(const std::string&)>;

  /// Listens; a port of 0 is chosen by the kernel. Errors: `address_in_use`, `unavailable`.
  static continuo::result<std::unique_ptr<call_server>> start(std::uint16_t port, std::size_t threads,
                                                              handler answer);

  /// Takes no more calls, and returns when those in hand are answered.
  ~call_server();
  call_server(const call_server&) = delete;
  call_server& operator=(const call_server&) = delete;

  std::uint16_t port() const { return port_; }

private:
  call_server() = default;
  void serve() const;

  int listening_ = -1;
  int stopping_ = -1; // an eventfd: readable from when the server is to stop
  std::uint16_t port_ = 0;
  handler answer_;
  std::vector<std::jthread> threads_;
};

} // namespace order_fulfilment
