#include "bench/report.hpp"

#include "bench/machine.hpp"

#include <fmt/core.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace continuo::bench {

void options::add_to(CLI::App& line) {
  line.add_flag("--quick", quick, "a short run, to see that it works; its figures mean little");
  line.add_option("--json", json, "also write the rows to this file");
  line.add_option("--dir", directory,
                  "where the data stands meanwhile; a directory on the disk to be measured")
      ->capture_default_str()
      ->check(CLI::ExistingDirectory);
}

scratch_directory::scratch_directory(const std::filesystem::path& parent) {
  auto name = (parent / "continuo-bench-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) {
    throw std::runtime_error("cannot create a directory in " + parent.string() + "; name another with --dir");
  }
  path_ = name;
}

scratch_directory::~scratch_directory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

report::report(std::string bench, const options& chosen)
    : bench_(std::move(bench)), json_(chosen.json), machine_(describe_machine(chosen.directory)) {
  const auto text = [this](const char* key) { return machine_[key].get<std::string>(); };
  fmt::print("{}: {}, {} cores, {} of memory, {}\n", bench_, text("cpu"), machine_["cores"].get<unsigned>(),
             mebibytes(machine_["memory_bytes"].get<double>()), text("kernel"));
  fmt::print("{} on {}, {}, CAF {}, RocksDB {}\n", text("file_system"), text("device"), text("compiler"),
             text("caf"), text("rocksdb"));
  if (text("file_system") == "tmpfs") {
    fmt::print(
        "This is memory, not a disk: a sync costs nothing here. Name a directory on a disk with --dir.\n");
  }
  if (!machine_["optimised"].get<bool>()) {
    fmt::print("Built without optimisation: the figures mean nothing.\n");
  }
  fmt::print("\n");
  std::fflush(stdout);
}

void report::add(nlohmann::ordered_json row) {
  nlohmann::ordered_json whole{{"bench", bench_}};
  for (const auto* key : {"in_flight", "orders", "orders_per_second", "p50_us", "p99_us", "p999_us", "syncs",
                          "cpu_seconds", "rss_bytes"}) {
    whole[key] = nullptr;
  }
  whole.update(row);
  rows_.push_back(std::move(whole));
}

int report::finish() const {
  if (json_.empty()) {
    return 0;
  }
  std::ofstream out{json_};
  out << nlohmann::ordered_json{{"machine", machine_}, {"rows", rows_}}.dump(2) << '\n';
  out.close();
  if (!out) {
    fmt::print(stderr, "cannot write {}\n", json_.string());
    return 1;
  }
  return 0;
}

std::string grouped(double number) {
  auto digits = std::to_string(std::llround(number));
  const auto first = digits.starts_with('-') ? 1 : 0;
  for (auto place = static_cast<int>(digits.size()) - 3; place > first; place -= 3) {
    digits.insert(static_cast<std::size_t>(place), ",");
  }
  return digits;
}

std::string mebibytes(double bytes) {
  return grouped(bytes / (1024.0 * 1024.0)) + " MiB";
}

} // namespace continuo::bench
