#pragma once

#include <cerrno>
#include <cstdio>
#include <cstdlib>

/// Ends the fuzzer with its input where what is claimed does not hold, in every build.
inline void claim(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
  }
}

/// A system call until no signal interrupts it: libFuzzer looks at its time limit by one, now and then.
template <class Call>
auto uninterrupted(Call call) {
  auto got = call();
  while (got < 0 && errno == EINTR) {
    got = call();
  }
  return got;
}
