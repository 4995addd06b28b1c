// expect: continuo: CONTINUO_FIELDS lists a name that is no field of the type
#include <continuo/message_type.hpp>

struct payment {
  int a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t;
  CONTINUO_FIELDS(payment, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, CONTINUO_SINCE(2, u))
};

const auto& type = continuo::message_type_of<payment>();
