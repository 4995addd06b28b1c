#pragma once

#include <string_view>

/// Bugs on purpose, to see that the simulation catches them (tests/planted/). The library has none of them:
/// there `planted` is false when it is compiled, and what stands behind it vanishes. For the test the files
/// that name one are compiled once more, with CONTINUO_PLANTED_BUGS, and the one that is active is chosen at
/// run time.
namespace continuo {

// Two namespaces, so that the two are never taken for each other.
#ifdef CONTINUO_PLANTED_BUGS
inline namespace with_bugs {

/// Whether this bug is the active one.
bool planted(std::string_view name);

} // namespace with_bugs
#else
inline namespace without_bugs {

consteval bool planted(std::string_view) {
  return false;
}

} // namespace without_bugs
#endif

} // namespace continuo
