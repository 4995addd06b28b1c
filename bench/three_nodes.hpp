#pragma once

#include "bench/machine.hpp"

#include <continuo/node.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <sys/types.h>

namespace continuo::bench {

/// A port that the kernel had free a moment ago.
std::uint16_t free_port();

/// The order workflow of the benchmarks as three processes: the sagas in this one, on the node "ordering";
/// "payment" and "warehouse" run as children, which end with it. All of them are given the same cluster file.
class three_nodes {
public:
  /// @param directory where everything stands: the file, the certificates, the data
  three_nodes(std::filesystem::path directory, bool tls, std::uint32_t concurrency);

  /// Stops what runs.
  ~three_nodes();

  three_nodes(const three_nodes&) = delete;
  three_nodes& operator=(const three_nodes&) = delete;

  // -- the processes ---------------------------------------------------------------------
  /// Starts the children and the node of this process, and waits until it sees both of them.
  void start_all();

  void start(const std::string& name);

  /// SIGKILL, and waits for the end.
  void kill(const std::string& name);

  /// Waits until the node of this process sees the other one; throws after half a minute.
  void wait_until_up(const std::string& name);
  bool is_up(const std::string& name) const;

  /// Stops all of them in order.
  void stop();

  // -- queries -------------------------------------------------------------------------------
  node& ordering() { return *ordering_; }

  /// CPU time that each process has used so far, in seconds, by node.
  std::map<std::string, double> cpu_seconds() const;

  /// Resident memory by node, in bytes: now (`resident`) and at most (`peak`).
  std::map<std::string, memory> memory_held() const;

private:
  std::filesystem::path directory_;
  std::filesystem::path file_;
  std::uint32_t concurrency_;
  std::map<std::string, pid_t> children_;
  std::optional<node> ordering_;
};

/// For the `main` of a benchmark: where it was started as a child of `three_nodes`, runs that node and gives
/// the exit code.
std::optional<int> run_as_child(int argc, char** argv);

} // namespace continuo::bench
