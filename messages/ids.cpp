#include <continuo/ids.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <concepts>

namespace continuo {

namespace {

constexpr std::size_t store_digits = 16;

// Reads all of `text` in the one way in which it is written: no sign, no leading zero.
template <std::unsigned_integral Number>
bool read_decimal(std::string_view text, Number& value) {
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failed == std::errc{} && end == text.data() + text.size() &&
         (text.front() != '0' || text.size() == 1);
}

bool read_store(std::string_view text, std::uint64_t& value) {
  if (text.size() != store_digits || text.find_first_not_of("0123456789abcdef") != std::string_view::npos) {
    return false;
  }
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return true;
}

} // namespace

std::string to_string(const instance_id& id) {
  return id.type + "/" + id.key;
}

std::string to_string(const message_id& id) {
  const fmt::format_int revision{id.revision};
  const fmt::format_int index{id.index};
  std::string text(store_digits + 2 + revision.size() + index.size(), '-');
  for (std::size_t digit = 0; digit < store_digits; ++digit) {
    text[digit] = "0123456789abcdef"[(id.store >> (60 - 4 * digit)) & 0xf];
  }
  std::copy_n(revision.data(), revision.size(), &text[store_digits + 1]);
  std::copy_n(index.data(), index.size(), &text[store_digits + 2 + revision.size()]);
  return text;
}

result<message_id> parse_message_id(std::string_view text) {
  message_id id;
  const auto first = text.find('-');
  const auto second = first == std::string_view::npos ? first : text.find('-', first + 1);
  if (second == std::string_view::npos || !read_store(text.substr(0, first), id.store) ||
      !read_decimal(text.substr(first + 1, second - first - 1), id.revision) ||
      !read_decimal(text.substr(second + 1), id.index)) {
    return fail(errc::malformed, fmt::format("\"{}\" is no message id; one looks like {}", text.substr(0, 80),
                                             to_string(message_id{0x2a, 7, 0})));
  }
  return id;
}

} // namespace continuo
