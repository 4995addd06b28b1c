#include "tests/support/scenarios.hpp"

#include "examples/bank/accounts.hpp"
#include "examples/bank/messages.hpp"
#include "examples/bank/transfer.hpp"
#include "tests/support/businesses.hpp"
#include "tests/support/orders.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iomanip>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>

namespace continuo::tests {

using namespace std::chrono_literals;
namespace {

// -- orders ------------------------------------------------------------------------------------------

/// The order workflow with all its outcomes: completed, declined, out of stock, cancelled.
class order_business : public business {
public:
  explicit order_business(bool only_good = false) : only_good_(only_good) {}

  hosts_by_node offer(cluster& here) override {
    here.offer<fulfilment>().offer(payment_service(*book_)).offer(warehouse_service(*book_));
    return {{"north", {"fulfilment"}}, {"south", {"payment"}}, {"west", {"warehouse"}}};
  }

  void act(cluster& here, int round) override {
    const auto kind = only_good_ ? 0 : here.draw(5);
    const auto name = fmt::format("{}{}", kind == 1 ? "none-" : kind == 2 ? "big-" : "o-", round);
    here.publish(order_placed{name, kind == 2 ? 100'001 : 100}, any_node(here));
    placed_.push_back(name);
    if (kind == 3) {
      here.run_for(std::chrono::microseconds{here.draw(3'000)});
      here.publish(order_cancelled{name}, any_node(here));
      cancelled_.insert(name);
    }
  }

  void judge(cluster& here) override {
    for (const auto& name : placed_) {
      const auto end = status_of<fulfilment>(here, name);
      std::set<std::string> keys;
      for (const auto& effect : book_->effects) {
        if (effect.kind == "charge" && effect.order == name) {
          keys.insert(effect.key);
        }
      }
      const auto charged = book_->count("charge", name);
      const auto refunded = book_->count("refund", name);
      const auto labels = book_->count("label", name);
      must(keys.size() <= 1, name + " was charged under several keys");
      if (end == "completed") {
        must(charged == 1 && refunded == 0 && labels == 1,
             fmt::format("{} is completed with {} charges, {} refunds, {} labels", name, charged, refunded,
                         labels));
        must(!name.starts_with("none") && !name.starts_with("big"), name + " should not be completed");
      } else {
        must(end == "compensated", name + " is " + end);
        must(charged == refunded,
             fmt::format("{} is compensated: charged {} times, refunded {} times", name, charged, refunded));
      }
      here.sometimes("an order is compensated", end == "compensated");
      here.sometimes("a cancelled order was completed all the same",
                     end == "completed" && cancelled_.contains(name));
    }
    here.sometimes("a handler ran again", book_->calls > book_->effects.size());
  }

private:
  bool only_good_;
  std::shared_ptr<outside_world> book_ = std::make_shared<outside_world>();
  std::vector<std::string> placed_;
  std::set<std::string> cancelled_;
};

// -- a bank --------------------------------------------------------------------------------------------

/// Transfers between accounts on two nodes: money is neither made nor lost.
class bank_business : public business {
public:
  hosts_by_node offer(cluster& here) override {
    here.offer<bank_transfers::transfer>().offer(bank_transfers::accounts());
    return {{"north", {"accounts"}}, {"south", {"accounts", "transfer"}}, {"west", {"transfer"}}};
  }

  void act(cluster& here, int round) override {
    if (round == 0) {
      for (const auto& name : names_) {
        const bank_transfers::open_account command{name, 1'000};
        const auto is_open = [&] {
          const auto opened = here.send(command, any_node(here));
          return opened || opened.error().message.find("the account exists") != std::string::npos;
        };
        bool done = is_open();
        for (int again = 0; !done && again < 100; ++again) { // the disk of a node may be full
          here.run_for(100ms);
          done = is_open();
        }
        must(done, "an account could not be opened");
      }
    }
    const auto from = here.draw(names_.size());
    const auto to = here.draw(names_.size() + 1); // one of them does not exist
    const auto id = fmt::format("t-{}", round);
    here.publish(bank_transfers::transfer_requested{id, names_[from],
                                                    to < names_.size() ? names_[to] : "nobody",
                                                    static_cast<std::int64_t>(here.draw(1'500))},
                 any_node(here));
    transfers_.push_back(id);
  }

  void judge(cluster& here) override {
    for (const auto& id : transfers_) {
      const auto end = status_of<bank_transfers::transfer>(here, id);
      must(end == "completed" || end == "compensated", "the transfer " + id + " is " + end);
      here.sometimes("a transfer is undone", end == "compensated");
    }
    std::int64_t total = 0;
    for (const auto& name : names_) {
      const auto balance = here.send(bank_transfers::read_balance{name});
      must(balance.has_value(), "an account cannot be read");
      must(balance->cents >= 0, "an account is overdrawn");
      total += balance->cents;
    }
    must(total == 4'000, fmt::format("there were 4000 cents, and there are {}", total));
  }

private:
  std::vector<std::string> names_{"anna", "ben", "cleo", "dan"};
  std::vector<std::string> transfers_;
};

// -- ten services --------------------------------------------------------------------------------------

struct tour_begun {
  std::string id;
  std::string declines; ///< the number of the stop that declines; empty: none
  CONTINUO_FIELDS(tour_begun, id, declines)
};

struct closed {
  CONTINUO_FIELDS(closed)
};

struct visited {
  CONTINUO_FIELDS(visited)
};

/// What was done at the stops, and undone.
struct tour_book {
  std::map<std::string, std::set<std::string>> visited; ///< by tour: stops
  std::map<std::string, std::set<std::string>> left;
};

#define CONTINUO_TOUR_STOP(number)                                                                           \
  struct leave_##number {                                                                                    \
    using reply = closed;                                                                                    \
    std::string id;                                                                                          \
    CONTINUO_FIELDS(leave_##number, id)                                                                      \
  };                                                                                                         \
  struct visit_##number {                                                                                    \
    using reply = visited;                                                                                   \
    using undo = leave_##number;                                                                             \
    static constexpr const char* stop = #number;                                                             \
    std::string id;                                                                                          \
    bool declines = false;                                                                                   \
    CONTINUO_FIELDS(visit_##number, id, declines)                                                            \
  };
CONTINUO_TOUR_STOP(0)
CONTINUO_TOUR_STOP(1)
CONTINUO_TOUR_STOP(2)
CONTINUO_TOUR_STOP(3)
CONTINUO_TOUR_STOP(4)
CONTINUO_TOUR_STOP(5)
CONTINUO_TOUR_STOP(6)
CONTINUO_TOUR_STOP(7)
CONTINUO_TOUR_STOP(8)
CONTINUO_TOUR_STOP(9)
#undef CONTINUO_TOUR_STOP

template <class Do>
void for_each_stop(Do what) {
  what(visit_0{});
  what(visit_1{});
  what(visit_2{});
  what(visit_3{});
  what(visit_4{});
  what(visit_5{});
  what(visit_6{});
  what(visit_7{});
  what(visit_8{});
  what(visit_9{});
}

/// Asks ten services at once.
class tour : public saga<tour> {
public:
  static void define(saga_definition<tour>& saga) {
    saga.starts_on<tour_begun>(&tour_begun::id);
    for_each_stop([&]<class Visit>(const Visit&) {
      saga.calls<Visit>().undone_by(
          [](const Visit& sent, const visited*) { return typename Visit::undo{sent.id}; });
    });
  }
  void on(const tour_begun& event, saga_context& context) {
    id = event.id;
    for_each_stop([&](auto visit) {
      visit.id = id;
      visit.declines = event.declines == visit.stop;
      context.send(visit);
    });
  }
  void on(const visited&, saga_context& context) {
    if (++stops == 10) {
      context.complete(stops);
    }
  }

  std::string id;
  std::int64_t stops = 0;
  CONTINUO_FIELDS(tour, id, stops)
};

class tour_business : public business {
public:
  hosts_by_node offer(cluster& here) override {
    here.offer<tour>();
    hosts_by_node hosts{{"west", {"tour"}}};
    int number = 0;
    for_each_stop([&]<class Visit>(const Visit& visit) {
      const auto name = std::string{"stop_"} + visit.stop;
      here.offer(service{name}
                     .handle([book = book_](const Visit& command, command_context&) -> outcome<visited> {
                       if (command.declines) {
                         return decline("closed today");
                       }
                       book->visited[command.id].insert(command.stop);
                       return visited{};
                     })
                     .handle([book = book_, stop = visit.stop](const typename Visit::undo& command,
                                                               command_context&) -> outcome<closed> {
                       book->left[command.id].insert(stop);
                       return closed{};
                     }));
      hosts[number++ % 2 == 0 ? "north" : "south"].push_back(name);
    });
    return hosts;
  }

  void act(cluster& here, int round) override {
    const auto id = fmt::format("tour-{}", round);
    const auto declines = here.draw(20);
    here.publish(tour_begun{id, declines < 10 ? std::to_string(declines) : ""}, any_node(here));
    tours_.push_back(id);
  }

  void judge(cluster& here) override {
    for (const auto& id : tours_) {
      const auto end = status_of<tour>(here, id);
      if (end == "completed") {
        must(book_->visited[id].size() == 10 && book_->left[id].empty(),
             id + " is completed, and was not everywhere");
      } else {
        must(end == "compensated", id + " is " + end);
        for (const auto& stop : book_->visited[id]) {
          must(book_->left[id].contains(stop), fmt::format("{} never left stop {}", id, stop));
        }
      }
    }
  }

private:
  std::shared_ptr<tour_book> book_ = std::make_shared<tour_book>();
  std::vector<std::string> tours_;
};

// -- timers -----------------------------------------------------------------------------------------------

struct clock_wound {
  std::string id;
  CONTINUO_FIELDS(clock_wound, id)
};

struct rang {
  std::string which;
  CONTINUO_FIELDS(rang, which)
};

/// Sets timers, sets them anew and takes them back.
class alarm_clock : public saga<alarm_clock> {
public:
  static void define(saga_definition<alarm_clock>& saga) {
    saga.starts_on<clock_wound>(&clock_wound::id);
    saga.timer<rang>();
  }
  void on(const clock_wound&, saga_context& context) {
    context.set_timer("short", 200ms, rang{"short"});
    context.set_timer("long", 1s, rang{"long"});
    context.set_timer("moved", 300ms, rang{"moved too early"});
    context.set_timer("moved", 900ms, rang{"moved"});
    context.set_timer("never", 1500ms, rang{"never"});
  }
  void on(const rang& event, saga_context& context) {
    rings.push_back(event.which);
    if (event.which == "short") {
      context.set_timer("short again", 500ms, rang{"short again"});
    } else if (event.which == "long") {
      context.cancel_timer("never");
    }
    if (rings.size() == 4) {
      context.complete();
    }
  }

  std::vector<std::string> rings;
  CONTINUO_FIELDS(alarm_clock, rings)
};

class timer_business : public business {
public:
  hosts_by_node offer(cluster& here) override {
    here.offer<alarm_clock>();
    return {{"north", {"alarm_clock"}}, {"south", {"alarm_clock"}}};
  }

  void act(cluster& here, int round) override {
    const auto id = fmt::format("clock-{}", round);
    here.publish(clock_wound{id}, any_node(here));
    clocks_.push_back(id);
    if (here.draw(4) == 0) { // a machine that boots anew: its boot time begins at zero
      auto& node = here[any_node(here)];
      if (node.is_up()) {
        node.reboot();
        while (!node.try_start()) { // its disk is full
          here.run_for(500ms);
        }
      }
    }
  }

  void judge(cluster& here) override {
    for (const auto& id : clocks_) {
      const auto clock = here.saga_of<alarm_clock>(id);
      clock.should_be_completed();
      auto text = clock.view()->state;
      for (const auto* ring : {"\"short\"", "\"long\"", "\"moved\"", "\"short again\""}) {
        const auto found = text.find(ring);
        must(found != std::string::npos && text.find(ring, found + 1) == std::string::npos,
             fmt::format("{} rang not once for {}: {}", id, ring, text));
      }
    }
  }

private:
  std::vector<std::string> clocks_;
};

// -- one instance that everybody wants -------------------------------------------------------------------

struct count_wanted {
  std::string id;
  std::int64_t times = 0;
  CONTINUO_FIELDS(count_wanted, id, times)
};

struct counted_up {
  std::int64_t total = 0;
  CONTINUO_FIELDS(counted_up, total)
};

struct count_up {
  using reply = counted_up;
  std::string counter;
  CONTINUO_FIELDS(count_up, counter)
};

struct tally {
  std::int64_t total = 0;
  CONTINUO_FIELDS(tally, total)
};

class eager : public saga<eager> {
public:
  static void define(saga_definition<eager>& saga) {
    saga.starts_on<count_wanted>(&count_wanted::id);
    saga.calls<count_up>().nothing_to_undo();
  }
  void on(const count_wanted& event, saga_context& context) {
    left = event.times;
    for (std::int64_t i = 0; i < event.times; ++i) {
      context.send(count_up{"hot"});
    }
  }
  void on(const counted_up&, saga_context& context) {
    if (--left == 0) {
      context.complete();
    }
  }
  std::int64_t left = 0;
  CONTINUO_FIELDS(eager, left)
};

class hot_business : public business {
public:
  explicit hot_business(std::int64_t times) : times_(times) {}

  hosts_by_node offer(cluster& here) override {
    here.offer<eager>().offer(keyed_service<tally>{"counters"}.handle(
        &count_up::counter, [](tally& state, const count_up&, keyed_context&) -> outcome<counted_up> {
          return counted_up{++state.total};
        }));
    return {{"north", {"eager"}}, {"south", {"eager"}}, {"west", {"counters"}}};
  }

  void act(cluster& here, int round) override {
    for (int i = 0; i < 10; ++i) {
      here.publish(count_wanted{fmt::format("eager-{}-{}", round, i), times_}, any_node(here));
      wanted_ += times_;
    }
  }

  void judge(cluster& here) override {
    const auto seen = here.instance({"counters", "hot"}).view();
    must(seen.has_value(), "the hot instance is not there");
    const auto expected = fmt::format("{{\"total\":{}}}", wanted_);
    must(seen->state == expected, fmt::format("the hot instance is at {}, not {}", seen->state, expected));
  }

private:
  std::int64_t times_;
  std::int64_t wanted_ = 0;
};

// -- the set
// -------------------------------------------------------------------------------------------------

template <class... Businesses>
testing::scenario scenario_with(run_of how, Businesses... makes) {
  return [how, makes...](cluster& here) { run_businesses(here, {makes()...}, how); };
}

std::shared_ptr<business> orders() {
  return std::make_shared<order_business>();
}
std::shared_ptr<business> good_orders() {
  return std::make_shared<order_business>(true);
}
std::shared_ptr<business> bank() {
  return std::make_shared<bank_business>();
}
std::shared_ptr<business> tours() {
  return std::make_shared<tour_business>();
}
std::shared_ptr<business> timers() {
  return std::make_shared<timer_business>();
}
std::shared_ptr<business> hot() {
  return std::make_shared<hot_business>(3);
}

/// Errands, or calendars, with these ingredients.
template <std::shared_ptr<business> (*Make)(const ingredients&)>
auto with(const ingredients& all) {
  return [all] { return Make(all); };
}

using enum ingredient;

const testing::fault_plan any_four{{}, 4, 2s, {}};
const testing::fault_plan crashes{{fault::crash, fault::crash_in_start, fault::torn_sync}, 5, 4s, {"north"}};

testing::scenario errand_scenario(const ingredients& all, const testing::fault_plan& faults = any_four) {
  return scenario_with({4, 400ms, faults, all}, with<errands>(all));
}

testing::scenario calendar_scenario(const ingredients& all, const testing::fault_plan& faults = any_four) {
  return scenario_with({6, 400ms, faults, all}, with<calendars>(all));
}

// But timers in years: the sweeps of what has ended are not passed over.
const ingredients most_ingredients{withdrawals, verbs,     skips,        letters, hasty_letters, parks,
                                   publishes,   two_nodes, small_memory, expiry,  chimes,        own_events};

} // namespace

const std::vector<named_scenario>& all_scenarios() {
  static const std::vector<named_scenario> all{
      {"short", "three orders on three nodes, one crash",
       scenario_with({3, 0ms, {{fault::crash}, 1, 50ms, {}}}, good_orders), 195},
      {"orders", "orders with all outcomes, four faults of any kind",
       scenario_with({5, 600ms, any_four}, orders), 120},
      {"bank", "transfers between accounts on two nodes, four faults",
       scenario_with({5, 400ms, any_four}, bank), 80},
      {"tours", "a saga that asks ten services at once, four faults",
       scenario_with({2, 200ms, {{}, 4, 1s, {}}}, tours), 50},
      {"timers", "timers over crashes, reboots, pauses and jumps of the wall clock",
       scenario_with({4,
                      500ms,
                      {{fault::crash, fault::crash_in_start, fault::pause, fault::clock_jump,
                        fault::torn_sync, fault::slow_disk},
                       5,
                       3s,
                       {}}},
                     timers),
       60},
      {"storm", "orders while nodes are restarted thirty times",
       scenario_with({5, 600ms, {{fault::crash, fault::torn_sync}, 30, 4s, {}}}, orders), 20},
      {"mixed", "everything at once, ten faults",
       scenario_with({3, 600ms, {{}, 10, 3s, {}}}, orders, bank, tours, timers, hot), 28},
      {"hot", "ten thousand messages for one instance, two faults",
       scenario_with({100, 2ms, {{}, 2, 300ms, {}}}, [] { return std::make_shared<hot_business>(10); }), 2},

      {"errands", "a saga that asks five kinds of services, four faults", errand_scenario({}), 30},
      {"verbs", "the same, and people meddle with it", errand_scenario({verbs, skips}), 30},
      {"withdrawals", "errands given up while their commands wait for a slot",
       errand_scenario({withdrawals},
                       {{fault::crash, fault::torn_sync, fault::cut, fault::slow_disk}, 5, 2s, {}}),
       30},
      {"letters", "dead letters, redriven and discarded", errand_scenario({letters}), 25},
      {"hasty letters", "the same, to instances that people stop",
       errand_scenario({letters, hasty_letters, verbs}), 20},
      {"parked", "commands that are parked, retried and discarded", errand_scenario({parks}), 20},
      {"publishing", "services that publish, and sagas and services that listen",
       errand_scenario({publishes, letters}), 25},
      {"two nodes", "services on two nodes, which go down with commands in hand",
       errand_scenario({two_nodes}, {{fault::crash, fault::crash_in_start, fault::torn_sync, fault::pause,
                                      fault::separation, fault::handler_hangs},
                                     6,
                                     2s,
                                     {}}),
       20},
      {"expiring", "what has ended is deleted at once, with two instances in memory",
       errand_scenario({expiry, small_memory, publishes, verbs}), 25},
      {"guests", "keys of a keyed service that end and begin anew, and are deleted at once",
       scenario_with({5, 300ms, any_four, {expiry, small_memory}}, guests), 10},
      {"banquets", "workflows that give steps up, four faults", scenario_with({5, 300ms, any_four}, banquets),
       28},
      {"brief banquets", "the same, with two instances in memory, deleted at once",
       scenario_with({5, 300ms, any_four, {expiry, small_memory}}, banquets), 12},
      {"trips", "workflows with children and updates, four faults",
       scenario_with({5, 300ms, any_four}, trips), 20},
      {"brief trips", "the same, with two instances in memory, deleted at once",
       scenario_with({5, 300ms, any_four, {expiry, small_memory}}, trips), 10},
      {"stamps", "clients' commands that are redriven while their node dies",
       scenario_with({5, 300ms, {{}, 2, 2s, {}}, {}}, stamps), 20},
      {"claims", "more starts than may be in flight, with two instances in memory",
       scenario_with({2, 200ms, no_faults(), {small_memory}, 6}, [] { return claims(6); }), 5},
      {"tills", "a service with a rate, keys, classes and a breaker, which people pause, four faults",
       scenario_with({5,
                      600ms,
                      {{fault::crash, fault::crash_in_start, fault::torn_sync, fault::slow_disk, fault::pause,
                        fault::cut, fault::separation, fault::handler_hangs},
                       4,
                       3s,
                       {}}},
                     tills),
       25},
      {"freight", "a reply that waits behind heavy messages, and then for its receiver", run_freight, 5},
      {"programs", "nodes of different programs, services that move and are renamed, three faults",
       scenario_with({5, 400ms, {{}, 3, 2s, {}}}, bakery), 20},
      {"bells", "schedules in the night in which summer time ends, five faults", run_bells, 10},
      {"far", "timers in years", calendar_scenario({far_timers}), 15},
      {"chimes", "timers that fell due while their node was down, and that wake others",
       calendar_scenario({chimes}, crashes), 25},
      {"own", "sagas that send to themselves, and are paused", calendar_scenario({own_events, verbs}), 10},
      {"everything", "most ingredients together, eight faults",
       scenario_with({4, 400ms, {{}, 8, 3s, {}}, most_ingredients, 40}, orders, bank,
                     with<errands>(most_ingredients), with<calendars>(most_ingredients), stamps, guests,
                     [] { return claims(40); }),
       5},
  };
  return all;
}

const named_scenario& scenario_of(std::string_view name) {
  const auto& all = all_scenarios();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const named_scenario& one) { return one.name == name; });
  if (found == all.end()) {
    throw std::out_of_range{"there is no scenario " + std::string{name}};
  }
  return *found;
}

std::vector<kept_seed> kept_seeds(const std::string& file) {
  std::ifstream in{file};
  if (!in) {
    throw std::runtime_error{file + " cannot be read"};
  }
  std::vector<kept_seed> all;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line.front() == '#') {
      continue;
    }
    std::istringstream words{line};
    kept_seed one;
    words >> std::quoted(one.scenario) >> one.seed;
    std::getline(words >> std::ws, one.what);
    if (one.scenario.empty() || one.seed == 0) {
      throw std::runtime_error{file + ": " + line};
    }
    all.push_back(std::move(one));
  }
  return all;
}

} // namespace continuo::tests
