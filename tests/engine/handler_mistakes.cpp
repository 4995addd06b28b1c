// What a handler does wrong leaves its instance as it was; it is tried again, then stuck with the reason, and
// goes on after the fix.
#define CAF_SUITE handler_mistakes

#include <caf/test/dsl.hpp>

#include "tests/engine/world.hpp"

using namespace continuo;
using namespace continuo::engine;
using namespace continuo::engine::testing;
using namespace std::chrono_literals;

namespace {

using handler = std::function<void(order&, const changed&, saga_context&)>;

/// What reads its key throws where the text is no number: `std::invalid_argument`, or an int.
struct numbered {
  std::string number;
  CONTINUO_FIELDS(numbered, number)
};

struct counted {
  CONTINUO_FIELDS(counted)
};

struct count_up {
  using reply = counted;
  std::string number;
  CONTINUO_FIELDS(count_up, number)
};

template <class Message>
int number_of(const Message& message) {
  if (message.number == "no exception") {
    throw 7;
  }
  return std::stoi(message.number);
}

class numbers : public saga<numbers> {
public:
  static void define(saga_definition<numbers>& saga) { saga.starts_on<numbered>(number_of<numbered>); }
  void on(const numbered&, saga_context& context) { context.complete(); }
  CONTINUO_FIELDS(numbers)
};

struct fixture : world {
  fixture() {
    const auto counters = keyed_service<shelf>{"counters"}.handle(
        number_of<count_up>,
        [](shelf&, const count_up&, keyed_context&) -> outcome<counted> { return counted{}; });
    CAF_REQUIRE(routes.add(numbers::describe()) && routes.add(counters.describe()));
    order_type.calls["count_up"].command = &message_type_of<count_up>();
    play().on_placed = [](order& state, const placed&, saga_context& context) {
      state.text = "as it was";
      context.send(pay{"o-1", 42});
    };
    saga.take(event(placed{"o-1", 42}));
  }

  /// Runs the mistake to its end and the fix after it. Returns the reason that the stuck instance gave.
  std::string make(const handler& mistake) {
    const auto before = saga.current();
    play().on_changed = [&](order& state, const changed& event, saga_context& context) {
      state.text = "changed";
      context.publish(shipped_out{"o-1"});
      mistake(state, event, context);
    };
    const auto event = this->event(changed{"o-1", 1});
    auto decided = saga.take(event);
    for (auto delay : {100ms, 200ms}) {
      CAF_CHECK_EQUAL(edge_of(decided), "retry_later");
      CAF_CHECK(decided.try_again == delay);
      CAF_CHECK(decided.write == write_kind::none);
      CAF_CHECK_EQUAL(sent_by(decided), "");
      CAF_CHECK(decided.armed.empty());
      CAF_CHECK(!says_done(decided, event));
      CAF_CHECK(saga.current() == before);
      decided = saga.again();
    }
    CAF_CHECK_EQUAL(edge_of(decided), "handler_fails");
    CAF_CHECK_EQUAL(sent_by(decided), "");
    CAF_CHECK_EQUAL(saga.status(), "stuck");
    CAF_CHECK(saga.current().state == before.state);
    CAF_CHECK(saga.current().requests == before.requests);
    CAF_CHECK(saga.current().outbox == before.outbox);
    auto reason = saga.reason();
    fix_after_a_restart();
    return reason;
  }

  void fix_after_a_restart() {
    play().on_changed = [](order& state, const changed&, saga_context&) { state.text = "fixed"; };
    CAF_CHECK(!saga.crash().try_again); // it waits for a person
    CAF_CHECK(saga.operate(verb::retry).try_again == 0ms);
    CAF_CHECK_EQUAL(edge_of(saga.again()), "event");
    CAF_CHECK_EQUAL(saga.status(), "running");
    CAF_CHECK_EQUAL(saga.reason(), "");
    const auto kept = decode<order>(saga.current().state).value();
    CAF_CHECK_EQUAL(kept.text, "fixed");
  }

