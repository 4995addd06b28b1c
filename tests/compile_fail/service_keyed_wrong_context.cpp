// expect: continuo: the handler of a keyed service is `continuo::outcome<Command::reply> (State&, const
// Command&
#include <continuo/service.hpp>

struct paid {
  CONTINUO_FIELDS(paid)
};
struct pay {
  using reply = paid;
  std::string account;
  CONTINUO_FIELDS(pay, account)
};
struct placed {
  CONTINUO_FIELDS(placed)
};
struct account {
  CONTINUO_FIELDS(account)
};

void describe() {
  continuo::service stateless{"payment"};
  stateless.handle([](const pay&, continuo::command_context&) -> continuo::outcome<paid> { return paid{}; });
  stateless.on([](const placed&, continuo::command_context&) {});
  continuo::keyed_service<account> keyed{"accounts"};
  keyed.handle(
      &pay::account,
      [](account&, const pay&, continuo::command_context&) -> continuo::outcome<paid> { return paid{}; });
}
