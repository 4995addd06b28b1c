// expect: continuo: the key of an unordered container needs operator<
#include <continuo/archive.hpp>
#include <continuo/fields.hpp>

#include <unordered_map>

struct key {
  int number = 0;
  CONTINUO_FIELDS(key, number)
};

struct hash {
  std::size_t operator()(const key& value) const { return static_cast<std::size_t>(value.number); }
};

struct payment {
  std::unordered_map<key, int, hash> amounts;
  CONTINUO_FIELDS(payment, amounts)
};

auto bytes = continuo::encode(payment{});
