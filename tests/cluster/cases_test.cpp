// The cases of lost, doubled and overtaken messages that two nodes and the link between them make. Numbers
// are those of the list of cases; where each is shown:
//
//    1  here; tests/engine/delivery_cases.cpp shows what receivers and senders do by themselves
//    2  here                         16  tests/engine/delivery_cases.cpp
//    3  here                         17  not yet: a command never moves
//    4  here                         18  tests/engine/delivery_cases.cpp
//    5  here                         19  tests/engine/delivery_cases.cpp
//    6  here                         20  here, as far as clients have no keys: acceptance is durable
//    7  here, tests/engine/link.cpp  21  here, tests/engine/delivery_cases.cpp
//    8  here, tests/engine/link.cpp  22  here, tests/engine/delivery_cases.cpp
//    9  here                         23  here, tests/engine/delivery_cases.cpp
//   10  here                         24  tests/actors/cases_test.cpp; here for messages of another node
//   11  tests/actors/cases_test.cpp  25  here
//   12  here, both others            26  here
//   13  tests/engine/delivery_cases  27  tests/engine/delivery_cases.cpp
//   14  tests/engine/delivery_cases  28  tests/actors/promises_test.cpp
//   15  tests/engine/delivery_cases  29  here, tests/cluster/orders_test.cpp, tests/engine/link_storm.cpp
//
// What the engine's cases say of one machine (3, 6, 10, 11, 13) is shown here of the wire: whatever leaves a
// node is true of its disk.
#define CAF_SUITE cases

#include "engine/link.hpp"
#include "engine/mailbox.hpp"
#include "nodes/identity.hpp"
#include "tests/support/cluster_world.hpp"

#include <continuo/saga.hpp>
#include <continuo/service.hpp>

#include <caf/test/dsl.hpp>

#undef expect

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

struct begun {
  std::string id;
  CONTINUO_FIELDS(begun, id)
};

/// What a caller does next.
struct poked {
  std::string id;
  std::string what; ///< add, many, ring, tell, post, end
  std::int64_t number = 0;
  CONTINUO_FIELDS(poked, id, what, number)
};

struct told {
  std::string id;
  std::int64_t number = 0;
  CONTINUO_FIELDS(told, id, number)
};

struct posted {
  std::int64_t number = 0;
  CONTINUO_FIELDS(posted, number)
};

struct added {
  std::int64_t number = 0;
  CONTINUO_FIELDS(added, number)
};

struct add {
  using reply = added;
  std::string counter;
  std::int64_t number = 0;
  CONTINUO_FIELDS(add, counter, number)
};

struct rung {
  std::int64_t number = 0;
  CONTINUO_FIELDS(rung, number)
};

struct ring {
  using reply = rung;
  std::int64_t number = 0;
  CONTINUO_FIELDS(ring, number)
};

class caller : public saga<caller> {
public:
  static void define(saga_definition<caller>& saga) {
    saga.starts_on<begun>(&begun::id);
    saga.on<poked>(&poked::id, unknown_instance::discard);
    saga.calls<add>().nothing_to_undo();
    saga.calls<ring>().nothing_to_undo();
  }
  void on(const begun&, saga_context& context) { context.expect<poked>(); }
  void on(const poked& event, saga_context& context) {
    context.expect<poked>();
    if (event.what == "add") {
      context.send(add{"k", event.number});
    } else if (event.what == "many") {
      for (std::int64_t i = 1; i <= event.number; ++i) {
        context.send(add{"k", i});
      }
    } else if (event.what == "ring") {
      context.send(ring{event.number});
    } else if (event.what == "post") {
      context.publish(posted{event.number});
    } else {
      context.publish(told{"h", event.number});
      if (event.what == "end") {
        context.complete();
      }
    }
  }
  void on(const added&, saga_context& context) { context.expect<poked>(); }
  void on(const rung&, saga_context& context) { context.expect<poked>(); }
  bool unused = false;
  CONTINUO_FIELDS(caller, unused)
};

