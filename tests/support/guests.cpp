#include "tests/support/businesses.hpp"

#include <continuo/saga.hpp>
#include <continuo/service.hpp>

#include <fmt/format.h>

// Guests: keys of a keyed service that end, and begin anew. Each visit counts in exactly one bill.
namespace continuo::tests {

namespace {

struct entered {
  CONTINUO_FIELDS(entered)
};

struct enter {
  using reply = entered;
  std::string guest;
  CONTINUO_FIELDS(enter, guest)
};

struct billed {
  std::int64_t visits = 0;
  CONTINUO_FIELDS(billed, visits)
};

/// Ends the guest, with all visits since the last bill.
struct bill_guest {
  using reply = billed;
  std::string guest;
  CONTINUO_FIELDS(bill_guest, guest)
};

struct booked {
  CONTINUO_FIELDS(booked)
};

struct book_visits {
  using reply = booked;
  std::string ledger;
  std::int64_t visits = 0;
  CONTINUO_FIELDS(book_visits, ledger, visits)
};

struct guest {
  std::int64_t visits = 0;
  CONTINUO_FIELDS(guest, visits)
};

struct ledger {
  std::int64_t visits = 0;
  CONTINUO_FIELDS(ledger, visits)
};

struct visit_begun {
  std::string id;
  std::string guest;
  CONTINUO_FIELDS(visit_begun, id, guest)
};

class visit : public saga<visit> {
public:
  static void define(saga_definition<visit>& saga) {
    saga.starts_on<visit_begun>(&visit_begun::id);
    saga.calls<enter>();
    saga.calls<bill_guest>();
    saga.calls<book_visits>();
  }
  void on(const visit_begun& event, saga_context& context) {
    guest = event.guest;
    context.send(enter{guest});
  }
  void on(const entered&, saga_context& context) { context.send(bill_guest{guest}); }
  void on(const billed& bill, saga_context& context) { context.send(book_visits{"all", bill.visits}); }
  void on(const booked&, saga_context& context) { context.complete(); }

  std::string guest;
  CONTINUO_FIELDS(visit, guest)
};

class guest_business : public business {
public:
  hosts_by_node offer(cluster& here) override {
    here.offer<visit>()
        .offer(keyed_service<guest>{"guests"}
                   .handle(&enter::guest,
                           [](guest& state, const enter&, keyed_context&) -> outcome<entered> {
                             ++state.visits;
                             return entered{};
                           })
                   .handle(&bill_guest::guest,
                           [](guest& state, const bill_guest&, keyed_context& context) -> outcome<billed> {
                             context.end();
                             return billed{state.visits};
                           }))
        .offer(keyed_service<ledger>{"ledgers"}.handle(
            &book_visits::ledger,
            [](ledger& state, const book_visits& command, keyed_context&) -> outcome<booked> {
              state.visits += command.visits;
              return booked{};
            }));
    return {{"north", {"visit"}}, {"south", {"guests"}}, {"west", {"guests", "ledgers"}}};
  }

  void act(cluster& here, int round) override {
    for (int i = 0; i < 2; ++i) {
      here.publish(visit_begun{fmt::format("visit-{}-{}", round, i), fmt::format("guest-{}", here.draw(2))},
                   any_node(here));
      ++visits_;
    }
  }

  void judge(cluster& here) override {
    const auto total = here.state_of<ledger>({"ledgers", "all"});
    must(total && total->visits == visits_,
         fmt::format("{} visits were begun, and {} are booked", visits_, total ? total->visits : 0));
    const auto open = records_of(here, [](const engine::record& stored) {
      return stored.self.type == "guests" && (!is_terminal(stored.status) || !stored.state.empty());
    });
    must(open.empty(), "a guest has not ended");
  }

private:
  std::int64_t visits_ = 0;
};

} // namespace

std::shared_ptr<business> guests() {
  return std::make_shared<guest_business>();
}

} // namespace continuo::tests
