#include "config/scanner.hpp"

#include <fmt/format.h>

#include <map>
#include <optional>

namespace continuo::config {

namespace {

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_name_character(char c) {
  return is_letter_or_digit(c) || c == '_' || c == '-';
}

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

/// Walks the text once, from front to back. Every reading member returns false after a mistake, which stands
/// in `error_` then.
class scanner {
public:
  scanner(std::string_view text, std::string_view file) : text_(text), file_(file) {}

  result<std::vector<entry>> run() {
    if (!check_characters()) {
      return tl::unexpected(*error_);
    }
    while (skip_to_next_line()) {
      if (!(peek() == '[' ? read_section() : read_line())) {
        return tl::unexpected(*error_);
      }
    }
    return std::move(entries_);
  }

private:
  struct seen {
    entry_kind kind;
    unsigned line;
  };

  // -- mistakes ------------------------------------------------------------------------
  bool refuse(unsigned line, std::string_view sentence) {
    error_ = error{errc::invalid_configuration, fmt::format("{}:{}: {}", file_, line, sentence)};
    return false;
  }

  bool check_characters() {
    if (text_.size() > file_bytes_max) {
      return refuse(1,
                    fmt::format("the file has {} bytes; at most {} are read", text_.size(), file_bytes_max));
    }
    unsigned line = 1;
    for (const char c : text_) {
      const auto code = static_cast<unsigned char>(c);
      if (c == '\n') {
        ++line;
      } else if (c == '\r') {
        return refuse(line, "the line ends with a carriage return; save the file with Unix line ends");
      } else if ((code < 0x20 && c != '\t') || code == 0x7f) {
        return refuse(line, fmt::format("a control character (0x{:02x}) stands here; remove it", code));
      }
    }
    return true;
  }

  // -- characters ------------------------------------------------------------------------
  bool at_end() const { return position_ == text_.size(); }

  // 0 at the end; the text has no such character.
  char peek() const { return at_end() ? '\0' : text_[position_]; }

  void advance() {
    if (peek() == '\n') {
      ++line_;
    }
    ++position_;
  }

  bool take(char c) {
    if (peek() != c) {
      return false;
    }
    advance();
    return true;
  }

  void skip_blanks() {
    while (is_blank(peek())) {
      advance();
    }
  }

  void skip_comment() {
    while (!at_end() && peek() != '\n') {
      advance();
    }
  }

  // Over blanks, ends of lines and comments; false at the end of the text.
  bool skip_to_next_line() {
    for (;;) {
      skip_blanks();
      if (peek() == ';') {
        skip_comment();
      } else if (peek() == '\n') {
        advance();
      } else {
        return !at_end();
      }
    }
  }

  // What stands from here to the end of the line, for a person to recognise.
  std::string rest_of_line() const {
    const auto rest = text_.substr(position_, text_.find('\n', position_) - position_);
    return rest.size() <= 40 ? std::string{rest} : std::string{rest.substr(0, 37)} + "...";
  }

  std::string here() const {
    return at_end()         ? "the file ends"
           : peek() == '\n' ? "the line ends"
                            : fmt::format("`{}` stands", rest_of_line());
  }

  // -- lines -----------------------------------------------------------------------------
  bool expect_end_of_line(std::string_view after) {
    skip_blanks();
    if (at_end() || peek() == '\n' || peek() == ';') {
      return true;
    }
    return refuse(line_, fmt::format("`{}` stands behind {}; begin a new line, or a comment with ;",
                                     rest_of_line(), after));
  }

  std::string read_name() {
    const auto begin = position_;
    while (is_name_character(peek())) {
      advance();
    }
    return std::string{text_.substr(begin, position_ - begin)};
  }

  bool read_section() {
    const auto line = line_;
    advance();
    skip_blanks();
    std::string path;
    unsigned parts = 0;
    do {
      if (!is_letter_or_digit(peek()) && peek() != '_') {
        return refuse(
            line,
            fmt::format("{} where the name of a section is expected; write [NAME] or [NAME.NAME]", here()));
      }
      path += (parts++ == 0 ? "" : ".") + read_name();
    } while (take('.'));
    if (parts == 1) {
      skip_blanks();
    }
    if (!take(']')) {
      return refuse(
          line,
          fmt::format("the section [{} is not closed; write [{}] with letters, digits, - and _", path, path));
    }
    if (parts > 2) {
      return refuse(line,
                    fmt::format("the section [{}] is nested too deep; write its last name as a dictionary, "
                                "KEY={{...}}, in the section around it",
                                path));
    }
    section_ = path;
    return add(path, entry_kind::section, line) && expect_end_of_line("the section");
  }

  bool read_line() {
    if (!is_letter_or_digit(peek()) && peek() != '_') {
      return refuse(line_,
                    fmt::format("`{}` is neither a [section], a key=value nor a ; comment", rest_of_line()));
    }
    const auto line = line_;
    const auto name = read_name();
    if (section_.empty() || section_ == "global") {
      return refuse(line, fmt::format("{}: the key belongs to no section; write it below a [section]", name));
    }
    return read_assignment(section_ + "." + name, 0) && expect_end_of_line("the value");
  }

