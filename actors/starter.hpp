#pragma once

#include "actors/core.hpp"

#include <continuo/node.hpp>

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace continuo::actors {

struct starter_state {
  recovery_figures found;
  std::string cursor;                             ///< the last key that was read
  std::vector<std::deque<instance_id>> to_wake;   ///< by shard
  std::size_t remembered = 0;                     ///< in all of `to_wake`
  std::vector<std::deque<std::string>> to_define; ///< names of schedules, by shard
  std::string wake_from; ///< where to read on for those that were too many to remember; empty: nowhere
  std::size_t open_portions = 0;                 ///< handed out, and not confirmed
  std::map<std::string, std::uint64_t> homeless; ///< records of what nothing here hosts, by type
  std::map<std::string, std::uint64_t> unhosted; ///< messages for what no node hosts, by its type
  enum class phase : std::uint8_t { reading, waking, defining, ready } now = phase::reading;
  static inline const char* name = "continuo.starter";
};

/// The actor that brings a node into service. A start is a protocol of phases, each of which is over before
/// the next one begins; no phase rests on the order in which messages of different actors arrive:
///
/// 1. It reads all records, a portion at a time: counts what is in flight, and hands commands in execution to
///    their services and timers to the timers, names only. A portion is confirmed before the next is read.
/// 2. It has the instances woken that have something to do or to say here, a portion at a time. (One that
///    anything else brings into memory first recovers just so: it knows by its record's revision.)
/// 3. It has the schedules of this node defined, and those ended that are not any more, a portion at a time.
/// 4. Timers, services, links and the intake begin, in this order; `ready` is called, on this actor's thread.
///
/// Memory: the names of `names_max` instances, whatever the node holds. A store that cannot be read ends the
/// node. A crash meanwhile leaves nothing: the next start reads again. Before each step it asks `may_go_on`:
/// where the node has failed or stops, nothing more is woken or opened.
caf::behavior starter_actor(caf::stateful_actor<starter_state>* self, std::shared_ptr<core> shared,
                            std::function<bool()> may_go_on,
                            std::function<void(const recovery_figures&)> ready);

} // namespace continuo::actors
