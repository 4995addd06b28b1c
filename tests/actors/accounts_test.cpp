// ctest: timeout=300 plain
#define CAF_SUITE accounts

#include "tests/support/world.hpp"

#include <continuo/archive.hpp>
#include <continuo/saga.hpp>
#include <continuo/service.hpp>

#include <caf/test/dsl.hpp>

#include <numeric>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

struct account {
  std::int64_t cents = 0;
  CONTINUO_FIELDS(account, cents)
};

struct moved {
  std::int64_t cents = 0;
  CONTINUO_FIELDS(moved, cents)
};

struct withdraw {
  using reply = moved;
  std::string account_id;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(withdraw, account_id, cents)
};

struct deposit {
  using reply = moved;
  std::string account_id;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(deposit, account_id, cents)
};

struct transfer_asked {
  std::string id;
  std::string from;
  std::string to;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(transfer_asked, id, from, to, cents)
};

class transfer : public saga<transfer> {
public:
  static void define(saga_definition<transfer>& saga) {
    saga.starts_on<transfer_asked>(&transfer_asked::id);
    saga.calls<withdraw>().undone_by([](const withdraw& sent, const moved&) {
      return deposit{sent.account_id, sent.cents};
    });
    saga.calls<deposit>();
  }
  void on(const transfer_asked& event, saga_context& context) {
    to = event.to;
    cents = event.cents;
    context.send(withdraw{event.from, event.cents});
  }
  void on(const moved&, saga_context& context) {
    if (context.answered<withdraw>()) {
      context.send(deposit{to, cents});
    } else {
      context.complete();
    }
  }
  std::string to;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(transfer, to, cents)
};

struct twice_asked {
  std::string id;
  CONTINUO_FIELDS(twice_asked, id)
};

/// While it is set, `insistent` fails at its first reply.
bool insistent_fails = false;

/// Deposits twice into one account. As long as its handler fails, its second reply is not acknowledged.
class insistent : public saga<insistent> {
public:
  static void define(saga_definition<insistent>& saga) {
    saga.starts_on<twice_asked>(&twice_asked::id);
    saga.calls<deposit>();
  }
  void on(const twice_asked&, saga_context& context) {
    context.send(deposit{"hot", 1});
    context.send(deposit{"hot", 1});
  }
  void on(const moved&, saga_context& context) {
    if (insistent_fails) {
      throw std::runtime_error{"a bug"};
    }
    if (++replies == 2) {
      context.complete();
    }
  }
  std::int64_t replies = 0;
  CONTINUO_FIELDS(insistent, replies)
};

auto accounts() {
  return keyed_service<account>{"accounts"}
      .handle(&withdraw::account_id,
              [](account& state, const withdraw& command, keyed_context&) -> outcome<moved> {
                if (state.cents < command.cents) {
                  state.cents = -1; // whatever a declining handler does to the state does not count
                  return decline("not enough money");
                }
                state.cents -= command.cents;
                return moved{state.cents};
              })
      .handle(&deposit::account_id,
              [](account& state, const deposit& command, keyed_context&) -> outcome<moved> {
                if (command.account_id == "closed") {
                  return decline("the account is closed");
                }
                if (command.account_id == "broken") {
                  throw std::runtime_error{"a bug"};
                }
                state.cents += command.cents;
                return moved{state.cents};
              });
}

struct bank {
  world here{[](detail::node_runtime& node) {
    node.host(accounts().describe());
    node.host(transfer::describe());
    node.host(insistent::describe());
  }};

  /// What stands in the account's record.
  engine::record stored(const std::string& id) {
    const auto bytes = here.node().open_core()->store->get(engine::record_key({"accounts", id}));
    return bytes && *bytes ? decode<engine::record>(**bytes).value() : engine::record{};
  }

  std::int64_t balance(const std::string& id) {
    const auto bytes = here.node().open_core()->store->get(engine::record_key({"accounts", id}));
    if (!bytes || !*bytes) {
      return 0;
    }
    const auto stored = decode<engine::record>(**bytes);
    return stored->state.empty() ? 0 : decode<account>(stored->state)->cents;
  }

  std::int64_t total() {
    std::int64_t sum = 0;
    for (const auto* id : {"a", "b", "c", "closed", "broken"}) {
      sum += balance(id);
    }
    return sum;
  }
};

