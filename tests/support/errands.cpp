#include "tests/support/businesses.hpp"

#include <continuo/archive.hpp>
#include <continuo/saga.hpp>
#include <continuo/service.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <stdexcept>

// Errands: a saga that asks five services at once, each of another kind, and that people meddle with; what
// the services publish about it, and who reads that.
namespace continuo::tests {

using namespace std::chrono_literals;

namespace {

// -- messages ---------------------------------------------------------------------------------------------

struct step_done {
  std::string step;
  CONTINUO_FIELDS(step_done, step)
};

struct step_undone {
  CONTINUO_FIELDS(step_undone)
};

/// `how` says what becomes of it: "fine", "declines", "fails" (once), "loses" (its outcome, once), "never"
/// (all attempts fail); "stubborn": fine, and its undo is refused at first.
#define CONTINUO_ERRAND_STEP(name)                                                                           \
  struct undo_##name {                                                                                       \
    using reply = step_undone;                                                                               \
    std::string id;                                                                                          \
    std::string how;                                                                                         \
    CONTINUO_FIELDS(undo_##name, id, how)                                                                    \
  };                                                                                                         \
  struct name {                                                                                              \
    using reply = step_done;                                                                                 \
    using undo = undo_##name;                                                                                \
    static constexpr const char* step = #name;                                                               \
    std::string id;                                                                                          \
    std::string how;                                                                                         \
    CONTINUO_FIELDS(name, id, how)                                                                           \
  };
CONTINUO_ERRAND_STEP(fetch_goods)  // few slots
CONTINUO_ERRAND_STEP(post_parcel)  // is parked
CONTINUO_ERRAND_STEP(print_card)   // on two nodes, idempotent
CONTINUO_ERRAND_STEP(copy_page)    // on two nodes, and is not
CONTINUO_ERRAND_STEP(reserve_item) // at a keyed service
#undef CONTINUO_ERRAND_STEP

template <class Do>
void for_each_step(Do what) {
  what(fetch_goods{});
  what(post_parcel{});
  what(print_card{});
  what(copy_page{});
  what(reserve_item{});
}

struct errand_begun {
  std::string id;
  std::vector<std::string> hows; ///< of each step; empty: it is left out
  std::int64_t late_ms = 0;      ///< when it is given up; 0: never
  bool waits = false;            ///< for a call
  std::string news;              ///< what becomes of the news of it
  CONTINUO_FIELDS(errand_begun, id, hows, late_ms, waits, news)
};

/// `what`: "fine", "throws", "throws once", "again" (it publishes another call of itself).
struct errand_called {
  std::string id;
  std::string what;
  CONTINUO_FIELDS(errand_called, id, what)
};

struct errand_late {
  CONTINUO_FIELDS(errand_late)
};

struct step_reported {
  std::string id;
  std::string step;
  CONTINUO_FIELDS(step_reported, id, step)
};

struct errand_over {
  std::string id;
  std::string news;
  CONTINUO_FIELDS(errand_over, id, news)
};

struct news_told {
  std::string id;
  CONTINUO_FIELDS(news_told, id)
};

struct customer_told {
  CONTINUO_FIELDS(customer_told)
};

/// How it ended, whoever ended it.
struct tell_customer {
  using reply = customer_told;
  std::string id;
  std::string end;
  std::string news;
  CONTINUO_FIELDS(tell_customer, id, end, news)
};

// -- sagas ------------------------------------------------------------------------------------------------

/// What fails so many times, whoever tries: the weather of one run. (Handlers of sagas have no other way to
/// fail for a while.)
thread_local std::map<std::string, int> weather;

bool fails_now(const std::string& what, int times) {
  return weather[what]++ < times;
}

class errand : public saga<errand> {
public:
  static void define(saga_definition<errand>& saga) {
    saga.starts_on<errand_begun>(&errand_begun::id);
    saga.on<errand_called>(&errand_called::id, unknown_instance::dead_letter);
    saga.timer<errand_late>();
    saga.tells<tell_customer>();
    for_each_step([&]<class Step>(const Step&) {
      saga.calls<Step>().undone_by([](const Step& sent, const step_done*) {
        return typename Step::undo{sent.id, sent.how};
      });
    });
  }

