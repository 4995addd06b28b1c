#include "tests/support/businesses.hpp"

#include <continuo/saga.hpp>
#include <continuo/service.hpp>

#include <fmt/format.h>

// Bells: schedules of several kinds, in the night in which summer time ends, while nodes die and clocks jump.
// Each due time begins a saga, and is heard by a service.
namespace continuo::tests {

using namespace std::chrono_literals;

namespace {

struct bell_rung {
  std::string id;
  CONTINUO_FIELDS(bell_rung, id)
};

class ringing : public saga<ringing> {
public:
  static void define(saga_definition<ringing>& saga) { saga.starts_on<bell_rung>(&bell_rung::id); }
  void on(const bell_rung&, saga_context& context) { context.complete(); }
  CONTINUO_FIELDS(ringing)
};

struct bell_book {
  std::map<std::string, std::set<std::string>> keys; ///< under which a bell was heard
};

schedule bell_of(std::string name, std::string when, schedule_catch_up catch_up) {
  schedule one;
  one.name = std::move(name);
  one.when = std::move(when);
  one.zone = one.when.front() == '@' ? "" : "Europe/Berlin";
  one.event = "bell_rung";
  one.body = R"({"id": "{name} {due}"})";
  one.catch_up = catch_up;
  return one;
}

} // namespace

void run_bells(cluster& here) {
  auto& book = here.keep<bell_book>();
  here.offer<ringing>();
  here.offer(service{"belfry"}.on([&book](const bell_rung& bell, command_context& call) {
    book.keys[bell.id].insert(call.idempotency_key());
  }));
  here.configure([](node_config& config) {
    // 02:00 to 02:50 comes twice; the first time is 00:00 to 00:50 in UTC.
    config.schedules = {bell_of("night", "*/10 2 25 10 *", schedule_catch_up::all),
                        bell_of("hours", "30 * 25 10 *", schedule_catch_up::all),
                        bell_of("often", "@every 7m", schedule_catch_up::once),
                        bell_of("rare", "@every 20m", schedule_catch_up::skip)};
  });
  constexpr auto zero = std::chrono::sys_days{} + std::chrono::days{365 * 56};
  constexpr std::chrono::sys_days night = std::chrono::year{2026} / 10 / 24;
  for (const auto* name : {"north", "south"}) {
    here.add(name, {"ringing", "belfry"}).jump_wall_clock(night - zero + 23h + 30min);
  }
  here.plan_faults({{}, 5, 3h, {}});
  const auto heard_at = [&](const std::string& name) {
    std::set<std::string> dues;
    for (const auto& [id, keys] : book.keys) {
      if (id.starts_with(name + " 2026-10-25T")) {
        dues.insert(id.substr(name.size() + 12));
      }
    }
    return dues;
  };
  here.run_for(3h + 30min);
  here.heal();
  here.run_for(3h); // clocks may be late
  here.finish();
  must(heard_at("night") == std::set<std::string>{"00:00:00Z", "00:10:00Z", "00:20:00Z", "00:30:00Z",
                                                  "00:40:00Z", "00:50:00Z"},
       "of a local time that comes twice the first one rings, and no other");
  must(heard_at("hours").contains("00:30:00Z") && heard_at("hours").contains("01:30:00Z"),
       "each half past rings, also in the hour that comes again");
  for (const auto& [id, keys] : book.keys) {
    must(keys.size() == 1, fmt::format("{} was heard under {} keys", id, keys.size()));
    must(status_of<ringing>(here, id) == "completed", fmt::format("{} did not begin its saga", id));
  }
}

} // namespace continuo::tests
