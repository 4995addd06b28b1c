#include "tests/support/zones.hpp"

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace continuo::tests {

engine::time_zone zone_named(std::string_view name) {
  std::ifstream file{"/usr/share/zoneinfo/" + std::string{name}, std::ios::binary};
  const std::string bytes{std::istreambuf_iterator<char>{file}, {}};
  auto zone = engine::time_zone::read(bytes);
  if (!file || !zone) {
    throw std::runtime_error{"the time zone " + std::string{name} + " cannot be read here: install tzdata"};
  }
  return std::move(*zone);
}

library_clock::library_clock(const std::string& zone) {
  if (const auto* set = std::getenv("TZ")) {
    was_set_ = true;
    before_ = set;
  }
  ::setenv("TZ", zone.c_str(), 1);
  ::tzset();
}

library_clock::~library_clock() {
  if (was_set_) {
    ::setenv("TZ", before_.c_str(), 1);
  } else {
    ::unsetenv("TZ");
  }
  ::tzset();
}

std::chrono::seconds library_clock::offset_at(engine::time_zone::instant when) const {
  const std::time_t at = when.time_since_epoch().count();
  std::tm local{};
  ::localtime_r(&at, &local);
  return std::chrono::seconds{local.tm_gmtoff};
}

} // namespace continuo::tests
