#pragma once

#include "nodes/caf_filter.hpp"
#include "nodes/tls.hpp"
#include "nodes/tls_session.hpp"

#include <caf/node_id.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace continuo::nodes {

/// Who stands behind the connections of a node: their certificates, the ids under which CAF knows them, and
/// what was said about them in the log. Any thread.
class tls_board {
public:
  tls_board(caf::actor_system& system, tls_transport::terms agreed, tls_context first);

  // -- certificates ------------------------------------------------------------------------
  /// The certificates as they are, or were when they could be read last. Read at most once a second.
  tls_context certificates();

  /// As `tls_transport::tend`.
  void tend();

  // -- connections --------------------------------------------------------------------------
  struct admission {
    caf::node_id id;         ///< no other connection of this process ever has it
    std::string name;        ///< of the peer, for people
    caf_filter::terms terms; ///< of what it may say
  };

  /// Takes in a connection over which `shown` was shown. The socket stays the caller's, until `leave`.
  /// Refuses who proves the name of no peer, and ends the oldest of too many that a peer has opened.
  result<admission> admit(int file, const shared_certificate& shown, bool accepts);
  void leave(const caf::node_id& id);

  // -- how much waits -------------------------------------------------------------------------
  /// Whether more may be read of that connection: not while this system has `untaken_max` of its peer's that
  /// it has not taken. `go_on` is called once when it has, on any thread; it must not call back.
  bool may_read(const caf::node_id& id, const std::function<void()>& go_on);

  /// Frames of such a weight (`caf_filter::weight_of`) are about to be given to this system.
  void gives(const caf::node_id& id, std::size_t weight);

  /// A frame of so many bytes is taken.
  void took(const caf::node_id& id, std::size_t bytes);

  static constexpr std::size_t untaken_max = 32u << 20;

  /// Whether a large message is under way on that connection (`caf_filter::gathers_much`). A node speaks on
  /// one connection at a time, so it has one of these; of a second one the first one's connection ends.
  void gathers(const caf::node_id& id, bool much);

  // -- what is said -----------------------------------------------------------------------------
  void offer(std::uint64_t actor);
  bool is_offered(std::uint64_t actor) const;
  bool speaks_for(const caf::node_id& id, std::string_view name) const;
  bool hang_up(const caf::node_id& id, const std::string& why);

  /// Says it of a peer, of strangers ("?"), or of this node itself (""), unless the same, or very much of
  /// that one, was said within the hour.
  void say_once(log_level level, const std::string& of, const std::string& what);

private:
  using clock = std::chrono::steady_clock;

  struct connection {
    std::vector<std::string> names;
    shared_certificate shown;
    int file = -1; ///< -1: it is closed
    bool accepted = false;
    std::uint64_t number = 0;
    std::string peer;
    std::size_t untaken = 0; ///< weight of what came on it
    bool gathers = false;    ///< much
    clock::time_point closed_at{};
  };

  /// Of all connections of one peer.
  struct flow {
    std::size_t untaken = 0;
    std::vector<std::function<void()>> stopped; ///< the connections that are not read now
  };

  std::string known_name_of(const std::vector<std::string>& names) const;
  caf::node_id next_id();
  void close_oldest_of(const std::string& name);
  void warn_of_ends();
  void release(connection& of, std::size_t weight, std::vector<std::function<void()>>& go_on);
  void forget_lost(std::vector<std::function<void()>>& go_on);

  caf::actor_system* system_;
  const tls_transport::terms agreed_;
  caf_filter::terms filter_terms_; ///< but for the peer's id
  std::array<std::uint8_t, 20> host_{};

  std::mutex reading_; // guards the next two
  tls_context context_;
  clock::time_point read_at_ = clock::now();

  mutable std::mutex mutex_; // guards what follows
  std::uint64_t connections_made_ = 0;
  std::map<caf::node_id, connection> connections_;
  std::deque<caf::node_id> closed_;   ///< oldest first; what came on them may wait in a mailbox still
  std::map<std::string, flow> flows_; ///< by peer
  std::set<std::uint64_t> offered_;
  std::map<std::string, std::set<std::string>> said_; ///< by whom it is about
  clock::time_point saying_since_;
  clock::time_point tended_at_;
  std::optional<clock::time_point> warned_at_;
};

} // namespace continuo::nodes
