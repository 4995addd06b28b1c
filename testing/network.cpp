#include "testing/network.hpp"

#include "messages/caf_types.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <limits>

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::messages::wire)

namespace continuo::testing {

namespace {

/// What becomes of a frame that a link has put on its wire.
using taken = std::function<void(std::string bytes, const caf::strong_actor_ptr& from)>;

caf::behavior wire_actor(caf::event_based_actor* self, taken take) {
  return {[self, take = std::move(take)](messages::wire& frame) {
    take(std::move(frame.bytes), self->current_sender());
  }};
}

bool is_between(const std::array<std::string, 2>& ends, const std::string& a, const std::string& b) {
  return (ends[0] == a && ends[1] == b) || (ends[0] == b && ends[1] == a);
}

} // namespace

/// A node's way to its peers.
class network::end_point : public actors::connector {
public:
  end_point(network& of, std::string here, caf::actor_system& system)
      : network_(&of), here_(std::move(here)), system_(&system) {}

  void dial(const std::string& peer, const caf::actor& link) override {
    if (!stopped_) { // else the connection would keep the ended node's system alive
      network_->dial(here_, peer, link);
    }
  }

  void look(const std::string& peer, const caf::actor& link) override {
    if (!network_->gates_.contains(peer)) {
      caf::anon_send(link, actors::unreachable{"nobody listens"});
    }
  }

  result<void> listen(const caf::actor& gate) override {
    network_->gates_[here_] = {system_, gate};
    return {};
  }

