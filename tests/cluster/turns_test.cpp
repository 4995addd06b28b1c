// Whose handler starts next: the turnstile (tests/engine/turnstiles.cpp) at work in a service, which knows
// who has gone meanwhile, wakes up when time lets somebody start, and leaves with their senders those for
// whom it has no room.
#define CAF_SUITE turns

#include "tests/support/cluster_world.hpp"

#include <continuo/service.hpp>

#include <caf/test/dsl.hpp>

#undef expect

#include <algorithm>
#include <chrono>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

struct done {
  CONTINUO_FIELDS(done)
};

struct work {
  using reply = done;
  std::string id;
  std::string customer;
  std::int64_t urgency = 1;
  CONTINUO_FIELDS(work, id, customer, urgency)
};

struct start {
  std::string id;
  time_point at;
  std::uint32_t attempt = 0;
};

/// Commands are sent by desk, and done by shop.
struct fixture {
  service shop{"shop"};
  std::vector<start> starts; ///< of every handler
  bool fails = false;
  std::optional<cluster_world> world;
  std::vector<std::future<result<done>>> answers;

  fixture() {
    shop.handle([this](const work& command, command_context& context) -> outcome<done> {
      starts.push_back({command.id, context.now(), context.attempt()});
      if (fails) {
        throw std::runtime_error{"closed"};
      }
      return done{};
    });
  }

  cluster_world& here() {
    if (!world) {
      world.emplace(
          [this](detail::node_runtime& node) { node.host(shop.describe()); },
          std::vector<std::pair<std::string, std::vector<std::string>>>{{"desk", {}}, {"shop", {"shop"}}});
      world->start_all();
      world->run_for(1s);
    }
    return *world;
  }

  void send(const std::string& id, const std::string& customer = {}, priority of = priority::normal) {
    answers.push_back(here().client("desk").send(work{id, customer, static_cast<std::int64_t>(of)}));
  }

  void send_some(int count, const std::string& name, const std::string& customer = {},
                 priority of = priority::normal) {
    for (int i = 0; i < count; ++i) {
      send(name + "-" + std::to_string(i), customer, of);
    }
  }

  std::vector<std::string> ids() const {
    std::vector<std::string> all;
    for (const auto& one : starts) {
      all.push_back(one.id);
    }
    return all;
  }

  std::size_t count(const std::string& name) const {
    return static_cast<std::size_t>(std::count_if(
        starts.begin(), starts.end(), [&](const start& one) { return one.id.starts_with(name); }));
  }

  std::size_t answered() {
    return static_cast<std::size_t>(std::count_if(answers.begin(), answers.end(), [](auto& one) {
      return one.wait_for(0s) == std::future_status::ready;
    }));
  }

