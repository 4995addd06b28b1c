// ctest: timeout=300
// What a link reads of its node's records as it comes up, and as it goes on: those that owe its peer
// something, a share at a time.
#define CAF_SUITE owed

#include "actors/link_records.hpp"
#include "engine/mailbox.hpp"
#include "nodes/identity.hpp"
#include "tests/support/cluster_world.hpp"

#include <continuo/archive.hpp>
#include <continuo/saga.hpp>
#include <continuo/service.hpp>

#include <caf/test/dsl.hpp>

#undef expect

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

struct done {
  std::int64_t number = 0;
  CONTINUO_FIELDS(done, number)
};

struct work {
  using reply = done;
  std::int64_t number = 0;
  CONTINUO_FIELDS(work, number)
};

struct keep {
  using reply = done;
  std::string key;
  std::string content;
  CONTINUO_FIELDS(keep, key, content)
};

struct shelf {
  std::int64_t kept = 0;
  CONTINUO_FIELDS(shelf, kept)
};

struct asked {
  std::string id;
  std::string of; ///< "work", "keep"
  std::int64_t many = 0;
  CONTINUO_FIELDS(asked, id, of, many)
};

/// Sends as many commands as it is asked for, at once.
class asker : public saga<asker> {
public:
  static void define(saga_definition<asker>& saga) {
    saga.starts_on<asked>(&asked::id);
    saga.calls<work>().nothing_to_undo();
    saga.calls<keep>().nothing_to_undo();
  }
  void on(const asked& event, saga_context& context) {
    left = event.many;
    for (std::int64_t i = 0; i < event.many; ++i) {
      if (event.of == "work") {
        context.send(work{i});
      } else {
        context.send(keep{event.id + "-" + std::to_string(i), {}});
      }
    }
  }
  void on(const done&, saga_context& context) {
    if (--left == 0) {
      context.complete();
    }
  }
  std::int64_t left = 0;
  CONTINUO_FIELDS(asker, left)
};

struct fixture {
  explicit fixture(std::uint64_t with_seed = 1) : seed(with_seed) {}

  std::uint64_t seed;
  std::map<std::int64_t, int> worked; ///< how often, by number

  cluster_world here{[this](detail::node_runtime& node) {
                       node.host(asker::describe());
                       node.host(service{"mill"}
                                     .handle([this](const work& command, command_context&) -> outcome<done> {
                                       ++worked[command.number];
                                       return done{command.number};
                                     })
                                     .concurrency(4)
                                     .retry({.timeout = 24h})
                                     .describe());
                       node.host(keyed_service<shelf>{"shelf"}
                                     .handle(&keep::key,
                                             [](shelf& state, const keep&, keyed_context&) -> outcome<done> {
                                               return done{++state.kept};
                                             })
                                     .describe());
                     },
                     {{"alpha", {"asker"}}, {"beta", {"mill", "shelf"}}, {"gamma", {"mill"}}},
                     seed};

  void restart(const std::string& name) {
    here.crash(name);
    start(name);
  }

  void start(const std::string& name) {
    const auto started = here.start(name);
    CAF_REQUIRE_EQUAL(started ? "" : started.error().message, "");
  }

  void write(const std::string& node, const journal::batch& changes) {
    journal::memory_store store{here.disk(node)};
    CAF_REQUIRE(store.commit(changes).has_value());
  }

  /// Instances on a node that is down, which wait for an event that nobody sends.
  void park(const std::string& node, int many) {
    journal::batch all;
    for (int i = 0; i < many; ++i) {
      engine::record parked;
      parked.self = {"asker", "parked-" + std::to_string(i)};
      parked.revision = 1;
      parked.state = encode(asker{});
      parked.expected = {"asked"};
      all.push_back({journal::operation::kind::put, engine::record_key(parked.self), encode(parked)});
    }
    write(node, all);
  }

  bool is_up(const std::string& from, const std::string& peer) {
    const auto all = here.node(from).peers();
    return std::any_of(all.begin(), all.end(),
                       [&](const peer_status& one) { return one.name == peer && one.up; });
  }

  void wait_until_up(const std::string& from, const std::string& peer) {
    for (int i = 0; i < 1'000 && !is_up(from, peer); ++i) {
      here.run_for(10ms);
    }
    CAF_REQUIRE(is_up(from, peer));
  }

  void ask(const std::string& id, const std::string& of, std::int64_t many) {
    here.client("alpha").publish(asked{id, of, many});
    here.run_for(200ms);
    CAF_REQUIRE_EQUAL(open_requests(id), static_cast<std::size_t>(many));
  }

