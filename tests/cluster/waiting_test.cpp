// What waits for a node that is down costs the others neither their room for starts nor memory.
#define CAF_SUITE waiting

#include "actors/shard.hpp"
#include "engine/acceptance.hpp"
#include "tests/support/cluster_world.hpp"

#include <continuo/saga.hpp>

#include <caf/actor_cast.hpp>
#include <caf/test/dsl.hpp>

#undef expect

#include <string>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

struct noted {
  std::string id;
  std::string text;
  CONTINUO_FIELDS(noted, id, text)
};

class near_book : public saga<near_book> {
public:
  static void define(saga_definition<near_book>& saga) { saga.starts_on<noted>(&noted::id); }
  void on(const noted& event, saga_context& context) { context.complete(event.id); }
  CONTINUO_FIELDS(near_book)
};

class far_book : public saga<far_book> {
public:
  static void define(saga_definition<far_book>& saga) { saga.starts_on<noted>(&noted::id); }
  void on(const noted& event, saga_context& context) { context.complete(event.id); }
  CONTINUO_FIELDS(far_book)
};

void offer(detail::node_runtime& node) {
  node.host(near_book::describe());
  node.host(far_book::describe());
}

/// How many accepted messages the node holds in memory, with what they carry.
std::size_t held_by(const detail::node_runtime& node) {
  std::size_t count = 0;
  for (const auto& one : node.open_core()->shards) {
    const auto* shard = dynamic_cast<actors::shard*>(caf::actor_cast<caf::abstract_actor*>(one));
    for (const auto& [id, slot] : shard->state.slots) {
      count += slot.held && slot.held->accepted ? 1 : 0;
    }
  }
  return count;
}

} // namespace

CAF_TEST(an event that waits only for a node that is down takes no room for starts) {
  cluster_world here{offer, {{"far", {"far_book"}}, {"near", {"near_book"}}}};
  here.set_limits([](actors::limits& bounds) { bounds.in_flight = 1; });
  CAF_REQUIRE(here.start("near").has_value());
  for (int i = 0; i < 10; ++i) {
    const auto key = "n-" + std::to_string(i);
    const auto taken = here.client("near").publish(noted{key, {}});
    here.run_for(100ms);
    CAF_REQUIRE(taken.taken().wait_for(0s) == std::future_status::ready);
    CAF_CHECK(taken.get().has_value());
    CAF_CHECK_EQUAL(here.status_of("near", "near_book", key), "completed");
    CAF_CHECK_EQUAL(here.node("near").figures().in_flight, 0);
  }
  CAF_REQUIRE(here.start("far").has_value());
  here.run_for(5s);
  CAF_CHECK_EQUAL(here.status_of("far", "far_book", "n-9"), "completed");
}

CAF_TEST(a start brings no message into memory that waits for a node that is down) {
  cluster_world here{offer, {{"far", {"far_book"}}, {"near", {"near_book"}}}};
  CAF_REQUIRE(here.start("near").has_value());
  for (int i = 0; i < 200; ++i) {
    here.client("near").publish(noted{"n-" + std::to_string(i), std::string(4'000, 'x')});
  }
  here.run_for(5s);
  CAF_CHECK_EQUAL(held_by(here.node("near")), 0u);
  here.crash("near");
  CAF_REQUIRE(here.start("near").has_value());
  CAF_CHECK_EQUAL(held_by(here.node("near")), 0u);
  here.run_for(5s);
  CAF_CHECK_EQUAL(held_by(here.node("near")), 0u);
  CAF_REQUIRE(here.start("far").has_value());
  here.run_for(10s);
  CAF_CHECK_EQUAL(here.status_of("far", "far_book", "n-199"), "completed");
}
