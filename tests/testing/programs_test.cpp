// Nodes that run different programs, and services that move.
#define CAF_SUITE programs

#include <continuo/testing_caf.hpp>

#include <caf/test/dsl.hpp>

#include <chrono>
#include <memory>
#include <set>
#include <string>

using namespace continuo;
using namespace std::chrono_literals;

namespace {

struct rung {
  CONTINUO_FIELDS(rung)
};

struct ring {
  using reply = rung;
  CONTINUO_FIELDS(ring)
};

struct charged {
  CONTINUO_FIELDS(charged)
};

struct price_changed {
  CONTINUO_FIELDS(price_changed)
};

namespace older {
struct charge {
  using reply = charged;
  std::string id;
  CONTINUO_FIELDS(charge, id)
};
} // namespace older

namespace newer {
struct charge {
  using reply = charged;
  std::string id;
  std::string currency = "EUR";
  CONTINUO_FIELDS(charge, id, CONTINUO_SINCE(1, currency))
};
} // namespace newer

/// A till at one node, and at the other one a desk that has nothing but a bell.
struct fixture : testing::fixture {
  fixture() { start(); }

  testing::node& build() {
    offer_all<newer::charge>(*this, "till");
    add("shop", {"bell", "till"});
    return add("desk", {"bell"});
  }

  template <class Charge, class Program>
  void offer_all(Program&& to, const std::string& name) {
    to.offer(service{"bell"}.handle(
        [](const ring&, command_context&) -> continuo::outcome<rung> { return rung{}; }));
    to.offer(service{name}
                 .handle([keys = keys, tries = tries](const Charge& command,
                                                      command_context& call) -> continuo::outcome<charged> {
                   if (command.id == "fails" && ++*tries == 1) {
                     throw 1;
                   }
                   keys->insert(call.idempotency_key());
                   return charged{};
                 })
                 .on([heard = heard](const price_changed&, command_context&) { ++*heard; })
                 .retry({.attempts = 1}));
  }

  void charge_at_desk(const std::string& id = "c-1") {
    static_cast<void>(desk.client().send(newer::charge{id}));
    run_for(1s);
  }

  /// All nodes are started anew with the till at the desk.
  void move_the_till() {
    desk.crash();
    shop.crash();
    place({{"desk", {"bell", "till"}}, {"shop", {"bell"}}});
    desk.start();
    shop.start();
  }

  std::shared_ptr<int> heard = std::make_shared<int>(0);
  std::shared_ptr<int> tries = std::make_shared<int>(0);
  std::shared_ptr<std::set<std::string>> keys = std::make_shared<std::set<std::string>>();
  testing::node& desk = build();
  testing::node& shop = (*this)["shop"];
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(programs_tests, fixture)

CAF_TEST(what an older program does not know waits for the newer one) {
  offer_all<older::charge>(program("older"), "till");
  shop.install("older");
  shop.restart();
  CAF_CHECK_EQUAL(shop.program(), "older");
  charge_at_desk();
  run_for(1min);
  CAF_CHECK(keys->empty());
  shop.install();
  shop.restart();
  run();
  CAF_CHECK_EQUAL(keys->size(), 1u);
  finish();
}

CAF_TEST(what a client sent follows its service to another node) {
  shop.crash();
  charge_at_desk();
  move_the_till();
  run();
  CAF_CHECK_EQUAL(keys->size(), 1u);
  finish();
}

CAF_TEST(an event follows its subscriber to another node) {
  shop.crash();
  publish(price_changed{}, "desk");
  move_the_till();
  run();
  CAF_CHECK_EQUAL(*heard, 1);
  finish();
}

CAF_TEST(what a client sent follows its service from node to node and under another name) {
  offer_all<newer::charge>(program("renamed"), "counter");
  shop.crash();
  charge_at_desk();
  desk.crash();
  place({{"shop", {"bell", "counter"}}});
  for (auto* one : {&desk, &shop}) {
    one->install("renamed");
    one->start();
  }
  run();
  CAF_CHECK_EQUAL(keys->size(), 1u);
  finish();
}

CAF_TEST(what is redriven follows its service to another node and has its outcome there) {
  charge_at_desk("fails");
  auto letters = shop.client().dead_letters();
  run_for(1s);
  const auto found = letters.get();
  CAF_REQUIRE(found.has_value());
  CAF_REQUIRE_EQUAL(found->size(), 1u);
  move_the_till();
  static_cast<void>(shop.client().redrive(found->front().id));
  run();
  CAF_CHECK_EQUAL(keys->size(), 1u);
  finish(); // nothing waits
}

CAF_TEST(a cluster file is for nodes that are down) {
  bool refused = false;
  try {
    place({{"shop", {"bell"}}});
  } catch (const testing::failure&) {
    refused = true;
  }
  CAF_CHECK(refused);
}

CAF_TEST_FIXTURE_SCOPE_END()
