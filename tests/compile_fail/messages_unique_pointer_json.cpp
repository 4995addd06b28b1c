// expect: continuo: a field must not be a pointer
#include <continuo/fields.hpp>
#include <continuo/json.hpp>

#include <memory>

struct payment {
  std::unique_ptr<int> amount;
  CONTINUO_FIELDS(payment, amount)
};

auto text = continuo::to_json(payment{});
