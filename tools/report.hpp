#pragma once

#include <continuo/result.hpp>

#include <nlohmann/json.hpp>

#include <chrono>
#include <string>

/// What commands say besides their results, all of it on standard error, and as a terminal may show it
/// (`printable_lines`).
namespace continuo::tools {

/// Prints `continuo: MESSAGE`. Gives the exit code: 2 of wrong arguments (`invalid_configuration`), 3 of
/// corrupt data, what else `exit_code` assigns; else 1.
int refuse(const error& why);
int refuse(std::string why); ///< with 1

/// Prints `continuo: MESSAGE`, of something to know that is no failure.
void remark(const std::string& what);

/// Names the nodes that could not be asked for a list, where there are any.
void remark_unreachable(const nlohmann::json& answer);

/// A line that says what goes on where that takes longer than a second; it is cleared in the end. Nothing
/// where standard error is no terminal.
class progress_line {
public:
  progress_line();
  ~progress_line();
  progress_line(const progress_line&) = delete;
  progress_line& operator=(const progress_line&) = delete;

  bool visible() const { return visible_; }

  /// Shows the text, and for how long this object is there.
  void show(const std::string& what);

private:
  bool visible_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point begun_;
};

} // namespace continuo::tools
