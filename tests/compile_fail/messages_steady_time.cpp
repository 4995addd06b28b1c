// expect: continuo: a time point must be of std::chrono::system_clock
#include <continuo/archive.hpp>
#include <continuo/fields.hpp>

#include <chrono>

struct payment {
  std::chrono::steady_clock::time_point sent;
  CONTINUO_FIELDS(payment, sent)
};

auto bytes = continuo::encode(payment{});
