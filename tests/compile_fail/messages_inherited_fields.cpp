// expect: continuo: a message needs CONTINUO_FIELDS
#include <continuo/message_type.hpp>

struct payment {
  std::string order_id;
  CONTINUO_FIELDS(payment, order_id)
};

struct late_payment : payment {
  int days = 0;
};

auto name = continuo::message_name<late_payment>();
