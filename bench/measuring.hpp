#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

/// What every benchmark does between its measurements.
namespace continuo::bench {

using steady = std::chrono::steady_clock;

/// Ends the benchmark with that sentence where something is not as it must be.
inline void require(bool fine, const std::string& what) {
  if (!fine) {
    throw std::runtime_error(what);
  }
}

inline void sleep_for(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

inline double seconds_since(steady::time_point begun) {
  return std::chrono::duration<double>(steady::now() - begun).count();
}

} // namespace continuo::bench
