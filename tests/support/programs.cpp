#include "tests/support/businesses.hpp"

#include <continuo/archive.hpp>
#include <continuo/saga.hpp>
#include <continuo/service.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>

// A bakery whose nodes run different programs: one is put back to an older one, which knows less, and later
// forward again; and all are stopped to move the oven to another node, or to give it another name. Whatever a
// program does not know waits, and in the end, when all nodes run the newest, nothing is lost.
namespace continuo::tests {

using namespace std::chrono_literals;

namespace {

// -- messages that all programs know ----------------------------------------------------------------------

struct paid {
  CONTINUO_FIELDS(paid)
};

struct paid_back {
  CONTINUO_FIELDS(paid_back)
};

/// Also where nothing was paid.
struct pay_back {
  using reply = paid_back;
  std::string till;
  std::string id;
  CONTINUO_FIELDS(pay_back, till, id)
};

struct binned {
  CONTINUO_FIELDS(binned)
};

struct bin_loaf {
  using reply = binned;
  std::string id;
  CONTINUO_FIELDS(bin_loaf, id)
};

struct loaf_sold {
  std::string customer;
  std::string id;
  CONTINUO_FIELDS(loaf_sold, customer, id)
};

// -- what the older program knows otherwise ---------------------------------------------------------------

namespace older {

struct loaf_ordered {
  std::string id;
  std::string customer;
  std::string how; ///< "fine", "declined", "burnt" (all attempts fail)
  CONTINUO_FIELDS(loaf_ordered, id, customer, how)
};

struct pay_till {
  using reply = paid;
  std::string till;
  std::string id;
  CONTINUO_FIELDS(pay_till, till, id)
};

struct baked {
  CONTINUO_FIELDS(baked)
};

struct bake {
  using reply = baked;
  std::string id;
  std::string how;
  CONTINUO_FIELDS(bake, id, how)
};

struct till {
  std::vector<std::string> takings; ///< loaves
  CONTINUO_FIELDS(till, takings)
};

class loaf : public saga<loaf> {
public:
  static void define(saga_definition<loaf>& saga) {
    saga.starts_on<loaf_ordered>(&loaf_ordered::id);
    saga.calls<pay_till>().undone_by([](const pay_till& sent, const paid*) {
      return pay_back{sent.till, sent.id};
    });
    saga.calls<bake>().undone_by([](const bake& sent, const baked*) { return bin_loaf{sent.id}; });
  }
  void on(const loaf_ordered& event, saga_context& context) {
    order = event;
    context.send(pay_till{"till of " + event.customer, event.id});
  }
  void on(const paid&, saga_context& context) { context.send(bake{order.id, order.how}); }
  void on(const baked&, saga_context& context) {
    context.publish(loaf_sold{order.customer, order.id});
    context.complete();
  }

  loaf_ordered order;
  CONTINUO_FIELDS(loaf, order)
};

/// A customer, who remembers every loaf.
class fan : public saga<fan> {
public:
  static void define(saga_definition<fan>& saga) {
    saga.starts_on<loaf_sold>(&loaf_sold::customer);
    saga.on<loaf_sold>(&loaf_sold::customer, unknown_instance::discard);
  }
  void on(const loaf_sold& event, saga_context& context) {
    loaves.push_back(event.id);
    context.expect<loaf_sold>();
  }