/// Ends the node's life between the write of a deposit with its reply and that of the reply's receipt.
void leave_unacknowledged(bank& of, const instance_id& self) {
  messages::envelope command;
  engine::record sent;
  std::optional<engine::keyed_machine> handled;
  engine::keyed_environment environment;
  {
    const auto shared = of.here.node().open_core();
    const auto now = shared->time->now();
    environment = shared->keyed_environments.at("accounts");
    command.id = {shared->store_id, shared->next_revision(), 0};
    command.kind = engine::message_kind::command;
    command.from = {"continuo.send", to_string(command.id)};
    command.to = self;
    command.type = "deposit";
    command.payload = encode(deposit{self.key, 100});
    sent.kind = engine::record_kind::send;
    sent.self = command.from;
    sent.revision = command.id.revision;
    engine::request open;
    open.id = command.id;
    open.kind = command.kind;
    open.to = self;
    open.type = command.type;
    open.payload = command.payload;
    open.sent_at = now.wall;
    sent.requests.push_back(std::move(open));
    handled.emplace(environment, self, std::nullopt);
    handled->receive(command, now, shared->next_revision());
  }
  of.here.crash();
  journal::memory_store store{std::shared_ptr<journal::memory_disk>{&of.here.disk(), [](auto*) {}}};
  const auto put = journal::operation::kind::put;
  CAF_REQUIRE(store
                  .commit({{put, engine::record_key(sent.self), encode(sent)},
                           {put, engine::record_key(self), handled->encoded()},
                           {put, std::string{journal::revision_key}, encode(handled->current().revision)}})
                  .has_value());
}

} // namespace

CAF_TEST(transfers conserve money whatever is declined or fails) {
  bank of;
  CAF_REQUIRE(of.here.start().has_value());
  const auto first = of.here.send(deposit{"a", 100});
  CAF_CHECK_EQUAL(first.get()->cents, 100);
  of.here.publish(transfer_asked{"t-1", "a", "b", 60});
  of.here.publish(transfer_asked{"t-2", "a", "b", 60});
  of.here.publish(transfer_asked{"t-3", "b", "closed", 10});
  of.here.publish(transfer_asked{"t-4", "b", "broken", 10});
  of.here.run_for(60s);
  CAF_CHECK_EQUAL(of.here.status_of("transfer", "t-1"), "completed");
  CAF_CHECK_EQUAL(of.here.status_of("transfer", "t-2"), "compensated");
  CAF_CHECK_EQUAL(of.here.status_of("transfer", "t-3"), "compensated");
  CAF_CHECK_EQUAL(of.here.status_of("transfer", "t-4"), "compensated");
  CAF_CHECK_EQUAL(of.balance("a"), 40);
  CAF_CHECK_EQUAL(of.balance("b"), 60);
  CAF_CHECK_EQUAL(of.total(), 100);
}

CAF_TEST(a crash at any commit conserves money) {
  std::uint64_t commits = 1;
  for (std::uint64_t k = 0; k <= commits; ++k) {
    for (const auto applied : {false, true}) {
      bank of;
      of.here.config().instances_in_memory = 1 + k % 3;
      CAF_REQUIRE(of.here.start().has_value());
      const auto money = of.here.send(deposit{"a", 100});
      CAF_REQUIRE(money.get().has_value());
      of.here.run_for(2s);
      const auto before = of.here.disk().commits();
      if (k != 0) {
        of.here.disk().fail_commit(k, errc::storage_failed, applied);
      }
      const std::vector<transfer_asked> all{{"t-1", "a", "b", 30},
                                            {"t-2", "a", "c", 30},
                                            {"t-3", "b", "a", 5},
                                            {"t-4", "a", "closed", 20},
                                            {"t-5", "c", "b", 500}};
      for (const auto& one : all) {
        of.here.client().publish(one);
        if (k % 2 == 0) {
          of.here.run(); // one after the other, or all in a batch
        }
      }
      of.here.run_for(5s);
      if (k == 0) {
        commits = of.here.disk().commits() - before;
      } else {
        of.here.crash();
        CAF_REQUIRE(of.here.start().has_value());
        for (const auto& one : all) { // a client that got no answer asks again; what is known is dropped
          of.here.client().publish(one);
        }
      }
      of.here.run_for(20s);
      CAF_CHECK_EQUAL(of.total(), of.balance("a") + of.balance("b") + of.balance("c"));
      if (of.total() != 100) {
        CAF_ERROR("commit " << k << (applied ? ", applied: " : ": ") << of.total()
                            << " cents instead of 100");
      }
      for (const auto& one : all) {
        const auto status = of.here.status_of("transfer", one.id);
        CAF_CHECK(status == "completed" || status == "compensated");
      }
    }
  }
}

