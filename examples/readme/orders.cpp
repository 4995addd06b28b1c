// The example of README.md. tests/documents/blocks_test.cpp holds the two together,
// tests/documents/readme_test.cpp runs it.

// clang-format off
// doc: readme
#include <continuo/node.hpp>
#include <iostream>
#include <unistd.h>
using namespace continuo;

struct payment_completed { std::string payment_id; CONTINUO_FIELDS(payment_completed, payment_id) };
struct payment_refunded { CONTINUO_FIELDS(payment_refunded) };
struct label_created { std::string tracking; CONTINUO_FIELDS(label_created, tracking) };
struct order_placed { std::string id; std::int64_t cents = 0; CONTINUO_FIELDS(order_placed, id, cents) };
struct make_payment { std::string id; using reply = payment_completed; CONTINUO_FIELDS(make_payment, id) };
struct refund_payment { std::string id; using reply = payment_refunded; CONTINUO_FIELDS(refund_payment, id) };
struct create_label { std::string id; using reply = label_created; CONTINUO_FIELDS(create_label, id) };

class fulfilment : public saga<fulfilment> {
public:
  static void define(saga_definition<fulfilment>& saga) {
    saga.starts_on<order_placed>(&order_placed::id);
    saga.calls<make_payment>().undone_by(
      [](const make_payment& sent, const payment_completed*) { return refund_payment{sent.id}; });
    saga.calls<create_label>().nothing_to_undo();
  }
  void on(const order_placed& order, saga_context& context) { context.send(make_payment{id = order.id}); }
  void on(const payment_completed&, saga_context& context) { context.send(create_label{id}); }
  void on(const label_created& label, saga_context& context) { context.complete(label.tracking); }
  std::string id;
  CONTINUO_FIELDS(fulfilment, id)
};

int main() {
  auto bank = service{"bank"} // whatever charges a card gets call.idempotency_key()
    .handle([](const make_payment& payment, command_context& call) -> outcome<payment_completed> {
      std::cout << "charging " << payment.id << std::endl;
      sleep(1); // as slow as banks are
      return payment_completed{"charged-" + call.idempotency_key()}; })
    .handle([](const refund_payment&, command_context&) -> outcome<payment_refunded> { return payment_refunded{}; });
  auto warehouse = service{"warehouse"}
    .handle([](const create_label& label, command_context&) -> outcome<label_created> {
      if (label.id == "o-2") return decline("out of stock"); // so the payment is refunded
      return label_created{"track-" + label.id}; });
  node here{node_config::embedded("orders-data")};
  here.host(bank); here.host(warehouse); here.host<fulfilment>();
  if (auto started = here.start(); !started) return std::cerr << started.error().message << '\n', 1;
  for (int i = 1; i <= 10; ++i) {
    auto order = "o-" + std::to_string(i);
    auto end = here.client().publish(order_placed{order, 4200}).result_of<fulfilment>().get();
    if (end) std::cout << order << ' ' << to_string(end->status) << ' ' << end->text() << end->reason << std::endl;
  }
}
// doc: end
