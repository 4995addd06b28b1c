// expect: continuo: the result of a workflow that a command starts is that command's reply
#include <continuo/workflow.hpp>

struct refunded {
  CONTINUO_FIELDS(refunded)
};
struct refund {
  using reply = refunded;
  std::string id;
  CONTINUO_FIELDS(refund, id)
};

continuo::workflow<std::string> pay_back(refund of, continuo::flow&) {
  co_return of.id;
}

void declare() {
  continuo::workflow_type type{"refund", pay_back};
  type.starts_on_command<refund>(&refund::id, continuo::second_starter::joins);
}
