// How fast the store commits, and what the disk itself needs: one 4 KiB append with fdatasync in a growing
// file, and one 4 KiB write with fdatasync in a file written before.

#include "journal/rocksdb_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <time.h>
#include <unistd.h>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;
namespace journal = continuo::journal;

double seconds_since(clock_type::time_point begun) {
  return std::chrono::duration<double>(clock_type::now() - begun).count();
}

double thread_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// The median time of one 4 KiB write and fdatasync, in microseconds.
double disk_sync_us(const std::filesystem::path& path, bool written_before) {
  constexpr int rounds = 500;
  const std::string page(4'096, 'x');
  const auto file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (written_before) {
    for (int i = 0; i<rounds&& ::write(file, page.data(), page.size())> 0; ++i) {
    }
    ::fsync(file);
    ::lseek(file, 0, SEEK_SET);
  }
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) {
    const auto begun = clock_type::now();
    if (::write(file, page.data(), page.size()) < 0 || ::fdatasync(file) != 0) {
      std::exit(4);
    }
    times.push_back(seconds_since(begun) * 1e6);
  }
  ::close(file);
  std::filesystem::remove(path);
  std::nth_element(times.begin(), times.begin() + rounds / 2, times.end());
  return times[rounds / 2];
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

} // namespace

int main(int argc, char** argv) {
  const std::filesystem::path directory = argc > 1 ? argv[1] : "store_bench.tmp";
  const double seconds = argc > 2 ? std::atof(argv[2]) : 3;
  std::filesystem::create_directories(directory);
  fmt::print("disk: 4 KiB append and fdatasync {:.0f} us, in a file written before {:.0f} us\n",
             disk_sync_us(directory / "disk", false), disk_sync_us(directory / "disk", true));
  for (const std::size_t size : std::array<std::size_t, 4>{1, 64, 512, 3'000}) {
    const auto place = directory / std::to_string(size);
    std::filesystem::remove_all(place);
    auto opened = journal::rocksdb_store::open({.directory = place});
    if (!opened) {
      fmt::print(stderr, "{}\n", opened.error().message);
      return 4;
    }
    std::uint64_t history = 0;
    std::uint64_t seed = 1;
    double inside = 0;
    double cpu = 0;
    std::size_t commits = 0;
    std::vector<double> times;
    for (const auto begun = clock_type::now(); seconds_since(begun) < seconds; ++commits) {
      const auto changes = make_batch(size, history, seed);
      const auto started = clock_type::now();
      const auto cpu_before = thread_seconds();
      if (auto done = (*opened)->commit(changes); !done) {
        fmt::print(stderr, "{}\n", done.error().message);
        return 4;
      }
      times.push_back(seconds_since(started));
      inside += times.back();
      cpu += thread_seconds() - cpu_before;
    }
    std::sort(times.begin(), times.end());
    const auto operations = static_cast<double>(commits * size);
    fmt::print("batch {:>4}: {:>7.0f} commits/s {:>8.0f} operations/s, p50 {:.0f} us, p99 {:.0f} us, thread "
               "CPU {:.2f} us an "
               "operation\n",
               size, static_cast<double>(commits) / inside, operations / inside,
               times[times.size() / 2] * 1e6, times[times.size() * 99 / 100] * 1e6, cpu * 1e6 / operations);
    // Misses must be cheap: each new instance asks for a record that is not there.
    const auto begun = clock_type::now();
    constexpr int misses = 100'000;
    for (int i = 0; i < misses; ++i) {
      static_cast<void>((*opened)->get("rorder" + std::string(1, '\0') + "none-" + std::to_string(i)));
    }
    fmt::print("            a get that misses: {:.2f} us, used {} MiB\n", seconds_since(begun) * 1e6 / misses,
               (*opened)->used_bytes() >> 20);
    opened->reset();
    const auto reopening = clock_type::now();
    opened = journal::rocksdb_store::open({.directory = place});
    fmt::print("            opened again in {:.0f} ms\n", seconds_since(reopening) * 1e3);
  }
  std::filesystem::remove_all(directory);
}
