// expect: continuo: a workflow's result is nothing, a std::string, bool, std::int64_t or double, or a message
#include <continuo/workflow.hpp>

struct placed {
  std::string id;
  CONTINUO_FIELDS(placed, id)
};

continuo::workflow<int> order(placed, continuo::flow& flow) {
  auto pause = flow.timer("pause", std::chrono::seconds{1});
  co_await pause;
  co_return 1;
}