  void on(const errand_begun& event, saga_context& context) {
    id = event.id;
    news = event.news;
    waits = event.waits;
    std::size_t number = 0;
    for_each_step([&](auto step) {
      step.id = id;
      step.how = event.hows.at(number++);
      if (!step.how.empty()) {
        context.send(step);
        ++open;
      }
    });
    if (event.late_ms > 0) {
      context.set_timer("late", std::chrono::milliseconds{event.late_ms}, errand_late{});
    }
    go_on(context);
  }
  void on(const step_done&, saga_context& context) {
    --open;
    go_on(context);
  }
  void on(const failure<post_parcel>& failed, saga_context& context) {
    if (failed.kind == failure_kind::declined) {
      --open; // it goes without
      go_on(context);
    } else {
      context.roll_back("no parcel: " + failed.reason);
    }
  }
  void on(const errand_called& event, saga_context& context) {
    if (event.what == "throws" || (event.what == "throws once" && fails_now("call of " + id, 1))) {
      throw std::runtime_error{"what was that?"};
    }
    waits = false;
    if (event.what == "again") {
      context.publish(errand_called{id, "fine"});
      waits = true;
    }
    go_on(context);
  }
  void on(const errand_late&, saga_context& context) { context.roll_back("late"); }
  void on(const saga_ended& end, saga_context& context) {
    context.tell(tell_customer{id, std::string{to_string(end.status)}, news});
  }

  std::string id;
  std::string news;
  std::int64_t open = 0;
  bool waits = false;
  CONTINUO_FIELDS(errand, id, news, open, waits)

private:
  void go_on(saga_context& context) {
    if (open > 0) {
      return;
    }
    if (waits) {
      context.expect<errand_called>();
      return;
    }
    context.publish(errand_over{id, news});
    context.complete();
  }
};

/// Keeps what is reported of an errand, until the news is told.
class diary : public saga<diary> {
public:
  static void define(saga_definition<diary>& saga) {
    saga.starts_on<step_reported>(&step_reported::id);
    saga.on<step_reported>(&step_reported::id, unknown_instance::discard);
    saga.starts_on<news_told>(&news_told::id);
    saga.on<news_told>(&news_told::id, unknown_instance::discard);
  }
  void on(const step_reported& event, saga_context& context) {
    steps.push_back(event.step);
    context.expect<step_reported>();
  }
  void on(const news_told&, saga_context& context) { context.complete(); }

  std::vector<std::string> steps;
  CONTINUO_FIELDS(diary, steps)
};

struct shelf {
  std::vector<std::string> taken;
  CONTINUO_FIELDS(shelf, taken)
};

// -- the outside world ------------------------------------------------------------------------------------

struct step_book {
  std::set<std::string> keys;  ///< under which it was done
  std::set<std::string> undos; ///< the same, of undoing it
};

struct errand_book {
  std::map<std::string, std::map<std::string, step_book>> steps; ///< by errand
  std::map<std::string, std::set<std::string>> told;             ///< by errand: keys
  /// By errand: what its customer was told, and under which keys.
  std::map<std::string, std::map<std::string, std::set<std::string>>> customers;
};

template <class Step>
outcome<step_done> act(errand_book& book, const Step& command, command_context& call, bool publishes) {
  const auto name = std::string{command.step} + " of " + command.id;
  if (command.how == "declines") {
    return decline("not today");
  }
  if (command.how == "never" || (command.how == "fails" && fails_now(name, 1))) {
    throw std::runtime_error{"it does not work"};
  }
  book.steps[command.id][command.step].keys.insert(call.idempotency_key());
  if (command.how == "loses" && fails_now(name, 1)) {
    throw std::runtime_error{"the line is dead"};
  }
  if (publishes) {
    call.publish(step_reported{command.id, command.step});
  }
  return step_done{command.step};
}

template <class Step>
outcome<step_undone> undo(errand_book& book, const typename Step::undo& command, command_context& call) {
  if (command.how == "stubborn" && fails_now(std::string{Step::step} + " undone for " + command.id, 2)) {
    return decline("it is stuck");
  }
  book.steps[command.id][Step::step].undos.insert(call.idempotency_key());
  return step_undone{};
}

template <class Step>
service handled(service made, const std::shared_ptr<errand_book>& book, bool publishes) {
  made.handle([book, publishes](const Step& command, command_context& call) -> outcome<step_done> {
        return act(*book, command, call, publishes);
      })
      .handle([book](const typename Step::undo& command, command_context& call) -> outcome<step_undone> {
        return undo<Step>(*book, command, call);
      })
      .retry({.attempts = 3, .first = 40ms, .timeout = 2s});
  return made;
}

class errand_business : public business {
public:
  explicit errand_business(ingredients with) : with_(std::move(with)) {}

