// Every row of the table at the top of engine/execution.hpp. The last test reports rows that none of them
// takes.
#define CAF_SUITE execution_transitions

#include <caf/test/dsl.hpp>

#include "tests/engine/world.hpp"

using namespace continuo;
using namespace continuo::engine;
using namespace continuo::engine::testing;
using namespace std::chrono_literals;

namespace {

using phase = execution::phase;

const instance_id buyer{"order", "o-1"};

struct fixture : world {
  envelope charge() { return command(pay{"o-1", 42}, buyer, {"payment", ""}); }

  /// The requester has closed its request: what it says of the reply.
  receipt closing(const envelope& answer) { return {buyer, answer.from, answer.id, {}, answer.in_reply_to}; }

  execution_box running(const envelope& message) {
    execution_box made{*this, payment, message};
    made.begin();
    return made;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(execution_transition_tests, fixture)

CAF_TEST(a reply is kept until the requester has closed its request) {
  const auto sent = charge();
  execution_box done{*this, payment, sent};
  CAF_CHECK(done.phase() == phase::waiting);
  CAF_CHECK_EQUAL(edge_of(done.begin()), "begin");
  CAF_CHECK(!done.stored()); // the sender's outbox holds it
  const auto decided = done.replies(paid{"o-1", "p-1"});
  CAF_CHECK_EQUAL(edge_of(decided), "replied");
  CAF_CHECK(decided.write == write_kind::put);
  CAF_CHECK(decided.created);
  CAF_REQUIRE_EQUAL(decided.sent.size(), 1u);
  const auto answer = decided.sent.front();
  CAF_CHECK(answer.from == sent.to);
  CAF_CHECK(answer.to == buyer);
  CAF_CHECK(answer.in_reply_to == sent.id);
  const auto again = done.take(sent);
  CAF_CHECK_EQUAL(edge_of(again), "duplicate");
  CAF_REQUIRE_EQUAL(again.sent.size(), 1u);
  CAF_CHECK(again.sent.front() == answer);
  CAF_CHECK(done.crash().sent.front() == answer);
  CAF_CHECK_EQUAL(edge_of(done.take(closing(answer))), "dropped");
  CAF_CHECK(!done.stored());
}

CAF_TEST(a declined command is answered with its reason) {
  auto done = running(charge());
  const auto decided = done.declines("card refused");
  CAF_CHECK_EQUAL(edge_of(decided), "declined");
  CAF_CHECK_EQUAL(kind_in(decided.sent.front()), "declined");
  CAF_CHECK_EQUAL(failure_in(decided.sent.front()).reason, "card refused");
  CAF_CHECK(decided.dead_letters.empty());
}

CAF_TEST(a failed attempt is counted durably and repeated after its delay) {
  auto flaky = running(charge());
  auto decided = flaky.fails("no connection");
  CAF_CHECK_EQUAL(edge_of(decided), "attempt_fails");
  CAF_CHECK(decided.write == write_kind::put);
  CAF_CHECK(decided.try_again == 100ms);
  CAF_CHECK(decided.sent.empty());
  pass(60ms);
  CAF_CHECK(flaky.crash().try_again == 40ms);
  CAF_CHECK_EQUAL(flaky.machine().attempt(), 2u);
  flaky.machine().due();
  flaky.begin();
  CAF_CHECK_EQUAL(edge_of(flaky.replies(paid{})), "replied");
}

CAF_TEST(a command whose attempts are exhausted is a dead letter of unknown outcome) {
  const auto sent = charge();
  auto broken = running(sent);
  for (int attempt = 1; attempt < 3; ++attempt) {
    CAF_CHECK_EQUAL(edge_of(broken.fails("no connection")), "attempt_fails");
    broken.machine().due();
    broken.begin();
  }
  const auto decided = broken.fails("no connection");
  CAF_CHECK_EQUAL(edge_of(decided), "exhausted");
  CAF_CHECK_EQUAL(kind_in(decided.sent.front()), "unknown");
  CAF_REQUIRE_EQUAL(decided.dead_letters.size(), 1u);
  CAF_CHECK_EQUAL(decided.dead_letters.front().attempts, 3u);
  CAF_CHECK(requester_was_told(decided.dead_letters.front()));
}

CAF_TEST(an attempt whose time is up is not repeated before it has returned) {
  auto slow = running(charge());
  auto decided = slow.times_out();
  CAF_CHECK_EQUAL(edge_of(decided), "overdue");
  CAF_CHECK(!decided.try_again);
  CAF_CHECK(slow.phase() == phase::overdue);
  pass(30ms);
  decided = slow.fails("too late and wrong");
  CAF_CHECK_EQUAL(edge_of(decided), "late_failure");
  CAF_CHECK(decided.try_again == 70ms);
  CAF_CHECK(slow.phase() == phase::backoff);
  CAF_CHECK_EQUAL(slow.current().attempts, 1u); // one attempt, counted once
}

CAF_TEST(an outcome that comes late is taken) {
  auto slow = running(charge());
  slow.times_out();
  CAF_CHECK_EQUAL(edge_of(slow.replies(paid{"o-1", "p-1"})), "replied");
  auto refusing = running(charge());
  refusing.times_out();
  CAF_CHECK_EQUAL(edge_of(refusing.declines("no")), "declined");
}

CAF_TEST(with the policy park an exhausted command waits for a person) {
  payment.when_exhausted(exhausted::park).retry({.attempts = 1});
  auto broken = running(charge());
  auto decided = broken.fails("no connection");
  CAF_CHECK_EQUAL(edge_of(decided), "park");
  CAF_CHECK(decided.sent.empty());
  CAF_CHECK(decided.dead_letters.empty());
  broken.crash();
  CAF_CHECK(broken.phase() == phase::parked);
  CAF_CHECK_EQUAL(broken.current().reason, "no connection");
  CAF_CHECK_EQUAL(edge_of(broken.retry()), "retry");
  CAF_CHECK(broken.phase() == phase::waiting);
  CAF_CHECK_EQUAL(broken.machine().attempt(), 1u);
  broken.begin();
  broken.fails("still no connection");
  decided = broken.discard();
  CAF_CHECK_EQUAL(edge_of(decided), "discard");
  CAF_CHECK_EQUAL(kind_in(decided.sent.front()), "unknown");
}

CAF_TEST(a parked command takes an outcome that comes late) {
  payment.when_exhausted(exhausted::park).retry({.attempts = 1});
  auto slow = running(charge());
  CAF_CHECK_EQUAL(edge_of(slow.times_out()), "park");
  CAF_CHECK(slow.phase() == phase::parked);
  CAF_CHECK_EQUAL(edge_of(slow.replies(paid{"o-1", "p-1"})), "replied");
  CAF_CHECK(slow.phase() == phase::answered);
}

CAF_TEST(a command that has not begun can be withdrawn) {
  const auto sent = charge();
  execution_box waits{*this, payment, sent};
  const auto decided = waits.take(withdrawal_of(sent));
  CAF_CHECK_EQUAL(edge_of(decided), "withdrawn");
  CAF_CHECK_EQUAL(kind_in(decided.sent.front()), "withdrawn");
  CAF_CHECK(waits.phase() == phase::answered);
}

CAF_TEST(a command that has begun cannot be withdrawn) {
  const auto sent = charge();
  auto runs = running(sent);
  CAF_CHECK_EQUAL(edge_of(runs.take(withdrawal_of(sent))), "too_late");
  runs.fails("no connection"); // it may have happened
  CAF_CHECK_EQUAL(edge_of(runs.take(withdrawal_of(sent))), "too_late");
  runs.machine().due();
  CAF_CHECK_EQUAL(edge_of(runs.take(withdrawal_of(sent))), "too_late");
  runs.begin();
  CAF_CHECK_EQUAL(edge_of(runs.replies(paid{})), "replied");
}

CAF_TEST(a command whose attempt failed is tried no more where an unknown outcome will do) {
  const auto sent = charge();
  auto given_up = withdrawal_of(sent);
  given_up.unknown_will_do = true;
  auto runs = running(sent);
  CAF_CHECK_EQUAL(edge_of(runs.take(given_up)), "too_late"); // nobody can stop the handler
  runs.fails("no connection");
  const auto decided = runs.take(given_up);
  CAF_CHECK_EQUAL(edge_of(decided), "given_up");
  CAF_REQUIRE_EQUAL(decided.sent.size(), 1u);
  CAF_CHECK_EQUAL(kind_in(decided.sent.front()), "unknown");
  CAF_CHECK(decided.dead_letters.empty());
  CAF_CHECK(runs.phase() == phase::answered);
  CAF_CHECK(runs.crash().sent.front() == decided.sent.front());

  auto second = running(charge());
  second.fails("no connection");
  second.machine().due(); // waits for a slot again
  auto again = second.machine().message();
  again.withdrawn = true;
  again.unknown_will_do = true;
  CAF_CHECK_EQUAL(edge_of(second.take(again)), "given_up");
}

CAF_TEST(a command whose handler ended the process has begun and cannot be withdrawn) {
  const auto sent = charge();
  execution_box killed{*this, payment, sent};
  killed.suspect();
  CAF_CHECK_EQUAL(edge_of(killed.take(withdrawal_of(sent))), "too_late");
}

CAF_TEST(a command from an earlier life may have begun in it and cannot be withdrawn) {
  const auto sent = charge();
  first_contacts later;
  later.met({store, sent.id.revision});
  const execution_environment later_life{&payment.describe(), &routes, store, 1, &later};
  execution resent{later_life, sent};
  CAF_CHECK_EQUAL(edge_of(resent.receive(withdrawal_of(sent), now, next_revision())), "too_late");
}

CAF_TEST(what is new of another store is not told by the numbers of this one) {
  auto sent = charge();
  sent.id = {9, revision + 1'000'000, 0}; // of a peer whose journal has come much further
  execution_box unknown{*this, payment, sent};
  CAF_CHECK_EQUAL(edge_of(unknown.take(withdrawal_of(sent))), "too_late");
  contacts.met({9, sent.id.revision}); // it may have come, and begun, before the first contact in this life
  CAF_CHECK_EQUAL(edge_of(unknown.take(withdrawal_of(sent))), "too_late");
  auto later = charge();
  later.id = {9, sent.id.revision + 1, 0};
  execution_box fresh{*this, payment, later};
  CAF_CHECK_EQUAL(edge_of(fresh.take(withdrawal_of(later))), "withdrawn");
}

CAF_TEST(a command that was never on its way before can be withdrawn whatever is known of its store) {
  auto sent = charge();
  sent.id.store = 9;
  sent.unseen = true;
  execution_box waits{*this, payment, sent};
  CAF_CHECK_EQUAL(edge_of(waits.take(withdrawal_of(sent))), "withdrawn");
  execution_box began{*this, payment, sent};
  began.begin();
  began.fails("down");
  began.crash();
  began.machine().due();
  CAF_CHECK_EQUAL(edge_of(began.take(withdrawal_of(sent))), "too_late");
}

CAF_TEST(a command that a person has tried again has begun and cannot be withdrawn) {
  payment.when_exhausted(exhausted::park);
  payment.retry({.attempts = 1});
  const auto sent = charge();
  auto parked = running(sent);
  parked.fails("down");
  CAF_CHECK(parked.phase() == phase::parked);
  parked.retry();
  CAF_CHECK_EQUAL(edge_of(parked.take(withdrawal_of(sent))), "too_late");
}

CAF_TEST(a command that comes given up does not begin) {
  auto sent = charge();
  sent.withdrawn = true;
  execution_box given_up{*this, payment, sent};
  const auto decided = given_up.take(sent);
  CAF_CHECK_EQUAL(edge_of(decided), "withdrawn");
  CAF_REQUIRE_EQUAL(decided.sent.size(), 1u);
  CAF_CHECK_EQUAL(kind_in(decided.sent.front()), "withdrawn");
}

CAF_TEST(a handler that ends the process three times is parked) {
  execution_box killer{*this, payment, charge()};
  for (int death = 0; death < 2; ++death) {
    CAF_CHECK_EQUAL(edge_of(killer.suspect()), "quarantine");
    CAF_CHECK(killer.phase() == phase::waiting);
    killer.begin();
    killer.crash();
  }
  CAF_CHECK_EQUAL(edge_of(killer.suspect()), "quarantine");
  CAF_CHECK(killer.phase() == phase::parked);
  killer.crash();
  CAF_CHECK(killer.phase() == phase::parked);
  CAF_CHECK(contains(killer.current().reason, "three times"));
  killer.retry();
  CAF_CHECK_EQUAL(killer.current().deaths, 0u);
}

CAF_TEST(what this program does not know is held and is no attempt) {
  execution_box unknown{*this, payment, charge()};
  unknown.begin();
  CAF_CHECK_EQUAL(edge_of(unknown.fails(errc::unknown_type, "it does not handle it")), "unknown_here");
  CAF_CHECK(unknown.phase() == phase::held);
  CAF_CHECK_EQUAL(unknown.machine().attempt(), 1u);
}

CAF_TEST(deaths are forgotten after a success) {
  execution_box lucky{*this, payment, charge()};
  lucky.suspect();
  lucky.suspect();
  lucky.begin();
  lucky.replies(paid{});
  CAF_CHECK_EQUAL(lucky.current().deaths, 0u);
}

CAF_TEST(a compensation has no last attempt and at most a minute between two) {
  payment.retry({.attempts = 2, .first = 1s, .factor = 10, .cap = 1h, .jitter = 0});
  auto sent = command(refund{"o-1", "p-1"}, buyer, {"payment", ""});
  sent.compensation = true;
  auto undo = running(sent);
  for (int attempt = 1; attempt < 50; ++attempt) {
    const auto decided = undo.fails("no connection");
    CAF_REQUIRE_EQUAL(edge_of(decided), "attempt_fails");
    CAF_REQUIRE(decided.try_again <= 60s);
    undo.machine().due();
    undo.begin();
  }
  CAF_CHECK_EQUAL(undo.current().attempts, 49u);
  CAF_CHECK_EQUAL(undo.current().reason, "no connection");
}

CAF_TEST(events that a handler publishes keep the record until they are handled too) {
  auto done = running(charge());
  detail::intents asked;
  asked.messages.push_back(
      {detail::intents::message::kind::event, {"shipped_out", encode(shipped_out{"o-1"})}});
  const auto decided = done.replies(paid{}, asked);
  CAF_CHECK_EQUAL(sent_by(decided), "shipped_out paid");
  const auto& published = decided.sent.front();
  const auto& answer = decided.sent.back();
  CAF_CHECK_EQUAL(edge_of(done.take(closing(answer))), "receipt");
  CAF_CHECK(done.stored());
  CAF_CHECK_EQUAL(sent_by(done.crash()), "shipped_out");
  const receipt heard{published.to, published.from, published.id, {}, {}};
  const auto dropped = done.take(heard);
  CAF_CHECK_EQUAL(edge_of(dropped), "dropped");
  CAF_CHECK(!done.stored());
  CAF_CHECK(forget_for(dropped, published.to) == published.id); // else the subscriber would keep it for ever
  // The word may be lost, and the subscriber asks again.
  CAF_CHECK(forget_for(absent(heard), published.to) == published.id);
}

CAF_TEST(a subscriber may forget an event whichever receipt comes last) {
  auto done = running(charge());
  detail::intents asked;
  asked.messages.push_back(
      {detail::intents::message::kind::event, {"shipped_out", encode(shipped_out{"o-1"})}});
  const auto decided = done.replies(paid{}, asked);
  const auto& published = decided.sent.front();
  const auto heard = done.take(receipt{published.to, published.from, published.id, {}, {}});
  CAF_CHECK_EQUAL(edge_of(heard), "receipt");
  CAF_CHECK(forget_for(heard, published.to) == published.id);
  CAF_CHECK_EQUAL(edge_of(done.take(closing(decided.sent.back()))), "dropped");
}

CAF_TEST(an outcome that publishes an event nobody can route is a failed attempt) {
  auto done = running(charge());
  detail::intents asked;
  asked.messages.push_back(
      {detail::intents::message::kind::event, {"placed", "these are no fields of placed"}});
  CAF_CHECK_EQUAL(edge_of(done.replies(paid{}, asked)), "attempt_fails");
  CAF_CHECK(contains(done.current().reason, "placed"));
}

CAF_TEST(an outcome that no record could hold is a failed attempt) {
  const std::string large(record_bytes_max, 'x');
  auto replying = running(charge());
  auto decided = replying.replies(paid{"o-1", large});
  CAF_CHECK_EQUAL(edge_of(decided), "attempt_fails");
  CAF_CHECK(decided.sent.empty());
  CAF_CHECK(decided.try_again == 100ms);
  CAF_CHECK(contains(replying.current().reason, "would pass 1048576 bytes"));
  auto declining = running(charge());
  CAF_CHECK_EQUAL(edge_of(declining.declines(large)), "attempt_fails");
  auto publishing = running(charge());
  detail::intents asked;
  for (int i = 0; i < 3; ++i) {
    asked.messages.push_back({detail::intents::message::kind::event,
                              {"shipped_out", encode(shipped_out{large.substr(0, 400'000)})}});
  }
  decided = publishing.replies(paid{}, asked);
  CAF_CHECK_EQUAL(edge_of(decided), "attempt_fails");
  CAF_CHECK_EQUAL(sent_by(decided), "");
  CAF_CHECK(publishing.current().outbox.empty());
}

CAF_TEST(an outcome that is always too large is a dead letter that says so) {
  payment.retry({.attempts = 1});
  auto large = running(charge());
  const auto decided = large.replies(paid{"o-1", std::string(record_bytes_max, 'x')});
  CAF_CHECK_EQUAL(edge_of(decided), "exhausted");
  CAF_CHECK_EQUAL(kind_in(decided.sent.front()), "unknown");
  CAF_CHECK(contains(failure_in(decided.sent.front()).reason, "would pass 1048576 bytes"));
  CAF_REQUIRE_EQUAL(decided.dead_letters.size(), 1u);
}

CAF_TEST(an outcome of most of the limit is taken whatever its command took) {
  const std::string half(600'000, 'x');
  auto done = running(command(pay{half, 42}, buyer, {"payment", ""}));
  CAF_CHECK_EQUAL(edge_of(done.replies(paid{"o-1", half})), "replied");
  CAF_CHECK_LESS(done.machine().encoded().size(), record_bytes_max);
}

CAF_TEST(a failure has a reason that a record can hold) {
  auto broken = running(charge());
  std::string text;
  while (text.size() < record_bytes_max) {
    text += "\u00e4";
  }
  broken.fails("x" + text);
  const auto& reason = broken.current().reason;
  CAF_CHECK(reason.size() <= reason_bytes_max);
  CAF_CHECK(reason.size() > reason_bytes_max - 8);
  CAF_CHECK(reason.ends_with("\u00e4...")); // cut between two characters
}

CAF_TEST(every row of the table of executions was taken) {
  CAF_CHECK_EQUAL(rows_missing("execution", execution_edges()), "");
  CAF_CHECK_EQUAL(rows_unknown("execution", execution_edges()), "");
}

CAF_TEST_FIXTURE_SCOPE_END()
