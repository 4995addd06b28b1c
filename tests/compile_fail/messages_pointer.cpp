// expect: continuo: a field must not be a pointer
#include <continuo/archive.hpp>
#include <continuo/fields.hpp>

struct payment {
  int* amount = nullptr;
  CONTINUO_FIELDS(payment, amount)
};

auto bytes = continuo::encode(payment{});
