// ctest: timeout=300 plain
// Keyed services and sagas on several nodes: the bank of the examples, and events for nodes that start late.
#define CAF_SUITE transfers

#include "examples/bank/accounts.hpp"
#include "examples/bank/messages.hpp"
#include "examples/bank/transfer.hpp"
#include "tests/support/cluster_world.hpp"

#include <continuo/archive.hpp>
#include <continuo/saga.hpp>
#include <continuo/service.hpp>

#include <caf/test/dsl.hpp>

#undef expect

#include <cstdlib>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace bank_transfers;
using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

struct count_begun {
  std::string id;
  CONTINUO_FIELDS(count_begun, id)
};

struct count_more {
  std::string id;
  CONTINUO_FIELDS(count_more, id)
};

/// Published by a counter with each number.
struct counted {
  std::string by;
  std::int64_t number = 0;
  CONTINUO_FIELDS(counted, by, number)
};

struct entered {
  CONTINUO_FIELDS(entered)
};

struct enter {
  using reply = entered;
  std::string ledger;
  std::string by;
  std::int64_t number = 0;
  CONTINUO_FIELDS(enter, ledger, by, number)
};

struct stamped {
  CONTINUO_FIELDS(stamped)
};

struct stamp {
  using reply = stamped;
  std::string by;
  std::int64_t number = 0;
  CONTINUO_FIELDS(stamp, by, number)
};

/// Enters 1, 2, 3, ... into a ledger, has each stamped, and publishes the same.
class counter : public saga<counter> {
public:
  static void define(saga_definition<counter>& saga) {
    saga.starts_on<count_begun>(&count_begun::id);
    saga.on<count_more>(&count_more::id, unknown_instance::discard);
    saga.calls<enter>().nothing_to_undo();
    saga.calls<stamp>().nothing_to_undo();
  }
  void on(const count_begun& event, saga_context& context) {
    id = event.id;
    context.expect<count_more>();
  }
  void on(const count_more&, saga_context& context) {
    context.expect<count_more>();
    ++number;
    context.send(enter{"ledger-" + std::to_string(id.size() % 2), id, number});
    context.send(stamp{id, number});
    context.publish(counted{id, number});
  }
  void on(const entered&, saga_context& context) { context.expect<count_more>(); }
  void on(const stamped&, saga_context& context) { context.expect<count_more>(); }

  std::string id;
  std::int64_t number = 0;
  CONTINUO_FIELDS(counter, id, number)
};

/// Hears what one counter publishes.
class auditor : public saga<auditor> {
public:
  static void define(saga_definition<auditor>& saga) {
    saga.starts_on<counted>(&counted::by);
    saga.on<counted>(&counted::by, unknown_instance::discard);
  }
  void on(const counted& event, saga_context& context) {
    heard.push_back(event.number);
    context.expect<counted>();
  }
  std::vector<std::int64_t> heard;
  CONTINUO_FIELDS(auditor, heard)
};

struct ledger {
  std::map<std::string, std::vector<std::int64_t>> entries;
  CONTINUO_FIELDS(ledger, entries)
};

/// What the notaries stamped, outside of all nodes: the keys under which they did.
using stamps = std::map<std::pair<std::string, std::int64_t>, std::set<std::string>>;

void host_all(detail::node_runtime& node, stamps& book) {
  node.host(accounts().describe());
  node.host(transfer::describe());
  node.host(counter::describe());
  node.host(auditor::describe());
  node.host(keyed_service<ledger>{"ledger"}
                .handle(&enter::ledger,
                        [](ledger& state, const enter& command, keyed_context&) -> outcome<entered> {
                          state.entries[command.by].push_back(command.number);
                          return entered{};
                        })
                .describe());
  node.host(service{"notary"}
                .handle([&book](const stamp& command, command_context& context) -> outcome<stamped> {
                  if (command.number % 5 == 0 && context.attempt() == 1) {
                    throw std::runtime_error{"no ink"};
                  }
                  book[{command.by, command.number}].insert(context.idempotency_key());
                  return stamped{};
                })
                .concurrency(2)
                .describe());
}

const std::vector<std::pair<std::string, std::vector<std::string>>> five_nodes{
    {"bank1", {"accounts", "ledger", "notary"}},
    {"bank2", {"accounts", "ledger", "notary"}},
    {"desk1", {"transfer", "counter"}},
    {"desk2", {"transfer", "counter"}},
    {"late", {"auditor"}}};

