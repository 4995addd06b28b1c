// Every row of the table at the top of engine/schedule_machine.hpp. The last test reports rows that none of
// them takes.
#define CAF_SUITE schedule_transitions

#include "engine/schedule_machine.hpp"

#include <caf/test/dsl.hpp>

#include "tests/engine/world.hpp"
#include "tests/support/zones.hpp"

using namespace continuo;
using namespace continuo::engine;
using namespace continuo::engine::testing;
using namespace std::chrono_literals;

namespace {

constexpr auto long_in_service = std::chrono::hours{1'000};

/// A schedule with its place on disk.
struct fixture : world {
  message_registry types;
  schedule_environment environment;
  schedule definition;
  instance_id self{std::string{schedule_type}, "nightly"};
  std::optional<std::string> disk;
  std::unique_ptr<schedule_machine> machine;
  std::vector<std::string> published; ///< the bodies
  std::string last_key;

  fixture() {
    if (!types.add<placed>()) {
      throw std::logic_error("the type is there already");
    }
    environment.routes = &routes;
    environment.types = &types;
    environment.store = store;
    definition.name = "nightly";
    definition.when = "*/10 * * * *"; // now it is 22:13:20
    definition.event = "placed";
    definition.body = R"({"id": "{due}", "cents": 42})";
    load();
  }

  void load() {
    machine = std::make_unique<schedule_machine>(
        environment, self, disk ? std::optional{decode<record>(*disk).value()} : std::nullopt);
  }

  std::string keep(const transition& decided) {
    taken("schedule").insert(decided.edge);
    keep_on(disk, *machine, decided);
    return decided.edge;
  }

  std::string keep(schedule_machine::look&& looked) {
    if (looked.asks) {
      return "asks";
    }
    if (looked.publish) {
      published.push_back(decode<placed>(looked.publish->payload).value().id);
      last_key = looked.publish->idempotency_key;
    }
    return keep(looked.decided);
  }

  std::string define() { return keep(machine->define(definition, now, next_revision())); }

  std::string look(std::optional<bool> is_over = std::nullopt,
                   std::chrono::nanoseconds service = long_in_service) {
    return keep(machine->due(now, service, is_over, next_revision()));
  }

  /// The rows taken until nothing is due any more.
  std::string look_on(std::chrono::nanoseconds service = long_in_service) {
    std::string rows;
    for (auto row = look({}, service); row != "armed"; row = look({}, service)) {
      rows += (rows.empty() ? "" : " ") + row;
    }
    return rows;
  }

  std::string due_by_timer() const {
    const auto& timers = machine->current().timers;
    return timers.empty() ? "none" : body_for("{due}", "", timers.front().due);
  }

  const schedule_state& state() const { return machine->state(); }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(schedule_transition_tests, fixture)

CAF_TEST(a schedule fires at the time of its timer and its event has a key of name and due time) {
  CAF_CHECK_EQUAL(define(), "defined");
  CAF_CHECK_EQUAL(due_by_timer(), "2023-11-14T22:20:00Z");
  CAF_CHECK_EQUAL(machine->current().timers.front().boot, 0u); // the wall clock decides
  CAF_CHECK_EQUAL(look(), "armed");
  pass(7min);
  CAF_CHECK_EQUAL(look_on(), "fire");
  CAF_REQUIRE_EQUAL(published.size(), 1u);
  CAF_CHECK_EQUAL(published.front(), "2023-11-14T22:20:00Z");
  CAF_CHECK_EQUAL(last_key, "nightly/2023-11-14T22:20:00Z");
  CAF_CHECK_EQUAL(due_by_timer(), "2023-11-14T22:30:00Z");
  CAF_CHECK(state().last_message.store == store);
}

CAF_TEST(a crash before the write fires again and one after it does not ) {
  define();
  pass(7min);
  static_cast<void>(machine->due(now, long_in_service, {}, next_revision())); // its write is lost
  load();
  CAF_CHECK_EQUAL(define(), "armed");
  CAF_CHECK_EQUAL(look(), "fire");
  load();
  CAF_CHECK_EQUAL(define(), "armed");
  CAF_CHECK_EQUAL(look(), "armed");
  CAF_CHECK_EQUAL(published.size(), 1u);
}

CAF_TEST(missed times fire once and a note says which were left out) {
  define();
  pass(1h);
  CAF_CHECK_EQUAL(look_on(1s), "fire");
  CAF_REQUIRE_EQUAL(published.size(), 1u);
  CAF_CHECK_EQUAL(published.front(), "2023-11-14T23:10:00Z");
  CAF_CHECK_EQUAL(state().note,
                  "what was due from 2023-11-14T22:20:00Z to 2023-11-14T23:00:00Z was missed and left out");
}

CAF_TEST(missed times are skipped or all fire in order) {
  definition.catch_up = schedule_catch_up::skip;
  define();
  pass(1h);
  CAF_CHECK_EQUAL(look_on(1s), "left_out");
  CAF_CHECK_EQUAL(published.size(), 0u);
  definition.catch_up = schedule_catch_up::all;
  CAF_CHECK_EQUAL(define(), "redefined");
  pass(30min);
  CAF_CHECK_EQUAL(look_on(1s), "fire fire fire");
  CAF_CHECK_EQUAL(published.back(), "2023-11-14T23:40:00Z");
  pass(std::chrono::days{30});
  look_on(1s);
  CAF_CHECK_EQUAL(published.size(), 3u + caught_up_max);
  CAF_CHECK_EQUAL(state().note,
                  "what was due from 2023-11-14T23:50:00Z to 2023-12-08T01:00:00Z was missed and left out");
  CAF_CHECK(std::is_sorted(published.begin(), published.end()));
}

CAF_TEST(a time that is late by less than a minute was not missed while the node was in service) {
  definition.catch_up = schedule_catch_up::skip;
  define();
  pass(6min + 40s + 59s); // 22:20:59
  CAF_CHECK_EQUAL(look(), "fire");
  pass(10min + 1s); // 22:31:00
  CAF_CHECK_EQUAL(look(), "left_out");
  pass(9min + 30s);                           // 22:40:30
  CAF_CHECK_EQUAL(look({}, 29s), "left_out"); // it began at 22:40:01
  pass(9min + 30s);                           // 22:50:00
  CAF_CHECK_EQUAL(look({}, 0s), "fire");
}

CAF_TEST(a clock that is set back makes it wait for its next time) {
  define();
  pass(7min);
  look();
  now.wall -= 2h;
  CAF_CHECK_EQUAL(look(), "armed");
  CAF_CHECK_EQUAL(due_by_timer(), "2023-11-14T22:30:00Z");
  pass(2h + 10min);
  CAF_CHECK_EQUAL(look(), "fire");
  CAF_CHECK_EQUAL(published.size(), 2u);
}

CAF_TEST(a schedule that waited for a wrong clock goes on once it is paused and resumed) {
  now.wall += std::chrono::days{3'650};
  define();
  pass(10min);
  CAF_CHECK_EQUAL(look(), "fire");
  now.wall -= std::chrono::days{3'650};
  CAF_CHECK_EQUAL(look(), "armed");
  CAF_CHECK_EQUAL(due_by_timer().substr(0, 4), "2033");
  CAF_CHECK_EQUAL(keep(machine->pause("ann", now, next_revision())), "pause");
  CAF_CHECK_EQUAL(keep(machine->resume(now, next_revision())), "resume");
  CAF_CHECK_EQUAL(due_by_timer(), "2023-11-14T22:30:00Z");
}

CAF_TEST(a paused schedule has no timer and what it missed is caught up with) {
  define();
  CAF_CHECK_EQUAL(keep(machine->pause("ann", now, next_revision())), "pause");
  CAF_CHECK_EQUAL(due_by_timer(), "none");
  CAF_CHECK_EQUAL(machine->current().reason, "ann");
  CAF_CHECK_EQUAL(keep(machine->pause("ann", now, next_revision())), "refused");
  pass(30min + 10s);
  load();
  CAF_CHECK_EQUAL(define(), "armed");
  CAF_CHECK_EQUAL(due_by_timer(), "none");
  CAF_CHECK_EQUAL(look(), "armed");
  CAF_CHECK_EQUAL(keep(machine->resume(now, next_revision())), "resume");
  CAF_CHECK_EQUAL(keep(machine->resume(now, next_revision())), "refused");
  CAF_CHECK_EQUAL(look_on(), "fire");
  CAF_CHECK_EQUAL(published.back(), "2023-11-14T22:40:00Z");
}

CAF_TEST(a time is left out while what was begun goes on) {
  definition.overlap = schedule_overlap::skip;
  define();
  pass(7min);
  CAF_CHECK_EQUAL(look(), "fire");
  CAF_REQUIRE_EQUAL(state().reached.size(), 2u); // the event, and the instance that got it
  CAF_CHECK_EQUAL(to_string(state().reached.back()), to_string(instance_id{"order", "2023-11-14T22:20:00Z"}));
  pass(10min);
  CAF_CHECK_EQUAL(look(), "asks");
  CAF_CHECK_EQUAL(look(false), "left_out");
  CAF_CHECK_EQUAL(state().overlapped, 1u);
  pass(10min);
  CAF_CHECK_EQUAL(look(), "asks");
  CAF_CHECK_EQUAL(look(true), "fire");
  CAF_CHECK_EQUAL(published.back(), "2023-11-14T22:40:00Z");
}

CAF_TEST(a trigger publishes at once and leaves the times as they are) {
  CAF_CHECK_EQUAL(keep(machine->trigger(now, next_revision())), "refused");
  define();
  CAF_CHECK_EQUAL(keep(machine->trigger(now, next_revision())), "trigger");
  CAF_CHECK_EQUAL(published.back(), "2023-11-14T22:13:20Z");
  CAF_CHECK_EQUAL(last_key, "");
  CAF_CHECK_EQUAL(due_by_timer(), "2023-11-14T22:20:00Z");
  keep(machine->pause("ann", now, next_revision()));
  CAF_CHECK_EQUAL(keep(machine->trigger(now, next_revision())), "trigger");
  CAF_CHECK_EQUAL(due_by_timer(), "none");
}

CAF_TEST(an event that cannot be published is noted and the schedule goes on) {
  define();
  definition.body = R"({"id": "{due}"})"; // as if the type had changed
  define();
  pass(7min);
  CAF_CHECK_EQUAL(look(), "failed");
  CAF_CHECK(state().note.find("could not be published: $") != std::string::npos);
  CAF_CHECK_EQUAL(due_by_timer(), "2023-11-14T22:30:00Z");
  definition.body = fmt::format(R"({{"id": "{}", "cents": 42}})", std::string(record_bytes_max, 'x'));
  define();
  pass(10min);
  CAF_CHECK_EQUAL(look(), "failed");
}

CAF_TEST(another time begins at the moment of its definition) {
  define();
  pass(1h);
  definition.when = "5 * * * *";
  CAF_CHECK_EQUAL(define(), "redefined");
  CAF_CHECK_EQUAL(due_by_timer(), "2023-11-15T00:05:00Z");
  CAF_CHECK_EQUAL(look({}, 0s), "armed");
}

CAF_TEST(another rule of the time zone moves the timer) {
  environment.zones.emplace("Here", tests::zone_named("Europe/Berlin"));
  definition.zone = "Here";
  definition.when = "0 3 * * *";
  define();
  CAF_CHECK_EQUAL(due_by_timer(), "2023-11-15T02:00:00Z");
  environment.zones["Here"] = tests::zone_named("America/New_York");
  load();
  CAF_CHECK_EQUAL(define(), "armed");
  CAF_CHECK_EQUAL(due_by_timer(), "2023-11-15T08:00:00Z");
}

CAF_TEST(a schedule that is not defined any more is gone) {
  define();
  const auto ended = machine->retire();
  CAF_CHECK_EQUAL(keep(ended), "retire");
  CAF_CHECK_EQUAL(ended.disarmed.size(), 1u);
  CAF_CHECK(!disk);
  CAF_CHECK_EQUAL(look(), "armed");
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST(each row of the table of schedules is taken) {
  CAF_CHECK_EQUAL(rows_missing("schedule", schedule_edges()), "");
  CAF_CHECK_EQUAL(rows_unknown("schedule", schedule_edges()), "");
}