  std::size_t open_requests(const std::string& id) {
    const auto stored = here.record("alpha", {"asker", id});
    return stored ? stored->requests.size() : 0;
  }

  /// Peers under which the node's disk names a record that owes them something.
  std::map<std::string, std::size_t> named(const std::string& node) {
    std::map<std::string, std::size_t> found;
    for (const auto& [key, value] : here.disk(node)->snapshot()) {
      if (key.starts_with(engine::owed_to_all)) {
        ++found[key.substr(1, key.find('\0') - 1)];
      }
    }
    return found;
  }

  /// Whether the disk of a node that is up names exactly what its records owe.
  bool is_index_true(const std::string& node) {
    const auto core = here.node(node).open_core();
    std::set<std::string> wanted;
    std::set<std::string> found;
    for (const auto& [key, value] : here.disk(node)->snapshot()) {
      if (key.starts_with('r')) {
        for (const auto& peer : engine::peers_owed(decode<engine::record>(value).value(), core->routes)) {
          wanted.insert(engine::owed_key(peer, key));
        }
      } else if (key.starts_with(engine::owed_to_all)) {
        found.insert(key);
      }
    }
    return wanted == found;
  }

  /// The most that one job of the node has read since.
  struct most {
    std::size_t records = 0;
    std::size_t bytes = 0;
  };
  std::shared_ptr<const most> measure(const std::string& node) {
    auto into = std::make_shared<most>(); // jobs run until the fixture is gone
    here.watch_jobs([this, node, into, before = here.read_by(node)]() mutable {
      const auto now = here.read_by(node);
      into->records = std::max(into->records, now.records - before.records);
      into->bytes = std::max(into->bytes, now.bytes - before.bytes);
      before = now;
    });
    return into;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(owed_tests, fixture)

CAF_TEST(a link that comes up reads the records that owe its peer something and no others) {
  here.start_all();
  here.run_for(1s);
  here.crash("alpha");
  park("alpha", 20'000);
  start("alpha");
  here.run_for(1s);
  here.crash("beta");
  for (int i = 0; i < 5; ++i) {
    here.client("alpha").send(keep{"k-" + std::to_string(i), {}});
  }
  here.run_for(1s);
  CAF_REQUIRE(named("alpha") == (std::map<std::string, std::size_t>{{"beta", 5}}));
  here.read_by("alpha") = {};
  start("beta");
  here.run_for(3s);
  CAF_CHECK(named("alpha").empty());
  CAF_CHECK(here.read_by("alpha").records > 0);
  CAF_CHECK(here.read_by("alpha").records < 30);
  here.read_by("alpha") = {};
  here.cut("alpha", "beta");
  here.run_for(3s);
  CAF_REQUIRE(is_up("alpha", "beta"));
  CAF_CHECK_EQUAL(here.read_by("alpha").records, 0u); // it owes nothing any more
}

CAF_TEST(who looks for commands that may move reads no others either) {
  here.start_all();
  here.run_for(1s);
  here.crash("alpha");
  park("alpha", 20'000);
  start("alpha");
  here.run_for(1s);
  for (const std::string node : {"beta", "gamma"}) {
    here.handlers(node).hang();
  }
  ask("mover", "work", 10);
  const auto at = here.record("alpha", {"asker", "mover"})->requests.front().to.type;
  here.read_by("alpha") = {};
  here.crash(at == "mill@beta" ? "beta" : "gamma");
  here.run_for(5s); // two readings for what may move at once
  CAF_CHECK(here.read_by("alpha").records > 0);
  CAF_CHECK(here.read_by("alpha").records < 30);
  CAF_CHECK(is_index_true("alpha"));
}

CAF_TEST(with another cluster file a start makes the index anew) {
  start("alpha");
  here.client("alpha").send(keep{"k", {}});
  here.run_for(1s);
  CAF_CHECK(named("alpha") == (std::map<std::string, std::size_t>{{"beta", 1}}));
  here.crash("alpha");
  for (auto& node : here.cluster().nodes) {
    node.hosts = node.name == "alpha"   ? std::vector<std::string>{"asker"}
                 : node.name == "gamma" ? std::vector<std::string>{"mill", "shelf"}
                                        : std::vector<std::string>{"mill"};
  }
  start("alpha");
  CAF_CHECK(named("alpha") == (std::map<std::string, std::size_t>{{"gamma", 1}}));
  start("gamma");
  here.run_for(5s);
  CAF_CHECK(named("alpha").empty());
  CAF_CHECK(here.record("gamma", {"shelf", "k"}).has_value());
}

CAF_TEST(an index that is true is not made again) {
  start("alpha");
  here.client("alpha").send(keep{"k", {}});
  here.run_for(1s);
  here.crash("alpha");
  write("alpha", {{journal::operation::kind::put, engine::owed_key("beta", "rmark"), {}}});
  start("alpha");
  CAF_CHECK(named("alpha") == (std::map<std::string, std::size_t>{
                                  {"beta", 2}})); // else what does not belong there would be gone
}

CAF_TEST(an index that was left half made is made again) {
  start("alpha");
  for (int i = 0; i < 3; ++i) {
    here.client("alpha").send(keep{"k-" + std::to_string(i), {}});
  }
  here.run_for(1s);
  here.crash("alpha");
  const auto all = here.disk("alpha")->snapshot();
  const auto first = all.upper_bound(std::string{engine::owed_to_all});
  write("alpha", {{journal::operation::kind::erase, std::string{nodes::owed_for_key}, {}},
                  {journal::operation::kind::erase, first->first, {}},
                  {journal::operation::kind::put, engine::owed_key("gamma", "rshelf"), {}}});
  start("alpha");
  CAF_CHECK(named("alpha") == (std::map<std::string, std::size_t>{{"beta", 3}}));
  CAF_CHECK(is_index_true("alpha"));
}

CAF_TEST(two thousand commands between two nodes are settled two seconds after the peer is back) {
  here.start_all();
  here.run_for(1s);
  here.crash("beta");
  ask("one", "keep", 1'000);
  ask("two", "keep", 1'000);
  here.run_for(1s);
  start("beta");
  wait_until_up("alpha", "beta");
  here.run_for(2s);
  CAF_CHECK_EQUAL(open_requests("one"), 0u);
  CAF_CHECK_EQUAL(open_requests("two"), 0u);
  here.run_for(5s);
  CAF_CHECK(is_index_true("alpha"));
  CAF_CHECK(is_index_true("beta"));
  CAF_CHECK(named("alpha").empty());
}

CAF_TEST(a link reads large records a share at a time) {
  constexpr std::size_t large = 400'000;
  here.start_all();
  here.run_for(1s);
  here.crash("beta");
  for (int i = 0; i < 40; ++i) {
    here.client("alpha").send(keep{"k-" + std::to_string(i), std::string(large, 'x')});
  }
  here.run_for(1s);
  here.read_by("alpha") = {};
  const auto at_once = measure("alpha");
  start("beta");
  here.run_for(10s);
  CAF_CHECK(named("alpha").empty());
  CAF_CHECK(here.read_by("alpha").bytes > 40 * large);
  CAF_CHECK(at_once->bytes > large);
  CAF_CHECK(at_once->bytes < actors::records_share + 2 * large);
}

CAF_TEST(who asks for a thousand messages of one record has it read a few times) {
  here.start_all();
  here.run_for(1s);
  here.crash("gamma");
  here.handlers("beta").hang();
  here.node("beta").open_core()->bounds.commands_waiting = 20;
  ask("many", "work", 1'000);
  here.run_for(1s);
  here.node("beta").open_core()->bounds.commands_waiting = 10'000; // now it calls for all at once
  here.read_by("alpha") = {};
  const auto at_once = measure("alpha");
  here.handlers("beta").go_on();
  here.run_for(20s);
  CAF_CHECK_EQUAL(open_requests("many"), 0u);
  CAF_CHECK_EQUAL(worked.size(), 1'000u);
  CAF_MESSAGE("records read: " << here.read_by("alpha").records);
  CAF_CHECK(here.read_by("alpha").records < 100);
  CAF_CHECK(at_once->records <= 2);
}

CAF_TEST(the index stays true whatever happens to the nodes) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    fixture one{seed};
    one.here.start_all();
    one.here.run_for(1s);
    one.here.shuffle();
    for (int round = 0; round < 12; ++round) {
      const auto id = std::to_string(seed) + "-" + std::to_string(round);
      if (one.here.is_up("alpha")) {
        one.here.client("alpha").publish(asked{id, round % 2 == 0 ? "work" : "keep", 5});
      }
      one.here.step(one.here.draw(200));
      one.here.disturb();
      one.here.run_for(std::chrono::milliseconds{one.here.draw(400)});
      for (const std::string name : {"alpha", "beta", "gamma"}) {
        if (!one.here.is_up(name)) {
          one.start(name);
        }
        CAF_CHECK(one.is_index_true(name));
      }
    }
    one.here.heal();
    one.here.run_for(60s);
    for (const std::string name : {"alpha", "beta", "gamma"}) {
      CAF_CHECK(one.is_index_true(name));
    }
    CAF_CHECK(one.named("alpha").empty());
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
