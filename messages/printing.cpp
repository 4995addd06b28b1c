#include <continuo/detail/printing.hpp>
#include <continuo/detail/type_name.hpp>

#include <boost/core/demangle.hpp>
#include <fmt/format.h>

#include <charconv>
#include <ostream>

namespace continuo::detail {

namespace {

template <class Number>
void append_shortest(std::string& out, Number value) {
  char digits[64];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  out.append(digits, end);
}

} // namespace

std::string demangled(const std::type_info& type) {
  return boost::core::demangle(type.name());
}

std::ostream& write_to(std::ostream& out, std::string_view text) {
  return out << text;
}

// Each in the fewest digits that give it back, which are fewer for a float.
void printer::put_number(float value) {
  append_shortest(out_, value);
}

void printer::put_number(double value) {
  append_shortest(out_, value);
}

void printer::put_string(std::string_view value) {
  out_ += '"';
  for (const char character : value) {
    const auto byte = static_cast<unsigned char>(character);
    if (character == '"' || character == '\\') {
      out_ += '\\';
      out_ += character;
    } else if (character == '\n') {
      out_ += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      out_ += fmt::format("\\x{:02x}", static_cast<unsigned>(byte));
    } else {
      out_ += character;
    }
  }
  out_ += '"';
}

} // namespace continuo::detail