/// Keeps what it hears, in order; -1 ends it.
class hearer : public saga<hearer> {
public:
  static void define(saga_definition<hearer>& saga) {
    saga.starts_on<told>(&told::id);
    saga.on<told>(&told::id, unknown_instance::discard);
  }
  void on(const told& event, saga_context& context) {
    numbers.push_back(event.number);
    context.expect<told>();
    if (event.number < 0) {
      context.complete();
    }
  }
  std::vector<std::int64_t> numbers;
  CONTINUO_FIELDS(hearer, numbers)
};

struct tally {
  std::vector<std::int64_t> numbers;
  CONTINUO_FIELDS(tally, numbers)
};

using numbers = std::vector<std::int64_t>;
const instance_id caller_id{"caller", "c"};
const instance_id tally_id{"tally", "k"};
const instance_id hearer_id{"hearer", "h"};

/// A caller on alpha, which dials; what it speaks to on beta.
struct fixture {
  numbers rings; ///< of every handler that ran
  numbers posts;
  std::vector<std::string> lies; ///< frames that said what the disk of their node does not

  cluster_world here{
      [this](detail::node_runtime& node) {
        node.host(caller::describe());
        node.host(hearer::describe());
        node.host(keyed_service<tally>{"tally"}
                      .handle(&add::counter,
                              [](tally& state, const add& command, keyed_context&) -> outcome<added> {
                                state.numbers.push_back(command.number);
                                return added{command.number};
                              })
                      .describe());
        node.host(service{"bell"}
                      .handle([this](const ring& command, command_context&) -> outcome<rung> {
                        rings.push_back(command.number);
                        return rung{command.number};
                      })
                      .concurrency(2)
                      .retry({.timeout = 3'600'000ms})
                      .describe());
        node.host(service{"mail"}
                      .on([this](const posted& event, command_context&) { posts.push_back(event.number); })
                      .describe());
      },
      {{"alpha", {"caller"}}, {"beta", {"tally", "bell", "mail", "hearer"}}}};

  void start() {
    here.start_all();
    here.run_for(1s);
    begin("c");
  }

  void begin(const std::string& id) {
    here.client("alpha").publish(begun{id});
    here.run_for(20ms);
  }

  void poke(const std::string& what, std::int64_t number, const std::string& id = "c") {
    here.client("alpha").publish(poked{id, what, number});
    here.run_for(20ms);
  }

  void restart(const std::string& name) {
    here.crash(name);
    CAF_REQUIRE(here.start(name).has_value());
  }

  /// Takes what is `unwanted` out of everything that goes to `to`.
  template <class Item, class Unwanted>
  void lose(const std::string& to, Unwanted unwanted) {
    here.inspect([=](const std::string&, const std::string& towards, messages::frame& frame) {
      if (auto* batch = std::get_if<messages::batch>(&frame.body); batch != nullptr && towards == to) {
        std::erase_if(batch->items, [&](const messages::batch_item& item) {
          const auto* one = std::get_if<Item>(&item);
          return one != nullptr && unwanted(*one);
        });
      }
      return true;
    });
  }

  void lose_nothing() { here.inspect(nullptr); }

  /// Compares what leaves each node with its disk.
  void watch() {
    here.inspect([this](const std::string& from, const std::string&, messages::frame& frame) {
      if (const auto* batch = std::get_if<messages::batch>(&frame.body)) {
        for (const auto& item : batch->items) {
          std::visit([&](const auto& one) { check(from, one); }, item);
        }
      }
      return true;
    });
  }

