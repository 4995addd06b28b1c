#pragma once

#include "tests/support/orders.hpp"

#include <continuo/archive.hpp>
#include <continuo/testing.hpp>

#include "testing/simulation.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

/// What runs while a bug is planted: each scenario ends with a look at what happened outside, so that a bug
/// is caught by the promises or, where those do not see it, by its harm. All of them hold without a bug, on
/// every seed.
namespace continuo::tests {

using namespace std::chrono_literals;
using testing::cluster;
using testing::fault;

// -- orders: stateless services with effects outside ------------------------------------------------------

/// Whether the book of the outside world agrees with how the orders ended.
inline bool is_paid_right(cluster& here, const outside_world& book, const std::vector<std::string>& orders) {
  return std::all_of(orders.begin(), orders.end(), [&](const std::string& order) {
    const auto charges = book.count("charge", order);
    const auto refunds = book.count("refund", order);
    const auto labels = book.count("label", order);
    const auto status = here.saga_of<fulfilment>(order).status();
    if (status == "completed") {
      return charges == 1 && refunds == 0 && labels == 1;
    }
    return status == "compensated" && charges <= 1 && refunds == charges && labels <= 1;
  });
}

inline void place_orders(cluster& here, const testing::fault_plan& faults, const std::string& at) {
  const auto book = std::make_shared<outside_world>();
  const auto orders = std::make_shared<std::vector<std::string>>();
  here.offer(payment_service(*book)).offer(warehouse_service(*book)).offer<fulfilment>();
  here.at_end("each order is paid for once, or not at all",
              [&here, book, orders] { return is_paid_right(here, *book, *orders); });
  here.plan_faults(faults);
  for (std::int64_t i = 0; i < 12; ++i) {
    orders->push_back((i % 4 == 3 ? "none-" : "order-") + std::to_string(i));
    here.publish(order_placed{orders->back(), i % 5 == 4 ? 200'000 : 4'200}, at);
    here.run_for(std::chrono::milliseconds{here.draw(250)});
    if (i % 6 == 5) {
      here.publish(order_cancelled{orders->at(static_cast<std::size_t>(i))}, at);
    }
  }
  here.finish();
}

/// On three nodes, each of which may crash, lose its network or have a slow disk.
inline void orders_on_three_nodes(cluster& here) {
  here.add("front", {"fulfilment"});
  here.add("pay", {"payment"});
  here.add("store", {"warehouse"});
  place_orders(here,
               {{fault::crash, fault::torn_sync, fault::slow_disk, fault::cut, fault::late_delivery,
                 fault::separation, fault::delay},
                6,
                3s},
               "pay");
}

/// The same with connections that break again and again.
inline void orders_over_a_bad_network(cluster& here) {
  here.add("front", {"fulfilment"});
  here.add("pay", {"payment"});
  here.add("store", {"warehouse"});
  place_orders(here, {{fault::cut, fault::late_delivery, fault::delay}, 12, 3s}, "store");
}

/// All on one node, whose disk fails.
inline void orders_on_one_node(cluster& here) {
  here.add("alone");
  place_orders(here, {{fault::crash, fault::torn_sync, fault::failed_sync, fault::slow_disk}, 4, 3s},
               "alone");
}

// -- a bank: a keyed service, whose state is all there is
// ----------------------------------------------------

struct bank_account {
  std::int64_t cents = 1'000;
  CONTINUO_FIELDS(bank_account, cents)
};

struct booked {
  CONTINUO_FIELDS(booked)
};

struct book_cents {
  using reply = booked;
  std::string account;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(book_cents, account, cents)
};

/// Puts back what a transfer took.
struct unbook_cents {
  using reply = booked;
  std::string account;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(unbook_cents, account, cents)
};

struct money_order {
  std::string id;
  std::string from;
  std::string to;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(money_order, id, from, to, cents)
};

class money_transfer : public saga<money_transfer> {
public:
  static void define(saga_definition<money_transfer>& saga) {
    saga.starts_on<money_order>(&money_order::id);
    saga.calls<book_cents>().undone_by([](const book_cents& sent, const booked*) {
      return unbook_cents{sent.account, -sent.cents};
    });
  }
  void on(const money_order& event, saga_context& context) {
    order = event;
    context.send(book_cents{order.from, -order.cents});
  }
  void on(const booked&, saga_context& context) {
    if (++done == 2) {
      context.complete();
    } else {
      context.send(book_cents{order.to, order.cents});
    }
  }

