// expect: continuo: CONTINUO_SINCE takes a class version from 1 to 255
#include <continuo/archive.hpp>
#include <continuo/fields.hpp>

struct payment {
  int cents = 0;
  CONTINUO_FIELDS(payment, CONTINUO_SINCE(0, cents))
};

auto bytes = continuo::encode(payment{});