  void check(const std::string& node, const messages::envelope& message) {
    const auto withdraws = message.kind == messages::message_kind::withdrawal;
    auto stored = here.record(node, engine::holder_of(message));
    const auto all = stored ? engine::mailbox{*stored}.owed() : std::vector<engine::owed_message>{};
    const auto is_held =
        std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.message.id == message.id; });
    if (!withdraws && !is_held && !has_come(message)) {
      lies.push_back(node + " sends " + message.type + ", which it does not hold");
    }
  }

  /// Frames are seen a moment after they left: meanwhile an earlier copy of a reply may have done its work,
  /// and the sender may have dropped it. Then the disk of the other node shows its request closed.
  bool has_come(const messages::envelope& message) {
    if (!message.in_reply_to) {
      return false;
    }
    const auto receiver = here.record("alpha", message.to);
    return receiver && receiver->revision > 0 &&
           std::none_of(receiver->requests.begin(), receiver->requests.end(),
                        [&](const engine::request& sent) { return sent.id == message.in_reply_to; });
  }

  void check(const std::string& node, const messages::receipt& said) {
    const auto stored = here.record(node, said.from);
    if (said.forget && stored) {
      const auto owed = [&](const auto& sent) { return sent.to == said.to && sent.id <= said.forget; };
      if (std::any_of(stored->requests.begin(), stored->requests.end(), owed) ||
          std::any_of(stored->outbox.begin(), stored->outbox.end(), owed)) {
        lies.push_back(node + " says forget of what it holds");
      }
    }
    if (said.closes && stored &&
        std::any_of(stored->requests.begin(), stored->requests.end(),
                    [&](const auto& sent) { return sent.id == said.closes; })) {
      lies.push_back(node + " says done of a reply whose request is open");
    }
    if (said.done && !said.closes && !said.from.key.empty() && said.to.type != "bell" &&
        (!stored || std::none_of(stored->inbox.begin(), stored->inbox.end(), [&](const auto& entry) {
          return entry.from == said.to && entry.last >= said.done;
        }))) {
      lies.push_back(node + " says done of what its disk does not show as handled, to " + said.to.type);
    }
  }

  void check(const std::string&, const messages::call_for&) {}

  template <class State>
  numbers heard(const instance_id& id) {
    const auto stored = here.record("beta", id);
    return stored ? decode<State>(stored->state).value().numbers : numbers{};
  }
  numbers counted() { return heard<tally>(tally_id); }

  std::size_t open_requests() {
    const auto stored = here.record("alpha", caller_id);
    return stored ? stored->requests.size() : 0;
  }

  std::size_t commands_on_beta() {
    const auto all = here.records("beta");
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [](const engine::record& one) {
      return one.kind == engine::record_kind::command;
    }));
  }

  void expire(const std::string& node, const instance_id& id) {
    const auto core = here.node(node).open_core();
    caf::anon_send(core->shard_of(id), actors::expire{id, core->time->now().wall + 1h});
    here.run_for(10ms);
  }

  peer_status peer_of(const std::string& node) { return here.node(node).peers().front(); }

  bool failed(const std::string& node) {
    const auto failed = here.node(node).failed();
    return failed.wait_for(0s) == std::future_status::ready && failed.get().code == errc::identity;
  }

  /// Gives a node another disk with these contents.
  void restore(const std::string& node, const journal::memory_disk::contents& copy) {
    here.crash(node);
    here.disk(node) = std::make_shared<journal::memory_disk>();
    journal::memory_store store{here.disk(node)};
    journal::batch all;
    for (const auto& [key, value] : copy) {
      all.push_back({journal::operation::kind::put, key, value});
    }
    CAF_REQUIRE(store.commit(all).has_value());
  }
};

numbers up_to(std::int64_t last) {
  numbers all;
  for (std::int64_t number = 1; number <= last; ++number) {
    all.push_back(number);
  }
  return all;
}

