// expect: continuo: flow.all and flow.first take steps, and not each other
#include <continuo/workflow.hpp>

struct placed {
  std::string id;
  CONTINUO_FIELDS(placed, id)
};

continuo::workflow<> order(placed, continuo::flow& flow) {
  auto one = flow.timer("one", std::chrono::seconds{1});
  auto first = flow.first(one);
  auto all = flow.all(first, one);
  co_await all;
}
