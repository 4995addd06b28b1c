// expect: continuo: a command needs CONTINUO_FIELDS
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
  stateless.handle([](const bare&, continuo::command_context&) -> continuo::outcome<paid> { return paid{}; });
}
