#include "tests/support/businesses.hpp"

#include <continuo/saga.hpp>
#include <continuo/service.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <stdexcept>

// Calendars: sagas with many timers, near and in years, whose handlers send to other sagas of the same node.
namespace continuo::tests {

using namespace std::chrono_literals;

namespace {

constexpr std::chrono::hours day{24};
constexpr std::chrono::hours year{365 * 24};

struct bell_rung {
  CONTINUO_FIELDS(bell_rung)
};

/// Fails for a while, so that the request stays open.
struct ring_bell {
  using reply = bell_rung;
  std::string id;
  CONTINUO_FIELDS(ring_bell, id)
};

struct noted {
  CONTINUO_FIELDS(noted)
};

struct note_down {
  using reply = noted;
  std::string page;
  std::string by;
  CONTINUO_FIELDS(note_down, page, by)
};

struct page {
  std::vector<std::string> notes;
  CONTINUO_FIELDS(page, notes)
};

struct calendar_opened {
  std::string id;
  std::vector<std::string> others; ///< who hears its chime
  std::int64_t chime_ms = 0;
  std::int64_t own_ms = 0;
  bool far = false;
  bool rings = false; ///< its bell
  CONTINUO_FIELDS(calendar_opened, id, others, chime_ms, own_ms, far, rings)
};

struct calendar_moved {
  std::string id;
  std::int64_t times = 0;
  bool tells_itself = false;
  CONTINUO_FIELDS(calendar_moved, id, times, tells_itself)
};

struct calendar_chimed {
  std::string to;
  std::string from;
  CONTINUO_FIELDS(calendar_chimed, to, from)
};

struct calendar_closed {
  std::string id;
  CONTINUO_FIELDS(calendar_closed, id)
};

struct calendar_due {
  std::string what;
  CONTINUO_FIELDS(calendar_due, what)
};

/// How often a calendar has tried to hear itself, in one run.
thread_local std::map<std::string, int> rain;

class calendar : public saga<calendar> {
public:
  static void define(saga_definition<calendar>& saga) {
    saga.starts_on<calendar_opened>(&calendar_opened::id);
    saga.on<calendar_moved>(&calendar_moved::id, unknown_instance::discard);
    saga.on<calendar_chimed>(&calendar_chimed::to, unknown_instance::discard);
    saga.on<calendar_closed>(&calendar_closed::id, unknown_instance::discard);
    saga.timer<calendar_due>();
    saga.calls<ring_bell>().nothing_to_undo();
    saga.calls<note_down>().nothing_to_undo();
  }

  void on(const calendar_opened& event, saga_context& context) {
    id = event.id;
    others = event.others;
    if (event.rings) {
      ask(context, ring_bell{id});
    }
    if (event.far) {
      set_far(context, 0);
    }
    if (event.chime_ms > 0) {
      context.set_timer("chime", std::chrono::milliseconds{event.chime_ms}, calendar_due{"chime"});
    }
    context.set_timer("own", std::chrono::milliseconds{event.own_ms}, calendar_due{"own"});
    go_on(context);
  }
  void on(const calendar_moved& event, saga_context& context) {
    set_far(context, event.times);
    if (event.tells_itself) {
      context.publish(calendar_chimed{id, id}); // fails at first, so that the second one is held
      context.publish(calendar_chimed{id, id});
      context.set_timer("soon", 20ms, calendar_due{"soon"});
    }
    go_on(context);
  }
  void on(const calendar_chimed& event, saga_context& context) {
    if (event.from == id && ++rain[id] % 3 == 1) { // so that it waits behind a message of its own
      throw std::runtime_error{"it rains"};
    }
    heard.push_back(event.from);
    if (event.from != id) {
      ask(context, note_down{id, event.from});
    }
    go_on(context);
  }
  void on(const calendar_due& due, saga_context& context) {
    fired.push_back(due.what);
    if (due.what == "chime") {
      for (const auto& other : others) {
        context.publish(calendar_chimed{other, id});
      }
      ask(context, note_down{others.front(), id});
    }
    go_on(context);
  }
  void on(const bell_rung&, saga_context& context) { answered(context); }
  void on(const noted&, saga_context& context) { answered(context); }
  void on(const calendar_closed&, saga_context& context) {
    closes = true;
    go_on(context);
  }

