#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>

namespace continuo::bench {

/// What every benchmark can be told.
struct options {
  bool quick = false;
  std::filesystem::path json;                  ///< where the rows go as well; empty: nowhere
  std::filesystem::path directory{"/var/tmp"}; ///< where the data stands while the benchmark runs

  /// Adds `--quick`, `--json` and `--dir` to a command line.
  void add_to(CLI::App& line);
};

/// A directory of its own for a benchmark's data, removed in the end. What is durable is measured on a disk:
/// one in memory (tmpfs) is used only where the caller named it, and the report says so.
class scratch_directory {
public:
  explicit scratch_directory(const std::filesystem::path& parent);
  ~scratch_directory();
  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;

  const std::filesystem::path& path() const { return path_; }

private:
  std::filesystem::path path_;
};

/// Collects the rows of one benchmark; people read what it prints, scripts its JSON:
/// `{"machine": {...}, "rows": [{"bench": ..., ...}, ...]}`.
class report {
public:
  /// Prints the machine.
  report(std::string bench, const options& chosen);

  /// Keeps a row. "bench" stands first in it, then what every benchmark's rows have: `in_flight`, `orders`,
  /// `orders_per_second`, `p50_us`, `p99_us`, `p999_us`, `syncs`, `cpu_seconds`, `rss_bytes`; null where this
  /// one does not measure it.
  void add(nlohmann::ordered_json row);

  /// Writes the JSON, if asked for. Returns the exit code: 0, or 1 where the file could not be written.
  int finish() const;

private:
  std::string bench_;
  std::filesystem::path json_;
  nlohmann::ordered_json machine_;
  nlohmann::ordered_json rows_ = nlohmann::ordered_json::array();
};

/// "1,024", "16,412".
std::string grouped(double number);

/// "412.3 MiB".
std::string mebibytes(double bytes);

} // namespace continuo::bench
