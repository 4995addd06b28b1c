#include "engine/trace.hpp"

#include "engine/mix.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace continuo::engine {

namespace {

constexpr std::size_t length = 55; // 00-<32>-<16>-<2>

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char letter) {
    return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f');
  });
}

bool is_zero(std::string_view text) {
  return text.find_first_not_of('0') == std::string_view::npos;
}

} // namespace

bool is_trace(std::string_view text) {
  return text.size() == length && text.substr(0, 3) == "00-" && text[35] == '-' && text[52] == '-' &&
         is_hex(text.substr(3, 32)) && is_hex(text.substr(36, 16)) && is_hex(text.substr(53)) &&
         !is_zero(text.substr(3, 32)) && !is_zero(text.substr(36, 16));
}

std::uint64_t span_of(const message_id& id) {
  const auto span = mixed(id.store ^ mixed(id.revision ^ mixed(id.index + 1)));
  return span == 0 ? 1 : span;
}

std::string trace_behind(std::string_view parent, std::uint64_t span) {
  if (!is_trace(parent)) {
    return {};
  }
  std::string made{parent};
  made.replace(36, 16, span_text(span));
  return made;
}

std::string new_trace(const message_id& id) {
  return fmt::format("00-{:016x}{:016x}-{}-01", mixed(id.store) | 1, mixed(id.revision),
                     span_text(span_of(id)));
}

std::string_view trace_id_in(std::string_view trace) {
  return trace.substr(3, 32);
}

std::string_view span_id_in(std::string_view trace) {
  return trace.substr(36, 16);
}

bool is_sampled(std::string_view trace) {
  return ((trace.back() >= 'a' ? trace.back() - 'a' + 10 : trace.back() - '0') & 1) != 0;
}

std::string span_text(std::uint64_t span) {
  return fmt::format("{:016x}", span);
}

} // namespace continuo::engine