  std::string id;
  std::vector<std::string> others;
  std::vector<std::string> heard;
  std::vector<std::string> fired;
  std::int64_t open = 0;
  bool closes = false;
  CONTINUO_FIELDS(calendar, id, others, heard, fired, open, closes)

private:
  template <class Command>
  void ask(saga_context& context, const Command& command) {
    context.send(command);
    ++open;
  }
  void answered(saga_context& context) {
    --open;
    go_on(context);
  }
  /// Each time nearer than the last.
  void set_far(saga_context& context, std::int64_t times) {
    context.set_timer("year", (100 - times) * year, calendar_due{"year"});
    context.set_timer("month", (300 - 10 * times) * day, calendar_due{"month"});
    context.set_timer("day", (20 - times) * day, calendar_due{"day"});
    if (times % 3 == 2) {
      context.cancel_timer("month");
    }
  }
  void go_on(saga_context& context) {
    if (!closes) {
      context.expect<calendar_closed>();
    } else if (open == 0) {
      context.complete();
    }
  }
};

struct bells {
  std::map<std::string, int> rung;
};

class calendar_business : public business {
public:
  explicit calendar_business(ingredients with) : with_(std::move(with)) {}

  hosts_by_node offer(cluster& here) override {
    rain.clear();
    if (has(ingredient::far_timers)) { // for every run, once A11 is mended
      here.internals().count_wake_ups();
    }
    here.offer<calendar>();
    here.may_live_on("calendar", "it waits for years");
    here.offer(service{"bells"}
                   .handle([book = bells_](const ring_bell& command, command_context&) -> outcome<bell_rung> {
                     if (++book->rung[command.id] < 3) {
                       throw std::runtime_error{"the rope is torn"};
                     }
                     return bell_rung{};
                   })
                   .retry({.attempts = 10, .first = 700ms, .timeout = 2s}));
    here.offer(keyed_service<page>{"pages"}.handle(
        &note_down::page, [](page& state, const note_down& command, keyed_context&) -> outcome<noted> {
          state.notes.push_back(command.by);
          return noted{};
        }));
    if (has(ingredient::chimes)) { // who rings and who hears are on one node
      return {{"north", {"calendar", "bells", "pages"}}};
    }
    return {{"north", {"calendar", "bells", "pages"}}, {"south", {"calendar", "pages"}}};
  }

  void act(cluster& here, int round) override {
    const auto id = fmt::format("calendar-{}", round);
    const auto any = [&] {
      return fmt::format("calendar-{}", here.draw(static_cast<std::uint64_t>(round) + 2));
    };
    here.publish(
        calendar_opened{id,
                        {any(), any(), any()},
                        has(ingredient::chimes) ? 1 + static_cast<std::int64_t>(here.draw(2'500)) : 0,
                        1 + static_cast<std::int64_t>(here.draw(5'000)),
                        has(ingredient::far_timers),
                        has(ingredient::chimes) && here.draw(2) != 0},
        any_node(here));
    opened_.push_back(id);
    for (auto times = here.draw(3); times > 0; --times) {
      const auto chosen = opened_[here.draw(opened_.size())];
      if (has(ingredient::far_timers) || has(ingredient::own_events)) {
        here.publish(
            calendar_moved{chosen, ++moved_[chosen], has(ingredient::own_events) && here.draw(2) == 0},
            any_node(here));
      }
      if (has(ingredient::verbs)) {
        operate(here, {"calendar", chosen}, here.draw(2) == 0 ? pause_verb : resume_verb);
        here.run_for(std::chrono::microseconds{here.draw(60'000)});
        operate(here, {"calendar", chosen}, resume_verb);
      }
    }
  }

  bool tidy(cluster& here, int time) override {
    if (time == 0) { // what is due in days fires; what does not fire shows
      here.run_for(has(ingredient::far_timers) ? 25 * day : std::chrono::hours{1});
    }
    bool was_done = false;
    for (const auto& id : opened_) {
      const instance_id self{"calendar", id};
      const auto stored = here.internals().record(self);
      if (!stored || is_terminal(stored->status)) {
        continue;
      }
      was_done = true;
      if (stored->status == instance_status::paused) {
        operate(here, self, resume_verb);
      } else {
        here.publish(calendar_closed{id}, any_node(here));
      }
    }
    return was_done;
  }

  void judge(cluster& here) override {
    for (const auto& id : opened_) {
      must(status_of<calendar>(here, id) == "completed", id + " is " + status_of<calendar>(here, id));
      const auto stored = here.internals().record({"calendar", id});
      if (!stored) {
        continue;
      }
      const auto state = decode<calendar>(stored->state).value();
      must(std::count(state.fired.begin(), state.fired.end(), "own") == 1,
           id + " did not fire its timer once");
      must(!has(ingredient::far_timers) || std::count(state.fired.begin(), state.fired.end(), "day") == 1,
           id + " did not fire once what was due in days");
      must(std::count(state.fired.begin(), state.fired.end(), "year") == 0,
           id + " fired what is due in years");
    }
  }

private:
  bool has(ingredient what) const { return with_.contains(what); }

  ingredients with_;
  std::shared_ptr<bells> bells_ = std::make_shared<bells>();
  std::vector<std::string> opened_;
  std::map<std::string, std::int64_t> moved_;
};

} // namespace

std::shared_ptr<business> calendars(const ingredients& with) {
  return std::make_shared<calendar_business>(with);
}

} // namespace continuo::tests
