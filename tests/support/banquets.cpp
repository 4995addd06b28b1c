#include "tests/support/businesses.hpp"
#include "tests/support/orders.hpp"

#include <continuo/workflow.hpp>

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

namespace continuo::tests {

using namespace std::chrono_literals;

namespace {

// Banquets: a workflow that has dishes cooked side by side, gives up what takes too long or stands beside a
// failure, waits for an approval, and sends a bill.

struct banquet_ordered {
  std::string id;
  std::int64_t dishes = 0;
  std::int64_t kind = 0; ///< see `act`
  CONTINUO_FIELDS(banquet_ordered, id, dishes, kind)
};

struct banquet_approved {
  std::string id;
  CONTINUO_FIELDS(banquet_approved, id)
};

struct banquet_over {
  std::string id;
  CONTINUO_FIELDS(banquet_over, id)
};

struct cooked {
  std::string dish;
  CONTINUO_FIELDS(cooked, dish)
};

struct cook {
  using reply = cooked;
  std::string dish;
  CONTINUO_FIELDS(cook, dish)
};

struct thrown_away {
  CONTINUO_FIELDS(thrown_away)
};

struct throw_away {
  using reply = thrown_away;
  std::string dish;
  CONTINUO_FIELDS(throw_away, dish)
};

struct billed {
  std::string number;
  CONTINUO_FIELDS(billed, number)
};

struct send_bill {
  using reply = billed;
  std::string id;
  std::int64_t dishes = 0;
  CONTINUO_FIELDS(send_bill, id, dishes)
};

struct table_cleaned {
  CONTINUO_FIELDS(table_cleaned)
};

struct clean_table {
  using reply = table_cleaned;
  std::string id;
  CONTINUO_FIELDS(clean_table, id)
};

enum kind : std::int64_t { plain, burnt, strict, hasty, unapproved, cancelled, kinds };

workflow<std::string> banquet(banquet_ordered order, flow& flow) {
  std::vector<step<cooked>> dishes;
  for (std::int64_t i = 0; i < order.dishes; ++i) {
    const auto name = fmt::format("{}/{}", order.id, i);
    auto& one = dishes.emplace_back(flow.call("cook/" + name, cook{name}));
    one.undone_by(throw_away{name});
    if (order.kind == hasty) {
      one.within(2ms);
    }
  }
  std::string lost;
  try {
    auto all = flow.all(dishes);
    co_await all;
  } catch (const step_failed& failed) {
    lost = failed.step();
  }
  if (!lost.empty() && order.kind == strict) {
    flow.roll_back("no " + lost);
  }
  auto approval = flow.expect<banquet_approved>("approval");
  auto overdue = flow.timer("overdue", 20s);
  auto first = flow.first(approval, overdue);
  co_await first;
  if (first.is(overdue)) {
    flow.roll_back("nobody approved");
  }
  std::int64_t served = 0;
  for (auto& dish : dishes) {
    auto outcome = dish.outcome();
    co_await outcome;
    served += outcome ? 1 : 0;
    if (outcome && order.dishes > 3 && served == 1) {
      dish.withdraw(); // the guest does not want the first one after all
    }
  }
  auto bill = flow.call("bill", send_bill{order.id, served});
  co_await bill;
  flow.cast("clean", clean_table{order.id});
  flow.publish(banquet_over{order.id});
  co_return bill->number;
}

service kitchen(outside_world& book) {
  return service{"kitchen"}
      .handle([&book](const cook& command, command_context& context) -> outcome<cooked> {
        if (command.dish.starts_with("burnt") && command.dish.ends_with("/1")) {
          return decline("burnt");
        }
        book.act("cook", command.dish, context);
        return cooked{command.dish};
      })
      .handle([&book](const throw_away& command, command_context& context) -> outcome<thrown_away> {
        if (book.count("cook", command.dish) > book.count("throw away", command.dish)) {
          book.act("throw away", command.dish, context);
        }
        return thrown_away{};
      });
}

service office(outside_world& book) {
  return service{"office"}
      .handle([&book](const send_bill& command, command_context& context) -> outcome<billed> {
        book.act("bill", command.id, context);
        return billed{fmt::format("{} dishes for {}", command.dishes, command.id)};
      })
      .handle([&book](const clean_table& command, command_context& context) -> outcome<table_cleaned> {
        book.act("clean", command.id, context);
        return table_cleaned{};
      });
}

class banquets_business : public business {
public:
  hosts_by_node offer(cluster& here) override {
    workflow_type type{"banquet", banquet};
    type.starts_on<banquet_ordered>(&banquet_ordered::id)
        .hears<banquet_approved>(&banquet_approved::id, unknown_instance::discard)
        .calls<cook>()
        .calls<send_bill>();
    here.offer(type).offer(kitchen(*book_)).offer(office(*book_));
    return {{"north", {"banquet"}}, {"south", {"kitchen"}}, {"west", {"office"}}};
  }