  bool read_assignment(const std::string& path, unsigned depth) {
    const auto line = line_;
    skip_blanks();
    if (!take('=') && peek() != '{') {
      return refuse(line, fmt::format("{}: {} where = is expected; write KEY=VALUE", path, here()));
    }
    skip_blanks();
    if (peek() == '{') {
      return add(path, entry_kind::dictionary, line) && read_dictionary(path, depth + 1);
    }
    const auto begin = position_;
    if (!add(path, entry_kind::value, line)) {
      return false;
    }
    const auto index = entries_.size() - 1;
    if (!read_value(path, depth)) {
      return false;
    }
    entries_[index].text = text_.substr(begin, position_ - begin);
    return true;
  }

  // -- values -----------------------------------------------------------------------------
  bool read_value(const std::string& path, unsigned depth) {
    switch (peek()) {
    case '"':
      return read_quoted(path, '"');
    case '\'':
      return read_quoted(path, '\'');
    case '[':
      return read_list(path, depth + 1);
    case '<':
      return refuse(line_, fmt::format("{}: values in <> are not used; write a string in \"\"", path));
    default:
      return read_word(path);
    }
  }

  bool read_quoted(const std::string& path, char quote) {
    const auto line = line_;
    advance();
    while (!at_end() && peek() != '\n') {
      if (take(quote)) {
        return true;
      }
      if (quote == '"' && take('\\')) {
        if (std::string_view{"nrt\\\""}.find(peek()) == std::string_view::npos) {
          return refuse(line,
                        fmt::format("{}: a \\ is followed by none of n, r, t, \\ and \"; write \\\\", path));
        }
      }
      advance();
    }
    return refuse(line, fmt::format("{}: the string is not closed; write {} at its end, in the same line",
                                    path, quote));
  }

  bool read_word(const std::string& path) {
    const auto begin = position_;
    while (!at_end() && std::string_view{" \t\n,;[]{}<>=\"'"}.find(peek()) == std::string_view::npos) {
      advance();
    }
    return position_ > begin ||
           refuse(line_, fmt::format("{}: {} where a value is expected; write KEY=VALUE", path, here()));
  }

  bool check_depth(const std::string& path, unsigned depth) {
    return depth <= nesting_max ||
           refuse(line_, fmt::format("{}: lists and dictionaries are nested too deep; at "
                                     "most {} levels are read",
                                     path.substr(0, 80), nesting_max));
  }

  bool not_closed(const std::string& path, unsigned line, std::string_view what, char bracket) {
    return refuse(line,
                  fmt::format("{}: the {} is not closed, {} in line {}; write , between its parts and {} at "
                              "its end",
                              path, what, here(), line_, bracket));
  }

  bool read_list(const std::string& path, unsigned depth) {
    const auto line = line_;
    if (!check_depth(path, depth)) {
      return false;
    }
    advance();
    for (unsigned index = 0;; ++index) {
      if (!skip_to_next_line()) {
        return not_closed(path, line, "list", ']');
      }
      if (take(']')) {
        return true;
      }
      const auto place = fmt::format("{}[{}]", path, index);
      if (!(peek() == '{' ? add(place, entry_kind::dictionary, line_) && read_dictionary(place, depth + 1)
                          : read_value(place, depth))) {
        return false;
      }
      skip_to_next_line();
      if (!take(',') && peek() != ']') {
        return not_closed(path, line, "list", ']');
      }
    }
  }

  bool read_dictionary(const std::string& path, unsigned depth) {
    const auto line = line_;
    if (!check_depth(path, depth)) {
      return false;
    }
    advance();
    for (;;) {
      if (!skip_to_next_line()) {
        return not_closed(path, line, "dictionary", '}');
      }
      if (take('}')) {
        return true;
      }
      if (!is_letter_or_digit(peek())) {
        return refuse(
            line_,
            fmt::format("{}: {} where a key is expected; keys begin with a letter or a digit", path, here()));
      }
      if (!read_assignment(path + "." + read_name(), depth)) {
        return false;
      }
      // A comma, or the end of the line.
      const auto before = line_;
      skip_to_next_line();
      if (!take(',') && peek() != '}' && line_ == before) {
        return not_closed(path, line, "dictionary", '}');
      }
    }
  }

  // -- what was found ------------------------------------------------------------------------
  bool add(const std::string& path, entry_kind kind, unsigned line) {
    const auto [position, is_new] = seen_.try_emplace(path, seen{kind, line});
    if (!is_new) {
      return refuse(line, repeated(path, kind, position->second));
    }
    entries_.push_back({path, kind, {}, line});
    return true;
  }

  static std::string repeated(const std::string& path, entry_kind kind, const seen& before) {
    if (kind == entry_kind::section && before.kind == entry_kind::section) {
      return fmt::format("{}: the section was opened in line {} already; write all its keys there", path,
                         before.line);
    }
    return fmt::format("{}: the key was given in line {} already; keep one of them", path, before.line);
  }

  std::string_view text_;
  std::string_view file_;
  std::size_t position_ = 0;
  unsigned line_ = 1;
  std::string section_;
  std::vector<entry> entries_;
  std::map<std::string, seen, std::less<>> seen_;
  std::optional<error> error_;
};

} // namespace

result<std::vector<entry>> scan(std::string_view text, std::string_view file) {
  return scanner{text, file}.run();
}

} // namespace continuo::config
