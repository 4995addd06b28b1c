#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

namespace order_fulfilment {

/// The command line of the order node.
struct node_options {
  std::string data;
  std::string cluster_file; ///< empty: the node stands alone
  std::string node;
  std::string ledgers;
  std::string orders;
  std::size_t generate = 0;
  double rate = 0;
  std::chrono::milliseconds payment_timeout{2'000};
  std::chrono::milliseconds slow_time{0}; ///< 0: half as long again as the timeout
  std::chrono::milliseconds provider_time{0};
  bool show_progress = false;
  bool show_report = false;
};

/// Reads it. What it gives is the exit code of a program that ends here, because of `--help` or an argument
/// that is wrong.
std::optional<int> read_options(int argc, char** argv, node_options& chosen);

} // namespace order_fulfilment
