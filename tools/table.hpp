#pragma once

#include "messages/printable.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace continuo::tools {

/// How wide the terminal on standard output is (COLUMNS, else what it says itself); 0 where it is none.
std::size_t output_width();

/// Rows of text under headings, in columns as wide as they must be. Columns whose heading ends with `>` are
/// aligned to the right; those that end with `*` hold a status, which is coloured where `has_colours`.
class table {
public:
  explicit table(std::vector<std::string> headings);

  /// As many cells as there are headings; an empty one is printed as `-`, control characters as `\xNN`.
  void add(std::vector<std::string> cells);

  bool empty() const { return rows_.empty(); }

  /// @param width columns of the terminal, in which long cells are cut with an ellipsis to fit; 0: nothing is
  /// cut
  std::string text(std::size_t width = output_width()) const;

private:
  std::vector<std::string> headings_;
  std::vector<bool> right_;
  std::vector<bool> status_;
  std::vector<std::vector<std::string>> rows_;
};

/// "820 ms", "3.4 s", "12 min", "5 h", "3 d": for people.
std::string age_text(std::chrono::milliseconds age);

/// Whether standard output is a terminal that shows colours (and NO_COLOR is not set).
bool has_colours();

/// The text in one of six colours where `has_colours`, else as it is.
std::string coloured(std::string_view text, std::size_t number);

/// The text in the colour of that status of an instance, a node or a service.
std::string coloured_status(std::string_view text, std::string_view status);

} // namespace continuo::tools
