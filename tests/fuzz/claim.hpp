#pragma once

#include <cstdio>
#include <cstdlib>

/// Ends the fuzzer with its input where what is claimed does not hold, in every build.
inline void claim(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
  }
}
