/// Runs the scenarios of the simulation over fresh seeds for as long as wanted, and says what it has seen.
///
/// usage: soak [--scenario NAME] [--first SEED] [--seeds N | --seconds N]
#include "tests/support/scenarios.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <exception>
#include <iostream>
#include <random>
#include <string>

using namespace continuo;

namespace {

double processor_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

/// Says of each seed that fails why it does.
void count_failures(const tests::named_scenario& what, std::uint64_t first, std::uint64_t count) {
  for (auto seed = first; seed < first + count; ++seed) {
    testing::cluster here{seed};
    try {
      what.run(here);
    } catch (const std::exception& thrown) {
      std::cout << what.name << " " << seed << " fails: " << thrown.what() << std::endl;
    }
  }
}

} // namespace

int main(int argc, char** argv) {
  std::string only;
  std::uint64_t first = std::random_device{}();
  std::uint64_t seeds = 0;
  std::uint64_t seconds = 60;
  CLI::App app{
      "Runs the scenarios of the simulation over fresh seeds. A seed that fails is printed with the command "
      "that repeats it; the exit code is then 1."};
  app.add_option("--scenario", only, "this one alone; without it all of them, by their shares");
  app.add_option("--first", first, "the first seed; without it a random one");
  app.add_option("--seeds", seeds, "so many seeds of each; without it as many as fit into the time");
  app.add_option("--seconds", seconds, "for how long, in all")->capture_default_str();
  bool counts = false;
  app.add_flag("--count", counts, "counts the seeds that fail, instead of ending at the first one");
  CLI11_PARSE(app, argc, argv);

  std::cout << "first seed " << first << "\n";
  testing::figures all;
  try {
    for (const auto& one : tests::all_scenarios()) {
      if (!only.empty() && one.name != only) {
        continue;
      }
      const auto share = only.empty() ? static_cast<double>(one.share) / 1'000 : 1.0;
      testing::figures seen;
      const auto begun = processor_seconds();
      const auto used = [&] { return processor_seconds() - begun; };
      // In small portions, so that the time is kept roughly.
      for (std::uint64_t next = first;
           seeds != 0 ? next < first + seeds
                      : seen.seeds == 0 || used() < static_cast<double>(seconds) * share;) {
        const auto portion = seeds != 0       ? std::min<std::uint64_t>(20, first + seeds - next)
                             : one.share < 10 ? 1
                                              : 20;
        if (counts) {
          count_failures(one, next, portion);
          next += portion;
          seen.seeds += portion;
          continue;
        }
        seen += testing::for_each_seed(one.run, {next, portion});
        next += portion;
      }
      std::cout << one.name << " (" << one.what << "): " << to_string(seen)
                << static_cast<double>(seen.seeds) / used() << " seeds a second of processor time\n"
                << std::flush;
      all += seen;
    }
  } catch (const std::exception& failed) {
    std::cout << "FAILED: " << failed.what() << "\n";
    return 1;
  }
  if (all.seeds == 0) {
    std::cout << "there is no scenario " << only << "; there are:";
    for (const auto& one : tests::all_scenarios()) {
      std::cout << " " << one.name;
    }
    std::cout << "\n";
    return 2;
  }
  std::cout << "in all: " << to_string(all);
  for (const auto& [name, count] : all.rows) {
    std::cout << "row " << name << ": " << count << "\n";
  }
  return 0;
}
