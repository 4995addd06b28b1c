// Every row of the table at the top of engine/letter.hpp. The last test reports rows that none of them takes.
#define CAF_SUITE letters

#include "engine/letter.hpp"

#include <caf/test/dsl.hpp>

#include "tests/engine/world.hpp"

using namespace continuo;
using namespace continuo::engine;
using namespace continuo::engine::testing;

namespace {

const instance_id buyer{"continuo.send", "7-90-0"};

/// A letter with its place on disk.
class letter_box {
public:
  letter_box(world& in, record stored) : world_(&in), disk_(encode(stored)), self_(stored.self) { load(); }

  transition redrive(std::optional<std::string> corrected = std::nullopt) {
    return keep(machine_->redrive(std::move(corrected), world_->now, world_->next_revision()));
  }
  transition discard() { return keep(machine_->discard()); }
  transition take(const envelope& answer) {
    return keep(machine_->receive(answer, world_->now, world_->next_revision()));
  }
  transition take(const receipt& said) { return keep(machine_->receive(said)); }
  transition take(const call_for& call) { return machine_->called(call); }
  transition crash() {
    load();
    return keep(machine_->recover(world_->now, world_->next_revision()));
  }
  bool stored() const { return disk_.has_value(); }

private:
  void load() {
    machine_ = std::make_unique<letter>(environment_, self_,
                                        disk_ ? std::optional{decode<record>(*disk_).value()} : std::nullopt);
  }

  transition keep(transition decided) {
    taken("letter").insert(decided.edge);
    keep_on(disk_, *machine_, decided);
    return decided;
  }

