// expect: continuo: a workflow takes its input by value
#include <continuo/workflow.hpp>

struct placed {
  std::string id;
  CONTINUO_FIELDS(placed, id)
};

continuo::workflow<> order(const placed&, continuo::flow& flow) {
  auto one = flow.timer("one", std::chrono::seconds{1});
  co_await one;
}

continuo::detail::saga_type described() {
  continuo::workflow_type type{"order", order};
  return type;
}