  saga_box saga{*this};
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(handler_mistakes_tests, fixture)

CAF_TEST(a handler throws) {
  CAF_CHECK(contains(make([](order&, const changed&, saga_context&) { throw std::runtime_error("oh no"); }),
                     "oh no"));
}

CAF_TEST(a handler throws what is no exception) {
  CAF_CHECK(contains(make([](order&, const changed&, saga_context&) { throw 7; }), "no std::exception"));
}

CAF_TEST(a command is not declared) {
  const auto reason = make([](order&, const changed&, saga_context& context) { context.send(burn{}); });
  CAF_CHECK(contains(reason, "send(burn)"));
  CAF_CHECK(contains(reason, "saga.calls<burn>()"));
}

CAF_TEST(a timer is not declared) {
  const auto reason =
      make([](order&, const changed&, saga_context& context) { context.set_timer("t", 1s, unheard{}); });
  CAF_CHECK(contains(reason, "saga.timer<unheard>()"));
}

CAF_TEST(an event is waited for that the saga does not declare) {
  const auto reason =
      make([](order&, const changed&, saga_context& context) { context.expect<shipped_out>(); });
  CAF_CHECK(contains(reason, "expect<shipped_out>()"));
  CAF_CHECK(contains(reason, "add saga.on<shipped_out>(...) to define"));
}

CAF_TEST(an event is waited for that only starts an instance) {
  const auto reason = make([](order&, const changed&, saga_context& context) { context.expect<placed>(); });
  CAF_CHECK(contains(reason, "expect<placed>()"));
  CAF_CHECK(contains(reason, "declare it with saga.on<placed>(...) as well"));
}

CAF_TEST(an event is waited for no longer that the saga does not declare) {
  const auto reason =
      make([](order&, const changed&, saga_context& context) { context.stop_expecting<shipped_out>(); });
  CAF_CHECK(contains(reason, "stop_expecting<shipped_out>()"));
}

CAF_TEST(an event that an older definition waited for wakes nothing) {
  play().on_changed = [](order&, const changed&, saga_context& context) { context.expect<recalled>(); };
  saga.take(event(changed{"o-1", 1}));
  order_type.subscriptions.erase("recalled");
  play().on_paid = {};
  CAF_CHECK_EQUAL(edge_of(saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}))), "reply");
  CAF_CHECK_EQUAL(saga.status(), "stuck");
  CAF_CHECK(contains(saga.reason(), "nothing can wake it"));
}

CAF_TEST(a delay is negative) {
  const auto reason =
      make([](order&, const changed&, saga_context& context) { context.set_timer("t", -1s, overdue{}); });
  CAF_CHECK(contains(reason, "\"t\""));
  CAF_CHECK(contains(reason, "its delay is -1000 ms; the least is 0"));
}

CAF_TEST(there are too many requests) {
  const auto reason = make([](order&, const changed&, saga_context& context) {
    for (int i = 0; i < 1'000; ++i) { // with the one that is open already
      context.send(greet{});
    }
  });
  CAF_CHECK(contains(reason, "1001"));
  CAF_CHECK(contains(reason, "1000"));
}

