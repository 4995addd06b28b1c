#include "tests/support/businesses.hpp"

#include <continuo/saga.hpp>
#include <continuo/service.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

// Tills: more purchases than a service may begin at a time, in a time and for a customer, while it fails now
// and then and people stop it. When handlers begin the kit watches in all scenarios (testing/turn_watch.hpp);
// here there is something to see.
namespace continuo::tests {

using namespace std::chrono_literals;

namespace {

struct rung_up {
  CONTINUO_FIELDS(rung_up)
};

struct ring_up {
  using reply = rung_up;
  std::string id;
  std::string customer;
  std::int64_t urgency = 0;
  CONTINUO_FIELDS(ring_up, id, customer, urgency)
};

struct basket_filled {
  std::string id;
  std::string customer;
  std::int64_t urgency = 0;
  CONTINUO_FIELDS(basket_filled, id, customer, urgency)
};

class purchase : public saga<purchase> {
public:
  static void define(saga_definition<purchase>& saga) {
    saga.starts_on<basket_filled>(&basket_filled::id);
    saga.calls<ring_up>().nothing_to_undo();
  }
  void on(const basket_filled& event, saga_context& context) {
    context.send(ring_up{event.id, event.customer, event.urgency});
  }
  void on(const rung_up&, saga_context& context) { context.complete(); }
  CONTINUO_FIELDS(purchase)
};

/// What is outside.
struct till_book {
  std::uint64_t fails = 0; ///< so many calls, the next ones
  std::size_t failures = 0;
  std::size_t pauses = 0;
  std::size_t sold = 0;
};

class till_business : public business {
public:
  hosts_by_node offer(cluster& here) override {
    here.offer<purchase>().offer(
        service{"tills"}
            .handle([book = book_](const ring_up&, command_context&) -> outcome<rung_up> {
              if (book->fails > 0) {
                --book->fails;
                ++book->failures;
                throw std::runtime_error{"out of paper"};
              }
              ++book->sold;
              return rung_up{};
            })
            .concurrency(3)
            .rate({.starts = 10, .per = 1s, .burst = 2})
            .per_key<ring_up>(&ring_up::customer)
            .priority<ring_up>([](const ring_up& command) { return static_cast<priority>(command.urgency); })
            .breaker({.failures = 3, .wait = 2s})
            .retry({.attempts = 1'000, .first = 20ms, .cap = 500ms, .timeout = 5s}));
    here.handlers_take("tills", 400ms);
    return {{"north", {"purchase"}}, {"south", {"tills"}}, {"west", {"tills", "purchase"}}};
  }

  void act(cluster& here, int round) override {
    for (int i = 0; i < 6; ++i) {
      const auto id = fmt::format("basket-{}-{}", round, i);
      const auto customer = here.draw(5) == 0 ? std::string{} : fmt::format("customer-{}", here.draw(2));
      here.publish(basket_filled{id, customer, static_cast<std::int64_t>(here.draw(3))}, any_node(here));
      baskets_.push_back(id);
    }
    book_->fails = here.draw(3) == 0 ? here.draw(12) : book_->fails;
    if (here.draw(2) == 0) {
      order(here, here.draw(3) != 0);
    }
  }

  bool tidy(cluster& here, int time) override {
    if (time == 0) {
      order(here, false); // all nodes are up and hear of it
    }
    return time == 0;
  }

  void judge(cluster& here) override {
    for (const auto& id : baskets_) {
      must(status_of<purchase>(here, id) == "completed", id + " is " + status_of<purchase>(here, id));
    }
    here.sometimes("a till fails", book_->failures > 0);
    here.sometimes("the tills are paused", book_->pauses > 0);
  }

private:
  void order(cluster& here, bool pause) {
    const auto at = any_node(here);
    if (!here[at].is_up()) {
      return;
    }
    const auto client = here[at].client();
    static_cast<void>(pause ? client.pause_service("tills", "ann", "counting")
                            : client.resume_service("tills", "bob"));
    book_->pauses += pause ? 1 : 0;
  }

  std::shared_ptr<till_book> book_ = std::make_shared<till_book>();
  std::vector<std::string> baskets_;
};

} // namespace

std::shared_ptr<business> tills() {
  return std::make_shared<till_business>();
}

} // namespace continuo::tests