constexpr std::size_t accounts_count = 6;
constexpr std::int64_t opening_cents = 100'00;

std::string account_of(std::uint64_t number) {
  return "account-" + std::to_string(number);
}

bool is_in_order(const std::vector<std::int64_t>& all, std::int64_t last) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i] != static_cast<std::int64_t>(i + 1)) {
      return false;
    }
  }
  return static_cast<std::int64_t>(all.size()) == last;
}

/// A bank on four nodes, and one that hears of it.
struct bank {
  explicit bank(std::uint64_t seed)
      : here([this](detail::node_runtime& node) { host_all(node, book); }, five_nodes, seed) {
    if (seed % 2 == 0) {
      here.shuffle();
    }
    if (seed % 3 == 0) { // everything is short of room
      here.set_link_queue_max(2 + here.draw(20));
      here.set_limits([](actors::limits& bounds) {
        bounds.instances_in_memory = 2;
        bounds.commands_waiting = 4;
        bounds.commands_held = 8;
      });
    }
  }

  void open(bool with_late) {
    for (const auto& name : here.names()) {
      if (with_late || name != "late") {
        CAF_REQUIRE(here.start(name).has_value());
      }
    }
    here.run_for(1s);
    for (std::size_t number = 1; number <= accounts_count; ++number) {
      here.client(number % 2 == 0 ? "desk1" : "bank1").send(open_account{account_of(number), opening_cents});
    }
    for (const auto& id : counters) {
      here.client("desk1").publish(count_begun{id});
    }
    here.run_for(1s);
  }

