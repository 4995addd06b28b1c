// expect: continuo: the handler of a command takes (const Command&, continuo::command_context&)
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
struct bare {
  using reply = paid;
};

void describe() {
  continuo::service stateless{"payment"};
  continuo::keyed_service<account> keyed{"accounts"};
  stateless.handle([](const pay&, auto&) -> continuo::outcome<paid> { return paid{}; });
}
