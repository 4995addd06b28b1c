#pragma once

#include "actors/core.hpp"
#include "testing/virtual_system.hpp"

#include <caf/actor_system.hpp>

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace continuo::testing {

/// The network between the simulated nodes: connections that deliver bytes in order, after a while, until
/// they break. Each node has an actor system of its own; what crosses from one to the other is a frame's
/// bytes.
///
/// A direction of a connection may be silent (nothing arrives, nobody is told) or slow. A connection that
/// breaks loses what was under way, or lets it arrive all the same, beside the connection that comes after
/// it.
class network {
public:
  /// What the simulation decides and wants to know.
  struct hooks {
    std::function<std::int64_t()> now_ns;
    std::function<std::int64_t()> draw_latency_ns;
    /// A frame leaves; false: it is lost on its way out.
    std::function<bool(const std::string& from, const std::string& to, const std::string& bytes)> leaves;
    std::function<void(const std::string& from, const std::string& to, const std::string& bytes)> arrives;
    std::function<void(const std::string& from, const std::string& to, const std::string& bytes)> is_lost;
    std::function<void(const std::string& a, const std::string& b, const std::string& what)> changes;
  };

  explicit network(hooks calls) : hooks_(std::move(calls)) {}

  // -- of the nodes --------------------------------------------------------------------------------
  /// The node's end of the network for one of its lives.
  std::shared_ptr<actors::connector> connector_of(const std::string& name, caf::actor_system& system);

  /// The node's life is over: its handles are dropped. What it has sent arrives; then its peers are told.
  void ends(const std::string& name);

  // -- what goes wrong -----------------------------------------------------------------------------
  void cut(const std::string& a, const std::string& b, bool late);

  /// The next connection breaks with the first frame that is under way on it, which comes late.
  void cut_next(const std::string& a, const std::string& b);
  void separate(const std::string& a, const std::string& b);
  void silence(const std::string& from, const std::string& to);
  void slow_down(const std::string& from, const std::string& to, std::int64_t by_ns);
  /// Ends what is wrong between two nodes, or all that is.
  void heal(const std::string& a, const std::string& b);
  void heal();

  // -- running ---------------------------------------------------------------------------------------
  /// Directions whose next frame may arrive now.
  std::size_t ready() const;

  /// Lets the frame of the `nth` of them arrive. @pre nth < ready()
  void deliver(std::size_t nth);

  /// When something is ready that is not yet, or `at_no_time`.
  std::int64_t next_ns() const;

  /// Whether no frame is under way that would arrive.
  bool is_empty() const;

  /// Whether nothing is wrong with it.
  bool is_whole() const { return separated_.empty() && silent_.empty() && slow_.empty(); }

private:
  struct frame {
    std::int64_t due_ns = 0;
    std::string bytes;
  };

  struct connection {
    std::array<std::string, 2> ends; ///< the one that dialed, the other
    std::array<caf::actor, 2>
        links; ///< who is told at each end; at the far end the gate, until a link answers
    std::array<caf::actor, 2> wires;            ///< what each of them speaks to
    std::array<std::deque<frame>, 2> under_way; ///< from each end
    bool is_open = true;
    bool closes = false; ///< when all that is under way has arrived
  };

  class end_point;
  friend class end_point;

  bool may_arrive(const connection& one, std::size_t from) const;
  void dial(const std::string& from, const std::string& to, const caf::actor& link);
  void take(const std::shared_ptr<connection>& over, std::size_t from, std::string bytes);
  void close(connection& one);
  template <class Wanted>
  void break_if(Wanted wanted, bool late);
  void sweep();

  hooks hooks_;
  std::map<std::string, std::pair<caf::actor_system*, caf::actor>> gates_; ///< of nodes that listen
  std::vector<std::shared_ptr<connection>> connections_;
  std::set<std::pair<std::string, std::string>> separated_;
  std::set<std::pair<std::string, std::string>> breaks_next_; ///< in order of name
  std::set<std::pair<std::string, std::string>> silent_;      ///< from, to
  std::map<std::pair<std::string, std::string>, std::int64_t> slow_;
};

} // namespace continuo::testing