CAF_TEST(case 9 - word to forget a command does not overtake it on its way to a watched account) {
  // After a handler may have ended the process, messages for its instance wait for the sync. What was handled
  // is sent again after the restart; the word that it may be forgotten comes behind it.
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    bank of;
    CAF_REQUIRE(of.here.start().has_value());
    of.here.run();
    const instance_id self{"accounts", "a"};
    leave_unacknowledged(of, self);
    CAF_REQUIRE(of.here.start().has_value());
    of.here.node().open_core()->watched.insert(self);
    of.here.run_shuffled(seed);
    of.here.run_for(5s);
    if (of.balance("a") != 100) {
      CAF_ERROR("seed " << seed << ": " << of.balance("a") << " cents instead of 100");
    }
  }
}

CAF_TEST(senders that are stuck hold up no account for everybody) {
  bank of;
  CAF_REQUIRE(of.here.start().has_value());
  CAF_REQUIRE(of.here.send(deposit{"a", 100}).get().has_value());
  constexpr int senders = 100; // of which each leaves a reply unacknowledged: three times a window
  insistent_fails = true;
  for (int i = 0; i < senders; ++i) {
    of.here.client().publish(twice_asked{"i-" + std::to_string(i)});
  }
  of.here.run_for(1s);
  of.here.publish(transfer_asked{"t-1", "a", "hot", 60});
  CAF_CHECK_EQUAL(of.here.status_of("transfer", "t-1"), "running"); // the window is full
  of.here.run_for(10s);
  CAF_CHECK_EQUAL(of.here.status_of("transfer", "t-1"), "completed");
  CAF_CHECK_EQUAL(of.balance("hot"), 2 * senders + 60);
  const auto unacknowledged = of.stored("hot").outbox.size();
  CAF_CHECK(unacknowledged >= senders);
  for (int i = 0; i < senders; ++i) {
    CAF_CHECK_EQUAL(of.here.status_of("insistent", "i-" + std::to_string(i)), "stuck");
  }
  insistent_fails = false;
  for (int i = 0; i < senders; ++i) {
    const instance_id self{"insistent", "i-" + std::to_string(i)};
    CAF_CHECK(of.here.finish(of.here.client().retry(self, "me")).has_value());
  }
  of.here.run_for(5s);
  for (int i = 0; i < senders; ++i) {
    CAF_CHECK_EQUAL(of.here.status_of("insistent", "i-" + std::to_string(i)), "completed");
  }
  // The receipts have come, and the window is as narrow as it was.
  CAF_CHECK(of.stored("hot").outbox.empty());
}

CAF_TEST(promise 6 -
         an account fed by 100000 sagas writes no more a transition at the end than at the start) {
  bank of;
  of.here.config().in_flight = 1'000'000;
  CAF_REQUIRE(of.here.start().has_value());
  constexpr int senders = 100'000;
  constexpr int tenth = senders / 10;
  struct measure {
    node_figures before;
    std::size_t largest_record = 0;
    double bytes_a_transition = 0;
  } start, end;
  for (int i = 0; i < senders; ++i) {
    if (i == 0 || i == senders - tenth) {
      (i == 0 ? start : end).before = of.here.node().figures();
    }
    of.here.client().publish(transfer_asked{"t-" + std::to_string(i), "x" + std::to_string(i), "hot", 0});
    if (i % 500 != 499) {
      continue;
    }
    of.here.run();
    auto& here = i < tenth ? start : end;
    if (i < tenth || i >= senders - tenth) {
      const auto bytes = of.here.node().open_core()->store->get(engine::record_key({"accounts", "hot"}));
      CAF_REQUIRE(bytes.has_value() && bytes->has_value());
      here.largest_record = std::max(here.largest_record, (*bytes)->size());
    }
    if (i == tenth - 1 || i == senders - 1) {
      const auto now = of.here.node().figures();
      here.bytes_a_transition =
          double(now.bytes - here.before.bytes) / double(now.transitions - here.before.transitions);
    }
  }
  of.here.run_for(5s);
  CAF_MESSAGE(start.bytes_a_transition << " bytes a transition at the start, " << end.bytes_a_transition
                                       << " at the end");
  CAF_CHECK(start.bytes_a_transition > 0);
  CAF_CHECK(end.bytes_a_transition <= 2 * start.bytes_a_transition);
  CAF_CHECK(start.largest_record > 0u);
  CAF_CHECK(end.largest_record <= 2 * start.largest_record);
  CAF_CHECK_EQUAL(of.here.status_of("transfer", "t-99999"), "completed");
}