bool is_reply_of(const messages::envelope& message, std::int64_t number) {
  const auto body = decode<added>(message.payload);
  return message.kind == messages::message_kind::reply && body && body->number == number;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(cluster_cases, fixture)

CAF_TEST(case 1 - a message whose answer was lost is not handled again behind a later one) {
  start();
  lose<messages::envelope>("alpha", [](const auto& message) { return is_reply_of(message, 1); });
  poke("add", 1);
  poke("add", 2);
  here.run_for(3s);
  CAF_CHECK_EQUAL(open_requests(), 1u); // the second one is closed, and could be forgotten
  lose_nothing();
  here.cut("alpha", "beta");
  here.run_for(5s);
  CAF_CHECK(counted() == up_to(2));
  CAF_CHECK_EQUAL(open_requests(), 0u);
  CAF_CHECK(here.record("beta", tally_id)->inbox.empty());
}

CAF_TEST(case 2 - a late forget does not touch the entry of a later message) {
  start();
  std::optional<messages::receipt> late;
  here.inspect([&](const std::string& from, const std::string&, messages::frame& frame) {
    if (auto* batch = std::get_if<messages::batch>(&frame.body); batch != nullptr && from == "alpha") {
      std::erase_if(batch->items, [&](const messages::batch_item& item) {
        const auto* said = std::get_if<messages::receipt>(&item);
        const auto forgets = said != nullptr && said->forget;
        late = forgets && !late ? std::optional{*said} : late;
        return forgets;
      });
    }
    return true;
  });
  poke("add", 1);
  here.run_for(3s);
  CAF_REQUIRE(late);
  here.inspect([&](const std::string& from, const std::string&, messages::frame& frame) {
    auto* batch = std::get_if<messages::batch>(&frame.body);
    if (batch == nullptr) {
      return true;
    }
    if (from == "alpha" && late && counted().size() == 2) {
      batch->items.emplace_back(*std::exchange(late, {}));
    }
    std::erase_if(batch->items, [](const messages::batch_item& item) {
      const auto* message = std::get_if<messages::envelope>(&item);
      return message != nullptr && is_reply_of(*message, 2);
    });
    return true;
  });
  poke("add", 2);
  here.run_for(3s);
  CAF_REQUIRE(!late);
  CAF_CHECK_EQUAL(open_requests(), 1u);
  lose_nothing();
  here.cut("alpha", "beta");
  here.run_for(5s);
  CAF_CHECK(counted() == up_to(2));
  CAF_CHECK_EQUAL(open_requests(), 0u);
}

CAF_TEST(case 3 and 6 and 10 and 13 - whatever leaves a node is true of its disk) {
  const auto* is_long = std::getenv("CONTINUO_LONG");
  const std::uint64_t seeds = is_long != nullptr && std::string_view{is_long} == "1" ? 10'000 : 60;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    fixture one;
    if (seed % 2 == 0) {
      one.here.shuffle();
    }
    auto random = seed;
    const auto draw = [&](std::uint64_t below) { return detail::next_random(random) % below; };
    one.start();
    one.watch();
    const std::array kinds{"add", "ring", "tell", "post"};
    std::int64_t number = 0;
    for (int step = 0; step < 40; ++step) {
      one.here.client("alpha").publish(poked{"c", kinds[draw(4)], ++number});
      one.here.run_for(std::chrono::microseconds{draw(20'000)});
      one.here.step(draw(30));
      if (draw(6) == 0) {
        one.here.cut("alpha", "beta", draw(2) == 0);
      } else if (draw(8) == 0) {
        one.restart(draw(2) == 0 ? "alpha" : "beta");
      }
    }
    one.here.run_for(10s);
    if (one.open_requests() + one.commands_on_beta() + one.lies.size() > 0) {
      CAF_FAIL("seed " << seed << ": " << one.open_requests() << " open requests, " << one.commands_on_beta()
                       << " commands left; " << (one.lies.empty() ? "" : one.lies.front()));
    }
  }
}

CAF_TEST(case 4 - an ended instance lets go of what it sent and is let go of) {
  start();
  poke("end", 1);
  here.run_for(3s);
  CAF_CHECK_EQUAL(here.status_of("alpha", "caller", "c"), "completed");
  CAF_CHECK(here.record("alpha", caller_id)->outbox.empty());
  CAF_CHECK(here.record("beta", hearer_id)->inbox.empty());
  CAF_CHECK(heard<hearer>(hearer_id) == up_to(1));
}

CAF_TEST(case 5 - a forget that was lost is made good with the next connection) {
  start();
  lose<messages::receipt>("beta", [](const auto& said) { return bool{said.forget}; });
  poke("add", 1);
  poke("tell", 1);
  here.run_for(5s);
  CAF_CHECK(!here.record("beta", tally_id)->inbox.empty());
  CAF_CHECK(!here.record("beta", hearer_id)->inbox.empty());
  lose_nothing();
  here.cut("alpha", "beta");
  here.run_for(3s);
  CAF_CHECK(here.record("beta", tally_id)->inbox.empty());
  CAF_CHECK(here.record("beta", hearer_id)->inbox.empty());
}

CAF_TEST(case 6 and 20 - whenever the requester crashes the command runs once and what was accepted is done) {
  for (std::size_t steps = 0; steps < 120; ++steps) {
    fixture one;
    one.start();
    const auto sent = one.here.client("alpha").publish(poked{"c", "ring", 1});
    one.here.step(steps);
    const auto accepted = sent.taken().wait_for(0s) == std::future_status::ready && sent.get().has_value();
    one.restart("alpha");
    one.here.run_for(4s);
    CAF_REQUIRE(one.rings.size() <= 1);
    CAF_REQUIRE(!accepted || one.rings.size() == 1);
    CAF_REQUIRE_EQUAL(one.open_requests(), 0u);
    CAF_REQUIRE_EQUAL(one.commands_on_beta(), 0u);
  }
}

CAF_TEST(case 7 - what an old connection delivers late runs nothing again) {
  // The old buffer's batches must fit behind those of the new connection to do harm, so the old one lives
  // as long as that takes.
  for (int beats = 0; beats < 24; ++beats) {
    for (const auto& what : {"ring", "post", "add", "tell"}) {
      fixture one;
      one.start();
      one.here.run_for(500ms * beats);
      one.poke(what, 1);
      one.here.cut("alpha", "beta", true);
      one.here.run_for(5s); // all is done and forgotten, then the old buffer is read
      one.here.run_for(1s);
      CAF_REQUIRE_EQUAL(one.rings.size() + one.posts.size() + one.counted().size() +
                            one.heard<hearer>(hearer_id).size(),
                        1u);
      CAF_REQUIRE_EQUAL(one.commands_on_beta(), 0u);
    }
  }
}

CAF_TEST(case 7 - a hello that comes late changes nothing of a connection that is up) {
  here.start_all();
  here.run_for(5ms);
  CAF_REQUIRE(peer_of("beta").up);
  here.cut("alpha", "beta", true);
  here.run_for(3s);
  here.run_for(3s);
  CAF_CHECK(peer_of("alpha").up);
  CAF_CHECK(peer_of("beta").up);
  CAF_CHECK_EQUAL(peer_of("beta").connections, 2u);
}

CAF_TEST(a peer that is not found changes nothing of a connection that it has made meanwhile) {
  start();
  caf::anon_send(here.node("beta").open_core()->links.at("alpha"), actors::unreachable{"nobody listens"});
  here.run_for(10ms);
  CAF_CHECK(peer_of("beta").up);
}

CAF_TEST(case 8 - no epoch comes twice though the dialing node has started anew) {
  for (int beats = 0; beats < 24; ++beats) { // as in case 7
    fixture one;
    one.start();
    one.here.run_for(500ms * beats);
    one.poke("ring", 1);
    one.here.cut("alpha", "beta", true);
    one.restart("alpha");
    one.here.run_for(5s);
    one.here.run_for(1s);
    CAF_REQUIRE(one.rings == up_to(1));
  }
}

CAF_TEST(case 9 - a copy joins the command that waits or runs) {
  start();
  here.handlers("beta").hang();
  for (std::int64_t number = 1; number <= 4; ++number) {
    poke("ring", number); // two run, two wait
  }
  CAF_CHECK_EQUAL(here.handlers("beta").hanging(), 2u);
  here.cut("alpha", "beta", true);
  here.run_for(3s);
  here.cut("alpha", "beta");
  here.run_for(3s);
  here.handlers("beta").go_on();
  here.run_for(3s);
  std::sort(rings.begin(), rings.end());
  CAF_CHECK(rings == up_to(4));
  CAF_CHECK_EQUAL(open_requests(), 0u);
  CAF_CHECK_EQUAL(commands_on_beta(), 0u);
}

CAF_TEST(case 10 - a command that was closed while it waited for credit is not sent) {
  start();
  begin("d");
  lose<messages::envelope>("alpha", [](const auto&) { return true; });
  poke("ring", 1, "c");
  poke("ring", 2, "d");
  CAF_REQUIRE_EQUAL(rings.size(), 2u);
  // Both are answered, and their requester does not know. On the next connection there is credit for one.
  here.cut("alpha", "beta");
  std::size_t sent = 0;
  here.inspect([&](const std::string& from, const std::string&, messages::frame& frame) {
    if (auto* batch = std::get_if<messages::batch>(&frame.body); batch != nullptr) {
      batch->credit = from == "beta" ? std::min<std::uint64_t>(batch->credit, 1) : batch->credit;
      sent += static_cast<std::size_t>(
          std::count_if(batch->items.begin(), batch->items.end(), [&](const auto& item) {
            return from == "alpha" && std::holds_alternative<messages::envelope>(item);
          }));
    }
    return true;
  });
  here.run_for(5s);
  CAF_CHECK_EQUAL(sent, 1u);
  CAF_CHECK_EQUAL(commands_on_beta(), 0u); // the answers were closed meanwhile
  CAF_CHECK_EQUAL(peer_of("alpha").waiting, 1u);
  lose_nothing();
  here.run_for(5s);
  CAF_CHECK_EQUAL(peer_of("alpha").waiting, 0u);
  CAF_CHECK_EQUAL(rings.size(), 2u);
}

CAF_TEST(case 12 - after a restart nothing new overtakes what another node has not got yet) {
  start();
  here.crash("beta");
  for (std::int64_t number = 1; number <= 3; ++number) {
    poke("add", number);
    poke("tell", number);
  }
  restart("alpha");
  here.client("alpha").publish(poked{"c", "add", 4});
  here.client("alpha").publish(poked{"c", "tell", 4});
  CAF_REQUIRE(here.start("beta").has_value());
  here.run_for(5s);
  CAF_CHECK(counted() == up_to(4));
  CAF_CHECK(heard<hearer>(hearer_id) == up_to(4));
}

CAF_TEST(case 21 - the messages of a key that lives twice are not taken for those of its first life) {
  start();
  poke("end", 1);
  here.run_for(3s);
  expire("alpha", caller_id);
  CAF_REQUIRE(!here.record("alpha", caller_id));
  lose<messages::receipt>("beta", [](const auto& said) { return bool{said.forget}; });
  begin("c");
  poke("end", 2);
  here.run_for(3s);
  expire("alpha", caller_id); // the hearer's entry is still there
  CAF_REQUIRE(!here.record("alpha", caller_id));
  CAF_REQUIRE(!here.record("beta", hearer_id)->inbox.empty());
  begin("c");
  poke("tell", 3);
  here.run_for(3s);
  CAF_CHECK(heard<hearer>(hearer_id) == up_to(3));
}

CAF_TEST(case 22 - an ended saga is not deleted while the event that started it may come again) {
  start();
  lose<messages::receipt>("alpha", [](const auto&) { return true; });
  poke("tell", -1);
  CAF_REQUIRE_EQUAL(here.status_of("beta", "hearer", "h"), "completed");
  expire("beta", hearer_id);
  CAF_CHECK(here.record("beta", hearer_id));
  lose_nothing();
  here.cut("alpha", "beta");
  here.run_for(3s);
  CAF_CHECK(heard<hearer>(hearer_id) == numbers{-1});
  expire("beta", hearer_id);
  CAF_CHECK(!here.record("beta", hearer_id));
}

CAF_TEST(case 23 - an event at a stateless service is remembered until its sender forgets it) {
  start();
  lose<messages::receipt>("alpha", [](const auto&) { return true; });
  poke("post", 1);
  CAF_CHECK_EQUAL(commands_on_beta(), 1u);
  restart("beta");
  here.run_for(3s);
  CAF_CHECK_EQUAL(commands_on_beta(), 1u);
  lose_nothing();
  here.cut("alpha", "beta");
  here.run_for(5s);
  CAF_CHECK(posts == up_to(1));
  CAF_CHECK_EQUAL(commands_on_beta(), 0u);
}

CAF_TEST(case 24 - messages of another node for an instance that leaves memory are handled all the same) {
  start();
  here.node("beta").open_core()->bounds.instances_in_memory = 1;
  for (std::int64_t number = 1; number <= 100; ++number) {
    here.client("alpha").publish(poked{"c", "add", number});
    here.client("alpha").publish(poked{"c", "tell", number});
    here.step(static_cast<std::size_t>(number) % 23);
  }
  here.run_for(5s);
  CAF_CHECK(counted() == up_to(100));
  CAF_CHECK(heard<hearer>(hearer_id) == up_to(100));
  CAF_CHECK_EQUAL(open_requests(), 0u);
}

CAF_TEST(case 25 - an answer does not speak of earlier messages that are not durable) {
  start();
  here.handlers("beta").hang();
  poke("ring", 1);
  poke("ring", 2);
  poke("post", 3);
  here.handlers("beta").let_go_last(2);
  here.run_for(1s);
  CAF_CHECK_EQUAL(open_requests(), 1u);
  restart("beta");
  here.run_for(5s);
  CAF_CHECK(rings == (numbers{2, 1}));
  CAF_CHECK(posts == numbers{3});
  CAF_CHECK_EQUAL(open_requests(), 0u);
}

CAF_TEST(case 26 - what becomes durable while a connection begins is sent on it) {
  start();
  std::int64_t number = 0;
  for (int round = 0; round < 150; ++round) {
    here.cut("alpha", "beta");
    here.run_for(std::chrono::microseconds{here.draw(52'000)});
    for (int i = 0; i < 3; ++i) {
      here.client("alpha").publish(poked{"c", "add", ++number});
      here.client("alpha").publish(poked{"c", "tell", number});
      here.step(here.draw(25));
    }
    here.run_for(700ms);
    CAF_REQUIRE(counted() == up_to(number));
    CAF_REQUIRE(heard<hearer>(hearer_id) == up_to(number));
  }
  CAF_CHECK_EQUAL(peer_of("alpha").connections, 151u);
}

// -- amnesia ----------------------------------------------------------------------------------

CAF_TEST(a thousand commands of one instance go on when their node is back) {
  start();
  here.crash("beta");
  poke("many", 1'000);
  here.run_for(1s);
  CAF_REQUIRE_EQUAL(open_requests(), 1'000u);
  CAF_REQUIRE(here.start("beta").has_value());
  here.run_for(30s);
  CAF_CHECK_EQUAL(open_requests(), 0u);
  numbers wanted;
  for (std::int64_t i = 1; i <= 1'000; ++i) {
    wanted.push_back(i);
  }
  CAF_CHECK(counted() == wanted);
}

CAF_TEST(case 29 - a restored store that has run on alone is found out) {
  for (const std::string node : {"alpha", "beta"}) {
    const auto other = node == "alpha" ? "beta" : "alpha";
    fixture one;
    one.start();
    one.poke("add", 1);
    one.here.run_for(3s);
    const auto copy = one.here.disk(node)->snapshot();
    one.poke("add", 2);
    one.here.run_for(3s);
    one.here.crash(other);
    one.restore(node, copy);
    CAF_REQUIRE(one.here.start(node).has_value());
    one.here.run_for(1s);
    for (int i = 0; i < 30; ++i) { // its puts pass those that were lost
      one.here.client(node).publish(told{"alone", i});
      one.here.client(node).publish(poked{"c", "add", 100 + i});
      one.here.run_for(50ms);
    }
    CAF_REQUIRE(!one.failed(node));
    CAF_REQUIRE(one.here.start(other).has_value());
    one.here.run_for(5s);
    CAF_CHECK(one.failed(node));
    CAF_CHECK(!one.failed(other));
    CAF_CHECK(node == "beta" || one.counted() == up_to(2));
    one.restart(node); // as whoever watches over processes would
    one.here.run_for(5s);
    CAF_CHECK(one.failed(node));
    CAF_CHECK(!one.failed(other));
  }
}

CAF_TEST(case 29 - a store from before its last starts is found out by a peer that stayed up) {
  for (const std::string node : {"alpha", "beta"}) {
    fixture one;
    one.start();
    const auto copy = one.here.disk(node)->snapshot();
    for (int i = 1; i <= 3; ++i) {
      one.restart(node);
      one.here.run_for(3s);
      one.poke("add", i);
    }
    one.here.run_for(3s);
    one.restore(node, copy);
    CAF_REQUIRE(one.here.start(node).has_value());
    one.here.run_for(5s);
    CAF_CHECK(one.failed(node));
    CAF_CHECK(!one.failed(node == "alpha" ? "beta" : "alpha"));
    one.restart(node);
    one.here.run_for(5s);
    CAF_CHECK(one.failed(node));
  }
}

CAF_TEST(a node that starts again answers what a client sent to the peer that took it) {
  for (const auto peer_has_lost : {false, true}) {
    for (int turn = 0; turn < 20; ++turn) {
      fixture one;
      one.start();
      for (int i = 0; i < turn; ++i) { // each turn draws another order of the jobs
        one.here.draw(2);
      }
      one.here.shuffle();
      one.lose<messages::envelope>("alpha", [](const auto& message) { return bool{message.in_reply_to}; });
      one.here.client("alpha").send(add{"k", 1});
      one.here.run_for(200ms);
      CAF_REQUIRE(one.counted() == up_to(1));
      if (peer_has_lost) {
        one.here.crash("alpha");
        {
          journal::memory_store store{one.here.disk("alpha")};
          CAF_REQUIRE(nodes::accept_loss(store, 0).has_value());
        }
        CAF_REQUIRE(one.here.start("alpha").has_value());
        one.here.run_for(3s);
      }
      one.here.crash("beta");
      one.lose_nothing();
      CAF_REQUIRE(one.here.start("beta").has_value());
      one.here.run_for(5s);
      CAF_CHECK(one.counted() == up_to(1)); // else it was forgotten, though alpha sends it again
      const auto asked = one.here.records("alpha");
      CAF_CHECK(std::none_of(asked.begin(), asked.end(), [](const engine::record& stored) {
        return stored.kind == engine::record_kind::send && !stored.requests.empty();
      }));
      CAF_CHECK(one.here.record("beta", tally_id)->inbox.empty());
      CAF_CHECK(one.here.record("beta", tally_id)->outbox.empty());
    }
  }
}

CAF_TEST(case 29 - after an accepted loss what the node sends is not taken for what it sent before) {
  for (const std::uint64_t random : {1ull, 0x8000'0000'0000'0000ull, ~0ull}) {
    fixture one;
    one.start();
    one.lose<messages::receipt>("beta", [](const auto& said) { return bool{said.forget}; });
    one.poke("tell", 1);
    one.poke("add", 1);
    one.here.run_for(3s);
    const auto copy = one.here.disk("alpha")->snapshot();
    one.restart("alpha");
    one.here.run_for(3s);
    one.restore("alpha", copy);
    {
      journal::memory_store store{one.here.disk("alpha")};
      CAF_REQUIRE(nodes::accept_loss(store, random).has_value());
    }
    CAF_REQUIRE(one.here.start("alpha").has_value());
    CAF_REQUIRE(!one.here.record("beta", hearer_id)->inbox.empty()); // of the lost life
    one.here.client("alpha").publish(poked{"c", "tell", 2});
    one.here.client("alpha").publish(poked{"c", "add", 2});
    one.here.run_for(5s);
    CAF_CHECK(one.heard<hearer>(hearer_id) == up_to(2));
    CAF_CHECK(one.counted() == up_to(2));
    CAF_CHECK_EQUAL(one.open_requests(), 0u);
  }
}

CAF_TEST(case 29 - after an accepted loss the node comes back and all that was not forgotten is sent again) {
  for (const std::string node : {"alpha", "beta"}) {
    fixture one;
    one.start();
    one.poke("add", 1);
    one.here.run_for(3s);
    const auto copy = one.here.disk(node)->snapshot();
    for (int i = 0; i < 3; ++i) {
      one.restart(node);
      one.here.run_for(3s);
    }
    one.poke("add", 2);
    one.here.run_for(3s);
    one.restore(node, copy);
    {
      journal::memory_store store{one.here.disk(node)};
      CAF_REQUIRE(nodes::accept_loss(store, 0x1234'5678'9abc'def0).has_value());
    }
    CAF_REQUIRE(one.here.start(node).has_value());
    one.here.run_for(5s);
    CAF_REQUIRE(!one.failed("alpha"));
    CAF_REQUIRE(!one.failed("beta"));
    one.poke("add", 3);
    one.here.run_for(5s);
    CAF_CHECK_EQUAL(one.open_requests(), 0u);
    CAF_CHECK(one.counted() == (node == "alpha" ? numbers{1, 2, 3} : numbers{1, 3}));
    one.restart("alpha");
    one.restart("beta");
    one.here.run_for(5s);
    one.poke("add", 4);
    const auto counted = one.counted();
    CAF_CHECK_EQUAL(counted.back(), 4);
    CAF_CHECK(one.peer_of("alpha").up && one.peer_of("beta").up);
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