  std::vector<std::string> loaves;
  CONTINUO_FIELDS(fan, loaves)
};

} // namespace older

// -- and the newer one ------------------------------------------------------------------------------------

namespace newer {

struct loaf_ordered {
  std::string id;
  std::string customer;
  std::string how;
  bool glazed = false;
  CONTINUO_FIELDS(loaf_ordered, id, customer, how, CONTINUO_SINCE(1, glazed))
};

struct pay_till {
  using reply = paid;
  std::string till;
  std::string id;
  std::string note;
  CONTINUO_FIELDS(pay_till, till, id, CONTINUO_SINCE(1, note))
};

struct baked {
  std::string crust;
  CONTINUO_FIELDS(baked, CONTINUO_SINCE(1, crust))
};

struct bake {
  using reply = baked;
  std::string id;
  std::string how;
  std::string crust;
  CONTINUO_FIELDS(bake, id, how, CONTINUO_SINCE(1, crust))
};

struct till {
  std::vector<std::string> takings;
  std::vector<std::string> loans;
  CONTINUO_FIELDS(till, takings, CONTINUO_SINCE(1, loans))
};

// Of these the older program has never heard.

struct glazed {
  CONTINUO_FIELDS(glazed)
};

struct glaze_loaf {
  using reply = glazed;
  std::string id;
  CONTINUO_FIELDS(glaze_loaf, id)
};

struct lent {
  CONTINUO_FIELDS(lent)
};

struct lend_till {
  using reply = lent;
  std::string till;
  std::string id;
  CONTINUO_FIELDS(lend_till, till, id)
};

struct loaf_praised {
  std::string customer;
  std::string id;
  CONTINUO_FIELDS(loaf_praised, customer, id)
};

class loaf : public saga<loaf> {
public:
  static void define(saga_definition<loaf>& saga) {
    saga.starts_on<loaf_ordered>(&loaf_ordered::id);
    saga.calls<pay_till>().undone_by([](const pay_till& sent, const paid*) {
      return pay_back{sent.till, sent.id};
    });
    saga.calls<bake>().undone_by([](const bake& sent, const baked*) { return bin_loaf{sent.id}; });
    saga.calls<glaze_loaf>().nothing_to_undo();
    saga.on<loaf_praised>(&loaf_praised::id, unknown_instance::discard);
  }
  void on(const loaf_ordered& event, saga_context& context) {
    order = event;
    context.send(pay_till{"till of " + event.customer, event.id, {}});
  }
  void on(const paid&, saga_context& context) { context.send(bake{order.id, order.how, "thin"}); }
  void on(const baked&, saga_context& context) {
    if (order.glazed) {
      context.send(glaze_loaf{order.id});
    } else {
      sell(context);
    }
  }
  void on(const glazed&, saga_context& context) { sell(context); }
  void on(const loaf_praised&, saga_context&) {}

  loaf_ordered order;
  CONTINUO_FIELDS(loaf, order)

private:
  void sell(saga_context& context) {
    context.publish(loaf_sold{order.customer, order.id});
    context.complete();
  }
};

class fan : public saga<fan> {
public:
  static void define(saga_definition<fan>& saga) {
    saga.starts_on<loaf_sold>(&loaf_sold::customer);
    saga.on<loaf_sold>(&loaf_sold::customer, unknown_instance::discard);
    saga.starts_on<loaf_praised>(&loaf_praised::customer);
    saga.on<loaf_praised>(&loaf_praised::customer, unknown_instance::discard);
  }
  void on(const loaf_sold& event, saga_context& context) {
    loaves.push_back(event.id);
    context.expect<loaf_sold>();
  }
  void on(const loaf_praised& event, saga_context& context) {
    praises.push_back(event.id);
    context.expect<loaf_sold>();
  }

