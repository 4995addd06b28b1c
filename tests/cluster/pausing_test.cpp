// A service that an operator pauses starts nothing, on any of its nodes, until it is resumed: across
// restarts, and on nodes that were down when it was said.
#define CAF_SUITE pausing

#include "tests/support/cluster_world.hpp"

#include <continuo/saga.hpp>
#include <continuo/service.hpp>

#include <caf/test/dsl.hpp>

#undef expect

#include <algorithm>
#include <set>
#include <string>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

struct stamped {
  CONTINUO_FIELDS(stamped)
};

struct stamp {
  using reply = stamped;
  std::string id;
  CONTINUO_FIELDS(stamp, id)
};

struct letter_written {
  std::string id;
  CONTINUO_FIELDS(letter_written, id)
};

class letters : public saga<letters> {
public:
  static void define(saga_definition<letters>& saga) {
    saga.starts_on<letter_written>(&letter_written::id);
    saga.calls<stamp>().nothing_to_undo();
  }
  void on(const letter_written& event, saga_context& context) { context.send(stamp{event.id}); }
  void on(const stamped&, saga_context& context) { context.complete(); }
  CONTINUO_FIELDS(letters)
};

struct tally {
  CONTINUO_FIELDS(tally)
};

struct count_one {
  using reply = stamped;
  std::string id;
  CONTINUO_FIELDS(count_one, id)
};

/// Letters are written on desk and stamped on east and west.
struct fixture {
  std::multiset<std::string> stamps; ///< of every handler that ran
  bool post_is_shut = false;

  cluster_world here{[this](detail::node_runtime& node) {
                       node.host(letters::describe());
                       node.host(keyed_service<tally>{"tally"}
                                     .handle(&count_one::id,
                                             [](tally&, const count_one&,
                                                keyed_context&) -> outcome<stamped> { return stamped{}; })
                                     .describe());
                       node.host(
                           service{"post"}
                               .handle([this](const stamp& command, command_context&) -> outcome<stamped> {
                                 if (post_is_shut) {
                                   throw std::runtime_error{"shut"};
                                 }
                                 stamps.insert(command.id);
                                 return stamped{};
                               })
                               .concurrency(2)
                               .retry({.attempts = 100, .first = 100ms, .factor = 1, .jitter = 0})
                               .describe());
                     },
                     {{"desk", {"letters", "tally"}}, {"east", {"post"}}, {"west", {"post"}}}};

  fixture() { here.start_all(); }

  /// Writes letters until each node of the post must have been chosen for some.
  void write(const std::string& name, int count = 20) {
    for (int i = 0; i < count; ++i) {
      here.client("desk").publish(letter_written{name + "-" + std::to_string(i)});
    }
    here.run_for(2s);
  }

  std::string held(const std::string& key) {
    const auto view = here.finish(here.client("desk").show({"letters", key}));
    return view && !view->waiting_for.empty() ? view->waiting_for.front().held : std::string{"nothing"};
  }

  void pause(const std::string& at, const std::string& who = "ann", const std::string& note = "stocktaking") {
    CAF_REQUIRE(here.finish(here.client(at).pause_service("post", who, note)).has_value());
  }

  void resume(const std::string& at) {
    CAF_REQUIRE(here.finish(here.client(at).resume_service("post", "bob")).has_value());
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(pausing_tests, fixture)

CAF_TEST(what is sent to a paused service waits and says who paused it) {
  pause("desk");
  write("a");
  CAF_CHECK(stamps.empty());
  CAF_CHECK_EQUAL(held("a-0"), "paused by ann: stocktaking");
  resume("west"); // whichever node is asked
  here.run_for(2s);
  CAF_CHECK_EQUAL(stamps.size(), 20u);
  CAF_CHECK_EQUAL(here.status_of("desk", "letters", "a-19"), "completed");
}

CAF_TEST(a pause holds after a restart) {
  pause("desk");
  for (const auto& name : here.names()) {
    here.crash(name);
  }
  here.start_all();
  here.run_for(2s);
  write("a");
  CAF_CHECK(stamps.empty());
  CAF_CHECK_EQUAL(held("a-0"), "paused by ann: stocktaking");
  resume("desk");
  for (const auto& name : here.names()) {
    here.crash(name);
  }
  here.start_all();
  here.run_for(5s);
  CAF_CHECK_EQUAL(stamps.size(), 20u);
}

CAF_TEST(a node that was down hears of a pause and of its end when it is back) {
  here.crash("west");
  pause("desk");
  CAF_REQUIRE(here.start("west").has_value());
  here.run_for(3s);
  write("a");
  CAF_CHECK(stamps.empty());
  here.crash("east"); // and now of the end
  here.run_for(6s);
  resume("west");
  CAF_REQUIRE(here.start("east").has_value());
  here.run_for(5s);
  CAF_CHECK_EQUAL(stamps.size(), 20u);
  CAF_CHECK_EQUAL(held("a-0"), "nothing");
}

CAF_TEST(a pause that is heard of late does not undo a later word) {
  pause("desk");
  here.crash("west");
  here.run_for(6s);
  resume("desk");
  CAF_REQUIRE(here.start("west").has_value()); // it still knows the pause
  here.run_for(5s);
  write("a");
  CAF_CHECK_EQUAL(stamps.size(), 20u);
}

CAF_TEST(an attempt that failed is not repeated while its service is paused) {
  post_is_shut = true;
  write("a", 4);
  pause("desk");
  post_is_shut = false;
  here.run_for(1min);
  CAF_CHECK(stamps.empty());
  resume("desk");
  here.run_for(2s);
  CAF_CHECK_EQUAL(stamps.size(), 4u);
}

CAF_TEST(more commands than a paused service has room for wait with their senders and are not lost) {
  pause("desk");
  write("a", 2'500);
  here.run_for(10s);
  CAF_CHECK(stamps.empty());
  here.cut("desk", "east");
  here.run_for(5s);
  resume("desk");
  here.run_for(1min);
  CAF_CHECK_EQUAL(std::set<std::string>(stamps.begin(), stamps.end()).size(), 2'500u);
  CAF_CHECK_EQUAL(stamps.size(), 2'500u);
}

CAF_TEST(only a stateless service can be paused) {
  const auto code = [&](const char* name) {
    const auto said = here.finish(here.client("desk").pause_service(name));
    return said ? std::string{"done"} : std::string{to_string(said.error().code)};
  };
  CAF_CHECK_EQUAL(code("pots"), "unknown_type");
  CAF_CHECK_EQUAL(code("tally"), "conflict");
  CAF_CHECK_EQUAL(code("letters"), "conflict");
  CAF_CHECK_EQUAL(code("post"), "done");
  const auto said = here.finish(here.client("desk").pause_service("post", std::string(257, 'a')));
  CAF_CHECK(!said && said.error().code == errc::malformed);
}

CAF_TEST_FIXTURE_SCOPE_END()
