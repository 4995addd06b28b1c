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
  flow.log().info("begins");
  auto p = flow.call("p", pay{});
  co_await flow.call("q", pay{});
  co_await p;
}