  std::vector<std::string> loaves;
  std::vector<std::string> praises;
  CONTINUO_FIELDS(fan, loaves, CONTINUO_SINCE(1, praises))
};

} // namespace newer

// -- services ---------------------------------------------------------------------------------------------

/// What the oven has done, and what clients were told.
struct bakery_book {
  std::map<std::string, std::set<std::string>> baked;  ///< by loaf: keys
  std::map<std::string, std::set<std::string>> glazed; ///< the same
  std::set<std::string> binned;
  std::map<std::string, std::set<std::string>> noted; ///< by loaf that was sold: keys
  std::map<std::string, int> tries;                   ///< of what burns
  std::set<std::string> taken;                        ///< of what clients sent: what was accepted
};

constexpr int attempts = 3;

template <class Bake>
service oven(const std::string& name, const std::shared_ptr<bakery_book>& book) {
  service made{name};
  made.handle([book](const Bake& command, command_context& call) -> outcome<typename Bake::reply> {
        if (command.how == "declined") {
          return decline("no flour");
        }
        if (command.how == "burnt" && book->tries[command.id]++ < attempts) {
          throw std::runtime_error{"it burns"};
        }
        book->baked[command.id].insert(call.idempotency_key());
        return typename Bake::reply{};
      })
      .handle([book](const bin_loaf& command, command_context&) -> outcome<binned> {
        book->binned.insert(command.id);
        return binned{};
      })
      .retry({.attempts = attempts, .first = 40ms, .timeout = 2s});
  return made;
}

/// Notes what is sold.
service board(const std::shared_ptr<bakery_book>& book) {
  service made{"board"};
  made.on([book](const loaf_sold& event, command_context& call) {
    book->noted[event.id].insert(call.idempotency_key());
  });
  return made;
}

template <class Till, class Pay>
keyed_service<Till> tills() {
  return keyed_service<Till>{"tills"}
      .handle(&Pay::till,
              [](Till& state, const Pay& command, keyed_context&) -> outcome<paid> {
                state.takings.push_back(command.id);
                return paid{};
              })
      .handle(&pay_back::till,
              [](Till& state, const pay_back& command, keyed_context&) -> outcome<paid_back> {
                std::erase(state.takings, command.id);
                return paid_back{};
              });
}

template <class Program>
void offer_older(Program&& to, const std::shared_ptr<bakery_book>& book) {
  to.template offer<older::loaf>();
  to.template offer<older::fan>();
  to.offer(oven<older::bake>("oven", book)).offer(board(book));
  to.offer(tills<older::till, older::pay_till>());
}

template <class Program>
void offer_newer(Program&& to, const std::string& oven_name, const std::shared_ptr<bakery_book>& book) {
  to.template offer<newer::loaf>();
  to.template offer<newer::fan>();
  to.offer(board(book));
  to.offer(
      oven<newer::bake>(oven_name, book)
          .handle([book](const newer::glaze_loaf& command, command_context& call) -> outcome<newer::glazed> {
            book->glazed[command.id].insert(call.idempotency_key());
            return newer::glazed{};
          }));
  to.offer(tills<newer::till, newer::pay_till>().handle(
      &newer::lend_till::till,
      [](newer::till& state, const newer::lend_till& command, keyed_context&) -> outcome<newer::lent> {
        state.loans.push_back(command.id);
        return newer::lent{};
      }));
}

/// Where the oven stands, and under which name. The board hangs beside it.
struct layout {
  const char* program; ///< that all nodes run at first
  std::string oven;
  std::string node;
};

const std::array layouts{layout{"", "oven", "south"}, layout{"", "oven", "west"},
                         layout{"renamed", "stove", "south"}, layout{"renamed", "stove", "west"}};

hosts_by_node hosts_of(const layout& where) {
  hosts_by_node hosts{{"north", {"loaf", "fan"}}, {"south", {"tills", "fan"}}, {"west", {"loaf", "tills"}}};
  hosts[where.node].push_back(where.oven);
  hosts[where.node].emplace_back("board");
  return hosts;
}

// -- the business -----------------------------------------------------------------------------------------

class bakery_business : public business {
public:
  hosts_by_node offer(cluster& here) override {
    offer_newer(here, "oven", book_);
    offer_newer(here.program("renamed").offer(bystander_type()), "stove", book_);
    offer_older(here.program("older").offer(bystander_type()), book_);
    here.handlers_take("oven", 300ms).handlers_take("stove", 300ms);
    return hosts_of(layouts.front());
  }

