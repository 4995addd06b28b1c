// ctest: timeout=300
// A service whose handlers hang, and more commands for it than anybody would keep in memory.
#define CAF_SUITE hanging

#include "actors/service.hpp"
#include "tests/support/cluster_world.hpp"
#include "tests/support/world.hpp"

#include <continuo/service.hpp>

#include <caf/test/dsl.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

struct done {
  std::int64_t number = 0;
  CONTINUO_FIELDS(done, number)
};

struct work_slowly {
  using reply = done;
  std::int64_t number = 0;
  std::string sender;
  CONTINUO_FIELDS(work_slowly, number, sender)
};

struct work_at_once {
  using reply = done;
  std::int64_t number = 0;
  CONTINUO_FIELDS(work_at_once, number)
};

struct count_up {
  using reply = done;
  std::string key;
  CONTINUO_FIELDS(count_up, key)
};

struct count {
  std::int64_t value = 0;
  CONTINUO_FIELDS(count, value)
};

/// Two nodes that send, and one that works: slowly in 16 handlers on the pool, at once without one.
struct fixture {
  std::map<std::string, std::map<std::int64_t, int>> handled; ///< how often, by sender and number

  cluster_world here{
      [this](detail::node_runtime& node) {
        node.host(service{"slow"}
                      .handle([this](const work_slowly& command, command_context&) -> outcome<done> {
                        ++handled[command.sender][command.number];
                        return done{command.number};
                      })
                      .concurrency(16)
                      .retry({.timeout = 24h})
                      .describe());
        node.host(service{"quick"}
                      .handle([](const work_at_once& command, command_context&) -> outcome<done> {
                        return done{command.number};
                      })
                      .pure()
                      .describe());
        node.host(keyed_service<count>{"counts"}
                      .handle(&count_up::key,
                              [](count& state, const count_up&, keyed_context&) -> outcome<done> {
                                return done{++state.value};
                              })
                      .describe());
      },
      {{"front1", {}}, {"front2", {}}, {"work", {"slow", "quick", "counts"}}}};

  void start() {
    here.start_all();
    for (const auto& name : here.names()) {
      here.node(name).open_core()->bounds.in_flight = 100'000;
    }
    here.run_for(1s);
    here.handlers("work").hang();
  }

  void send_slow(const std::string& from, int messages) {
    const auto client = here.client(from);
    for (int i = 0; i < messages; ++i) {
      answers[from].emplace_back(client.send(work_slowly{++sent_[from], from}));
    }
  }

  std::size_t answered(const std::string& from) {
    return static_cast<std::size_t>(
        std::count_if(answers[from].begin(), answers[from].end(),
                      [](const auto& one) { return one.is_ready() && one.get().has_value(); }));
  }

  bool is_each_handled_once(const std::string& from) {
    return handled[from].size() == static_cast<std::size_t>(sent_[from]) &&
           std::all_of(handled[from].begin(), handled[from].end(),
                       [](const auto& one) { return one.second == 1; });
  }

  /// What the slow service holds in memory. Everything here runs on one thread.
  const actors::service_state& slow() {
    const auto core = here.node("work").open_core();
    const auto& handle = core->service_actors.find("slow@work")->second;
    auto* actor = caf::actor_cast<caf::abstract_actor*>(handle);
    return static_cast<caf::stateful_actor<actors::service_state>*>(actor)->state;
  }

  /// Others on the same link go on: each of them is answered within a second.
  void check_others() {
    std::vector<pending<done>> all;
    for (int i = 0; i < 200; ++i) {
      all.emplace_back(here.client("front1").send(work_at_once{i}));
      all.emplace_back(here.client("front1").send(count_up{"key-" + std::to_string(i % 7)}));
    }
    here.run_for(1s);
    CAF_CHECK(std::all_of(all.begin(), all.end(),
                          [](const auto& one) { return one.is_ready() && one.get().has_value(); }));
  }

  void check_bounds() {
    const auto& state = slow();
    CAF_CHECK(state.executions.size() <= here.node("work").open_core()->bounds.commands_waiting + 16);
    CAF_CHECK(state.lines[1].order.size() <= state.held.size() + 16);
    for (const auto& peer : here.node("front1").peers()) {
      if (peer.name == "work") {
        CAF_CHECK_EQUAL(peer.unanswered, 0u); // those that hang use no credit
      }
    }
  }

