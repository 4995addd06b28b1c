// expect: continuo: a field must not be a pointer, reference or view
#include <continuo/archive.hpp>
#include <continuo/fields.hpp>

struct payment {
  std::string_view order_id;
  CONTINUO_FIELDS(payment, order_id)
};

auto value = continuo::decode<payment>("");