  /// At most so many handlers begin within any such time, as an observer with a watch sees it.
  std::size_t most_within(std::chrono::nanoseconds time) const {
    std::size_t most = 0;
    for (std::size_t from = 0; from < starts.size(); ++from) {
      const auto end = std::find_if(starts.begin() + static_cast<std::ptrdiff_t>(from), starts.end(),
                                    [&](const start& one) { return one.at - starts[from].at >= time; });
      most = std::max(most, static_cast<std::size_t>(end - starts.begin()) - from);
    }
    return most;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(turns_tests, fixture)

CAF_TEST(a rate holds from one start to the next over a restart) {
  shop.rate({.starts = 10, .per = 1s, .burst = 5});
  send_some(60, "a");
  here().run_for(2s);
  CAF_CHECK_EQUAL(starts.size(), 25u); // 5 were saved up
  here().crash("shop");
  CAF_REQUIRE(here().start("shop").has_value());
  here().run_for(20s);
  CAF_CHECK_EQUAL(answered(), 60u);
  CAF_CHECK_LESS_OR_EQUAL(most_within(1s), 15u);
  CAF_CHECK_LESS_OR_EQUAL(most_within(100ms), 6u);
}

CAF_TEST(of one customer one runs at a time and others do not wait for it) {
  shop.per_key<work>(&work::customer).concurrency(4);
  here().handlers("shop").hang();
  send_some(3, "a", "ann");
  send_some(3, "b", "bob");
  send_some(2, "c");
  here().run_for(1s);
  CAF_CHECK_EQUAL(here().handlers("shop").hanging(), 4u);
  here().handlers("shop").let_go(4);
  here().run_for(1s);
  auto first = ids();
  std::sort(first.begin(), first.end());
  CAF_CHECK_EQUAL(first, (std::vector<std::string>{"a-0", "b-0", "c-0", "c-1"}));
  CAF_CHECK_EQUAL(here().handlers("shop").hanging(), 2u); // the next ones of ann and bob
  here().handlers("shop").go_on();
  here().run_for(1s);
  CAF_CHECK_EQUAL(answered(), 8u);
}

CAF_TEST(a key that cannot be read is one of its own and stops nobody for ever) {
  shop.per_key<work>([](const work& command) -> std::string {
        if (command.customer == "?") {
          throw std::runtime_error{"who?"};
        }
        return command.customer;
      })
      .concurrency(4);
  here().handlers("shop").hang();
  send_some(3, "a", "?");
  send_some(1, "b", "bob");
  here().run_for(1s);
  CAF_CHECK_EQUAL(here().handlers("shop").hanging(), 2u);
  here().handlers("shop").go_on();
  here().run_for(1s);
  CAF_CHECK_EQUAL(answered(), 4u);
}

CAF_TEST(the urgent ones come first and the others have their turns) {
  shop.priority<work>([](const work& command) { return static_cast<priority>(command.urgency); })
      .concurrency(1);
  here().handlers("shop").hang();
  send("first");
  here().run_for(1s);
  send_some(30, "low", {}, priority::low);
  send_some(30, "normal");
  send_some(30, "high", {}, priority::high);
  here().run_for(1s);
  here().handlers("shop").go_on();
  here().run_for(5s);
  CAF_CHECK_EQUAL(answered(), 91u);
  const std::vector<start> all = starts;
  starts.assign(all.begin() + 1, all.begin() + 27); // two rounds; the first one had its turn before
  CAF_CHECK_GREATER_OR_EQUAL(count("high"), 17u);
  CAF_CHECK_GREATER_OR_EQUAL(count("normal"), 5u);
  CAF_CHECK_GREATER_OR_EQUAL(count("low"), 2u);
}

CAF_TEST(a class with more than there is room for leaves the others theirs) {
  shop.priority<work>([](const work& command) { return static_cast<priority>(command.urgency); })
      .concurrency(1);
  here().set_limits([](actors::limits& bounds) { bounds.commands_waiting = 10; });
  here().crash("shop");
  CAF_REQUIRE(here().start("shop").has_value());
  here().run_for(2s);
  here().handlers("shop").hang();
  send_some(200, "low", {}, priority::low);
  here().run_for(1s);
  send_some(5, "high", {}, priority::high);
  here().run_for(1s);
  here().handlers("shop").go_on();
  here().run_for(10s);
  CAF_CHECK_EQUAL(answered(), 205u);
  starts.resize(20);
  CAF_CHECK_EQUAL(count("high"), 5u);
}

CAF_TEST(a breaker spares what fails and what waits uses up no attempt) {
  shop.breaker({.failures = 3, .wait = 10s})
      .concurrency(1)
      .retry({.attempts = 4, .first = 1ms, .factor = 1, .cap = 1ms, .jitter = 0, .timeout = 5s});
  fails = true;
  send_some(20, "a");
  here().run_for(65s);
  CAF_CHECK_EQUAL(starts.size(), 3u + 6u); // three, then one each ten seconds
  CAF_CHECK_EQUAL(answered(), 0u);
  fails = false;
  here().run_for(11s);
  CAF_CHECK_EQUAL(answered(), 20u);
  for (auto& one : answers) {
    CAF_CHECK(one.get().has_value());
  }
  CAF_CHECK(std::all_of(starts.begin(), starts.end(), [](const start& one) { return one.attempt <= 4; }));
}

CAF_TEST(one that is withdrawn while it waits for its key holds up nobody) {
  shop.per_key<work>(&work::customer);
  here().handlers("shop").hang();
  send_some(2, "a", "ann");
  here().run_for(1s);
  here().crash("desk"); // and with it who waits; the commands go on
  CAF_REQUIRE(here().start("desk").has_value());
  here().run_for(2s);
  here().handlers("shop").go_on();
  here().run_for(5s);
  CAF_CHECK_EQUAL(count("a"), 2u);
  const auto all = ids();
  CAF_CHECK_EQUAL(std::set<std::string>(all.begin(), all.end()).size(), 2u);
}

CAF_TEST(a definition that contradicts itself is refused) {
  const auto objection = [](const std::function<void(service&)>& how) {
    cluster_world small{[&](detail::node_runtime& node) {
                          service of{"shop"};
                          of.handle([](const work&, command_context&) -> outcome<done> { return done{}; });
                          how(of);
                          node.host(of.describe());
                        },
                        {{"shop", {"shop"}}}};
    const auto started = small.start("shop");
    return started ? std::string{} : started.error().message;
  };
  const auto has = [&](const std::function<void(service&)>& how, const std::string& text) {
    return objection(how).find(text) != std::string::npos;
  };
  CAF_CHECK(has([](service& of) { of.rate({.starts = 0}); }, "service shop: its rate allows no start"));
  CAF_CHECK(has([](service& of) { of.rate({.per = 0s}); }, "from 1 ms to a day"));
  CAF_CHECK(has([](service& of) { of.rate({.starts = 1, .per = 24h, .burst = 367}); }, "more than 366 days"));
  CAF_CHECK(has([](service& of) { of.breaker({.failures = 0}); }, "opens after 0 failures"));
  CAF_CHECK(has([](service& of) { of.breaker({.wait = 0s}); }, "wait must be from 1 ms"));
  CAF_CHECK(has([](service& of) { of.per_key<done>([](const done&) { return std::string{}; }); },
                "has a key for done, which it does not handle"));
  CAF_CHECK(has([](service& of) { of.per_key<work>(&work::id).per_key<work>(&work::customer); },
                "has two keys for work"));
  CAF_CHECK_EQUAL(objection([](service& of) { of.rate({.starts = 1, .per = 24h, .burst = 366}); }), "");
}

CAF_TEST_FIXTURE_SCOPE_END()
