#include "tools/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <initializer_list>
#include <numeric>
#include <sys/ioctl.h>
#include <unistd.h>

namespace continuo::tools {

namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t cell_width_min = 8; // where the terminal is too narrow, lines wrap
constexpr std::string_view ellipsis = "\u2026";

bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80; // UTF-8
}

/// How many columns a text takes: its characters, as UTF-8.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !continues_character(c); }));
}

std::string cut(std::string_view text, std::size_t width) {
  if (width_of(text) <= width) {
    return std::string{text};
  }
  std::size_t end = 0;
  for (std::size_t left = width; end < text.size(); ++end) {
    if (!continues_character(text[end]) && left-- == 1) {
      break; // the last column is the ellipsis's
    }
  }
  return std::string{text.substr(0, end)}.append(ellipsis);
}

/// Makes the widest columns narrower until the line fits, each as little as possible.
void fit(std::vector<std::size_t>& widths, std::size_t width) {
  const auto line = [&] { return std::accumulate(widths.begin(), widths.end(), (widths.size() - 1) * gap); };
  while (line() > width) {
    auto& widest = *std::max_element(widths.begin(), widths.end());
    if (widest <= cell_width_min) {
      return;
    }
    --widest;
  }
}

} // namespace

std::size_t output_width() {
  if (::isatty(STDOUT_FILENO) != 1) {
    return 0;
  }
  if (const auto* said = std::getenv("COLUMNS"); said != nullptr && std::atoi(said) > 0) {
    return static_cast<std::size_t>(std::atoi(said));
  }
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

table::table(std::vector<std::string> headings) : headings_(std::move(headings)) {
  for (auto& heading : headings_) {
    right_.push_back(heading.ends_with('>'));
    status_.push_back(heading.ends_with('*'));
    if (right_.back() || status_.back()) {
      heading.pop_back();
    }
  }
}

void table::add(std::vector<std::string> cells) {
  for (auto& cell : cells) {
    cell = printable(cell);
    if (cell.empty()) {
      cell.assign(1, '-'); // as text it is a false alarm of g++ 12
    }
  }
  rows_.push_back(std::move(cells));
}

std::string table::text(std::size_t width) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < headings_.size(); ++i) {
    widths.push_back(width_of(headings_[i]));
    for (const auto& row : rows_) {
      widths[i] = std::max(widths[i], width_of(row[i]));
    }
  }
  if (width > 0) {
    fit(widths, width);
  }
  std::string made;
  const auto add_line = [&](const std::vector<std::string>& cells, bool row) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const auto text = cut(cells[i], widths[i]);
      const std::string blanks(widths[i] - width_of(text), ' ');
      const auto shown = row && status_[i] ? coloured_status(text, cells[i]) : text;
      line += right_[i] ? blanks + shown : shown + blanks;
      line.append(gap, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    made += line;
    made += '\n';
  };
  add_line(headings_, false);
  for (const auto& row : rows_) {
    add_line(row, true);
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

std::string coloured_status(std::string_view text, std::string_view status) {
  static constexpr std::size_t yellow = 1;
  static constexpr std::size_t green = 2;
  static constexpr std::size_t magenta = 3;
  static constexpr std::size_t red = 5;
  const auto is_one_of = [&](std::initializer_list<std::string_view> words) {
    return std::find(words.begin(), words.end(), status) != words.end();
  };
  return is_one_of({"completed", "up", "ready"})  ? coloured(text, green)
         : is_one_of({"compensated"})             ? coloured(text, magenta)
         : is_one_of({"compensating", "paused"})  ? coloured(text, yellow)
         : is_one_of({"stuck", "failed", "down"}) ? coloured(text, red)
                                                  : std::string{text};
}

} // namespace continuo::tools
