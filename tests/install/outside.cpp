#include <continuo/caf.hpp>
#include <continuo/ids.hpp>
#include <continuo/node.hpp>
#include <continuo/version.hpp>

#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>

// A whole small application, as a user would write it. Exits with 0 when headers and archive agree: an id
// survives being printed and read, and an order runs through a node.
namespace {

struct order_placed {
  std::string order_id;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(order_placed, order_id, cents)
};

struct payment_completed {
  std::string receipt;
  CONTINUO_FIELDS(payment_completed, receipt)
};

struct make_payment {
  using reply = payment_completed;
  std::string order_id;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(make_payment, order_id, cents)
};

class ordering : public continuo::saga<ordering> {
public:
  static void define(continuo::saga_definition<ordering>& saga) {
    saga.starts_on<order_placed>(&order_placed::order_id);
    saga.calls<make_payment>().nothing_to_undo();
  }

  void on(const order_placed& event, continuo::saga_context& context) {
    context.send(make_payment{event.order_id, event.cents});
  }
  void on(const payment_completed& reply, continuo::saga_context& context) {
    context.complete(reply.receipt);
  }

  CONTINUO_FIELDS(ordering)
};

/// Runs one order; gives what it came to.
std::string run_order() {
  continuo::node here{continuo::node_config::in_memory()};
  here.host<ordering>();
  here.host(continuo::service{"payment"}.handle(
      [](const make_payment& command, continuo::command_context&) -> continuo::outcome<payment_completed> {
        return payment_completed{"paid " + command.order_id};
      }));
  if (const auto started = here.start(); !started) {
    return started.error().message;
  }
  const auto end = here.client()
                       .publish(order_placed{"o-1", 4200})
                       .result_of<ordering>(std::chrono::milliseconds{20'000})
                       .get();
  return end ? end->text() : end.error().message;
}

} // namespace

int main() {
  const continuo::message_id id{7, 42, 3};
  const auto text = to_string(id);
  std::cout << "continuo " << continuo::version() << ", message " << text << '\n';
  const auto read = continuo::parse_message_id(text);
  const auto outcome = run_order();
  std::cout << outcome << '\n';
  return read && *read == id && !continuo::parse_message_id("nonsense") && outcome == "paid o-1" ? 0 : 1;
}
