// Every row of the table at the top of engine/keyed_machine.hpp. The last test reports rows that none of them
// takes.
#define CAF_SUITE keyed_transitions

#include <caf/test/dsl.hpp>

#include "tests/engine/world.hpp"

using namespace continuo;
using namespace continuo::engine;
using namespace continuo::engine::testing;
using namespace std::chrono_literals;

namespace {

const instance_id buyer{"order", "o-1"};
const instance_id other_buyer{"order", "o-2"};

struct fixture : world {
  envelope order_of(std::int64_t pieces, const instance_id& from = buyer) {
    return command(reserve{"nail", pieces}, from, {"stock", "nail"});
  }

  std::int64_t pieces() {
    auto decoded = decode<testing::shelf>(shelf.current().state);
    return decoded ? decoded->pieces : -1;
  }

  /// The requester has the reply, and holds nothing up to its command any more.
  void settle(const envelope& answer) {
    shelf.take(receipt{answer.to, answer.from, answer.id, answer.in_reply_to, {}});
  }

  keyed_box shelf{*this};
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(keyed_transition_tests, fixture)

CAF_TEST(a command changes the state and puts its reply into the outbox in one write) {
  const auto sent = order_of(30);
  const auto decided = shelf.take(sent);
  CAF_CHECK_EQUAL(edge_of(decided), "handled");
  CAF_CHECK(decided.write == write_kind::put);
  CAF_CHECK(decided.created);
  CAF_CHECK_EQUAL(pieces(), 70);
  CAF_REQUIRE_EQUAL(decided.sent.size(), 1u);
  CAF_CHECK_EQUAL(decided.sent.front().type, "reserved");
  CAF_CHECK(decided.sent.front().in_reply_to == sent.id);
  CAF_CHECK_EQUAL(shelf.current().outbox.size(), 1u);
  CAF_REQUIRE(decided.history);
  CAF_CHECK_EQUAL(decided.history->what, "handled");
  CAF_CHECK(!shelf.take(order_of(1)).created);
}

CAF_TEST(a declined command leaves the state as it was) {
  shelf.take(order_of(30));
  play_shelf().on_reserve = [](testing::shelf& state, const reserve&, keyed_context&) -> outcome<reserved> {
    state.pieces = 0;
    return decline("closed");
  };
  const auto decided = shelf.take(order_of(1));
  CAF_CHECK_EQUAL(edge_of(decided), "declined");
  CAF_CHECK_EQUAL(kind_in(decided.sent.front()), "declined");
  CAF_CHECK_EQUAL(failure_in(decided.sent.front()).reason, "closed");
  CAF_CHECK_EQUAL(pieces(), 70);
  play_shelf() = {};
  shelf.take(order_of(1));
  CAF_CHECK_EQUAL(pieces(), 69);
}

CAF_TEST(a command handled before is not handled again and its reply is sent again) {
  const auto sent = order_of(30);
  const auto answer = shelf.take(sent).sent.front();
  auto again = shelf.take(sent);
  CAF_CHECK_EQUAL(edge_of(again), "duplicate");
  CAF_CHECK(again.write == write_kind::none);
  CAF_REQUIRE_EQUAL(again.sent.size(), 1u);
  CAF_CHECK(again.sent.front() == answer);
  shelf.crash();
  again = shelf.take(sent);
  CAF_CHECK_EQUAL(edge_of(again), "duplicate");
  CAF_CHECK(again.sent.front() == answer);
  CAF_CHECK_EQUAL(pieces(), 70);
}

CAF_TEST(a handler that fails is tried again while others wait) {
  bool works = false;
  play_shelf().on_reserve = [&](testing::shelf& state, const reserve& sent,
                                keyed_context&) -> outcome<reserved> {
    state.pieces -= sent.pieces;
    if (!works) {
      throw std::runtime_error("jammed");
    }
    return reserved{state.pieces};
  };
  const auto first = order_of(30);
  auto decided = shelf.take(first);
  CAF_CHECK_EQUAL(edge_of(decided), "retry_later");
  CAF_CHECK(decided.try_again == 100ms);
  CAF_CHECK(decided.write == write_kind::none);
  CAF_CHECK(decided.sent.empty());
  CAF_CHECK_EQUAL(edge_of(shelf.take(first)), "duplicate");
  const auto second = order_of(1, other_buyer);
  CAF_CHECK_EQUAL(edge_of(shelf.take(second)), "hold");
  CAF_CHECK(!shelf.machine().may_passivate());
  works = true;
  decided = shelf.again();
  CAF_CHECK_EQUAL(edge_of(decided), "handled");
  CAF_CHECK_EQUAL(pieces(), 70); // once, although it ran twice
  CAF_REQUIRE_EQUAL(decided.calls.size(), 1u);
  CAF_CHECK(decided.calls.front().to == other_buyer);
  CAF_CHECK(decided.calls.front().id == second.id);
  CAF_CHECK_EQUAL(edge_of(shelf.take(second)), "handled");
}

CAF_TEST(a handler that fails for good gives a failure and a dead letter) {
  play_shelf().on_reserve = [](testing::shelf& state, const reserve&, keyed_context&) -> outcome<reserved> {
    state.pieces = 0;
    throw std::runtime_error("broken");
  };
  const auto sent = order_of(30);
  shelf.take(sent);
  CAF_CHECK_EQUAL(edge_of(shelf.again()), "retry_later");
  const auto decided = shelf.again();
  CAF_CHECK_EQUAL(edge_of(decided), "handler_fails");
  CAF_REQUIRE_EQUAL(decided.dead_letters.size(), 1u);
  CAF_CHECK(requester_was_told(decided.dead_letters.front()));
  CAF_CHECK_EQUAL(kind_in(decided.sent.front()), "declined"); // its state is as before: nothing happened
  CAF_CHECK(contains(failure_in(decided.sent.front()).reason, "broken"));
  play_shelf() = {};
  shelf.take(order_of(1));
  CAF_CHECK_EQUAL(pieces(), 99);
}

CAF_TEST(a command that is being retried can be withdrawn) {
  play_shelf().on_reserve = [](testing::shelf&, const reserve&, keyed_context&) -> outcome<reserved> {
    throw std::runtime_error("jammed");
  };
  const auto sent = order_of(30);
  shelf.take(sent);
  const auto waits = order_of(1, other_buyer);
  shelf.take(waits);
  const auto decided = shelf.take(withdrawal_of(sent));
  CAF_CHECK_EQUAL(edge_of(decided), "withdrawn");
  CAF_CHECK_EQUAL(kind_in(decided.sent.front()), "withdrawn");
  CAF_CHECK(decided.dead_letters.empty());
  CAF_CHECK(!shelf.machine().retrying());
  CAF_CHECK_EQUAL(decided.calls.size(), 1u);
  CAF_CHECK_EQUAL(edge_of(shelf.take(sent)), "duplicate");
}

CAF_TEST(a withdrawal that comes too late changes nothing) {
  const auto sent = order_of(30);
  shelf.take(sent);
  const auto decided = shelf.take(withdrawal_of(sent));
  CAF_CHECK_EQUAL(edge_of(decided), "stale");
  CAF_CHECK(decided.write == write_kind::none);
  CAF_CHECK_EQUAL(pieces(), 70);
}

CAF_TEST(a command that the service does not handle is left with its sender) {
  auto unknown = order_of(30);
  unknown.type = "melt";
  const auto decided = shelf.take(unknown);
  CAF_CHECK_EQUAL(edge_of(decided), "unknown_here");
  CAF_CHECK(decided.write == write_kind::none);
}

CAF_TEST(a handler that ends the process three times is not run again) {
  const auto killer = order_of(30);
  shelf.take(order_of(1, other_buyer));
  for (int death = 0; death < 2; ++death) {
    CAF_CHECK_EQUAL(edge_of(shelf.suspect(killer)), "quarantine");
    CAF_CHECK(shelf.machine().retrying());
    shelf.crash();
  }
  const auto decided = shelf.suspect(killer);
  CAF_CHECK_EQUAL(edge_of(decided), "quarantine");
  CAF_CHECK(!shelf.machine().retrying()); // also where the restart had found it to be retried
  CAF_CHECK_EQUAL(decided.dead_letters.size(), 1u);
  CAF_CHECK_EQUAL(kind_in(decided.sent.front()), "declined");
  CAF_CHECK_EQUAL(pieces(), 99);
}

CAF_TEST(receipts change memory and a flush writes them) {
  const auto answer = shelf.take(order_of(30)).sent.front();
  CAF_CHECK(shelf.flush().write == write_kind::none);
  settle(answer);
  CAF_CHECK(shelf.machine().dirty());
  const auto decided = shelf.flush();
  CAF_CHECK_EQUAL(edge_of(decided), "flush");
  CAF_CHECK(decided.write == write_kind::put);
  shelf.crash();
  CAF_CHECK(shelf.current().outbox.empty());
  CAF_CHECK(shelf.current().inbox.empty());
  CAF_CHECK_EQUAL(pieces(), 70);
}

CAF_TEST(an instance fed by many senders does not grow) {
  std::vector<envelope> unsettled;
  std::size_t early = 0;
  std::size_t largest = 0;
  for (int sender = 0; sender < 10'000; ++sender) {
    CAF_REQUIRE(!shelf.machine().is_full() || !unsettled.empty());
    while (shelf.machine().is_full()) { // what the actor in front of it does: it waits
      settle(unsettled.front());
      unsettled.erase(unsettled.begin());
    }
    auto decided = shelf.take(order_of(0, {"order", "o-" + std::to_string(100'000 + sender)}));
    unsettled.push_back(decided.sent.front());
    if (sender < 100) {
      early = std::max(early, shelf.bytes());
    }
    largest = std::max(largest, shelf.bytes());
  }
  CAF_CHECK_LESS_OR_EQUAL(largest, early * 2);
  CAF_CHECK_LESS_OR_EQUAL(shelf.current().inbox.size(), 32u);
  CAF_CHECK_LESS_OR_EQUAL(shelf.current().outbox.size(), 32u);
}

CAF_TEST(a compensation at a keyed service is retried for ever with at most a minute between) {
  keyed_service<testing::shelf> slow{"slow"};
  slow.handle(&release::item,
              [](testing::shelf&, const release&, keyed_context&) -> outcome<released> {
                throw std::runtime_error("no");
              })
      .retry({.attempts = 2, .first = 1s, .factor = 10, .cap = 1h, .jitter = 0});
  const keyed_environment environment{&slow.describe(), &routes, nullptr, store, 42};
  keyed_machine machine{environment, {"slow", "nail"}, std::nullopt};
  auto undo = command(release{"nail", 1}, buyer, {"slow", "nail"});
  undo.compensation = true;
  auto decided = machine.receive(undo, now, next_revision());
  for (int attempt = 1; attempt < 50; ++attempt) {
    CAF_REQUIRE_EQUAL(edge_of(decided), "retry_later");
    CAF_REQUIRE(decided.try_again <= 60s);
    decided = machine.try_again(now, next_revision());
  }
  CAF_CHECK(decided.try_again == 60s);
  CAF_CHECK(decided.dead_letters.empty());
}

CAF_TEST(an outcome that no record could hold is a failed attempt and leaves the state as it was) {
  const std::string large(record_bytes_max, 'x');
  bool declines = false;
  play_shelf().on_reserve = [&](testing::shelf& state, const reserve&, keyed_context&) -> outcome<reserved> {
    state.pieces = 0;
    if (declines) {
      return decline(large);
    }
    state.padding = large;
    return reserved{0};
  };
  auto decided = shelf.take(order_of(1));
  CAF_CHECK_EQUAL(edge_of(decided), "retry_later");
  CAF_CHECK(decided.write == write_kind::none);
  declines = true;
  CAF_CHECK_EQUAL(edge_of(shelf.again()), "retry_later");
  decided = shelf.again();
  CAF_CHECK_EQUAL(edge_of(decided), "handler_fails");
  CAF_CHECK(contains(failure_in(decided.sent.front()).reason, "would pass 1048576 bytes"));
  play_shelf() = {};
  shelf.take(order_of(1));
  CAF_CHECK_EQUAL(pieces(), 99);
}

// -- the end of a key ----------------------------------------------------------------------

CAF_TEST(a key that its handler ends has no state and begins anew) {
  shelf.take(order_of(30));
  play_shelf().on_reserve = [](testing::shelf& state, const reserve&,
                               keyed_context& context) -> outcome<reserved> {
    context.end();
    return reserved{state.pieces};
  };
  const auto last = order_of(1);
  const auto ended = shelf.take(last);
  CAF_CHECK_EQUAL(edge_of(ended), "ended");
  CAF_CHECK(decode<reserved>(ended.sent.front().payload)->left == 70);
  CAF_CHECK_EQUAL(shelf.status(), "completed");
  CAF_CHECK_EQUAL(shelf.current().state, "");
  const auto place = expiry_key(expiry_kind::ended, now.wall, shelf.current().self);
  CAF_CHECK(std::count(ended.indexed.begin(), ended.indexed.end(), place) == 1);
  CAF_CHECK_EQUAL(edge_of(shelf.take(last)), "duplicate"); // its inbox remembers
  play_shelf() = {};
  pass(1s);
  const auto again = shelf.take(order_of(10));
  CAF_CHECK_EQUAL(edge_of(again), "handled");
  CAF_CHECK_EQUAL(pieces(), 90); // of a hundred that a new one has
  CAF_CHECK_EQUAL(shelf.status(), "running");
  CAF_CHECK(shelf.current().started_at == now.wall);
  CAF_CHECK(again.unindexed == std::vector<std::string>{place});
}

CAF_TEST(a handler that declines or fails ends nothing) {
  shelf.take(order_of(30));
  play_shelf().on_reserve = [](testing::shelf&, const reserve& command,
                               keyed_context& context) -> outcome<reserved> {
    context.end();
    if (command.pieces == 1) {
      return decline("not yet");
    }
    throw std::runtime_error("no");
  };
  CAF_CHECK_EQUAL(edge_of(shelf.take(order_of(1))), "declined");
  shelf.take(order_of(2));
  CAF_CHECK_EQUAL(shelf.status(), "running");
  CAF_CHECK_EQUAL(pieces(), 70);
}

CAF_TEST(an ended key is deleted when it is old enough and nobody needs it) {
  play_shelf().on_reserve = [](testing::shelf&, const reserve&, keyed_context& context) -> outcome<reserved> {
    context.end();
    return reserved{0};
  };
  const auto answer = shelf.take(order_of(1)).sent.front();
  CAF_CHECK(shelf.expire(now.wall + 1s).write == write_kind::none); // its reply may be lost
  settle(answer);
  CAF_CHECK(shelf.expire(now.wall + 1s).write == write_kind::none); // not durable yet
  shelf.flush();
  CAF_CHECK(shelf.expire(now.wall).write == write_kind::none); // not old enough
  shelf.crash();
  const auto decided = shelf.expire(now.wall + 1s);
  CAF_CHECK_EQUAL(edge_of(decided), "expire");
  CAF_CHECK_EQUAL(decided.history_up_to, whole_history);
  CAF_CHECK_EQUAL(decided.unindexed.size(), 2u); // it had ended, and it had a history
  CAF_CHECK(!shelf.stored());
  play_shelf() = {};
  CAF_CHECK(shelf.take(order_of(10)).created);
  CAF_CHECK_EQUAL(pieces(), 90);
}

CAF_TEST(a key that has not ended is never deleted) {
  const auto answer = shelf.take(order_of(1)).sent.front();
  settle(answer);
  shelf.flush();
  CAF_CHECK(shelf.expire(now.wall + 1'000h).write == write_kind::none);
  CAF_CHECK(shelf.stored());
}

CAF_TEST(the history of a key is trimmed and the index says from when the rest is) {
  const auto begun = now.wall;
  const auto first = shelf.take(order_of(1));
  CAF_CHECK(first.indexed ==
            std::vector<std::string>{expiry_key(expiry_kind::history, begun, shelf.current().self)});
  pass(5s);
  const auto second = shelf.take(order_of(1));
  CAF_CHECK(second.indexed.empty() && second.unindexed.empty());
  const auto trimmed = shelf.trim(first.history->revision, now.wall);
  CAF_CHECK_EQUAL(edge_of(trimmed), "trim");
  CAF_CHECK_EQUAL(trimmed.history_up_to, first.history->revision);
  CAF_CHECK(trimmed.indexed ==
            std::vector<std::string>{expiry_key(expiry_kind::history, now.wall, shelf.current().self)});
  CAF_CHECK_EQUAL(trimmed.unindexed.size(), 1u);
  // Whoever asked had not seen this one yet.
  const auto third = shelf.take(order_of(1));
  const auto late = shelf.trim(second.history->revision, now.wall + 1s);
  CAF_CHECK(shelf.current().history == third.history->revision);
  CAF_CHECK(shelf.current().history_since == now.wall);
  CAF_CHECK(late.indexed.empty());
  const auto last = shelf.trim(third.history->revision, now.wall + 1s);
  CAF_CHECK_EQUAL(shelf.current().history, 0u);
  CAF_CHECK(last.indexed.empty() && last.unindexed.size() == 1);
  CAF_CHECK(shelf.trim(third.history->revision, now.wall + 1s).write == write_kind::none);
}

CAF_TEST(every row of the table of the keyed machine was taken) {
  CAF_CHECK_EQUAL(rows_missing("keyed", keyed_edges()), "");
  CAF_CHECK_EQUAL(rows_unknown("keyed", keyed_edges()), "");
}

CAF_TEST_FIXTURE_SCOPE_END()