  void act(cluster& here, int round) override {
    static constexpr const char* names[] = {"plain", "burnt",      "burnt-strict",
                                            "hasty", "unapproved", "cancelled"};
    const auto kind = here.draw(kinds);
    const auto dishes = static_cast<std::int64_t>(here.draw(6));
    const auto id = fmt::format("{}-{}", names[kind], round);
    here.publish(banquet_ordered{id, dishes, static_cast<std::int64_t>(kind)}, any_node(here));
    ordered_.push_back({id, static_cast<std::int64_t>(kind), dishes});
    if (kind != unapproved) {
      here.run_for(std::chrono::microseconds{here.draw(20'000)});
      here.publish(banquet_approved{id}, any_node(here));
    }
    if (kind == cancelled) {
      here.run_for(std::chrono::microseconds{here.draw(5'000)});
      operate(here, {"banquet", id}, cancel_verb);
    }
  }

  void judge(cluster& here) override {
    for (const auto& [id, kind, dishes] : ordered_) {
      const auto end = status_of(here, {"banquet", id});
      must(end == "completed" || end == "compensated", fmt::format("the banquet {} is {}", id, end));
      std::int64_t served = 0;
      for (std::int64_t i = 0; i < dishes; ++i) {
        const auto dish = fmt::format("{}/{}", id, i);
        const auto made = book_->count("cook", dish);
        const auto gone = book_->count("throw away", dish);
        must(made <= 1, fmt::format("{} was cooked {} times", dish, made));
        must(made == gone || (end == "completed" && gone == 0),
             fmt::format("{} is {}: {} was cooked {} times and thrown away {} times", id, end, dish, made,
                         gone));
        served += static_cast<std::int64_t>(made - gone);
      }
      const auto bills = book_->count("bill", id);
      must(end != "completed" || bills == 1, fmt::format("{} is completed with {} bills", id, bills));
      must(kind != unapproved || end == "compensated", id + " was approved by nobody");
      if (end == "completed") {
        const auto withdrawn = dishes > 3 && kind != hasty && kind != burnt ? 1 : 0;
        must(kind == hasty || kind == burnt || served == dishes - withdrawn,
             fmt::format("{} of {} dishes were served at {}", served, dishes, id));
        must(book_->count("clean", id) == 1, "the table is not clean behind " + id);
      }
      here.sometimes("a dish is given up", end == "completed" && served + 1 < dishes);
      here.sometimes("a banquet is cancelled", kind == cancelled && end == "compensated");
    }
  }

private:
  struct ordered {
    std::string id;
    std::int64_t kind;
    std::int64_t dishes;
  };

  std::shared_ptr<outside_world> book_ = std::make_shared<outside_world>();
  std::vector<ordered> ordered_;
};

} // namespace

std::shared_ptr<business> banquets() {
  return std::make_shared<banquets_business>();
}

} // namespace continuo::tests
