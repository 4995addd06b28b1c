// expect: continuo: a container's element must not be empty
#include <continuo/archive.hpp>
#include <continuo/fields.hpp>

#include <variant>
#include <vector>

struct payment {
  std::vector<std::monostate> nothings;
  CONTINUO_FIELDS(payment, nothings)
};

auto value = continuo::decode<payment>("");
