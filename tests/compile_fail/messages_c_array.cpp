// expect: continuo: a field must not be a C array
#include <continuo/archive.hpp>
#include <continuo/fields.hpp>

struct payment {
  char order_id[16] = {};
  CONTINUO_FIELDS(payment, order_id)
};

auto bytes = continuo::encode(payment{});
