// expect: continuo: CONTINUO_FIELDS lists a name that is no field of the type
#include <continuo/message_type.hpp>

struct payment {
  std::string order_id;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(payment, order_idd, cents)
};

const auto& type = continuo::message_type_of<payment>();
