// A stateless service whose commands a keyed one takes over in the next program, while some are on their way.
// The keyed instance has had later messages of the same sender by then.
#define CAF_SUITE keyed_successor

#include <continuo/testing_caf.hpp>

#include <caf/test/dsl.hpp>

#include <chrono>
#include <string>

using namespace continuo;
using namespace std::chrono_literals;

namespace {

struct noted {
  CONTINUO_FIELDS(noted)
};

struct note {
  using reply = noted;
  std::string account;
  CONTINUO_FIELDS(note, account)
};

struct marked {
  CONTINUO_FIELDS(marked)
};

struct mark {
  using reply = marked;
  std::string account;
  CONTINUO_FIELDS(mark, account)
};

struct idled {
  CONTINUO_FIELDS(idled)
};

struct idle {
  using reply = idled;
  CONTINUO_FIELDS(idle)
};

struct begun {
  std::string id;
  bool tells = false; ///< and calls otherwise
  CONTINUO_FIELDS(begun, id, tells)
};

struct later {
  CONTINUO_FIELDS(later)
};

struct account {
  std::int64_t notes = 0;
  std::int64_t marks = 0;
  CONTINUO_FIELDS(account, notes, marks)
};

class flow : public saga<flow> {
public:
  static void define(saga_definition<flow>& saga) {
    saga.starts_on<begun>(&begun::id);
    saga.calls<note>().nothing_to_undo();
    saga.calls<mark>().nothing_to_undo();
    saga.tells<note>();
    saga.tells<mark>();
    saga.timer<later>();
  }
  void on(const begun& event, saga_context& context) {
    if (event.tells) {
      context.tell(note{"1"});
      context.tell(mark{"1"});
      context.set_timer("end", 1h, later{});
    } else {
      context.send(note{"1"});
      context.send(mark{"1"});
    }
  }
  void on(const noted&, saga_context& context) { answered(context); }
  void on(const marked&, saga_context& context) { answered(context); }
  void on(const later&, saga_context& context) { context.complete(); }

  std::int64_t answers = 0;
  CONTINUO_FIELDS(flow, answers)

private:
  void answered(saga_context& context) {
    if (++answers == 2) {
      context.complete();
    }
  }
};

keyed_service<account> ledger() {
  return keyed_service<account>{"ledger"}.handle(
      &mark::account, [](account& state, const mark&, keyed_context&) -> outcome<marked> {
        ++state.marks;
        return marked{};
      });
}

struct fixture : testing::fixture {
  fixture() {
    const auto rest = service{"rest"}.handle(
        [](const idle&, command_context&) -> continuo::outcome<idled> { return idled{}; });
    offer<flow>().offer(rest).offer(ledger());
    offer(service{"books"}.handle(
        [](const note&, command_context&) -> continuo::outcome<noted> { return noted{}; }));
    program("newer").offer<flow>().offer(rest).offer(ledger().handle(
        &note::account, [](account& state, const note&, keyed_context&) -> continuo::outcome<noted> {
          ++state.notes;
          return noted{};
        }));
    add("a", {"flow"});
    add("b", {"books", "rest"});
    add("c", {"ledger"});
    start();
    run_for(5s);
    (*this)["b"].crash(); // so that the notes wait
    run_for(5s);
  }

  void go_on_with_the_newer() {
    (*this)["a"].crash();
    (*this)["c"].crash();
    for (const auto* name : {"a", "b", "c"}) {
      (*this)[name].install("newer");
    }
    place({{"a", {"flow"}}, {"b", {"rest"}}, {"c", {"ledger"}}});
    for (const auto* name : {"a", "b", "c"}) {
      (*this)[name].start();
    }
    heal();
    run_for(1min);
  }

  void check_the_account() {
    const auto found = state_of<account>({"ledger", "1"});
    CAF_REQUIRE(found.has_value());
    CAF_CHECK_EQUAL(found->notes, 1);
    CAF_CHECK_EQUAL(found->marks, 1);
    saga_of<flow>("x").should_be_completed();
    finish();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(keyed_successor_tests, fixture)

CAF_TEST(what was told is handled once though a later message was handled before) {
  one_way("c", "a"); // the receipts do not arrive, so the keyed instance remembers
  publish(begun{"x", true}, "a");
  run_for(2s);
  go_on_with_the_newer();
  run_for(2h);
  check_the_account();
}

CAF_TEST(what a person sends on is handled once though a later message was handled before) {
  publish(begun{"x", false}, "a");
  run_for(1min);
  go_on_with_the_newer();
  static_cast<void>((*this)["a"].client().retry({"flow", "x"}));
  run_for(1min);
  check_the_account();
}

CAF_TEST_FIXTURE_SCOPE_END()