CAF_TEST(as many requests as are allowed are no mistake) {
  play().on_changed = [](order&, const changed&, saga_context& context) {
    for (int i = 0; i < 999; ++i) {
      context.send(greet{});
    }
  };
  CAF_CHECK_EQUAL(edge_of(saga.take(event(changed{"o-1", 1}))), "event");
  CAF_CHECK_EQUAL(saga.current().requests.size(), 1'000u);
}

CAF_TEST(a record would pass its limit by its state) {
  const auto reason =
      make([](order& state, const changed&, saga_context&) { state.text.assign(1 << 20, 'x'); });
  CAF_CHECK(contains(reason, "would pass 1048576 bytes"));
}

CAF_TEST(a record would pass its limit by its messages) {
  CAF_CHECK(contains(make([](order&, const changed&, saga_context& context) {
                       context.send(note{std::string(1 << 20, 'x')});
                     }),
                     "would pass"));
}

CAF_TEST(a record would pass its limit by its timers) {
  CAF_CHECK(contains(make([](order&, const changed&, saga_context& context) {
                       context.set_timer(std::string(1 << 20, 'x'), 1s, overdue{});
                     }),
                     "would pass"));
}

CAF_TEST(a state of most of the limit is counted once) {
  play().on_changed = [](order& state, const changed& event, saga_context&) {
    state.text.assign(600'000, static_cast<char>('a' + event.number));
  };
  CAF_CHECK_EQUAL(edge_of(saga.take(event(changed{"o-1", 1}))), "event");
  CAF_CHECK_EQUAL(edge_of(saga.take(event(changed{"o-1", 2}))), "event");
  CAF_CHECK_LESS(saga.bytes(), record_bytes_max);
}

namespace {

/// Its payment can only be undone by a command of so many bytes.
void play_undo_of(std::size_t bytes) {
  play().undo_pay = [=](const pay& sent, const paid*) { return refund{sent.id, std::string(bytes, 'x')}; };
}

} // namespace

CAF_TEST(a record would pass its limit by an undo) {
  play_undo_of(record_bytes_max);
  bool ran = false;
  play().on_paid = [&](order& state, const paid&, saga_context&) {
    ran = true;
    state.text = "paid";
  };
  const auto before = saga.current();
  auto decided = saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}));
  CAF_CHECK_EQUAL(edge_of(decided), "retry_later");
  CAF_CHECK(saga.current() == before);
  saga.again();
  decided = saga.again();
  CAF_CHECK_EQUAL(edge_of(decided), "handler_fails");
  CAF_CHECK_EQUAL(saga.status(), "stuck");
  CAF_CHECK(contains(saga.reason(), "undone_by of pay"));
  CAF_CHECK(contains(saga.reason(), "would pass 1048576 bytes"));
  CAF_CHECK(!ran);
  CAF_CHECK(saga.is_open<pay>()); // the step is not forgotten: a person lets it be tried again after the fix
  play().undo_pay = {};
  play().on_paid = [](order&, const paid&, saga_context& context) { context.send(print_label{"o-1"}); };
  saga.operate(verb::retry);
  CAF_CHECK_EQUAL(edge_of(saga.again()), "reply");
  CAF_CHECK_EQUAL(saga.current().compensations.size(), 1u);
}

CAF_TEST(a record would pass its limit by an undo and a state together) {
  play_undo_of(300'000);
  play().on_paid = [](order& state, const paid&, saga_context&) { state.text.assign(500'000, 'x'); };
  for (const auto expected : {"retry_later", "retry_later", "handler_fails"}) {
    const auto decided =
        saga.machine().retrying() ? saga.again() : saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}));
    CAF_CHECK_EQUAL(edge_of(decided), expected);
  }
  CAF_CHECK(contains(saga.reason(), "would pass 1048576 bytes"));
}

CAF_TEST(a record would pass its limit by the undo of a failure that rolls back) {
  play_undo_of(record_bytes_max);
  const auto lost = failed(saga.open<pay>(), failure_kind::unknown, "attempts exhausted");
  CAF_CHECK_EQUAL(edge_of(saga.take(lost)), "retry_later");
  saga.again();
  CAF_CHECK_EQUAL(edge_of(saga.again()), "handler_fails");
  CAF_CHECK(contains(saga.reason(), "undone_by of pay"));
  CAF_CHECK(saga.is_open<pay>());
}

CAF_TEST(a late outcome whose undo no record could hold waits for a person) {
  play_undo_of(record_bytes_max);
  const auto sent = saga.open<pay>();
  saga.operate(verb::cancel, "no longer wanted");
  const auto decided = saga.take(reply(sent, paid{"o-1", "p-1"}));
  CAF_CHECK_EQUAL(edge_of(decided), "late_success");
  CAF_CHECK_EQUAL(saga.status(), "stuck"); // and not compensated: the payment stands
  CAF_CHECK_LESS(saga.bytes(), record_bytes_max);
  CAF_CHECK_EQUAL(edge_of(saga.operate(verb::skip, "refunded by hand")), "skip");
  CAF_CHECK_EQUAL(saga.status(), "compensated");
}

CAF_TEST(a record would pass its limit while an undo is carried out) {
  play_undo_of(600'000); // it stands in the record twice then: as what is to be done, and as an open request
  CAF_CHECK_EQUAL(edge_of(saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}))), "retry_later");
  CAF_CHECK(saga.current().compensations.empty());
}

