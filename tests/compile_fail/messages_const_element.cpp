// expect: continuo: a const field cannot be read
#include <continuo/archive.hpp>
#include <continuo/fields.hpp>

#include <optional>

struct parcel {
  std::optional<const int> weight;
  CONTINUO_FIELDS(parcel, weight)
};

std::string use() {
  return continuo::encode(parcel{});
}