  /// Asks a node, if it is up, for one more transfer and one more number of each counter.
  void ask(const std::string& at) {
    if (!here.is_up(at)) {
      return;
    }
    const auto from = 1 + here.draw(accounts_count);
    const auto to = here.draw(8) == 0 ? std::string{"nobody"} : account_of(1 + here.draw(accounts_count));
    const transfer_requested request{"t-" + std::to_string(++asked_), account_of(from), to,
                                     static_cast<std::int64_t>(1 + here.draw(60'00))};
    const auto sent = here.client(at).publish(request);
    for (const auto& id : counters) {
      here.client(at).publish(count_more{id});
    }
    here.run_for(5ms);
    if (sent.taken().wait_for(0s) == std::future_status::ready && sent.get()) {
      accepted.insert(request.transfer_id);
    }
  }

  void bring_all_back(const std::vector<std::string>& names) {
    here.heal();
    for (const auto& name : names) {
      if (!here.is_up(name)) {
        CAF_REQUIRE(here.start(name).has_value());
      }
    }
  }

  std::optional<engine::record> find(const instance_id& id) {
    for (const auto& name : here.names()) {
      if (auto stored = here.record(name, id)) {
        return stored;
      }
    }
    return std::nullopt;
  }

  std::int64_t money() {
    std::int64_t sum = 0;
    for (std::size_t number = 1; number <= accounts_count; ++number) {
      const auto stored = find({"accounts", account_of(number)});
      sum += stored ? decode<account>(stored->state).value().cents : 0;
    }
    return sum;
  }

  std::int64_t number_of(const std::string& id) {
    const auto stored = find({"counter", id});
    return stored ? decode<counter>(stored->state).value().number : 0;
  }

  std::vector<std::int64_t> entered_by(const std::string& id) {
    const auto stored = find({"ledger", "ledger-" + std::to_string(id.size() % 2)});
    return stored ? decode<ledger>(stored->state).value().entries[id] : std::vector<std::int64_t>{};
  }

  std::vector<std::int64_t> audited(const std::string& id) {
    const auto stored = find({"auditor", id});
    return stored ? decode<auditor>(stored->state).value().heard : std::vector<std::int64_t>{};
  }

  /// What is wrong once all is over; empty: nothing.
  std::string complaint() {
    for (const auto& id : accepted) {
      const auto stored = find({"transfer", id});
      if (!stored || !is_terminal(stored->status)) {
        return id + " has not ended: " + (stored ? std::string{to_string(stored->status)} : "absent");
      }
    }
    if (money() != accounts_count * opening_cents) {
      return "money was made or lost: " + std::to_string(money());
    }
    for (const auto& id : counters) {
      if (!is_in_order(entered_by(id), number_of(id))) {
        return "the ledger has " + id + " out of order";
      }
      for (std::int64_t number = 1; number <= number_of(id); ++number) {
        if (book[{id, number}].size() != 1) {
          return id + " has a number stamped under " + std::to_string(book[{id, number}].size()) + " keys";
        }
      }
      if (!is_in_order(audited(id), number_of(id))) {
        return "the auditor has " + id + " out of order";
      }
    }
    for (const auto& name : here.names()) {
      for (const auto& stored : here.records(name)) {
        if (!stored.requests.empty() || !stored.outbox.empty() || !stored.inbox.empty()) {
          std::string what;
          for (const auto& sent : stored.requests) {
            what += " request " + sent.type + " " + to_string(sent.id) + " for " + to_string(sent.to);
          }
          for (const auto& sent : stored.outbox) {
            what += " " + sent.type + " " + to_string(sent.id) + " for " + to_string(sent.to);
          }
          for (const auto& entry : stored.inbox) {
            what += " remembers " + to_string(entry.last) + " of " + to_string(entry.from);
          }
          return to_string(stored.self) + " on " + name + " still has something to say:" + what;
        }
      }
      if (here.node(name).figures().orphaned != 0) {
        return name + " has an instance that nothing can wake";
      }
      for (const auto& peer : here.node(name).peers()) {
        if (!peer.up) {
          return name + " sees " + peer.name + " down: " + peer.last_error;
        }
      }
    }
    return {};
  }

  const std::vector<std::string> counters{"a", "b2", "c", "d4"};
  std::set<std::string> accepted;
  stamps book;
  cluster_world here;

private:
  std::size_t asked_ = 0;
};

bool is_long() {
  const auto* set = std::getenv("CONTINUO_LONG");
  return set != nullptr && std::string_view{set} == "1";
}

} // namespace

CAF_TEST(crashes and cuts make and lose no money and keep the order of each pair) {
  const std::uint64_t seeds = is_long() ? 2'000 : 40;
  std::size_t transfers = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    bank one{seed};
    one.open(true);
    const auto names = one.here.names();
    for (int round = 0; round < 25; ++round) {
      one.ask(names[2 + one.here.draw(2)]);
      one.ask(names[one.here.draw(4)]);
      one.here.disturb();
      one.here.run_for(std::chrono::microseconds{one.here.draw(300'000)});
      for (const auto& name : names) {
        if (!one.here.is_up(name) && one.here.draw(2) == 0) {
          CAF_REQUIRE(one.here.start(name).has_value());
        }
      }
    }
    one.bring_all_back(names);
    one.here.run_for(60s);
    transfers += one.accepted.size();
    if (const auto wrong = one.complaint(); !wrong.empty()) {
      CAF_FAIL("seed " << seed << ": " << wrong);
    }
  }
  CAF_CHECK(transfers > seeds * 20);
}

CAF_TEST(an event reaches a node that has never started when it first starts) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    bank one{seed};
    one.open(false);
    const std::vector<std::string> names{"bank1", "bank2", "desk1", "desk2"};
    for (int round = 0; round < 10; ++round) {
      one.ask(names[one.here.draw(4)]);
      one.here.disturb();
      one.here.run_for(200ms);
      one.bring_all_back(names);
    }
    one.here.run_for(1h);
    CAF_CHECK(one.audited("a").empty());
    one.bring_all_back(one.here.names());
    one.here.run_for(20s);
    CAF_CHECK(one.number_of("a") > 0);
    if (const auto wrong = one.complaint(); !wrong.empty()) {
      CAF_FAIL("seed " << seed << ": " << wrong);
    }
  }
}

CAF_TEST(the same seed gives the same run) {
  const auto run = [] {
    bank one{6};
    one.open(true);
    const auto names = one.here.names();
    for (int round = 0; round < 20; ++round) {
      one.ask(names[one.here.draw(4)]);
      one.here.disturb();
      one.here.run_for(std::chrono::microseconds{one.here.draw(300'000)});
      one.bring_all_back(names);
    }
    one.here.run_for(10s);
    std::map<std::string, std::string> all;
    for (const auto& name : names) {
      for (const auto& stored : one.here.records(name)) {
        all[name + " " + to_string(stored.self)] = encode(stored);
      }
    }
    return all;
  };
  const auto first = run();
  CAF_CHECK(first.size() > 30u);
  CAF_CHECK(first == run());
}