  money_order order;
  std::int64_t done = 0;
  CONTINUO_FIELDS(money_transfer, order, done)
};

/// Money moves between four accounts on another node, and some handlers fail at first. None of it is lost or
/// made.
inline void transfer_money(cluster& here, const std::function<void()>& between) {
  const auto calls = std::make_shared<std::uint64_t>(0);
  const auto book = [calls](bank_account& state, const auto& command, keyed_context&) -> outcome<booked> {
    if (++*calls % 5 == 0) {
      throw std::runtime_error{"the pen is dry"};
    }
    if (state.cents + command.cents < 0) {
      return decline("not enough money");
    }
    state.cents += command.cents;
    return booked{};
  };
  here.offer(
      keyed_service<bank_account>{"vault"}
          .handle(&book_cents::account,
                  [book](bank_account& state, const book_cents& command,
                         keyed_context& context) -> outcome<booked> { return book(state, command, context); })
          .handle(&unbook_cents::account,
                  [book](bank_account& state, const unbook_cents& command,
                         keyed_context& context) -> outcome<booked> { return book(state, command, context); })
          .retry({.attempts = 20, .first = 50ms}));
  here.offer<money_transfer>();
  here.at_end("the money in all accounts is as much as in the beginning", [&here] {
    std::int64_t all = 0;
    for (const auto* account : {"a", "b", "c", "d"}) {
      const auto stored = here.internals().record({"vault", account});
      all += stored && !stored->state.empty() ? decode<bank_account>(stored->state).value().cents : 1'000;
    }
    return all == 4'000;
  });
  for (int i = 0; i < 16; ++i) {
    const auto from = here.draw(4);
    const auto to = (from + 1 + here.draw(3)) % 4;
    const auto name = [](std::uint64_t account) { return std::string(1, static_cast<char>('a' + account)); };
    here.publish(money_order{"t-" + std::to_string(i), name(from), name(to), 400}, "desk");
    here.run_for(std::chrono::milliseconds{here.draw(120)});
    between();
  }
  here.finish();
}

/// On a node that crashes.
inline void transfers(cluster& here) {
  here.add("desk", {"money_transfer"});
  here.add("safe", {"vault"});
  std::size_t left = 5;
  transfer_money(here, [&] {
    if (left > 0 && here.draw(3) == 0) {
      --left;
      here.plan_faults({{fault::crash, fault::torn_sync}, 1, 200ms, {"safe"}});
      here.plan_faults({{fault::slow_disk, fault::cut, fault::late_delivery}, 1, 200ms});
    }
  });
}

/// Frames take long, and what is under way as a connection breaks arrives on top of the next one.
inline void transfers_with_late_frames(cluster& here) {
  here.add("desk", {"money_transfer"});
  here.add("safe", {"vault"});
  transfer_money(here, [&] {
    here.delay("desk", "safe", std::chrono::milliseconds{here.draw(150)});
    here.delay("safe", "desk", std::chrono::milliseconds{here.draw(150)});
    here.run_for(std::chrono::milliseconds{here.draw(500)});
    if (here.draw(2) == 0) {
      here.cut("desk", "safe", true);
    }
  });
}

// -- trips: several steps to undo, and events from saga to saga
// -----------------------------------------------

struct trip_done {
  CONTINUO_FIELDS(trip_done)
};

struct book_part {
  using reply = trip_done;
  std::string trip;
  std::string part;
  CONTINUO_FIELDS(book_part, trip, part)
};

struct drop_part {
  using reply = trip_done;
  std::string trip;
  std::string part;
  CONTINUO_FIELDS(drop_part, trip, part)
};

struct trip_wanted {
  std::string id;
  std::string traveller;
  bool with_car = false;
  CONTINUO_FIELDS(trip_wanted, id, traveller, with_car)
};

struct trip_booked {
  std::string id;
  std::string traveller;
  CONTINUO_FIELDS(trip_booked, id, traveller)
};

class trip : public saga<trip> {
public:
  static void define(saga_definition<trip>& saga) {
    saga.starts_on<trip_wanted>(&trip_wanted::id);
    saga.calls<book_part>().undone_by([](const book_part& sent, const trip_done*) {
      return drop_part{sent.trip, sent.part};
    });
  }
  void on(const trip_wanted& event, saga_context& context) {
    wanted = event;
    parts = {"flight", "hotel", "car"};
    context.send(book_part{wanted.id, parts.front()});
  }
  void on(const trip_done&, saga_context& context) {
    parts.erase(parts.begin());
    if (!parts.empty()) {
      context.send(book_part{wanted.id, parts.front()});
      return;
    }
    context.publish(trip_booked{wanted.id, wanted.traveller});
    context.complete();
  }

