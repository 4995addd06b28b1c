#pragma once

#include "testing/simulation.hpp"

#include <continuo/testing.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

/// What the scenarios are made of: businesses, and what they may do.
namespace continuo::tests {

using testing::cluster;
using testing::fault;

/// What a scenario may contain.
enum class ingredient : std::uint8_t {
  withdrawals,   ///< steps are given up while their service has more commands than slots
  verbs,         ///< operators cancel, pause, resume and retry, at any moment; what is stuck is retried
  skips,         ///< they also skip
  letters,       ///< events become dead letters, which are redriven or discarded
  hasty_letters, ///< also to instances that are paused, stuck, or retrying something
  parks,         ///< commands are parked, and retried or discarded
  publishes,     ///< handlers of stateless services publish events, to which sagas subscribe
  two_nodes,     ///< stateless services on two nodes, idempotent or not
  small_memory,  ///< two instances in memory
  expiry,        ///< what has ended is deleted at once
  far_timers,    ///< timers that are due in years, set anew and taken back
  chimes,        ///< timers of sagas that send to other sagas of their node
  own_events,    ///< a saga handles events of its own
};

using ingredients = std::set<ingredient>;

using hosts_by_node = std::map<std::string, std::vector<std::string>>;

/// One business on the cluster: what it offers and where, what it does in each round, how its people tidy up,
/// and how its books must look in the end. The nodes are called north, south and west.
class business {
public:
  virtual ~business() = default;
  virtual hosts_by_node offer(cluster& here) = 0;
  virtual void act(cluster& here, int round) = 0;
  /// What people do once all is well and nothing moves. Whether there was anything to do.
  virtual bool tidy(cluster&, int) { return false; }
  virtual void judge(cluster& here) = 0;
};

inline testing::fault_plan no_faults() {
  return {{}, 0, {}, {}};
}

struct run_of {
  int rounds = 3;
  std::chrono::milliseconds gap_max{300}; ///< between two rounds
  testing::fault_plan faults = no_faults();
  ingredients with{}; ///< of which the configuration depends on some
  std::uint32_t in_flight = 10'000;
};

void run_businesses(cluster& here, const std::vector<std::shared_ptr<business>>& all, const run_of& how);

// -- for businesses ---------------------------------------------------------------------------------------

/// What each node hosts beside, so that each has something: a business with programs of its own offers it
/// there as well.
continuo::detail::saga_type bystander_type();

/// @throws testing::failure
void must(bool holds, const std::string& what);

/// The node that takes the next message: any.
std::string any_node(cluster& here);

/// How an instance is, or how it was when it was deleted; `absent`: it never was.
std::string status_of(cluster& here, const instance_id& id);

template <class Saga>
std::string status_of(cluster& here, const std::string& key) {
  return status_of(here, instance_id{std::string{message_name<Saga>()}, key});
}

/// A record, and the node on whose disk it is.
struct found_record {
  std::string node;
  engine::record stored;
};

/// All records that this is true of.
std::vector<found_record> records_of(cluster& here, const std::function<bool(const engine::record&)>& wanted);

/// An operator's verb, by its number, at the node of the instance; nothing where that is down.
void operate(cluster& here, const instance_id& id, int verb);
inline constexpr int cancel_verb = 0;
inline constexpr int pause_verb = 1;
inline constexpr int resume_verb = 2;
inline constexpr int retry_verb = 3;
inline constexpr int skip_verb = 4;
inline constexpr int verb_count = 5;

/// Retries or discards all commands that are parked. Whether there were any.
bool clear_parked(cluster& here);

/// Redrives or discards the dead letters of these message types that a draw chooses; at last all are
/// discarded. With `corrected` some get another payload. Whether there were any.
bool clear_letters(cluster& here, const std::set<std::string>& types, bool at_last,
                   const std::function<bool(const dead_letter_view&)>& may_redrive = {},
                   const std::function<std::optional<std::string>(const dead_letter_view&)>& corrected = {});

} // namespace continuo::tests
