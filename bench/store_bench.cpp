// How fast the store commits batches of transitions.

#include "bench/report.hpp"
#include "journal/rocksdb_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <time.h>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;
namespace journal = continuo::journal;
namespace bench = continuo::bench;

double seconds_since(clock_type::time_point begun) {
  return std::chrono::duration<double>(clock_type::now() - begun).count();
}

double thread_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

std::string history_key(std::uint64_t number) {
  std::string key = "h";
  for (int shift = 56; shift >= 0; shift -= 8) {
    key += static_cast<char>(number >> shift);
  }
  return key;
}

/// Half of the operations overwrite records (of 50,000), half append history.
journal::batch make_batch(std::size_t operations, std::uint64_t& history, std::uint64_t& seed) {
  journal::batch changes;
  changes.reserve(operations);
  for (std::size_t i = 0; i < operations; ++i) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    auto key = i % 2 == 0 ? "rorder" + std::string(1, '\0') + "o-" + std::to_string((seed >> 33) % 50'000)
                          : history_key(++history);
    changes.push_back(
        {journal::operation::kind::put, std::move(key), std::string(300 + (seed >> 40) % 300, 'v')});
  }
  return changes;
}

/// Commits batches of `size` operations into a new store for so many seconds.
nlohmann::ordered_json measure(const std::filesystem::path& place, std::size_t size, double seconds) {
  auto opened = journal::rocksdb_store::open({.directory = place});
  if (!opened) {
    throw std::runtime_error(opened.error().message);
  }
  std::uint64_t history = 0;
  std::uint64_t seed = 1;
  double inside = 0;
  double cpu = 0;
  std::vector<double> times;
  for (const auto begun = clock_type::now(); times.empty() || seconds_since(begun) < seconds;) {
    const auto changes = make_batch(size, history, seed);
    const auto started = clock_type::now();
    const auto cpu_before = thread_seconds();
    if (auto done = (*opened)->commit(changes); !done) {
      throw std::runtime_error(done.error().message);
    }
    times.push_back(seconds_since(started));
    inside += times.back();
    cpu += thread_seconds() - cpu_before;
  }
  std::sort(times.begin(), times.end());
  const auto commits = static_cast<double>(times.size());
  const auto operations = commits * static_cast<double>(size);
  // Misses must be cheap: each new instance asks for a record that is not there.
  const auto missing = clock_type::now();
  constexpr int misses = 100'000;
  for (int i = 0; i < misses; ++i) {
    static_cast<void>((*opened)->get("rorder" + std::string(1, '\0') + "none-" + std::to_string(i)));
  }
  const auto miss_us = seconds_since(missing) * 1e6 / misses;
  const auto used = (*opened)->used_bytes();
  opened->reset();
  const auto reopening = clock_type::now();
  opened = journal::rocksdb_store::open({.directory = place});
  if (!opened) {
    throw std::runtime_error(opened.error().message);
  }
  return {{"batch", size},
          {"commits_per_second", commits / inside},
          {"operations_per_second", operations / inside},
          {"p50_us", times[times.size() / 2] * 1e6},
          {"p99_us", times[times.size() * 99 / 100] * 1e6},
          {"syncs", times.size()},
          {"cpu_seconds", cpu},
          {"cpu_us_an_operation", cpu * 1e6 / operations},
          {"miss_us", miss_us},
          {"disk_bytes", used},
          {"reopened_ms", seconds_since(reopening) * 1e3}};
}

void print(const nlohmann::ordered_json& row) {
  const auto number = [&row](const char* key) { return row[key].get<double>(); };
  fmt::print("batches of {:>5}: {} commits a second, {} operations a second, p50 {:.0f} us, p99 {:.0f} us, "
             "{:.2f} us of CPU time an operation\n",
             bench::grouped(number("batch")), bench::grouped(number("commits_per_second")),
             bench::grouped(number("operations_per_second")), number("p50_us"), number("p99_us"),
             number("cpu_us_an_operation"));
  fmt::print("                  a get that misses {:.2f} us, {} on the disk, opened again in {:.0f} ms\n",
             number("miss_us"), bench::mebibytes(number("disk_bytes")), number("reopened_ms"));
}

int run(const bench::options& chosen) {
  bench::report report{"store", chosen};
  const bench::scratch_directory scratch{chosen.directory};
  for (const std::size_t size : std::array<std::size_t, 4>{1, 64, 512, 3'000}) {
    const auto place = scratch.path() / std::to_string(size);
    auto row = measure(place, size, chosen.quick ? 0.3 : 3);
    std::filesystem::remove_all(place);
    print(row);
    report.add(std::move(row));
  }
  return report.finish();
}

} // namespace

int main(int argc, char** argv) {
  bench::options chosen;
  CLI::App line{"What the journal's store does with batches of transitions."};
  chosen.add_to(line);
  CLI11_PARSE(line, argc, argv);
  try {
    return run(chosen);
  } catch (const std::exception& wrong) {
    fmt::print(stderr, "store: {}\n", wrong.what());
    return 1;
  }
}
