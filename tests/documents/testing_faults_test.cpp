#define CAF_SUITE testing_faults

#include <continuo/testing_caf.hpp>

#include <caf/test/dsl.hpp>

#include <cstdint>
#include <string>

// docs/testing.md: crash points, seeds and faults.
namespace testing_faults {

// doc: bank
struct deposited {
  CONTINUO_FIELDS(deposited)
};

struct deposit {
  using reply = deposited;
  std::string account;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(deposit, account, cents)
};

struct withdrawn {
  CONTINUO_FIELDS(withdrawn)
};

struct withdraw {
  using reply = withdrawn;
  std::string account;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(withdraw, account, cents)
};

struct transfer_requested {
  std::string id, from, to;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(transfer_requested, id, from, to, cents)
};

struct account {
  std::int64_t cents = 0;
  CONTINUO_FIELDS(account, cents)
};

continuo::keyed_service<account> accounts() {
  return continuo::keyed_service<account>{"accounts"}
      .handle(&deposit::account,
              [](account& state, const deposit& command,
                 continuo::keyed_context&) -> continuo::outcome<deposited> {
                state.cents += command.cents;
                return deposited{};
              })
      .handle(&withdraw::account,
              [](account& state, const withdraw& command,
                 continuo::keyed_context&) -> continuo::outcome<withdrawn> {
                if (state.cents < command.cents) {
                  return continuo::decline("not enough money");
                }
                state.cents -= command.cents;
                return withdrawn{};
              });
}

class transfer : public continuo::saga<transfer> {
public:
  static void define(continuo::saga_definition<transfer>& saga) {
    saga.starts_on<transfer_requested>(&transfer_requested::id);
    saga.calls<withdraw>().undone_by([](const withdraw& sent, const withdrawn&) {
      return deposit{sent.account, sent.cents};
    });
    saga.calls<deposit>().undone_by([](const deposit& sent, const deposited&) {
      return withdraw{sent.account, sent.cents};
    });
  }

  void on(const transfer_requested& event, continuo::saga_context& context) {
    request = event;
    context.send(withdraw{event.from, event.cents});
  }
  void on(const withdrawn&, continuo::saga_context& context) {
    context.send(deposit{request.to, request.cents});
  }
  void on(const deposited&, continuo::saga_context& context) { context.complete(); }

  transfer_requested request;
  CONTINUO_FIELDS(transfer, request)
};
// doc: end

// doc: scenario
void transfers(continuo::testing::cluster& bank) {
  bank.offer<transfer>();
  bank.offer(accounts());
  bank.add("north", {"accounts", "transfer"});
  bank.add("south", {"accounts", "transfer"});

  const auto money = [&bank] {
    std::int64_t cents = 0;
    for (const auto* name : {"anna", "ben"}) {
      cents += bank.state_of<account>({"accounts", name}).value_or(account{}).cents;
    }
    return cents;
  };
  bank.always("no money is made", [money] { return money() <= 200'00; });
  bank.at_end("no money is lost", [money] { return money() == 200'00; });

  for (const auto* name : {"anna", "ben"}) {
    bank.check(bank.send(deposit{name, 100'00}).has_value(), "an account takes money");
  }
  bank.publish(transfer_requested{"t-1", "anna", "ben", 60'00});
  bank.publish(transfer_requested{"t-2", "ben", "anna", 20'00});
  bank.publish(transfer_requested{"t-3", "ben", "anna", 500'00}); // more than there is
  bank.finish();
  bank.saga_of<transfer>("t-1").should_be_completed();
  bank.saga_of<transfer>("t-2").should_be_completed();
  bank.saga_of<transfer>("t-3").should_be_compensated_because("not enough money");
}
// doc: end

} // namespace testing_faults

using namespace testing_faults;

CAF_TEST(the accounts are on two nodes) {
  continuo::testing::cluster bank;
  transfers(bank);
  const auto trace = bank.trace();
  CAF_CHECK(trace.find("north         accounts/") != std::string::npos);
  CAF_CHECK(trace.find("south         accounts/") != std::string::npos);
}

// doc: crash points
CAF_TEST(no crash makes or loses money) {
  const auto done = continuo::testing::for_each_crash_point(transfers);
  CAF_MESSAGE(done.commits << " syncs, " << done.sends << " frames, " << done.runs << " runs");
}
// doc: end

// doc: seeds
CAF_TEST(no four faults make or lose money) {
  const auto seen = continuo::testing::for_each_seed(
      [](continuo::testing::cluster& bank) {
        bank.plan_faults({.count = 4});
        transfers(bank);
        bank.sometimes("a node crashes twice", bank.figures().crashes > 1);
      },
      {.first = 1, .count = 200});
  CAF_MESSAGE(to_string(seen));
}
// doc: end
