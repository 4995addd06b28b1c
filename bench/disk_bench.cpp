#include "bench/disk_limit.hpp"
#include "bench/report.hpp"

#include <fmt/core.h>

#include <exception>

/// What this disk can do at best, without Continuo.
int main(int argc, char** argv) {
  continuo::bench::options chosen;
  CLI::App line{"This disk's sync time and rate: the limit for everything that is durable."};
  chosen.add_to(line);
  CLI11_PARSE(line, argc, argv);
  try {
    continuo::bench::report report{"disk", chosen};
    const auto limit = continuo::bench::measure_disk(chosen.directory, chosen.quick ? 0.2 : 3.0);
    print(limit);
    report.add(to_json(limit));
    return report.finish();
  } catch (const std::exception& wrong) {
    fmt::print(stderr, "disk: {}\n", wrong.what());
    return 1;
  }
}