  void stop() override {
    stopped_ = true;
    network_->gates_.erase(here_);
  }

private:
  network* network_;
  std::string here_;
  caf::actor_system* system_;
  bool stopped_ = false;
};

// -- of the nodes ------------------------------------------------------------------------------------

std::shared_ptr<actors::connector> network::connector_of(const std::string& name, caf::actor_system& system) {
  return std::make_shared<end_point>(*this, name, system);
}

void network::dial(const std::string& from, const std::string& to, const caf::actor& link) {
  const auto gate = gates_.find(to);
  if (gate == gates_.end() || separated_.contains(std::minmax(from, to)) || silent_.contains({from, to}) ||
      silent_.contains({to, from})) {
    caf::anon_send(link, actors::unreachable{"nobody listens"});
    return;
  }
  auto made = std::make_shared<connection>();
  made->ends = {from, to};
  made->links = {link, gate->second.second};
  const std::weak_ptr weak{made};
  made->wires[0] = link.home_system().spawn(
      wire_actor, taken{[this, weak](std::string bytes, const caf::strong_actor_ptr&) {
        if (const auto over = weak.lock()) {
          take(over, 0, std::move(bytes));
        }
      }});
  made->wires[1] = gate->second.first->spawn(
      wire_actor, taken{[this, weak](std::string bytes, const caf::strong_actor_ptr& sender) {
        if (const auto over = weak.lock()) {
          over->links[1] = caf::actor_cast<caf::actor>(sender);
          take(over, 1, std::move(bytes));
        }
      }});
  connections_.push_back(made);
  hooks_.changes(from, to, "connects");
  caf::anon_send(link, actors::reached{made->wires[0]});
}

void network::take(const std::shared_ptr<connection>& over, std::size_t from, std::string bytes) {
  if (!over->is_open || over->closes) {
    return;
  }
  const auto& sender = over->ends[from];
  const auto& receiver = over->ends[1 - from];
  if (!hooks_.leaves(sender, receiver, bytes)) {
    hooks_.is_lost(sender, receiver, bytes);
    return;
  }
  auto due = hooks_.now_ns() + hooks_.draw_latency_ns();
  if (const auto slow = slow_.find({sender, receiver}); slow != slow_.end()) {
    due = continuo::detail::saturated_sum(due, slow->second);
  }
  auto& queue = over->under_way[from];
  if (!queue.empty()) {
    due = std::max(due, queue.back().due_ns); // in order
  }
  queue.push_back({due, std::move(bytes)});
  if (breaks_next_.erase(std::minmax(sender, receiver)) > 0) {
    cut(sender, receiver, true);
  }
}

void network::ends(const std::string& name) {
  gates_.erase(name);
  for (const auto& one : connections_) {
    for (std::size_t end = 0; end < 2; ++end) {
      if (one->ends[end] == name && one->links[end]) {
        one->closes = true;
        one->under_way[1 - end].clear();
        one->links[end] = nullptr;
        one->wires[end] = nullptr; // ends with its system
      }
    }
  }
  sweep();
}

// -- what goes wrong ----------------------------------------------------------------------------------

void network::close(connection& one) {
  one.is_open = false;
  for (std::size_t end = 0; end < 2; ++end) {
    if (one.wires[end]) {
      caf::anon_send_exit(one.wires[end], caf::exit_reason::kill);
    }
    one.wires[end] = nullptr;
    one.links[end] = nullptr;
  }
}

template <class Wanted>
void network::break_if(Wanted wanted, bool late) {
  for (const auto& one : connections_) {
    if (!one->is_open || one->closes || !wanted(*one)) {
      continue;
    }
    hooks_.changes(one->ends[0], one->ends[1], late ? "breaks; what was under way comes late" : "breaks");
    if (late) {
      // Both ends are told at once, and the buffers are read a second later.
      for (std::size_t from = 0; from < 2; ++from) {
        for (auto& frame : one->under_way[from]) {
          frame.due_ns += 1'000'000'000;
        }
      }
      auto rest = std::make_shared<connection>();
      rest->ends = one->ends;
      rest->links = one->links;
      rest->wires = one->wires; // so that the frames come from whom they came from
      rest->under_way = std::move(one->under_way);
      rest->closes = true;
      for (const auto& wire : one->wires) {
        if (wire) {
          caf::anon_send_exit(wire, caf::exit_reason::kill);
        }
      }
      one->is_open = false;
      one->wires = {};
      one->links = {};
      one->under_way = {};
      connections_.push_back(std::move(rest));
      break_if(wanted, late); // the list has changed
      break;
    }
    for (std::size_t from = 0; from < 2; ++from) {
      for (const auto& frame : one->under_way[from]) {
        hooks_.is_lost(one->ends[from], one->ends[1 - from], frame.bytes);
      }
      one->under_way[from].clear();
    }
    close(*one);
  }
  sweep();
}

void network::cut(const std::string& a, const std::string& b, bool late) {
  break_if([&](const connection& one) { return is_between(one.ends, a, b); }, late);
}

void network::cut_next(const std::string& a, const std::string& b) {
  breaks_next_.insert(std::minmax(a, b));
}

void network::separate(const std::string& a, const std::string& b) {
  separated_.insert(std::minmax(a, b));
  cut(a, b, false);
}

void network::silence(const std::string& from, const std::string& to) {
  silent_.insert({from, to});
}

void network::slow_down(const std::string& from, const std::string& to, std::int64_t by_ns) {
  slow_[{from, to}] = by_ns;
}

void network::heal(const std::string& a, const std::string& b) {
  separated_.erase(std::minmax(a, b));
  breaks_next_.erase(std::minmax(a, b));
  for (const auto& direction : {std::pair{a, b}, std::pair{b, a}}) {
    silent_.erase(direction);
    slow_.erase(direction);
  }
}

void network::heal() {
  separated_.clear();
  breaks_next_.clear();
  silent_.clear();
  slow_.clear();
}

// -- running ---------------------------------------------------------------------------------------------

bool network::may_arrive(const connection& one, std::size_t from) const {
  return one.is_open && !one.under_way[from].empty() && one.links[1 - from] &&
         !silent_.contains({one.ends[from], one.ends[1 - from]});
}

std::size_t network::ready() const {
  std::size_t count = 0;
  const auto now = hooks_.now_ns();
  for (const auto& one : connections_) {
    for (std::size_t from = 0; from < 2; ++from) {
      count += may_arrive(*one, from) && one->under_way[from].front().due_ns <= now ? 1 : 0;
    }
  }
  return count;
}

void network::deliver(std::size_t nth) {
  const auto now = hooks_.now_ns();
  for (const auto& one : connections_) {
    for (std::size_t from = 0; from < 2; ++from) {
      if (!may_arrive(*one, from) || one->under_way[from].front().due_ns > now) {
        continue;
      }
      if (nth-- > 0) {
        continue;
      }
      auto frame = std::move(one->under_way[from].front());
      one->under_way[from].pop_front();
      hooks_.arrives(one->ends[from], one->ends[1 - from], frame.bytes);
      const auto to = 1 - from;
      caf::send_as(one->wires[to], one->links[to], messages::wire{std::move(frame.bytes)});
      sweep();
      return;
    }
  }
}

std::int64_t network::next_ns() const {
  auto next = at_no_time;
  for (const auto& one : connections_) {
    for (std::size_t from = 0; from < 2; ++from) {
      if (may_arrive(*one, from)) {
        next = std::min(next, one->under_way[from].front().due_ns);
      }
    }
  }
  return next;
}

bool network::is_empty() const {
  return next_ns() == at_no_time;
}

/// Drops connections that are over.
void network::sweep() {
  for (const auto& one : connections_) {
    if (one->is_open && one->closes && !may_arrive(*one, 0) && !may_arrive(*one, 1)) {
      close(*one);
    }
  }
  std::erase_if(connections_, [](const std::shared_ptr<connection>& one) { return !one->is_open; });
}

} // namespace continuo::testing
