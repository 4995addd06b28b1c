// expect: continuo: a workflow starts on the event that its function takes
#include <continuo/workflow.hpp>

struct placed {
  std::string id;
  CONTINUO_FIELDS(placed, id)
};
struct moved {
  std::string id;
  CONTINUO_FIELDS(moved, id)
};

continuo::workflow<> order(placed, continuo::flow& flow) {
  auto pause = flow.timer("pause", std::chrono::seconds{1});
  co_await pause;
}

continuo::detail::saga_type described() {
  continuo::workflow_type type{"order", order};
  type.starts_on<moved>(&moved::id);
  return type;
}
