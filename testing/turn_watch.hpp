#pragma once

#include "engine/moment.hpp"
#include "engine/service_pause.hpp"
#include "journal/store.hpp"
#include "messages/envelope.hpp"

#include <continuo/definition.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace continuo::testing {

/// Looks from outside at when handlers of stateless services begin and return, and holds it against what
/// their definitions and the operators say: concurrency, rate, keys, pauses. It sees what a node hands to its
/// pool and what it makes durable, and counts by itself, over all lives of a node.
class turn_watch {
public:
  explicit turn_watch(std::function<void(const std::string& what)> broken) : broken_(std::move(broken)) {}

  // -- what happens ----------------------------------------------------------------------------------------
  /// A life of a node begins with what is on its disk.
  void lives(const std::string& node, const journal::store& disk);
  /// A life has ended, and the handlers that ran in it.
  void dies(const std::string& node) { nodes_[node].running.clear(); }
  void commits(const std::string& node, const journal::batch& changes, std::int64_t now_ns);
  /// The node stands still for now: what it has been told reaches its services later.
  void stands(const std::string& node, std::int64_t now_ns) { nodes_[node].stood_ns = now_ns; }
  /// A handler begins; `of` says what the limits of its service are there.
  void begins(const std::string& node, const detail::service_type& of, const messages::envelope& message,
              std::int64_t now_ns);
  void returns(const std::string& node, const message_id& id);

private:
  struct paused_since {
    std::int64_t ns = 0;
    bool at_start = false; ///< of the life: nothing may begin in it
  };

  struct run {
    std::string service;
    std::string key;
  };

  struct watched_node {
    std::multimap<message_id, run> running;
    std::map<std::string, std::deque<std::int64_t>, std::less<>> starts; ///< by service, the newest last
    std::map<std::string, paused_since, std::less<>> paused;
    std::int64_t stood_ns = 0;
  };

  void check_rate(const std::string& node, const detail::service_type& of, std::deque<std::int64_t>& starts);
  void check_pause(const std::string& node, const std::string& service, std::int64_t now_ns);

  std::function<void(const std::string& what)> broken_;
  std::map<std::string, watched_node, std::less<>> nodes_;
};

} // namespace continuo::testing
