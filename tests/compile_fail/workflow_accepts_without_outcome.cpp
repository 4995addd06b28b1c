// expect: continuo: flow.accept takes a function
#include <continuo/workflow.hpp>

struct changed {
  CONTINUO_FIELDS(changed)
};
struct change {
  using reply = changed;
  CONTINUO_FIELDS(change)
};
struct placed {
  std::string id;
  CONTINUO_FIELDS(placed, id)
};

continuo::workflow<> order(placed, continuo::flow& flow) {
  auto open = flow.accept<change>([](const change&) {});
  auto pause = flow.timer("pause", std::chrono::seconds{1});
  co_await pause;
}