  world* world_;
  letter_environment environment_{&world_->routes, world::store};
  std::optional<std::string> disk_;
  instance_id self_;
  std::unique_ptr<letter> machine_;
};

struct fixture : world {
  envelope charge() { return command(pay{"o-1", 42}, buyer, {"payment", ""}); }
  envelope reservation(const std::string& what) { return command(reserve{what, 1}, buyer, {"stock", what}); }
  letter_box letter_of(const envelope& message, bool told = false) {
    return {*this, dead_letter_of(message, "down", now.wall, 3, told)};
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(letter_tests, fixture)

CAF_TEST(a redriven command is a new message with the old key and its reply ends the letter) {
  const auto failed = charge();
  auto dead = letter_of(failed);
  const auto decided = dead.redrive();
  CAF_CHECK_EQUAL(edge_of(decided), "redrive");
  CAF_REQUIRE_EQUAL(decided.released.size(), 1u);
  const auto& sent = decided.released.front();
  CAF_CHECK(sent.id != failed.id);
  CAF_CHECK_EQUAL(sent.idempotency_key, to_string(failed.id));
  CAF_CHECK_EQUAL(edge_of(dead.redrive()), "verb_refused");
  CAF_CHECK_EQUAL(edge_of(dead.discard()), "verb_refused");
  const auto settled = dead.take(reply(sent, paid{}));
  CAF_CHECK_EQUAL(edge_of(settled), "settled");
  CAF_CHECK(!dead.stored());
}

CAF_TEST(the idempotency key outlives a crash wherever the message is made again) {
  const auto failed = charge();
  auto dead = letter_of(failed);
  dead.redrive();
  const auto again = dead.crash();
  CAF_REQUIRE_EQUAL(again.sent.size(), 1u);
  CAF_CHECK_EQUAL(again.sent.front().idempotency_key, to_string(failed.id));
  const auto asked = dead.take(call_for{failed.to, {"continuo.dead_letter", to_string(failed.id)}, {}});
  CAF_REQUIRE_EQUAL(asked.released.size(), 1u);
  CAF_CHECK_EQUAL(asked.released.front().idempotency_key, to_string(failed.id));
}

CAF_TEST(a corrected payload goes where it belongs under a new key) {
  const auto failed = reservation("nail");
  auto dead = letter_of(failed);
  const auto decided = dead.redrive(encode(reserve{"bolt", 1}));
  CAF_REQUIRE_EQUAL(decided.sent.size(), 1u);
  CAF_CHECK(decided.sent.front().to == (instance_id{"stock", "bolt"}));
  CAF_CHECK_EQUAL(decided.sent.front().idempotency_key, to_string(failed.id) + "/1");
  // The keyed service remembers the letter's one command until it may forget.
  const auto settled = dead.take(reply(decided.sent.front(), reserved{}));
  CAF_CHECK(forget_for(settled, decided.sent.front().to) == decided.sent.front().id);
}

CAF_TEST(a corrected payload that goes nowhere is refused and the letter stays) {
  auto dead = letter_of(reservation("nail"));
  const auto decided = dead.redrive("these are no fields");
  CAF_CHECK_EQUAL(edge_of(decided), "verb_refused");
  CAF_CHECK(!decided.verdict);
  CAF_CHECK(dead.stored());
  CAF_CHECK_EQUAL(edge_of(dead.redrive()), "redrive");
}

CAF_TEST(a command whose requester was told is not redriven) {
  auto dead = letter_of(charge(), true);
  const auto decided = dead.redrive();
  CAF_CHECK_EQUAL(edge_of(decided), "verb_refused");
  CAF_CHECK(decided.verdict.error().code == errc::conflict);
}

CAF_TEST(discard and redrive exclude each other before either is durable) {
  auto dead = letter_of(charge());
  CAF_CHECK_EQUAL(edge_of(dead.discard()), "discard");
  const auto late = dead.redrive();
  CAF_CHECK_EQUAL(edge_of(late), "verb_refused");
  CAF_CHECK(late.verdict.error().code == errc::not_found);
}

CAF_TEST(a redriven event ends with its receipt and its receiver may forget it) {
  auto lost = event(changed{"o-1", 1});
  auto dead = letter_of(lost);
  const auto decided = dead.redrive();
  CAF_REQUIRE_EQUAL(decided.sent.size(), 1u);
  const auto& sent = decided.sent.front();
  const auto call = dead.take(call_for{sent.to, sent.from, sent.id});
  CAF_REQUIRE_EQUAL(call.sent.size(), 1u); // a receiver that is paused asks for it later
  CAF_CHECK_EQUAL(edge_of(dead.take(receipt{{"order", "x"}, sent.from, {8, 8, 8}, {}, {}})), "duplicate");
  const auto settled = dead.take(receipt{sent.to, sent.from, sent.id, {}, {}});
  CAF_CHECK_EQUAL(edge_of(settled), "settled");
  CAF_CHECK(forget_for(settled, sent.to) == sent.id);
}

CAF_TEST(a redriven command for a service that was renamed goes to the new one under its key) {
  const auto failed = charge();
  auto dead = letter_of(failed);
  const auto sent = dead.redrive().released.front();
  rename_payment("till");
  const auto moved = dead.crash();
  CAF_CHECK_EQUAL(edge_of(moved), "move");
  CAF_REQUIRE_EQUAL(moved.released.size(), 1u);
  CAF_CHECK_EQUAL(moved.released.front().to.type, "till");
  CAF_CHECK(moved.released.front().id == sent.id);
  CAF_CHECK_EQUAL(moved.released.front().idempotency_key, to_string(failed.id));
  CAF_CHECK_EQUAL(edge_of(dead.crash()), "duplicate"); // as with any restart
}

CAF_TEST(what belongs to another node goes on as a message of a client and the letter ends) {
  const auto place = [&](const char* of_payments) {
    routes.place(placement{"alpha", {{"order", {"alpha"}}, {"stock", {"beta"}}, {"payment", {of_payments}}}},
                 {}, {});
  };
  place("alpha");
  auto corrected = letter_of(command(reserve{"nail", 1}, buyer, {"stock", "nail"}));
  const auto redriven = corrected.redrive(encode(reserve{"bolt", 1}));
  CAF_CHECK(!corrected.stored());
  CAF_REQUIRE_EQUAL(redriven.sent.size(), 1u);
  CAF_REQUIRE(redriven.handed_on);
  const auto& begun = redriven.handed_on->stored;
  CAF_CHECK(begun.kind == record_kind::send);
  CAF_CHECK(redriven.sent.front().from == begun.self);
  CAF_CHECK_EQUAL(begun.self.key, to_string(redriven.sent.front().id));
  CAF_CHECK(redriven.sent.front().idempotency_key.ends_with("/1"));
  CAF_CHECK(redriven.handed_on->owed_now == std::vector<std::string>{"beta"});

  const auto failed = command(pay{"o-1", 42}, buyer, {"payment@alpha", ""});
  auto dead = letter_of(failed);
  const auto sent = dead.redrive().released.front();
  place("beta"); // the service has moved
  const auto moved = dead.crash();
  CAF_CHECK_EQUAL(edge_of(moved), "move");
  CAF_CHECK(!dead.stored());
  CAF_REQUIRE_EQUAL(moved.released.size(), 1u);
  CAF_CHECK(moved.released.front().id == sent.id);
  CAF_CHECK_EQUAL(moved.released.front().to.type, "payment@beta");
  CAF_CHECK_EQUAL(moved.released.front().idempotency_key, to_string(failed.id));
  CAF_REQUIRE(moved.handed_on);
  CAF_CHECK_EQUAL(moved.handed_on->stored.self.key, to_string(sent.id));
}

CAF_TEST(a letter that is gone says so) {
  const auto failed = charge();
  auto dead = letter_of(failed);
  const auto sent = dead.redrive().released.front();
  const auto answer = reply(sent, paid{});
  dead.take(answer);
  const auto again = dead.take(answer);
  CAF_CHECK_EQUAL(edge_of(again), "absent");
  CAF_CHECK(says_done(again, answer));
}

CAF_TEST(every row of the table of letters was taken) {
  CAF_CHECK_EQUAL(rows_missing("letter", letter_edges()), "");
  CAF_CHECK_EQUAL(rows_unknown("letter", letter_edges()), "");
}

CAF_TEST_FIXTURE_SCOPE_END()
