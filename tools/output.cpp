#include "tools/output.hpp"

#include "tools/table.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <stdexcept>
#include <unistd.h>
#include <utility>

namespace continuo::tools {

namespace {

/// A line longer than that is printed in parts.
constexpr std::size_t line_bytes_max = 65'536;

} // namespace

node_output::node_output(std::string name, std::size_t number, std::size_t width)
    : prefix_(coloured(fmt::format("{:<{}} | ", name, width), number)) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    throw std::runtime_error{"no pipe"};
  }
  read_ = ends[0];
  write_ = ends[1];
  ::fcntl(read_, F_SETFL, O_NONBLOCK);
}

node_output::node_output(node_output&& other) noexcept
    : prefix_(std::move(other.prefix_)), read_(std::exchange(other.read_, -1)),
      write_(std::exchange(other.write_, -1)), rest_(std::move(other.rest_)) {}

node_output::~node_output() {
  given();
  if (read_ >= 0) {
    ::close(read_);
  }
}

void node_output::given() {
  if (write_ >= 0) {
    ::close(std::exchange(write_, -1));
  }
}

void node_output::pass_on() {
  char part[65536];
  while (read_ >= 0) {
    const auto got = ::read(read_, part, sizeof(part));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      break; // nothing more for now
    }
    rest_.append(part, static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (auto end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', begin)) {
      print(std::string_view{rest_}.substr(begin, end - begin));
      begin = end + 1;
    }
    rest_.erase(0, begin);
    if (rest_.size() > line_bytes_max || (got == 0 && !rest_.empty())) {
      print(rest_);
      rest_.clear();
    }
    if (got == 0) {
      ::close(std::exchange(read_, -1));
    }
  }
  std::fflush(stdout);
}

void node_output::print(std::string_view line) const {
  fmt::print("{}{}\n", prefix_, printable_lines(line));
}

} // namespace continuo::tools