  hosts_by_node offer(cluster& here) override {
    weather.clear();
    const auto publishes = has(ingredient::publishes);
    here.offer<errand>().offer<diary>();
    here.offer(handled<fetch_goods>(service{"market"}, book_, publishes)
                   .concurrency(has(ingredient::withdrawals) ? 1 : 8));
    here.offer(handled<post_parcel>(service{"post"}, book_, false)
                   .when_exhausted(has(ingredient::parks) ? exhausted::park : exhausted::fail));
    here.offer(handled<print_card>(service{"printer"}, book_, publishes).idempotent());
    here.offer(handled<copy_page>(service{"copier"}, book_, false));
    here.offer(shelves());
    here.offer(newsdesk());
    if (has(ingredient::withdrawals)) {
      here.handlers_take("market", 30ms);
    }
    const auto twice = has(ingredient::two_nodes);
    if (twice) {
      here.internals().topology().move_after = 200ms;
      for (const auto* name : {"printer", "copier"}) { // so that their nodes go down with commands in hand
        here.handlers_take(name, 400ms);
      }
    }
    hosts_by_node hosts{{"north", {"errand", "printer", "diary"}},
                        {"south", {"market", "shelves", "newsdesk"}},
                        {"west", {"post", "copier", "diary"}}};
    if (twice) {
      hosts["north"] = {"errand", "diary"}; // what both others have is another node's there
      hosts["south"].emplace_back("copier");
      hosts["south"].emplace_back("printer");
      hosts["west"].emplace_back("printer");
      hosts["west"].emplace_back("errand");
    }
    if (here.draw(4) == 0) { // all of an errand on one node
      return {{"south", {"errand", "printer", "diary", "market", "shelves", "newsdesk", "post", "copier"}}};
    }
    return hosts;
  }

