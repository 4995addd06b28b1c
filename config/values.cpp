#include "config/values.hpp"

#include "config/http_url.hpp"

#include <caf/expected.hpp>
#include <caf/ipv4_address.hpp>
#include <caf/ipv6_address.hpp>
#include <caf/timespan.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

namespace continuo::config {

namespace {

using caf::config_value;

constexpr std::size_t name_length_max = 64;

auto wrong(std::string sentence) {
  return fail(errc::invalid_configuration, std::move(sentence));
}

/// As it stands in the file, short enough for a sentence.
std::string shown(std::string_view text) {
  std::string line{text.substr(0, 40)};
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line.size() < text.size() ? line + "..." : line;
}

/// The value, by CAF's parser; which takes a word for a string, other than in a file.
std::optional<config_value> parse(std::string_view text) {
  auto value = config_value::parse(caf::string_view{text.data(), text.size()});
  if (!value || (caf::holds_alternative<std::string>(*value) && text.front() != '"')) {
    return std::nullopt;
  }
  return std::move(*value);
}

/// CAF takes 010 for 8 and 0x10 for 16.
bool has_other_base(std::string_view text) {
  const auto digits = text.substr(text.find_first_not_of("+-") == 1 ? 1 : 0);
  return digits.size() > 1 && digits[0] == '0' &&
         std::string_view{"0123456789xXbB"}.find(digits[1]) != std::string_view::npos;
}

// -- strings --------------------------------------------------------------------------------

result<config_value> read_choice(const known_key& key, std::string_view text) {
  auto value = parse(text);
  std::string word;
  if (value && caf::holds_alternative<std::string>(*value)) {
    word = caf::get<std::string>(*value);
  } else if (value && caf::holds_alternative<caf::atom_value>(*value)) {
    word = caf::to_string(caf::get<caf::atom_value>(*value));
  }
  std::string listed;
  for (auto rest = key.choices; !rest.empty();) {
    const auto choice = rest.substr(0, rest.find(' '));
    if (choice == word) {
      return config_value{word};
    }
    rest.remove_prefix(std::min(rest.size(), choice.size() + 1));
    listed += fmt::format("{}\"{}\"", listed.empty() ? "" : rest.empty() ? " or " : ", ", choice);
  }
  return wrong(fmt::format("it is {}; write {}", shown(text), listed));
}

result<config_value> read_list(const known_key& key, std::string_view text) {
  const auto value = parse(text);
  if (!value || !caf::holds_alternative<config_value::list>(*value)) {
    return wrong(fmt::format("it is {}, not a list of strings; write [\"...\", \"...\"]", shown(text)));
  }
  const bool names = key.kind == value_kind::names;
  std::set<std::string> before;
  for (const auto& part : caf::get<config_value::list>(*value)) {
    const auto* word = caf::get_if<std::string>(&part);
    if (word == nullptr) {
      return wrong(fmt::format("it has {} in its list; write strings in \"\"", caf::to_string(part)));
    }
    if (names && word->empty()) {
      return wrong("it has an empty string in its list; write the name of a saga or service");
    }
    if (names && !before.insert(*word).second) {
      return wrong(fmt::format("it has \"{}\" twice; write it once", *word));
    }
  }
  return *value;
}

// -- numbers ----------------------------------------------------------------------------------

result<config_value> read_number(const known_key& key, std::string_view text) {
  const auto value = parse(text);
  const auto* number = value ? caf::get_if<config_value::integer>(&*value) : nullptr;
  const auto range = fmt::format("a whole number from {} to {}", key.least, key.most);
  if (number == nullptr) {
    return wrong(fmt::format("it is {}, not a whole number; write {}", shown(text), range));
  }
  if (has_other_base(text)) {
    return wrong(fmt::format("it is {}, which is read as {}; write it without a 0 in front", text, *number));
  }
  if (*number < key.least || *number > key.most) {
    return wrong(fmt::format("it is {}; write {}", *number, range));
  }
  return *value;
}

struct unit {
  std::string_view name;
  std::int64_t of;
};

constexpr std::array size_units{unit{"KiB", std::int64_t{1} << 10}, unit{"MiB", std::int64_t{1} << 20},
                                unit{"GiB", std::int64_t{1} << 30}};

constexpr std::array time_units{unit{"ns", 1},
                                unit{"us", 1'000},
                                unit{"ms", 1'000'000},
                                unit{"s", 1'000'000'000},
                                unit{"min", 60'000'000'000},
                                unit{"h", 3'600'000'000'000}};

/// `number` of that unit; empty if there is no such unit, or too many of them.
template <std::size_t Size>
std::optional<std::int64_t> times(std::int64_t number, const std::array<unit, Size>& units,
                                  std::string_view name) {
  for (const auto& unit : units) {
    if (unit.name == name && number <= std::numeric_limits<std::int64_t>::max() / unit.of &&
        number >= std::numeric_limits<std::int64_t>::min() / unit.of) {
      return number * unit.of;
    }
  }
  return std::nullopt;
}

struct quantity {
  std::int64_t number = 0;
  std::string_view unit;
};

/// A number and what follows it; empty if it begins with none, or with too great a one.
std::optional<quantity> split(std::string_view text) {
  quantity result;
  const auto* begin = text.data() + (text.starts_with('+') ? 1 : 0);
  const auto [end, code] = std::from_chars(begin, text.data() + text.size(), result.number);
  if (code != std::errc{}) {
    return std::nullopt;
  }
  result.unit = text.substr(static_cast<std::size_t>(end - text.data()));
  return result;
}

std::string written_size(std::int64_t bytes) {
  for (auto unit = size_units.rbegin(); unit != size_units.rend(); ++unit) {
    if (bytes >= unit->of && bytes % unit->of == 0) {
      return fmt::format("\"{}{}\"", bytes / unit->of, unit->name);
    }
  }
  return std::to_string(bytes);
}

result<config_value> read_size(const known_key& key, std::string_view text) {
  const auto value = parse(text);
  std::optional<std::int64_t> bytes;
  if (value && caf::holds_alternative<config_value::integer>(*value) && !has_other_base(text)) {
    bytes = caf::get<config_value::integer>(*value);
  } else if (value && caf::holds_alternative<std::string>(*value)) {
    const auto& word = caf::get<std::string>(*value);
    const auto parts = split(word);
    if (parts && !has_other_base(word) && !word.starts_with('+')) {
      bytes = times(parts->number, size_units, parts->unit);
    }
  }
  if (!bytes) {
    return wrong(fmt::format(
        "it is {}, not a size; write bytes, or a string as \"64MiB\", with KiB, MiB or GiB", shown(text)));
  }
  if (*bytes < key.least || *bytes > key.most) {
    return wrong(fmt::format("it is {}; write a size from {} to {}", shown(text), written_size(key.least),
                             written_size(key.most)));
  }
  return config_value{*bytes};
}

std::string written_duration(std::int64_t ms) {
  return ms % 3'600'000 == 0 && ms > 0 ? fmt::format("{}h", ms / 3'600'000)
         : ms % 1'000 == 0             ? fmt::format("{}s", ms / 1'000)
                                       : fmt::format("{}ms", ms);
}

result<config_value> read_duration(const known_key& key, std::string_view text) {
  constexpr std::int64_t ns_per_ms = 1'000'000;
  const auto parts = split(text);
  const auto value = parse(text);
  if (parts && parts->unit.empty() && value) {
    return wrong(
        fmt::format("it is {}, without a unit; write {}s or {}ms", text, parts->number, parts->number));
  }
  const auto range =
      fmt::format("a duration from {} to {}", written_duration(key.least), written_duration(key.most));
  if (!value || !parts || !caf::holds_alternative<caf::timespan>(*value) || has_other_base(text)) {
    return wrong(fmt::format(
        "it is {}, not a duration; write a whole number and ns, us, ms, s, min or h, as 10s", shown(text)));
  }
  const auto ns = times(parts->number, time_units, parts->unit);
  if (!ns || *ns < key.least * ns_per_ms || *ns > key.most * ns_per_ms) {
    return wrong(fmt::format("it is {}; write {}", text, range));
  }
  if (key.step_ms > 0 && *ns % (key.step_ms * ns_per_ms) != 0) {
    return wrong(fmt::format("it is {}; write a whole number of {}", text,
                             key.step_ms == 1 ? "milliseconds, as 100ms" : "hours, as 168h"));
  }
  return config_value{caf::timespan{*ns}};
}

// -- addresses -----------------------------------------------------------------------------------

bool is_host_name(std::string_view host) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  };
  return !host.empty() && host.size() <= 253 && host.front() != '.' && host.front() != '-' &&
         host.find("..") == std::string_view::npos && std::all_of(host.begin(), host.end(), fits);
}

/// Completes `found` from its host; false if it is none.
bool classify(endpoint& found, bool bracketed) {
  caf::ipv4_address v4;
  caf::ipv6_address v6;
  if (bracketed) {
    if (caf::parse(found.host, v6) || v6.embeds_v4()) {
      return false;
    }
    found.key = to_string(v6);
    found.loopback = found.key == "::1";
    return true;
  }
  if (!caf::parse(found.host, v4)) {
    found.key = to_string(v4);
    found.loopback = found.key.starts_with("127.");
    return true;
  }
  if (!is_host_name(found.host) || found.host.find_first_not_of("0123456789.") == std::string::npos) {
    return false;
  }
  found.key = found.host;
  std::transform(found.key.begin(), found.key.end(), found.key.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (found.key == "localhost") {
    found.key = "127.0.0.1";
    found.loopback = true;
  }
  return true;
}

} // namespace

bool is_name(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !text.empty() && text.size() <= name_length_max && std::all_of(text.begin(), text.end(), fits);
}

result<std::string> read_text(std::string_view text, bool or_empty) {
  const auto value = parse(text);
  if (!value || !caf::holds_alternative<std::string>(*value)) {
    return wrong(fmt::format("it is {}, not a string; write it in \"\"", shown(text)));
  }
  const auto& word = caf::get<std::string>(*value);
  if (word.empty() && !or_empty) {
    return wrong("it is an empty string; write a value or remove the key");
  }
  return word;
}

result<endpoint> read_endpoint(std::string_view text) {
  const auto refuse = [&](std::string_view reason) {
    return wrong(fmt::format("\"{}\" {}; write \"HOST:PORT\", as \"127.0.0.1:4701\" or \"[::1]:4701\"",
                             shown(text), reason));
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || text.ends_with(']')) {
    return refuse("has no port");
  }
  auto host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return refuse("is no address; IPv6 stands in brackets");
  }
  endpoint found;
  found.host = host;
  const auto port = text.substr(colon + 1);
  const auto [end, code] = std::from_chars(port.data(), port.data() + port.size(), found.port);
  if (code != std::errc{} || end != port.data() + port.size() || found.port == 0 || port.front() == '0') {
    return refuse("has no port from 1 to 65535");
  }
  if (!classify(found, bracketed)) {
    return refuse("names no host");
  }
  found.any = found.key == "0.0.0.0" || found.key == "::";
  found.key = fmt::format("[{}]:{}", found.key, found.port);
  return found;
}

result<config_value> read_value(const known_key& key, std::string_view text) {
  switch (key.kind) {
  case value_kind::flag: {
    auto value = parse(text);
    if (!value || !caf::holds_alternative<bool>(*value)) {
      return wrong(fmt::format("it is {}; write true or false", shown(text)));
    }
    return std::move(*value);
  }
  case value_kind::number:
    return read_number(key, text);
  case value_kind::duration:
    return read_duration(key, text);
  case value_kind::size:
    return read_size(key, text);
  case value_kind::choice:
    return read_choice(key, text);
  case value_kind::texts:
  case value_kind::names:
    return read_list(key, text);
  default:
    break;
  }
  auto word = read_text(text);
  if (!word) {
    return tl::unexpected(word.error());
  }
  if (key.kind == value_kind::name && !is_name(*word)) {
    return wrong(
        fmt::format("it is {}; write up to {} letters, digits, - and _", shown(text), name_length_max));
  }
  if (key.kind == value_kind::address || key.kind == value_kind::listener) {
    const auto found = read_endpoint(*word);
    if (!found) {
      return tl::unexpected(found.error());
    }
    if (found->any && key.kind == value_kind::address) {
      return wrong(fmt::format("\"{}\" stands for every address, which no peer can connect to; write the one "
                               "that peers use, and listen=\"{}\"",
                               *word, *word));
    }
  }
  if (key.kind == value_kind::url) {
    if (const auto found = read_http_url(*word); !found) {
      return tl::unexpected(found.error());
    }
  }
  return config_value{*word};
}

} // namespace continuo::config