  trip_wanted wanted;
  std::vector<std::string> parts;
  CONTINUO_FIELDS(trip, wanted, parts)
};

/// The trips of one traveller.
class travels : public saga<travels> {
public:
  static void define(saga_definition<travels>& saga) {
    saga.starts_on<trip_booked>(&trip_booked::traveller);
    saga.on<trip_booked>(&trip_booked::traveller, unknown_instance::discard);
  }
  void on(const trip_booked& event, saga_context& context) {
    trips.push_back(event.id);
    context.expect<trip_booked>();
  }

  std::vector<std::string> trips;
  CONTINUO_FIELDS(travels, trips)
};

/// Trips of three parts, of which some have no car: what was booked for them is dropped, newest first.
inline void trips(cluster& here) {
  using list = std::map<std::string, std::vector<std::string>>;
  const auto booked = std::make_shared<list>(); // what the agency has now
  const auto dropped_wrong = std::make_shared<std::set<std::string>>();
  const auto drops_of = std::make_shared<std::set<std::string>>();
  here.offer(
      service{"agency"}
          .handle([booked](const book_part& command, command_context&) -> outcome<trip_done> {
            if (command.part == "car" && command.trip.starts_with("carless")) {
              return decline("no car");
            }
            auto& parts = (*booked)[command.trip];
            if (std::find(parts.begin(), parts.end(), command.part) == parts.end()) {
              parts.push_back(command.part);
            }
            return trip_done{};
          })
          .handle([booked, dropped_wrong](const drop_part& command, command_context&) -> outcome<trip_done> {
            auto& parts = (*booked)[command.trip];
            const auto found = std::find(parts.begin(), parts.end(), command.part);
            if (found != parts.end() && std::next(found) != parts.end()) {
              dropped_wrong->insert(command.trip);
            }
            if (found != parts.end()) {
              parts.erase(found);
            }
            return trip_done{};
          }));
  here.offer<trip>().offer<travels>();
  here.add("agency", {"agency"});
  here.add("club", {"travels"});
  here.add("desk", {"trip"});
  const auto wanted = std::make_shared<std::size_t>(0);
  here.at_end("a trip has all its parts, or none", [booked] {
    return std::all_of(booked->begin(), booked->end(), [](const auto& one) {
      return one.second.size() == (one.first.starts_with("carless") ? 0 : 3);
    });
  });
  here.at_end("the newest part is dropped first", [dropped_wrong] { return dropped_wrong->empty(); });
  here.at_end("each trip is noted once", [&here, wanted] {
    std::vector<std::string> noted;
    for (const auto* traveller : {"ada", "bob"}) {
      if (const auto stored = here.internals().record({"travels", traveller})) {
        const auto state = decode<travels>(stored->state).value();
        noted.insert(noted.end(), state.trips.begin(), state.trips.end());
      }
    }
    return noted.size() == *wanted && std::set<std::string>(noted.begin(), noted.end()).size() == *wanted;
  });
  here.plan_faults(
      {{fault::crash, fault::torn_sync, fault::slow_disk, fault::cut, fault::late_delivery}, 5, 2s});
  for (int i = 0; i < 12; ++i) {
    const auto has_car = i % 3 != 2;
    *wanted += has_car ? 1 : 0;
    here.publish(trip_wanted{(has_car ? "trip-" : "carless-") + std::to_string(i), i % 2 == 0 ? "ada" : "bob",
                             has_car},
                 "desk");
    here.run_for(std::chrono::milliseconds{here.draw(200)});
  }
  here.finish();
}

// -- reminders: timers --------------------------------------------------------------------------------------

struct remind_me {
  std::string id;
  CONTINUO_FIELDS(remind_me, id)
};

struct reminder_due {
  std::int64_t number = 0;
  CONTINUO_FIELDS(reminder_due, number)
};

class reminders : public saga<reminders> {
public:
  static void define(saga_definition<reminders>& saga) {
    saga.starts_on<remind_me>(&remind_me::id);
    saga.timer<reminder_due>();
  }
  void on(const remind_me& event, saga_context& context) {
    id = event.id;
    context.set_timer("first", 2s, reminder_due{1});
    context.set_timer("second", 5s, reminder_due{2});
    context.set_timer("last", 9s, reminder_due{3});
  }
  void on(const reminder_due& due, saga_context& context) {
    fired.push_back(due.number);
    if (due.number == 3) {
      context.complete();
    }
  }

