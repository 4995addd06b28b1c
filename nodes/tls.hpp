#pragma once

#include <continuo/cluster.hpp>
#include <continuo/result.hpp>

#include <continuo/context.hpp>

#include <caf/actor.hpp>
#include <caf/actor_control_block.hpp>
#include <caf/actor_system.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>

namespace continuo::nodes {

/// TLS under CAF's middleman, in place of caf_openssl: of 0.17.6 an error on one connection ends any other
/// one (OpenSSL's queue of errors is never cleared), a handshake under way keeps a processor busy and its
/// descriptor may never be closed, and certificates that cannot be read at a connection end the process.
/// Both sides show a certificate that `tls_files::authority` has signed, with the name of a node in it: so it
/// is known who speaks on a connection. CAF sees of what a peer says only what `caf_filter` lets through.
/// Any thread.
class tls_transport {
public:
  struct terms {
    tls_files files;
    std::set<std::string, std::less<>> peers; ///< names of nodes; others are refused
    /// Beyond so many connections that came in and have not said anything yet the oldest ones are dropped.
    std::size_t strangers = 64;
    /// Where its broker ends otherwise than in order; any thread.
    std::function<void(const error&)> failed;
    /// What somebody should know; any thread. May be empty.
    std::function<void(log_level, const std::string&)> log;
  };

  /// Reads the certificates. They are read again for later connections, and by `tend`; where that fails, the
  /// last ones that could be read stay. Errors: `invalid_configuration`.
  static result<std::shared_ptr<tls_transport>> start(caf::actor_system& system, terms agreed);

  ~tls_transport();
  tls_transport(const tls_transport&) = delete;
  tls_transport& operator=(const tls_transport&) = delete;

  /// Takes the messages of CAF's middleman actor (`connect_atom`, `publish_atom`). It connects only where
  /// `prepare` did before: it never blocks.
  const caf::actor& broker() const { return broker_; }

  /// Connects to the address of the node `name`, for which it has `time`, and shakes hands, so that the
  /// broker finds the connection when it is asked for it. Blocks for as long and at most 3 s more, but not
  /// beyond `stop`. Who has no certificate of that name is refused.
  result<void> prepare(const std::string& name, const std::string& host, std::uint16_t port,
                       std::chrono::milliseconds time);

  /// Closes what was prepared and the broker did not come for.
  void forget(const std::string& host, std::uint16_t port);

  // -- who speaks: see `actors::connector` ------------------------------------------------------
  void offer(const caf::actor& to_peers);
  bool speaks_for(const caf::strong_actor_ptr& sender, std::string_view name) const;
  bool hang_up(const caf::strong_actor_ptr& sender, const std::string& why);
  void taken(const caf::strong_actor_ptr& sender, std::size_t bytes);

  /// Reads the certificates again, at most once in 5 s, ends the connections of peers whose certificates were
  /// revoked, and warns once a day where a certificate of this node ends within 30 days.
  void tend();

  /// Ends the broker; its connections end with the system.
  void stop();

private:
  class state;
  explicit tls_transport(std::shared_ptr<state> inside);

  std::shared_ptr<state> inside_;
  caf::actor broker_;
};

} // namespace continuo::nodes
