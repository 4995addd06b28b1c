// Schedules in simulated clusters: in virtual time, over restarts, crashes and clocks that jump.
#define CAF_SUITE schedules

#include <continuo/testing.hpp>
#include <continuo/testing_caf.hpp>

#include <caf/test/dsl.hpp>

#include "nodes/schedules.hpp"
#include "testing/simulation.hpp"

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <vector>

#undef expect

using namespace continuo;
using namespace std::chrono_literals;
using std::chrono::days;
using std::chrono::hours;

namespace {

struct report_due {
  std::string id;
  CONTINUO_FIELDS(report_due, id)
};

struct report_late {
  CONTINUO_FIELDS(report_late)
};

/// Begun by each firing under its due time, and over a while later.
class report : public saga<report> {
public:
  static void define(saga_definition<report>& saga) {
    saga.starts_on<report_due>(&report_due::id);
    saga.timer<report_late>();
  }
  void on(const report_due&, saga_context& context) { context.set_timer("over", 150s, report_late{}); }
  void on(const report_late&, saga_context& context) { context.complete(); }
  CONTINUO_FIELDS(report)
};

/// Hears each firing, and notes when.
struct bell {
  std::vector<std::string> dues; ///< in the order in which they came, each once
  std::set<std::string> keys;
  std::size_t calls = 0; ///< one for each event
};

struct fixture : testing::fixture {
  bell& heard = keep<bell>();
  std::vector<schedule>& defined = keep<std::vector<schedule>>();

  fixture() {
    configure([all = &defined](node_config& config) { config.schedules = *all; });
  }

  void offer_bell() {
    offer(service{"bell"}.on([to = &heard](const report_due& event, command_context& call) {
      ++to->calls;
      if (to->keys.insert(call.idempotency_key()).second) {
        to->dues.push_back(event.id);
      }
    }));
  }

  /// One node that hears its schedules.
  testing::node& bell_tower() {
    offer_bell();
    return add("tower", {"bell"});
  }

  schedule& define(const std::string& when, const std::string& zone = {}) {
    schedule one;
    one.name = "s-" + std::to_string(defined.size() + 1);
    one.when = when;
    one.zone = zone;
    one.event = "report_due";
    one.body = R"({"id": "{due}"})";
    defined.push_back(one);
    return defined.back();
  }

  /// The clock of a node that never was up shows this time then.
  void begin_at(testing::node& of, std::chrono::sys_days day, std::chrono::nanoseconds time = 0s) {
    constexpr auto zero = std::chrono::sys_days{} + days{365 * 56};
    of.jump_wall_clock(day - zero + time);
  }

  std::string all() const {
    std::string lines;
    for (const auto& due : heard.dues) {
      lines += (lines.empty() ? "" : " ") + due;
    }
    return lines;
  }

  std::string why_not_started(testing::node& of) {
    const auto started = of.try_start();
    return started ? std::string{"it started"} : started.error().message;
  }
};

constexpr auto january = std::chrono::year{2026} / 1 / 1;

} // namespace

CAF_TEST_FIXTURE_SCOPE(schedules_tests, fixture)

CAF_TEST(a schedule publishes its event at its times) {
  auto& tower = bell_tower();
  define("*/20 6 * * *", "Europe/Berlin");
  begin_at(tower, january, 4h);
  run_for(days{1});
  CAF_CHECK_EQUAL(all(), "2026-01-01T05:00:00Z 2026-01-01T05:20:00Z 2026-01-01T05:40:00Z");
  CAF_CHECK(heard.keys.contains("s-1/2026-01-01T05:00:00Z"));
}

CAF_TEST(a schedule fires once in the night in which summer time ends and in that in which it begins) {
  auto& tower = bell_tower();
  define("30 2 * * *", "Europe/Berlin");
  begin_at(tower, std::chrono::year{2026} / 10 / 24);
  run_for(days{3});
  CAF_CHECK_EQUAL(all(), "2026-10-24T00:30:00Z 2026-10-25T00:30:00Z 2026-10-26T01:30:00Z");
  heard.dues.clear();
  tower.jump_wall_clock(days{153}); // the newest of these nights is caught up with
  run_for(days{3});
  CAF_CHECK_EQUAL(all(),
                  "2027-03-28T01:00:00Z 2027-03-29T00:30:00Z 2027-03-30T00:30:00Z 2027-03-31T00:30:00Z");
}

CAF_TEST(of many nodes one fires) {
  offer_bell();
  for (int i = 0; i < 20; ++i) {
    define("@hourly");
  }
  for (const auto* name : {"a", "b", "c"}) {
    begin_at(add(name, {"bell"}), january, 30min);
  }
  run_for(1h);
  CAF_CHECK_EQUAL(heard.dues.size(), 20u);
  CAF_CHECK_EQUAL(heard.calls, 20u);
  std::set<std::string> homes;
  for (const auto& one : defined) {
    homes.insert(nodes::home_of_schedule(one.name, internals().topology()));
  }
  CAF_CHECK_EQUAL(homes.size(), 3u);
  finish();
}