  std::string id;
  std::vector<std::int64_t> fired;
  CONTINUO_FIELDS(reminders, id, fired)
};

/// Reminders on a node whose wall clock jumps, and which starts again, in the same boot of its machine or
/// another.
inline void reminders_with_jumps(cluster& here) {
  here.offer<reminders>();
  here.add("clock");
  for (int i = 0; i < 4; ++i) {
    here.publish(remind_me{"r-" + std::to_string(i)});
    here.run_for(std::chrono::milliseconds{here.draw(2'000)});
    const auto jump = std::chrono::seconds{here.draw(7'200)} - 1h;
    here["clock"].jump_wall_clock(jump);
    if (here.draw(4) == 0) {
      here["clock"].reboot();
      here["clock"].start();
    } else if (here.draw(2) == 0) {
      here["clock"].restart();
    }
    here.run_for(std::chrono::milliseconds{here.draw(1'000)});
  }
  here.finish();
  for (int i = 0; i < 4; ++i) {
    here.saga_of<reminders>("r-" + std::to_string(i)).should_be_completed();
  }
}

// -- parcels: large, or many
// ---------------------------------------------------------------------------------

struct parcel_sent {
  std::string id;
  std::string content;
  CONTINUO_FIELDS(parcel_sent, id, content)
};

class parcel : public saga<parcel> {
public:
  static void define(saga_definition<parcel>& saga) { saga.starts_on<parcel_sent>(&parcel_sent::id); }
  void on(const parcel_sent&, saga_context& context) { context.complete(); }
  CONTINUO_FIELDS(parcel)
};

/// Nobody sends it: what the node that parcels are sent from runs.
class nothing : public saga<nothing> {
public:
  static void define(saga_definition<nothing>& saga) { saga.starts_on<remind_me>(&remind_me::id); }
  void on(const remind_me&, saga_context& context) { context.complete(); }
  CONTINUO_FIELDS(nothing)
};

inline void add_parcel_nodes(cluster& here) {
  here.offer<parcel>().offer<nothing>();
  here.add("depot", {"parcel"});
  here.add("shop", {"nothing"});
}

/// More than the credit that a peer gives at first: it must be given back.
inline void large_parcels(cluster& here) {
  add_parcel_nodes(here);
  for (int i = 0; i < 46; ++i) {
    here.publish(parcel_sent{"p-" + std::to_string(i), std::string(400'000, 'x')}, "shop");
  }
  here.finish();
}

/// More than a link may hold, before the peer gives credit.
inline void many_parcels(cluster& here) {
  constexpr std::size_t queue_max = 20;
  add_parcel_nodes(here);
  here.internals().set_link_queue_max(queue_max);
  here.always("a link holds no more messages than it may", [&here] {
    const auto peers = here["shop"].peers();
    return std::all_of(peers.begin(), peers.end(), [](const auto& one) { return one.waiting <= queue_max; });
  });
  here.start();
  here.run_for(1s);
  here.cut("depot", "shop");
  here.delay("depot", "shop", 1'200ms);
  for (int i = 0; i < 120; ++i) {
    here.publish(parcel_sent{"p-" + std::to_string(i), {}}, "shop");
    here.run_for(std::chrono::milliseconds{here.draw(50)});
  }
  here.finish();
}

} // namespace continuo::tests
