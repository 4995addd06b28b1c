// expect: continuo: an optional of an optional cannot be told apart in JSON
#include <continuo/fields.hpp>
#include <continuo/json.hpp>

struct payment {
  std::optional<std::optional<int>> cents;
  CONTINUO_FIELDS(payment, cents)
};

auto text = continuo::to_json(payment{});