  void act(cluster& here, int round) override {
    begin(here, fmt::format("errand-{}", round));
    if (has(ingredient::verbs)) {
      for (auto times = here.draw(3); times > 0; --times) {
        meddle(here);
        here.run_for(std::chrono::microseconds{here.draw(30'000)});
      }
    }
    if (has(ingredient::letters) && here.draw(2) == 0) {
      call(here, round);
    }
    if (has(ingredient::letters) && here.draw(6) == 0) { // its start fails
      here.publish(errand_begun{fmt::format("torn-{}", round), {}, 0, false, "fine"}, any_node(here));
    }
    if (has(ingredient::letters) && here.draw(3) == 0) {
      clear_my_letters(here, false);
    }
    if (has(ingredient::parks) && here.draw(3) == 0) {
      clear_parked(here);
    }
    if (has(ingredient::two_nodes) && here.draw(2) == 0) {
      by_hand(here, fmt::format("by-hand-{}", round));
    }
  }

  bool tidy(cluster& here, int time) override {
    auto was_done = clear_parked(here);
    was_done = clear_my_letters(here, time >= 6) || was_done;
    for (const auto& id : errands_) {
      const instance_id self{"errand", id};
      const auto stored = here.internals().record(self);
      if (!stored || is_terminal(stored->status)) {
        continue;
      }
      was_done = true;
      if (time >= 12 && stored->status != instance_status::compensating &&
          stored->resumes_to != instance_status::compensating) {
        operate(here, self, cancel_verb);
        continue;
      }
      switch (stored->status) {
      case instance_status::paused:
        operate(here, self, resume_verb);
        break;
      case instance_status::stuck:
        if (has(ingredient::skips) && (here.draw(3) == 0 || time >= 12)) {
          skipped_.insert(id); // where there is something to skip
          operate(here, self, skip_verb);
        }
        operate(here, self, retry_verb);
        break;
      default:
        if (!stored->expected.empty()) {
          here.publish(errand_called{id, "fine"}, any_node(here));
        }
        break;
      }
    }
    return was_done;
  }

  void judge(cluster& here) override {
    for (const auto& id : by_hand_) {
      for (const auto& [step, done] : book_->steps[id]) {
        must(done.keys.size() <= 1, fmt::format("{} of {} was done under several keys", step, id));
      }
    }
    for (const auto& id : errands_) {
      const auto end = status_of<errand>(here, id);
      must(end == "completed" || end == "compensated", id + " is " + end);
      for (const auto& [step, done] : book_->steps[id]) {
        const auto name = fmt::format("{} of {}", step, id);
        must(done.keys.size() <= 1, name + " was done under several keys");
        must(end != "completed" || done.undos.empty(), name + " was undone, and the errand is completed");
        must(end != "compensated" || done.keys.empty() || !done.undos.empty() || skipped_.contains(id),
             name + " was done and never undone, and the errand is compensated");
      }
      must(end != "completed" || book_->told[id].size() <= 1, "the news of " + id + " was told twice");
      const auto& heard = book_->customers[id];
      must(heard.empty() ? failed_mails_.contains(id) : heard.size() == 1 && heard.contains(end),
           "the customer of " + id + " does not know that it is " + end);
      must(heard.empty() || heard.begin()->second.size() == 1,
           "the customer of " + id + " was told under several keys");
      here.sometimes("a customer is told how it ended", !heard.empty());
      const auto stored = here.internals().record({"diary", id});
      auto steps = stored ? decode<diary>(stored->state).value_or(diary{}).steps : std::vector<std::string>{};
      if (has(ingredient::two_nodes)) { // an idempotent command that moves may run on both nodes, and each
                                        // tells
        std::erase(steps, message_name<print_card>());
      }
      std::sort(steps.begin(), steps.end());
      must(std::adjacent_find(steps.begin(), steps.end()) == steps.end(),
           "a step stands twice in the diary of " + id);
      here.sometimes("an errand is compensated", end == "compensated");
      here.sometimes("an errand is completed", end == "completed");
    }
  }

private:
  bool has(ingredient what) const { return with_.contains(what); }

  keyed_service<shelf> shelves() const {
    const auto publishes = has(ingredient::publishes);
    return keyed_service<shelf>{"shelves"}
        .handle([](const reserve_item& command) { return "shelf-" + std::to_string(command.id.back() % 2); },
                [publishes](shelf& state, const reserve_item& command,
                            keyed_context& context) -> outcome<step_done> {
                  if (command.how == "declines") {
                    return decline("it is full");
                  }
                  if (command.how == "never" ||
                      (command.how == "fails" && fails_now("reserve_item of " + command.id, 2))) {
                    throw std::runtime_error{"the shelf shakes"};
                  }
                  state.taken.push_back(command.id);
                  if (publishes) {
                    context.publish(step_reported{command.id, command.step});
                  }
                  return step_done{command.step};
                })
        .handle(
            [](const undo_reserve_item& command) { return "shelf-" + std::to_string(command.id.back() % 2); },
            [](shelf& state, const undo_reserve_item& command, keyed_context&) -> outcome<step_undone> {
              if (command.how == "stubborn" && fails_now("reserve_item undone for " + command.id, 1)) {
                return decline("it is stuck");
              }
              std::erase(state.taken, command.id);
              return step_undone{};
            })
        .retry({.attempts = 3, .first = 60ms});
  }

  service newsdesk() const {
    service made{"newsdesk"};
    made.on([book = book_, publishes = has(ingredient::publishes)](const errand_over& event,
                                                                   command_context& call) {
          if ((event.news == "never" && fails_now("news of " + event.id, 4)) ||
              (event.news == "fails" && fails_now("news of " + event.id, 1))) {
            throw std::runtime_error{"the press is broken"};
          }
          book->told[event.id].insert(call.idempotency_key());
          if (publishes) {
            call.publish(news_told{event.id});
          }
        })
        .handle([book = book_](const tell_customer& command,
                               command_context& call) -> outcome<customer_told> {
          if (command.news != "fine" && fails_now("mail of " + command.id, command.news == "fails" ? 1 : 4)) {
            throw std::runtime_error{"no server"};
          }
          book->customers[command.id][command.end].insert(call.idempotency_key());
          return customer_told{};
        })
        .retry({.attempts = 3, .first = 40ms, .timeout = 2s});
    return made;
  }

  void begin(cluster& here, const std::string& id) {
    errand_begun event{id, {}, 0, false, "fine"};
    static const std::vector<std::string> hows{"",      "fine",     "fine",  "fine",    "fails",
                                               "loses", "declines", "never", "stubborn"};
    // What needs people who tidy up comes only where there are some.
    for_each_step([&]<class Step>(const Step&) {
      auto how = hows[here.draw(hows.size())];
      if (how == "stubborn" && !has(ingredient::verbs)) {
        how = "fine";
      }
      event.hows.push_back(std::move(how));
    });
    if (has(ingredient::withdrawals) ? here.draw(2) == 0 : here.draw(5) == 0) {
      event.late_ms = 1 + static_cast<std::int64_t>(here.draw(here.draw(2) == 0 ? 40 : 1'500));
    }
    event.waits = has(ingredient::letters) && here.draw(3) == 0;
    if (has(ingredient::letters)) {
      static const std::vector<std::string> news{"fine", "fails", "never"};
      event.news = news[here.draw(news.size())];
    }
    here.publish(event, any_node(here));
    errands_.push_back(id);
  }

  /// A client's own command, whose node may go down with it: it moves then, if it may.
  void by_hand(cluster& here, const std::string& id) {
    const auto sender = any_node(here);
    if (!here[sender].is_up()) {
      return;
    }
    const auto client = here[sender].client();
    for (auto times = 1 + here.draw(3); times > 0; --times) {
      const auto one = fmt::format("{}-{}", id, times);
      static_cast<void>(client.send(print_card{one, "fine"}));
      static_cast<void>(client.send(copy_page{one, "fine"}));
      by_hand_.push_back(one);
    }
    here.run_for(std::chrono::milliseconds{here.draw(50)});
    const std::string other = here.draw(2) == 0 ? "south" : "west";
    const auto names = here.names();
    if (other != sender && std::find(names.begin(), names.end(), other) != names.end() &&
        here[other].is_up()) {
      here[other].crash();
      here.run_for(std::chrono::milliseconds{here.draw(2) == 0 ? 600 : 100 + here.draw(200)});
      if (!here[other].is_up()) {
        here[other].start();
      }
    }
  }

  std::string an_errand(cluster& here) const { return errands_[here.draw(errands_.size())]; }

  void meddle(cluster& here) {
    const auto id = an_errand(here);
    const auto verb = static_cast<int>(here.draw(verb_count));
    if (verb == skip_verb) {
      if (!has(ingredient::skips)) {
        return;
      }
      skipped_.insert(id);
    }
    operate(here, {"errand", id}, verb);
  }

  /// Somebody calls: for an errand that is there, that is over, or that begins later.
  void call(cluster& here, int round) {
    const auto id = here.draw(3) == 0 ? fmt::format("errand-{}", round + 1) : an_errand(here);
    static const std::vector<std::string> whats{"fine", "throws once", "throws", "again"};
    const auto count = has(ingredient::own_events) ? 4 : has(ingredient::verbs) ? 3 : 2;
    here.publish(errand_called{id, whats[here.draw(static_cast<std::uint64_t>(count))]}, any_node(here));
  }

  /// Unless they are hasty, people redrive only what is taken at once.
  bool clear_my_letters(cluster& here, bool at_last) {
    for (const auto& [node, stored] : records_of(here, [](const engine::record& one) {
           return one.kind == engine::record_kind::dead_letter && one.failed &&
                  one.failed->type == message_name<tell_customer>();
         })) {
      failed_mails_.insert(decode<tell_customer>(stored.failed->payload).value_or(tell_customer{}).id);
    }
    const auto is_ready = [&](const dead_letter_view& letter) {
      if (has(ingredient::hasty_letters) || letter.to.type != "errand") {
        return true;
      }
      const auto stored = here.internals().record(letter.to);
      return !stored || is_terminal(stored->status);
    };
    return clear_letters(here,
                         {"errand_begun", "errand_called", "errand_over", "fetch_goods", "post_parcel",
                          "print_card", "copy_page", "reserve_item", "undo_reserve_item", "tell_customer"},
                         at_last, is_ready);
  }

  ingredients with_;
  std::shared_ptr<errand_book> book_ = std::make_shared<errand_book>();
  std::vector<std::string> errands_;
  std::vector<std::string> by_hand_; // what clients sent
  std::set<std::string> skipped_;
  std::set<std::string> failed_mails_; // of these errands: somebody may have discarded them
};

} // namespace

std::shared_ptr<business> errands(const ingredients& with) {
  return std::make_shared<errand_business>(with);
}

} // namespace continuo::tests
