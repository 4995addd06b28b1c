// expect: continuo: a message needs CONTINUO_FIELDS
#include <continuo/message_type.hpp>

struct payment {
  std::string order_id;
};

auto name = continuo::message_name<payment>();
