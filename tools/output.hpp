#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace continuo::tools {

/// The output of one node: a pipe, whose lines are passed on with the node's name before them.
class node_output {
public:
  /// @param width how wide the names are
  node_output(std::string name, std::size_t number, std::size_t width);
  ~node_output();
  node_output(node_output&& other) noexcept;
  node_output& operator=(node_output&&) = delete;
  node_output(const node_output&) = delete;
  node_output& operator=(const node_output&) = delete;

  /// The end to give to the process; closed by `given`.
  int write_end() const { return write_; }
  void given();

  /// The end to poll; -1 once nobody writes any more.
  int read_end() const { return read_; }

  /// Reads what is there, and prints the lines that are complete. Never blocks.
  void pass_on();

private:
  void print(std::string_view line) const;

  std::string prefix_;
  int read_ = -1;
  int write_ = -1;
  std::string rest_;
};

} // namespace continuo::tools
