// expect: continuo: a workflow waits for steps, and for what flow.all and flow.first make of them
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
  flow.log().info("begins");
  int number = 1;
  co_await number;
}
