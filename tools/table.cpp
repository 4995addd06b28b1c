#include "tools/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <unistd.h>

namespace continuo::tools {

table::table(std::vector<std::string> headings) : headings_(std::move(headings)) {
  for (auto& heading : headings_) {
    right_.push_back(heading.ends_with('>'));
    if (right_.back()) {
      heading.pop_back();
    }
  }
}

void table::add(std::vector<std::string> cells) {
  for (auto& cell : cells) {
    if (cell.empty()) {
      cell.assign(1, '-'); // as text it is a false alarm of g++ 12
    }
  }
  rows_.push_back(std::move(cells));
}

std::string table::text() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < headings_.size(); ++i) {
    widths.push_back(headings_[i].size());
    for (const auto& row : rows_) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string made;
  const auto add_line = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      line +=
          right_[i] ? fmt::format("{:>{}}", cells[i], widths[i]) : fmt::format("{:<{}}", cells[i], widths[i]);
      line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    made += line;
    made += '\n';
  };
  add_line(headings_);
  for (const auto& row : rows_) {
    add_line(row);
  }
  return made;
}

std::string age_text(std::chrono::milliseconds age) {
  const auto ms = age.count();
  if (ms < 1'000) {
    return fmt::format("{} ms", ms);
  }
  if (ms < 60'000) {
    return fmt::format("{:.1f} s", static_cast<double>(ms) / 1e3);
  }
  const auto minutes = ms / 60'000;
  if (minutes < 120) {
    return fmt::format("{} min", minutes);
  }
  return minutes < 48 * 60 ? fmt::format("{} h", minutes / 60) : fmt::format("{} d", minutes / (24 * 60));
}

bool has_colours() {
  static const bool has = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  return has;
}

std::string coloured(std::string_view text, std::size_t number) {
  static constexpr std::array codes{36, 33, 32, 35, 34, 31}; // ECMA-48
  return has_colours() ? fmt::format("\x1b[{}m{}\x1b[0m", codes[number % codes.size()], text)
                       : std::string{text};
}

} // namespace continuo::tools
