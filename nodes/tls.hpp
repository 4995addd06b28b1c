#pragma once

#include <continuo/cluster.hpp>
#include <continuo/result.hpp>

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace continuo::nodes {

/// TLS under CAF's middleman, in place of caf_openssl: of 0.17.6 an error on one connection ends any other
/// one (OpenSSL's queue of errors is never cleared), a handshake under way keeps a processor busy and its
/// descriptor may never be closed, and certificates that cannot be read at a connection end the process.
/// Both sides show a certificate that `tls_files::authority` has signed. Any thread.
class tls_transport {
public:
  /// Reads the certificates. They are read again for later connections; where that fails, the last ones that
  /// could be read stay. Where its broker ends otherwise than in order it calls `failed`, from any thread.
  /// Beyond `strangers` connections that came in and have not said anything yet the oldest ones are dropped.
  /// Errors: `invalid_configuration`.
  static result<std::shared_ptr<tls_transport>> start(caf::actor_system& system, const tls_files& files,
                                                      std::size_t strangers,
                                                      const std::function<void(const error&)>& failed);

  ~tls_transport();
  tls_transport(const tls_transport&) = delete;
  tls_transport& operator=(const tls_transport&) = delete;

  /// Takes the messages of CAF's middleman actor (`connect_atom`, `publish_atom`). It connects only where
  /// `prepare` did before: it never blocks.
  const caf::actor& broker() const { return broker_; }

  /// Connects to an address, for which it has `time`, and shakes hands, so that the broker finds the
  /// connection when it is asked for it. Blocks for as long and at most 3 s more, but not beyond `stop`.
  result<void> prepare(const std::string& host, std::uint16_t port, std::chrono::milliseconds time);

  /// Closes what was prepared and the broker did not come for.
  void forget(const std::string& host, std::uint16_t port);

  /// Ends the broker; its connections end with the system.
  void stop();

private:
  class state;
  explicit tls_transport(std::shared_ptr<state> inside);

  std::shared_ptr<state> inside_;
  caf::actor broker_;
};

} // namespace continuo::nodes