  std::map<std::string, std::vector<pending<done>>> answers;

private:
  std::map<std::string, std::int64_t> sent_;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(hanging_tests, fixture)

CAF_TEST(others proceed beside 10000 commands to handlers that hang and none of these is lost) {
  start();
  send_slow("front1", 10'000);
  check_others(); // at once
  here.run_for(5s);
  CAF_CHECK_EQUAL(here.handlers("work").hanging(), 16u);
  CAF_CHECK_EQUAL(slow().executions.size() + slow().held.size(), 10'000u);
  check_bounds();
  check_others();
  here.cut("front1", "work", true); // all is offered again
  here.run_for(5s);
  check_bounds();
  check_others();
  here.run_for(1h);
  check_bounds();
  CAF_CHECK(handled.empty());
  here.handlers("work").go_on();
  here.run_for(60s);
  CAF_CHECK_EQUAL(answered("front1"), 10'000u);
  CAF_CHECK(is_each_handled_once("front1"));
  CAF_CHECK(slow().executions.empty());
  CAF_CHECK(slow().held.empty());
  CAF_CHECK(slow().lines[1].order.empty());
  CAF_CHECK(slow().lines[1].called.empty());
}

CAF_TEST(commands that hang survive the end of either node) {
  for (const std::string crashes : {"work", "front1"}) {
    fixture one;
    one.start();
    one.send_slow("front1", 3'000);
    one.here.run_for(5s);
    one.here.handlers("work").let_go(5);
    one.here.run_for(5s);
    one.here.crash(crashes);
    one.here.run_for(10s);
    CAF_REQUIRE(one.here.start(crashes).has_value());
    one.here.handlers("work").hang();
    one.here.run_for(5s);
    CAF_CHECK(one.slow().executions.size() <= 1'016);
    one.here.handlers("work").go_on();
    one.here.run_for(60s);
    CAF_CHECK(one.is_each_handled_once("front1"));
    CAF_CHECK(one.slow().executions.empty());
  }
}

CAF_TEST(what was called for at a node that is gone does not keep others waiting) {
  for (const auto crashes : {false, true}) {
    fixture one;
    one.start();
    auto& room = one.here.node("work").open_core()->bounds.commands_waiting;
    room = 20;
    one.send_slow("front1", 100);
    one.here.run_for(100ms);
    one.send_slow("front2", 100);
    one.here.run_for(100ms);
    room = 40; // now it asks for many at once, of front1 first, which does not answer any more
    one.here.inspect(
        [](const std::string& from, const std::string&, messages::frame&) { return from != "front1"; });
    one.here.handlers("work").go_on();
    one.here.run_for(1s);
    CAF_REQUIRE(one.slow().executions.size() < 40u);
    CAF_REQUIRE(one.slow().lines[1].called.size() > 20u);
    CAF_REQUIRE(one.answered("front2") < 100u);
    if (crashes) {
      one.here.crash("front1");
    }
    one.here.run_for(10s); // or it is found to be silent
    CAF_CHECK_EQUAL(one.answered("front2"), 100u);
    one.here.inspect(nullptr);
    if (crashes) {
      CAF_REQUIRE(one.here.start("front1").has_value());
    }
    one.here.run_for(10s);
    CAF_CHECK(one.is_each_handled_once("front1"));
    CAF_CHECK(one.is_each_handled_once("front2"));
  }
}

CAF_TEST(a node may go away at any moment while it is called upon) {
  for (std::size_t steps = 0; steps < 60; ++steps) {
    fixture one;
    one.start();
    auto& room = one.here.node("work").open_core()->bounds.commands_waiting;
    room = 20;
    one.send_slow("front1", 60);
    one.here.run_for(100ms);
    one.send_slow("front2", 60);
    one.here.run_for(100ms);
    room = 40;
    one.here.handlers("work").let_go(16);
    one.here.step(3 * steps);
    one.here.crash("front1");
    one.here.handlers("work").go_on();
    one.here.run_for(10s);
    CAF_REQUIRE_EQUAL(one.answered("front2"), 60u);
    CAF_REQUIRE(one.here.start("front1").has_value());
    one.here.run_for(10s);
    CAF_REQUIRE(one.is_each_handled_once("front1"));
    CAF_REQUIRE(one.is_each_handled_once("front2"));
  }
}

CAF_TEST(beyond the names that a service remembers all is offered again) {
  start();
  auto& bounds = here.node("work").open_core()->bounds;
  bounds.commands_waiting = 20;
  bounds.commands_held = 50;
  send_slow("front1", 300);
  send_slow("front2", 300);
  here.run_for(5s);
  CAF_CHECK_EQUAL(slow().held.size(), 50u);
  CAF_CHECK(slow().overflowed);
  here.handlers("work").go_on();
  auto waited = 0s;
  for (; waited < 300s && answered("front1") + answered("front2") < 600; waited += 1s) {
    here.run_for(1s);
  }
  CAF_CHECK(waited < 60s); // 31 s: the dialing node finds by silence that the connection is over
  CAF_CHECK(is_each_handled_once("front1"));
  CAF_CHECK(is_each_handled_once("front2"));
}

CAF_TEST_FIXTURE_SCOPE_END()
