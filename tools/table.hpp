#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace continuo::tools {

/// Rows of text under headings, in columns as wide as they must be. Columns whose heading ends with `>` are
/// aligned to the right.
class table {
public:
  explicit table(std::vector<std::string> headings);

  /// As many cells as there are headings; an empty one is printed as `-`.
  void add(std::vector<std::string> cells);

  bool empty() const { return rows_.empty(); }
  std::string text() const;

private:
  std::vector<std::string> headings_;
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

/// "820 ms", "3.4 s", "12 min", "5 h", "3 d": for people.
std::string age_text(std::chrono::milliseconds age);

/// Whether standard output is a terminal that shows colours (and NO_COLOR is not set).
bool has_colours();

/// The text in one of six colours where `has_colours`, else as it is.
std::string coloured(std::string_view text, std::size_t number);

} // namespace continuo::tools
