#include <continuo/detail/json_writer.hpp>

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <stdexcept>

namespace continuo::detail {

namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd"; // U+FFFD

bool is_continuation(unsigned char byte) {
  return (byte & 0xc0) == 0x80;
}

// How many bytes the character at the front takes; 0 where they are no UTF-8 (overlong forms, surrogates and
// values over U+10FFFF included).
std::size_t character_bytes(std::string_view text) {
  const auto byte = [text](std::size_t at) {
    return at < text.size() ? static_cast<unsigned char>(text[at]) : static_cast<unsigned char>(0);
  };
  const auto first = byte(0);
  if (first < 0x80) {
    return 1;
  }
  if (first >= 0xc2 && first <= 0xdf) {
    return is_continuation(byte(1)) ? 2 : 0;
  }
  if (first >= 0xe0 && first <= 0xef) {
    const auto lowest = first == 0xe0 ? 0xa0 : 0x80;
    const auto highest = first == 0xed ? 0x9f : 0xbf;
    return byte(1) >= lowest && byte(1) <= highest && is_continuation(byte(2)) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const auto lowest = first == 0xf0 ? 0x90 : 0x80;
    const auto highest = first == 0xf4 ? 0x8f : 0xbf;
    return byte(1) >= lowest && byte(1) <= highest && is_continuation(byte(2)) && is_continuation(byte(3))
               ? 4
               : 0;
  }
  return 0;
}

void append_escaped(std::string& out, char character) {
  switch (character) {
  case '"':
    out += "\\\"";
    break;
  case '\\':
    out += "\\\\";
    break;
  case '\n':
    out += "\\n";
    break;
  case '\r':
    out += "\\r";
    break;
  case '\t':
    out += "\\t";
    break;
  default:
    if (static_cast<unsigned char>(character) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(character));
    } else {
      out += character;
    }
  }
}

template <class Number>
void append_number(std::string& out, Number value) {
  if (!std::isfinite(value)) {
    out += "null"; // JSON has no word for it
    return;
  }
  char digits[64];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  const std::string_view text{digits, static_cast<std::size_t>(end - digits)};
  out += text;
  if (text.find_first_of(".e") == text.npos) {
    out += ".0"; // an integer would lose the sign of -0.0
  }
}

} // namespace

void json_writer::enter_object() {
  if (++nesting_ > nesting_max) {
    throw std::length_error(fmt::format(
        "continuo: objects are nested more than {} deep and could not be read back", nesting_max));
  }
  open('{');
}

void json_writer::leave_object() {
  close('}');
  --nesting_;
}

void json_writer::put_key(std::string_view key) {
  separate();
  put_string(key);
  out_ += ':';
}

void json_writer::put_number(double value) {
  append_number(out_, value);
}

void json_writer::put_number(float value) {
  append_number(out_, value);
}

void json_writer::put_string(std::string_view value) {
  out_ += '"';
  while (!value.empty()) {
    const auto size = character_bytes(value);
    if (size == 0) {
      out_ += replacement;
    } else if (size == 1) {
      append_escaped(out_, value.front());
    } else {
      out_ += value.substr(0, size);
    }
    value.remove_prefix(size == 0 ? 1 : size);
  }
  out_ += '"';
}

} // namespace continuo::detail
