#include "messages/printable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>

namespace continuo {

namespace {

/// The character at the beginning of `text`, by the table of RFC 3629, section 4.
struct character {
  std::uint32_t code = 0;
  std::size_t size = 0; ///< in bytes; 0: it is no UTF-8
};

character first_of(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) {
    return {lead, 1};
  }
  const std::size_t size = lead >= 0xc2 && lead < 0xe0   ? 2
                           : lead >= 0xe0 && lead < 0xf0 ? 3
                           : lead >= 0xf0 && lead < 0xf5 ? 4
                                                         : 0;
  if (size == 0 || size > text.size()) {
    return {};
  }
  auto code = lead & (0x7fu >> size);
  for (std::size_t at = 1; at < size; ++at) {
    if ((byte(at) & 0xc0u) != 0x80) {
      return {};
    }
    code = code << 6 | (byte(at) & 0x3fu);
  }
  const auto is_too_long = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
  if (is_too_long || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff) {
    return {};
  }
  return {code, size};
}

bool is_shown(std::uint32_t code) {
  const auto controls = code < 0x20 || (code >= 0x7f && code < 0xa0);
  const auto ends_line = code == 0x2028 || code == 0x2029;
  const auto turns = code == 0x061c || code == 0x200e || code == 0x200f ||
                     (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
  // What is not seen at all, so that two keys look the same. (Joiners are: several scripts need them.)
  const auto unseen = code == 0x00ad || code == 0x115f || code == 0x1160 || code == 0x200b ||
                      (code >= 0x2060 && code <= 0x2065) || code == 0x3164 || code == 0xfeff ||
                      code == 0xffa0 || (code >= 0xfff0 && code <= 0xfffb) ||
                      (code >= 0xe0000 && code <= 0xe0fff);
  return !controls && !ends_line && !turns && !unseen;
}

} // namespace

std::string printable(std::string_view text) {
  std::string made;
  made.reserve(text.size());
  while (!text.empty()) {
    const auto [code, size] = first_of(text);
    const auto part = text.substr(0, size == 0 ? 1 : size);
    if (size != 0 && is_shown(code)) {
      made += part;
    } else if (code == '\n') {
      made += "\\n";
    } else {
      for (const char c : part) {
        fmt::format_to(std::back_inserter(made), "\\x{:02x}", static_cast<unsigned char>(c));
      }
    }
    text.remove_prefix(part.size());
  }
  return made;
}

std::string printable_lines(std::string_view text) {
  std::string made;
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of("\n\t"), text.size());
    made += printable(text.substr(0, end));
    made += text.substr(end, 1);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return made;
}

bool is_printable(std::string_view text) {
  while (!text.empty()) {
    const auto [code, size] = first_of(text);
    if (size == 0 || !is_shown(code)) {
      return false;
    }
    text.remove_prefix(size);
  }
  return true;
}

} // namespace continuo
