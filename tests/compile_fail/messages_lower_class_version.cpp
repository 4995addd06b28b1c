// expect: continuo: BOOST_CLASS_VERSION is lower than a CONTINUO_SINCE
#include <continuo/archive.hpp>
#include <continuo/fields.hpp>

struct payment {
  int cents = 0;
  CONTINUO_FIELDS(payment, CONTINUO_SINCE(3, cents))
};
BOOST_CLASS_VERSION(payment, 2)

auto bytes = continuo::encode(payment{});
