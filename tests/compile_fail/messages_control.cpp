// compiles
#include <continuo/message_type.hpp>

#include <optional>

struct payment {
  std::optional<std::string> note;
  std::vector<int> numbers;
  CONTINUO_FIELDS(payment, note, CONTINUO_SINCE(1, numbers))
};
static_assert(continuo::message<payment>);

auto bytes = continuo::encode(payment{});
auto value = continuo::decode<payment>(bytes);
auto text = continuo::to_json(payment{});
auto same = continuo::message_name<payment>();
