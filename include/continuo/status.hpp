#pragma once

#include <continuo/fields.hpp>

#include <cstdint>

namespace continuo {

/// Where an instance stands.
enum class instance_status : std::uint8_t {
  running,      ///< waits for something, and says for what
  compensating, ///< completed steps are being undone
  paused,       ///< an operator stopped it
  stuck,        ///< a person must look; has a reason
  completed,    ///< done; has a result
  compensated,  ///< every completed step was undone; has a reason
};
CONTINUO_ENUM(instance_status, running, compensating, paused, stuck, completed, compensated)

/// Whether an instance in this status is over.
constexpr bool is_terminal(instance_status status) {
  return status == instance_status::completed || status == instance_status::compensated;
}

} // namespace continuo