CAF_TEST(what fell into a downtime is caught up with as the schedule says) {
  auto& tower = bell_tower();
  define("@every 1s").catch_up = schedule_catch_up::all;
  begin_at(tower, january);
  run_for(10s + 300ms);
  tower.crash();
  const auto before = heard.dues.size();
  CAF_CHECK_EQUAL(heard.dues.back(), "2026-01-01T00:00:10Z");
  run_for(days{2});
  tower.start();
  run_for(500ms);
  CAF_REQUIRE_EQUAL(heard.dues.size(), before + 1'000);
  // Handlers of a stateless service run side by side, in any order.
  std::sort(heard.dues.begin(), heard.dues.end());
  CAF_CHECK_EQUAL(heard.dues.back(), "2026-01-03T00:00:10Z");
  CAF_CHECK_EQUAL(heard.dues[before], "2026-01-02T23:43:31Z");

  tower.crash();
  defined.back().catch_up = schedule_catch_up::once;
  run_for(days{2} - 500ms);
  tower.start();
  run_for(500ms);
  CAF_REQUIRE_EQUAL(heard.dues.size(), before + 1'001);
  CAF_CHECK_EQUAL(heard.dues.back(), "2026-01-05T00:00:10Z");

  tower.crash();
  defined.back().catch_up = schedule_catch_up::skip;
  run_for(days{2} - 500ms);
  tower.start();
  run_for(500ms);
  CAF_CHECK_EQUAL(heard.dues.size(), before + 1'001);
  run_for(1s);
  CAF_CHECK_EQUAL(heard.dues.size(), before + 1'002);
}

CAF_TEST(a clock that is set back makes nothing happen twice) {
  auto& tower = bell_tower();
  define("*/10 * * * *");
  begin_at(tower, january, 1s);
  run_for(1h);
  CAF_CHECK_EQUAL(heard.dues.size(), 6u);
  tower.jump_wall_clock(-1h);
  run_for(30min);
  CAF_CHECK_EQUAL(heard.dues.size(), 6u);
  tower.restart();
  run_for(29min);
  CAF_CHECK_EQUAL(heard.dues.size(), 6u);
  run_for(12min);
  CAF_CHECK_EQUAL(heard.dues.size(), 7u);
  CAF_CHECK_EQUAL(heard.dues.back(), "2026-01-01T01:10:00Z");
}

CAF_TEST(a schedule that may not overlap waits for the end of what it began) {
  offer<report>();
  auto& tower = add("tower", {"report"});
  define("* * * * *").overlap = schedule_overlap::skip;
  begin_at(tower, january, 30s);
  run_for(5min + 15s);
  CAF_CHECK_EQUAL(saga_of<report>("2026-01-01T00:01:00Z").status(), "completed");
  CAF_CHECK_EQUAL(saga_of<report>("2026-01-01T00:02:00Z").status(), "absent");
  CAF_CHECK_EQUAL(saga_of<report>("2026-01-01T00:03:00Z").status(), "absent");
  CAF_CHECK_EQUAL(saga_of<report>("2026-01-01T00:04:00Z").status(), "running");
  CAF_CHECK_EQUAL(saga_of<report>("2026-01-01T00:05:00Z").status(), "absent");
}

CAF_TEST(what may not overlap is asked for on other nodes and counts as going on where nobody can say) {
  offer<report>();
  begin_at(add("clock", {}), january, 30s);
  begin_at(add("desk", {"report"}), january, 30s);
  define("* * * * *").overlap = schedule_overlap::skip;
  // It must live apart from what it begins.
  for (auto& one : defined) {
    while (nodes::home_of_schedule(one.name, internals().topology()) != "clock") {
      one.name += "x";
    }
  }
  run_for(4min);
  CAF_CHECK_EQUAL(saga_of<report>("2026-01-01T00:01:00Z").status(), "completed");
  CAF_CHECK_EQUAL(saga_of<report>("2026-01-01T00:03:00Z").status(), "absent");
  CAF_CHECK_EQUAL(saga_of<report>("2026-01-01T00:04:00Z").status(), "running");
  (*this)["desk"].crash();
  run_for(5min);
  (*this)["desk"].start();
  run_for(2min);
  CAF_CHECK_EQUAL(saga_of<report>("2026-01-01T00:04:00Z").status(), "completed");
  CAF_CHECK_EQUAL(saga_of<report>("2026-01-01T00:08:00Z").status(), "absent");
  CAF_CHECK_EQUAL(saga_of<report>("2026-01-01T00:10:00Z").status(), "running");
}

CAF_TEST(another definition holds from the next start on) {
  auto& tower = bell_tower();
  define("@hourly");
  begin_at(tower, january, 30min);
  run_for(1h);
  CAF_CHECK_EQUAL(all(), "2026-01-01T01:00:00Z");
  defined.back().when = "15 * * * *"; // 01:30: what was due by it before does not count
  tower.restart();
  run_for(1h);
  CAF_CHECK_EQUAL(all(), "2026-01-01T01:00:00Z 2026-01-01T02:15:00Z");
  defined.back().body = R"({"id": "later {name} {due}"})";
  tower.restart();
  run_for(1h);
  CAF_CHECK_EQUAL(heard.dues.back(), "later s-1 2026-01-01T03:15:00Z");
  defined.clear();
  tower.restart();
  run_for(2h);
  CAF_CHECK_EQUAL(heard.dues.size(), 3u);
  define("@hourly");
  tower.restart();
  run_for(1h);
  CAF_CHECK_EQUAL(heard.dues.back(), "2026-01-01T06:00:00Z");
  CAF_CHECK_EQUAL(heard.dues.size(), 4u);
}

CAF_TEST(a node that takes nothing in keeps its schedules waiting) {
  offer<report>();
  configure([all = &defined](node_config& config) {
    config.schedules = *all;
    config.in_flight = 0;
  });
  auto& tower = add("tower", {"report"});
  define("* * * * *");
  begin_at(tower, january, 30s);
  run_for(1min);
  CAF_CHECK_EQUAL(saga_of<report>("2026-01-01T00:01:00Z").status(), "absent");
  configure([all = &defined](node_config& config) {
    config.schedules = *all;
    config.in_flight = 10;
  });
  defined.back().catch_up = schedule_catch_up::all;
  tower.restart();
  run_for(1s);
  CAF_CHECK_EQUAL(saga_of<report>("2026-01-01T00:01:00Z").status(), "running");
}

CAF_TEST(ten thousand schedules of one minute fire at once) {
  auto& tower = bell_tower();
  for (int i = 0; i < 10'000; ++i) {
    define("1 * * * *");
  }
  begin_at(tower, january);
  run_for(60s - 1ms);
  CAF_CHECK_EQUAL(heard.dues.size(), 0u);
  run_for(1s);
  CAF_CHECK_EQUAL(heard.dues.size(), 10'000u);
  run_for(30min);
  CAF_CHECK_EQUAL(heard.dues.size(), 10'000u);
}

CAF_TEST(a wrong definition is refused with all that is wrong) {
  auto& tower = bell_tower();
  define("0 0 30 2 *");
  define("@daily", "Europe/Berlina");
  define("@daily", "../../etc/passwd");
  define("@every 1m", "Europe/Berlin");
  define("@daily").event = "report_du";
  define("@daily").body = R"({"name": "x"})";
  define("@daily").name = "a b";
  define("@daily").name = "s-1";
  defined.back().where = "shop.conf:7: schedules.s-1";
  const auto why = why_not_started(tower);
  for (const auto* part :
       {"schedule s-1: when: \"0 0 30 2 *\" never comes",
        "schedule s-2: zone: there is no time zone \"Europe/Berlina\"",
        "schedule s-3: zone: \"../../etc/passwd\" is no name",
        "schedule s-4: zone: \"@every 1m\" goes by no time zone",
        "schedule s-5: event: no saga and no service subscribes to an event \"report_du\"; did you mean "
        "report_due?",
        "schedule s-6: body: it is no report_due: $", "schedule \"a b\": the name of a schedule",
        "shop.conf:7: schedules.s-1: there are two schedules s-1"}) {
    if (why.find(part) == std::string::npos) {
      CAF_FAIL("not in \"" << why << "\": " << part);
    }
  }
}

CAF_TEST_FIXTURE_SCOPE_END()

namespace {

/// A schedule that is caught up with in full, over a crash anywhere.
void each_minute(testing::cluster& here) {
  auto& defined = here.keep<schedule>();
  defined.name = "minutely";
  defined.when = "1-3 0 18 12 *"; // when the simulation begins
  defined.event = "report_due";
  defined.body = R"({"id": "{due}"})";
  defined.catch_up = schedule_catch_up::all;
  here.configure([one = &defined](node_config& config) { config.schedules = {*one}; });
  auto& heard = here.keep<bell>();
  here.offer<report>();
  here.offer(service{"bell"}.on([to = &heard](const report_due& event, command_context& call) {
    to->dues.push_back(event.id + " " + call.idempotency_key());
  }));
  here.add("clock", {"bell"});
  here.add("desk", {"report"});
  here.run_for(3min + 30s);
  here.finish();
  const std::set<std::string> once{heard.dues.begin(), heard.dues.end()};
  here.check(once.size() == 3, "each due time came, under one key");
}

} // namespace

CAF_TEST(no crash loses a firing or makes it happen twice) {
  testing::for_each_crash_point(each_minute);
}
