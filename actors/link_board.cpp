#include "actors/link_board.hpp"

#include <algorithm>

namespace continuo::actors {

void link_board::add(const std::string& peer, time_point now) {
  const std::lock_guard lock{mutex_};
  auto& added = peers_[peer];
  added.view.name = peer;
  added.view.since = now;
}

void link_board::learn_store(std::uint64_t store, const std::string& peer) {
  const std::lock_guard lock{mutex_};
  stores_.try_emplace(store, peer);
}

void link_board::went_up(const std::string& peer, const std::string& version, time_point now) {
  const std::lock_guard lock{mutex_};
  auto& entry = peers_[peer];
  entry.view.up = true;
  entry.view.since = now;
  entry.view.last_error.clear();
  entry.view.version = version;
  ++entry.view.connections;
  entry.settled = true;
  entry.disagreement.clear();
  judge();
  changed_.notify_all();
}

void link_board::went_down(const std::string& peer, const std::string& why, time_point now) {
  const std::lock_guard lock{mutex_};
  auto& entry = peers_[peer];
  if (entry.view.up) {
    entry.view.since = now;
  }
  entry.view.up = false;
  entry.view.last_error = why;
  entry.view.waiting = 0;
  entry.view.unanswered = 0;
  judge();
}

void link_board::disagrees(const std::string& peer, const std::string& why) {
  const std::lock_guard lock{mutex_};
  peers_[peer].disagreement = why;
  judge();
}

void link_board::unreachable(const std::string& peer, const std::string& why, time_point now) {
  went_down(peer, why, now);
  const std::lock_guard lock{mutex_};
  peers_[peer].disagreement.clear();
  judge();
}

void link_board::judge() {
  apart_.clear();
  for (const auto& [name, entry] : peers_) {
    if (entry.view.up) {
      apart_.clear();
      break;
    }
    apart_ = entry.disagreement.empty() ? apart_ : entry.disagreement;
  }
  is_apart_ = !apart_.empty();
}

std::optional<std::string> link_board::stands_apart() const {
  if (!is_apart_) {
    return std::nullopt;
  }
  const std::lock_guard lock{mutex_};
  return apart_; // "" at worst, where a peer came up in between
}

void link_board::note(const std::string& peer, std::uint64_t waiting, std::uint64_t unanswered) {
  const std::lock_guard lock{mutex_};
  auto& entry = peers_[peer];
  entry.view.waiting = waiting;
  entry.view.unanswered = unanswered;
}

void link_board::settled(const std::string& peer) {
  const std::lock_guard lock{mutex_};
  peers_[peer].settled = true;
  changed_.notify_all();
}

void link_board::wait_for_all(std::chrono::milliseconds time) {
  std::unique_lock lock{mutex_};
  changed_.wait_for(lock, time, [this] {
    return closed_ ||
           std::all_of(peers_.begin(), peers_.end(), [](const auto& peer) { return peer.second.settled; });
  });
}

void link_board::close() {
  const std::lock_guard lock{mutex_};
  closed_ = true;
  changed_.notify_all();
}

bool link_board::is_up(std::string_view peer) const {
  const std::lock_guard lock{mutex_};
  const auto found = peers_.find(peer);
  return found != peers_.end() && found->second.view.up;
}

std::string_view link_board::peer_of_store(std::uint64_t store) const {
  const std::lock_guard lock{mutex_};
  const auto found = stores_.find(store);
  return found == stores_.end() ? std::string_view{} : std::string_view{found->second};
}

std::vector<peer_status> link_board::all() const {
  const std::lock_guard lock{mutex_};
  std::vector<peer_status> views;
  for (const auto& [name, entry] : peers_) {
    views.push_back(entry.view);
  }
  return views;
}

} // namespace continuo::actors
