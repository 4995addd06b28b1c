// expect: continuo: this enum needs an underlying type
#include <continuo/archive.hpp>
#include <continuo/fields.hpp>

enum colour { red, green };

struct payment {
  colour painted = red;
  CONTINUO_FIELDS(payment, painted)
};

auto value = continuo::decode<payment>("");