  void act(cluster& here, int round) override {
    here.start();
    for (int i = 0; i < 2; ++i) {
      order(here, fmt::format("loaf-{}-{}", round, i));
      ask_directly(here, fmt::format("{}-{}", round, i));
      here.run_for(std::chrono::microseconds{here.draw(100'000)});
    }
    if (here.draw(2) == 0) {
      look_after(here, false);
      here.run_for(std::chrono::microseconds{here.draw(100'000)}); // what was redriven is under way
    }
    if (here.draw(3) == 0) {
      refit(here, layouts[here.draw(layouts.size())]);
    } else if (now_->oven == "oven") {
      deploy(here, any_node(here), here.draw(2) == 0 ? "older" : "");
    }
  }

  bool tidy(cluster& here, int time) override {
    if (time == 0) { // the newest program, everywhere, and the oven where it belongs
      refit(here, layouts.front());
      return true;
    }
    return look_after(here, time >= 6);
  }

  void judge(cluster& here) override {
    std::map<std::string, std::multiset<std::string>> takings; // by customer
    for (const auto& [id, customer] : ordered_) {
      const auto end = status_of(here, {"loaf", id});
      const auto keys = book_->baked[id].size();
      must(keys <= 1 && book_->glazed[id].size() <= 1, id + " was made under several keys");
      if (end == "completed") {
        must(keys == 1, id + " is completed, and was never baked");
        must(book_->noted[id].size() == 1, fmt::format("{} was noted {} times", id, book_->noted[id].size()));
        takings[customer].insert(id);
      } else {
        must(end == "compensated", id + " is " + end);
        must(keys == 0 || book_->binned.contains(id), id + " is compensated, and was never binned");
      }
      here.sometimes("a loaf is undone while programs change", end == "compensated");
    }
    for (const auto* customer : {"anna", "ben"}) {
      const auto till = here.state_of<newer::till>({"tills", std::string{"till of "} + customer});
      const auto fan = here.state_of<newer::fan>({"fan", customer});
      check(takings[customer], till ? till->takings : std::vector<std::string>{}, customer, "has paid for");
      check(takings[customer], fan ? fan->loaves : std::vector<std::string>{}, customer, "remembers");
      check(praised_[customer], fan ? fan->praises : std::vector<std::string>{}, customer, "has praised");
      for (const auto& id : lent_[customer]) {
        const auto times = till ? std::count(till->loans.begin(), till->loans.end(), id) : 0;
        must(times <= 1 && (times == 1 || !book_->taken.contains(id)),
             fmt::format("{} was lent {} times", id, times));
      }
    }
    for (const auto& id : direct_) {
      must(book_->baked[id].size() <= 1 && book_->glazed[id].size() <= 1,
           id + " was made under several keys");
    }
    for (const auto& id : fine_) {
      must(!book_->taken.contains(id) || book_->baked[id].size() + book_->glazed[id].size() == 1,
           id + " was accepted, and never made");
    }
  }

private:
  static void check(const std::multiset<std::string>& wanted, const std::vector<std::string>& found,
                    const std::string& customer, const std::string& what) {
    const std::multiset<std::string> all{found.begin(), found.end()};
    must(wanted == all,
         fmt::format("{} {} {} loaves, and {} are right", customer, what, all.size(), wanted.size()));
  }

  static bool knows_all(cluster& here, const std::string& node) { return here[node].program() != "older"; }

  std::string a_customer(cluster& here) const { return here.draw(2) == 0 ? "anna" : "ben"; }

  /// How a loaf turns out.
  static std::string a_way(cluster& here) {
    const auto drawn = here.draw(8);
    return drawn == 0 ? "declined" : drawn == 1 ? "burnt" : "fine";
  }

  void order(cluster& here, const std::string& id) {
    const auto node = any_node(here);
    const auto customer = a_customer(here);
    const auto how = a_way(here);
    if (knows_all(here, node)) {
      here.publish(newer::loaf_ordered{id, customer, how, here.draw(2) == 0}, node);
    } else {
      here.publish(older::loaf_ordered{id, customer, how}, node);
    }
    ordered_[id] = customer;
  }

  /// What clients want themselves: they praise, lend money, and have a loaf made without paying.
  void ask_directly(cluster& here, const std::string& id) {
    const auto node = any_node(here);
    const auto customer = a_customer(here);
    const std::string how = here.draw(3) == 0 ? "burnt" : "fine";
    if (!knows_all(here, node)) {
      send(here, node, "bread " + id, older::bake{"bread " + id, how});
      direct_.push_back("bread " + id);
      return;
    }
    switch (here.draw(4)) {
    case 0:
      here.publish(newer::loaf_praised{customer, "loaf-0-0"}, node);
      praised_[customer].insert("loaf-0-0");
      break;
    case 1:
      send(here, node, id, newer::lend_till{"till of " + customer, id});
      lent_[customer].push_back(id);
      break;
    case 2:
      send(here, node, "cake " + id, newer::glaze_loaf{"cake " + id});
      direct_.push_back("cake " + id);
      fine_.push_back("cake " + id);
      break;
    default:
      send(here, node, "bread " + id, newer::bake{"bread " + id, how, "thick"});
      direct_.push_back("bread " + id);
      break;
    }
  }

  /// Nobody waits for its outcome.
  template <class Command>
  void send(cluster& here, const std::string& node, const std::string& id, const Command& command) const {
    if (!here[node].is_up()) {
      return;
    }
    here[node].client().send(std::string{message_name<Command>()}, encode(command),
                             [book = book_, id](const result<accepted>& said) {
                               if (said) {
                                 book->taken.insert(id);
                               }
                             },
                             {});
  }

  // -- operators -------------------------------------------------------------------------------------------

  static void start(cluster& here, const std::string& node) {
    for (int times = 0; !here[node].is_up(); ++times) { // its disk may be full
      const auto started = here[node].try_start();
      must(started || times < 100, started ? "" : node + " does not start: " + started.error().message);
      if (!started) {
        here.run_for(500ms);
      }
    }
  }

  static void deploy(cluster& here, const std::string& node, const std::string& program) {
    here[node].crash();
    here[node].install(program);
    start(here, node);
  }

  /// All nodes are stopped, given another cluster file and the program that goes with it, and started.
  void refit(cluster& here, const layout& where) {
    for (const auto& node : here.names()) {
      here[node].crash();
      here[node].install(where.program);
    }
    auto hosts = hosts_of(where);
    for (auto& [node, names] : hosts) {
      names.emplace_back("bystander");
    }
    here.place(hosts);
    now_ = &where;
    for (const auto& node : here.names()) {
      start(here, node);
    }
  }

  /// Redrives what failed, and sends on what waits for a service that is not there any more. Whether there
  /// was anything to do.
  bool look_after(cluster& here, bool at_last) {
    auto was_done = clear_letters(here, {"bake"}, at_last);
    for (const auto& [id, customer] : ordered_) {
      const instance_id self{"loaf", id};
      const auto stored = here.internals().record(self);
      if (!stored || is_terminal(stored->status)) {
        continue;
      }
      was_done = true;
      operate(here, self, stored->reason.find("glaze_loaf") != std::string::npos ? skip_verb : retry_verb);
    }
    return was_done;
  }

  std::shared_ptr<bakery_book> book_ = std::make_shared<bakery_book>();
  const layout* now_ = &layouts.front();
  std::map<std::string, std::string> ordered_; // by loaf: the customer
  std::map<std::string, std::multiset<std::string>> praised_;
  std::map<std::string, std::vector<std::string>> lent_;
  std::vector<std::string> direct_; // what clients had made
  std::vector<std::string> fine_;   // and of that what cannot fail
};

} // namespace

std::shared_ptr<business> bakery() {
  return std::make_shared<bakery_business>();
}

} // namespace continuo::tests
