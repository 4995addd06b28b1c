// expect: continuo: a command needs a member type `reply`
#include <continuo/workflow.hpp>

struct pay {
  CONTINUO_FIELDS(pay)
};
struct placed {
  std::string id;
  CONTINUO_FIELDS(placed, id)
};

continuo::workflow<> order(placed, continuo::flow& flow) {
  auto payment = flow.call("pay", pay{});
  co_await payment;
}
