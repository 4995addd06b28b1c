#include <continuo/testing.hpp>

#include <cstdint>
#include <iostream>
#include <string>

// The test of a small application, as a user would write it, with the testing kit and no test framework.
namespace {

struct order_placed {
  std::string order_id;
  CONTINUO_FIELDS(order_placed, order_id)
};

struct payment_completed {
  std::string receipt;
  CONTINUO_FIELDS(payment_completed, receipt)
};

struct make_payment {
  using reply = payment_completed;
  std::string order_id;
  CONTINUO_FIELDS(make_payment, order_id)
};

class ordering : public continuo::saga<ordering> {
public:
  static void define(continuo::saga_definition<ordering>& saga) {
    saga.starts_on<order_placed>(&order_placed::order_id);
    saga.calls<make_payment>().nothing_to_undo();
  }

  void on(const order_placed& event, continuo::saga_context& context) {
    context.send(make_payment{event.order_id});
  }
  void on(const payment_completed& reply, continuo::saga_context& context) {
    context.complete(reply.receipt);
  }

  CONTINUO_FIELDS(ordering)
};

} // namespace

int main() {
  try {
    const auto done = continuo::testing::for_each_crash_point([](continuo::testing::cluster& cluster) {
      cluster.offer<ordering>();
      const auto& payment = cluster.fake<make_payment>("payment").answers(payment_completed{"paid"});
      cluster.add("first", {"ordering"});
      cluster.add("second", {"payment"});
      cluster.publish(order_placed{"o-1"});
      cluster.run();
      cluster.saga_of<ordering>("o-1").should_be_completed_with("paid");
      payment.was_called(1);
    });
    std::cout << "simulated " << done.runs << " crashes\n";
    return done.runs > 0 ? 0 : 1;
  } catch (const continuo::testing::failure& failed) {
    std::cout << failed.what() << '\n';
    return 1;
  }
}
