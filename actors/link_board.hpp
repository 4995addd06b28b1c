#pragma once

#include <continuo/cluster.hpp>
#include <continuo/context.hpp>
#include <continuo/result.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace continuo::actors {

/// What the links know that others ask for: which peers are up, and which store stands behind which peer.
/// Written by the links, read by any thread.
class link_board {
public:
  /// Adds a peer of which nothing is known yet.
  void add(const std::string& peer, time_point now);

  /// Which store a peer has. A peer that lost its store keeps the old one beside it. What is kept of peers is
  /// told before an actor of the node runs.
  void learn_store(std::uint64_t store, const std::string& peer);

  void went_up(const std::string& peer, const std::string& version, time_point now);
  void went_down(const std::string& peer, const std::string& why, time_point now);

  /// The peer and this node do not go together as they are configured. Holds until the peer goes up or cannot
  /// be reached.
  void disagrees(const std::string& peer, const std::string& why);
  void unreachable(const std::string& peer, const std::string& why, time_point now);

  /// Why this node must take in nothing: of the peers that can be reached none goes together with it, so that
  /// others may hold what it takes for its own. Nothing where one does, or none is reached.
  std::optional<std::string> stands_apart() const;
  void note(const std::string& peer, std::uint64_t waiting, std::uint64_t unanswered);

  /// The first attempt to reach the peer is over, well or not.
  void settled(const std::string& peer);

  /// Blocks until every peer is settled, or the time is over.
  void wait_for_all(std::chrono::milliseconds time);

  /// Ends all waiting.
  void close();

  bool is_up(std::string_view peer) const;

  /// The peer of a store; empty where it is not known. The view stays valid as long as the board.
  std::string_view peer_of_store(std::uint64_t store) const;

  std::vector<peer_status> all() const;

private:
  struct entry {
    peer_status view;
    bool settled = false;
    std::string disagreement;
  };

  void judge();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, entry, std::less<>> peers_;
  std::unordered_map<std::uint64_t, std::string> stores_; // entries are never removed
  bool closed_ = false;
  std::string apart_;
  std::atomic<bool> is_apart_{false}; // so that who asks for each message takes no lock
};

} // namespace continuo::actors