CAF_TEST(an undo that was taken fits while it is carried out) {
  play_undo_of(500'000);
  play().on_paid = [](order&, const paid&, saga_context& context) { context.roll_back("no"); };
  CAF_CHECK_EQUAL(edge_of(saga.take(reply(saga.open<pay>(), paid{"o-1", "p-1"}))), "reply");
  CAF_CHECK(saga.is_open<refund>());
  CAF_CHECK_LESS(saga.bytes(), record_bytes_max);
}

CAF_TEST(a reason is cut where no record could hold it) {
  play().on_changed = [](order&, const changed&, saga_context& context) {
    context.roll_back(std::string(record_bytes_max, 'x'));
  };
  saga.take(event(changed{"o-1", 1}));
  CAF_CHECK_EQUAL(saga.status(), "compensating");
  CAF_CHECK_EQUAL(saga.reason().size(), reason_bytes_max);
  CAF_CHECK_LESS(saga.bytes(), record_bytes_max);
}

CAF_TEST(it both completes and rolls back) {
  CAF_CHECK(contains(make([](order&, const changed&, saga_context& context) {
                       context.complete();
                       context.roll_back("or not");
                     }),
                     "both completed and rolled back"));
}

CAF_TEST(a published event has a key that cannot be read) {
  CAF_CHECK(contains(make([](order&, const changed&, saga_context& context) {
                       context.publish(placed{"", 1});
                     }),
                     "publish(placed)"));
}

CAF_TEST(a published event has a key whose function throws) {
  CAF_CHECK(
      contains(make([](order&, const changed&, saga_context& context) { context.publish(numbered{"x-1"}); }),
               "publish(numbered): numbered: its correlation key cannot be read: stoi"));
}

CAF_TEST(a published event has a key whose function throws what is no exception) {
  CAF_CHECK(contains(
      make([](order&, const changed&, saga_context& context) { context.publish(numbered{"no exception"}); }),
      "no std::exception"));
}

CAF_TEST(a command has a key whose function throws) {
  CAF_CHECK(
      contains(make([](order&, const changed&, saga_context& context) { context.send(count_up{"x-1"}); }),
               "send(count_up): count_up: its correlation key cannot be read: stoi"));
}

CAF_TEST(an undo throws what is no exception) {
  play().undo_pay = [](const pay&, const paid*) -> refund { throw 7; };
  const auto answer = reply(saga.open<pay>(), paid{"o-1", "p-1"});
  CAF_CHECK_EQUAL(edge_of(saga.take(answer)), "retry_later");
  saga.again();
  saga.again();
  CAF_CHECK_EQUAL(saga.status(), "stuck");
  CAF_CHECK(contains(saga.reason(), "undone_by of pay: it threw something that is no std::exception"));
}

CAF_TEST(a message that waits behind a mistake is handled after the fix) {
  play().on_changed = [](order&, const changed&, saga_context&) { throw std::runtime_error("a bug"); };
  const auto bad = event(changed{"o-1", 1}, {"order", "o-2"});
  auto later = event(changed{"o-1", 2}, {"order", "o-2"});
  later.predecessor = bad.id;
  saga.take(bad);
  CAF_CHECK_EQUAL(edge_of(saga.take(later)), "hold");
  saga.again();
  saga.again();
  CAF_CHECK_EQUAL(edge_of(saga.take(later)), "hold"); // stuck
  play().on_changed = [](order& state, const changed& event, saga_context&) {
    state.count = state.count * 10 + event.number;
  };
  saga.operate(verb::retry);
  const auto decided = saga.again();
  CAF_REQUIRE_EQUAL(decided.calls.size(), 1u);
  CAF_CHECK(decided.calls.front().id == later.id);
  saga.take(later);
  const auto kept = decode<order>(saga.current().state).value();
  CAF_CHECK_EQUAL(kept.count, 12);
}

CAF_TEST(an instance that nothing could wake goes on with what came meanwhile) {
  saga_box idle{*this, "o-5"};
  play().on_placed = {};
  idle.take(event(placed{"o-5", 1}, {"continuo.publish", "x"}, "o-5"));
  CAF_REQUIRE_EQUAL(idle.status(), "stuck");
  play().on_changed = [](order&, const changed&, saga_context& context) { context.complete(); };
  const auto wakes = event(changed{"o-5", 1}, {"order", "o-2"}, "o-5");
  CAF_CHECK_EQUAL(edge_of(idle.take(wakes)), "hold");
  CAF_CHECK_EQUAL(idle.operate(verb::retry).calls.size(), 1u);
  CAF_CHECK_EQUAL(edge_of(idle.take(wakes)), "event");
  CAF_CHECK_EQUAL(idle.status(), "completed");
}

CAF_TEST_FIXTURE_SCOPE_END()
