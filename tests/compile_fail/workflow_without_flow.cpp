// expect: continuo: a workflow takes its input by value and a continuo::flow&
#include <continuo/workflow.hpp>

struct placed {
  std::string id;
  CONTINUO_FIELDS(placed, id)
};

continuo::workflow<> order(placed) {
  co_return;
}
