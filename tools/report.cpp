#include "tools/report.hpp"

#include "tools/json_text.hpp"
#include "tools/table.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <unistd.h>
#include <utility>

namespace continuo::tools {

int refuse(const error& why) {
  fmt::print(stderr, "continuo: {}\n", printable_lines(why.message));
  const auto code = exit_code(why.code);
  return code != 0 ? code : 1;
}

int refuse(std::string why) {
  return refuse(error{errc::unavailable, std::move(why)});
}

void remark(const std::string& what) {
  std::fflush(stdout); // what it is about stands before it
  fmt::print(stderr, "continuo: {}\n", printable_lines(what));
}

void remark_unreachable(const nlohmann::json& answer) {
  std::string nodes;
  for (const auto& one : list_at(answer, "unreachable")) {
    nodes += fmt::format("{}{} ({})", nodes.empty() ? "" : ", ", printable(text_at(one, "node")),
                         printable(text_at(one, "reason")));
  }
  if (!nodes.empty()) {
    remark("not complete, these nodes did not answer: " + nodes);
  }
}

progress_line::progress_line()
    : visible_(::isatty(STDERR_FILENO) == 1), begun_(std::chrono::steady_clock::now()) {}

progress_line::~progress_line() {
  if (shown_) {
    fmt::print(stderr, "\r\x1b[K");
  }
}

void progress_line::show(const std::string& what) {
  const auto age =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun_);
  if (visible_ && age >= std::chrono::seconds{1}) {
    fmt::print(stderr, "\r\x1b[K{} ({})", printable(what), age_text(age));
    shown_ = true;
  }
}

} // namespace continuo::tools
