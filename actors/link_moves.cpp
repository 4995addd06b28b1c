#include "actors/link_moves.hpp"

#include "actors/link_records.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <vector>

namespace continuo::actors {

namespace {

using link = caf::stateful_actor<link_state>;
using engine::record;

/// The stateless services of the peer that another live node hosts as well, each with which connections to
/// these nodes: after a new one there may be commands that found none of them up.
std::vector<std::string> services_elsewhere(const link* self, const core& shared) {
  std::vector<std::string> found;
  const auto& where = shared.routes.where();
  const auto peers = shared.peers.all();
  for (const auto& [name, service] : shared.services) {
    const auto hosts = where.hosts().find(name);
    if (hosts == where.hosts().end()) {
      continue;
    }
    const auto on = [&](const std::string& node) {
      return std::find(hosts->second.begin(), hosts->second.end(), node) != hosts->second.end();
    };
    std::string elsewhere;
    for (const auto& node : hosts->second) {
      if (node == where.here()) {
        elsewhere += " " + node;
      } else if (const auto peer = std::find_if(peers.begin(), peers.end(),
                                                [&](const auto& one) { return one.name == node && one.up; });
                 peer != peers.end()) {
        elsewhere += fmt::format(" {}#{}", node, peer->connections);
      }
    }
    if (on(self->state.peer) && !elsewhere.empty()) {
      found.push_back(name + elsewhere);
    }
  }
  return found;
}

bool is_overdue(const link* self, const core& shared) {
  return between(self->state.down_since, shared.time->now().up) >=
         detail::saturated<std::chrono::nanoseconds>(shared.cluster.move_after);
}

/// A command moves while it was never handed out; one of an idempotent service also after a while.
void ask_to_move(link* self, const core& shared, const record& stored) {
  auto& state = self->state;
  const auto overdue = is_overdue(self, shared);
  for (const auto& sent : stored.requests) {
    if (!sent.to.key.empty() || sent.abandoned || sent.refused || shared.peer_of(sent.to) != state.peer) {
      continue;
    }
    const auto service = shared.services.find(engine::placement::service_of(sent.to.type));
    const auto handed_out = !state.seen_up_to.precedes(sent.id);
    const auto may_move =
        service != shared.services.end() && (!handed_out || (overdue && service->second.idempotent));
    const auto& home = shared.home_of(stored.self);
    if (may_move && home && state.moving.insert(sent.id).second) {
      self->send(home, move_command{stored.self, sent.id, sent.to.type, handed_out,
                                    caf::actor_cast<caf::actor>(self)});
    }
  }
}

} // namespace

void begin_to_move(link_state& state, const core& shared) {
  state.seen_up_to = {shared.store_id, shared.last_revision.load()};
  state.down_since = shared.time->now().up;
  state.moves_to.clear();
}

void look_for_moves(link* self, const core& shared) {
  auto& state = self->state;
  if (state.moving_scan) {
    return;
  }
  const auto services = services_elsewhere(self, shared);
  const auto now = services.empty() ? std::string{}
                                    : fmt::format("{} {}", is_overdue(self, shared) ? "overdue" : "early",
                                                  fmt::join(services, " "));
  if (now != state.moves_to) {
    state.moves_to = now;
    state.move_scans = 2; // the second one finds what was not durable yet when the first one passed
  }
  if (services.empty() || state.move_scans == 0) {
    return;
  }
  --state.move_scans;
  state.moving_scan = true;
  state.move_cursor.clear();
  self->send(self, link_move{});
}

void move_some(link* self, core& shared) {
  auto& state = self->state;
  if (!state.moving_scan || !state.moving.empty()) {
    return; // goes on when what was asked for is answered
  }
  if (state.machine->is_up()) {
    state.moving_scan = false;
    return;
  }
  const auto whole = read_owed(shared, state.peer, state.move_cursor, [&](const record& stored) {
    if (stored.kind == engine::record_kind::saga || stored.kind == engine::record_kind::send) {
      ask_to_move(self, shared, stored);
    }
    return true;
  });
  state.moving_scan = !whole;
  if (state.moving_scan && state.moving.empty()) {
    self->send(self, link_move{});
  }
}

} // namespace continuo::actors
