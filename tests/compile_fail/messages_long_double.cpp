// expect: continuo: this number has no portable size
#include <continuo/archive.hpp>
#include <continuo/fields.hpp>

struct payment {
  long double amount = 0;
  CONTINUO_FIELDS(payment, amount)
};

auto bytes = continuo::encode(payment{});
