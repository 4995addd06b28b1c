#pragma once

#include "engine/time_zone.hpp"

#include <string>
#include <string_view>

namespace continuo::tests {

/// A zone of this machine's database. @throws std::runtime_error where it is not there
engine::time_zone zone_named(std::string_view name);

/// The local time and offset that the C library gives, which reads the same database on its own.
class library_clock {
public:
  explicit library_clock(const std::string& zone);
  ~library_clock();
  library_clock(const library_clock&) = delete;
  library_clock& operator=(const library_clock&) = delete;

  std::chrono::seconds offset_at(engine::time_zone::instant when) const;

private:
  std::string before_;
  bool was_set_ = false;
};

} // namespace continuo::tests
