// expect: continuo: only what has a name can be awaited
#include <continuo/workflow.hpp>

struct paid {
  CONTINUO_FIELDS(paid)
};
struct pay {
  using reply = paid;
  CONTINUO_FIELDS(pay)
};
struct placed {
  std::string id;
  CONTINUO_FIELDS(placed, id)
};

continuo::workflow<> order(placed, continuo::flow& flow) {
  co_await flow.call("pay", pay{}).within(std::chrono::minutes{3});
}
