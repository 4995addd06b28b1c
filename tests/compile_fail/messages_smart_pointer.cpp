// expect: continuo: a field must not be a pointer
#include <continuo/archive.hpp>
#include <continuo/fields.hpp>

#include <memory>

struct payment {
  std::vector<std::shared_ptr<int>> amounts;
  CONTINUO_FIELDS(payment, amounts)
};

auto value = continuo::decode<payment>("");
