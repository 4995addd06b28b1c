// expect: copies (which a std::unique_ptr among its fields forbids)
#include <continuo/message_type.hpp>

#include <memory>

struct payment {
  std::unique_ptr<int> amount;
  CONTINUO_FIELDS(payment, amount)
};

const auto& type = continuo::message_type_of<payment>();
