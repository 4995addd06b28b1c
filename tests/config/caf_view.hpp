#pragma once

#include "config/scanner.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/deep_to_string.hpp>
#include <caf/settings.hpp>

#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

/// A text as our scanner and as CAF's parser see it, in a form that can be compared: a line for each section,
/// dictionary and value, sorted.
namespace continuo::tests {

using found = std::set<std::string>;

inline std::string of_value(const caf::config_value& value) {
  return caf::holds_alternative<std::string>(value) ? "\"" + caf::get<std::string>(value) + "\""
                                                    : caf::deep_to_string(value);
}

/// Empty where a value is of no form that CAF knows.
inline std::string as_scanned(const std::vector<continuo::config::entry>& entries) {
  found lines;
  for (const auto& entry : entries) {
    if (entry.path.find('[') != std::string::npos) {
      continue; // stands in the text of its list
    }
    if (entry.kind != continuo::config::entry_kind::value) {
      // A section stands in the one before its dot, which may not be there itself.
      lines.insert(entry.path.substr(0, entry.path.find('.')) + " {}");
      lines.insert(entry.path + " {}");
      continue;
    }
    const auto value = caf::config_value::parse(entry.text);
    const bool is_word = value && caf::holds_alternative<std::string>(*value) && entry.text.front() != '"';
    if (!value || is_word) {
      return {};
    }
    lines.insert(entry.path + " " + of_value(*value));
  }
  return caf::deep_to_string(lines);
}

inline void flatten(const caf::settings& from, const std::string& prefix, found& to) {
  for (const auto& [key, value] : from) {
    const auto path = prefix + key;
    if (const auto* dictionary = caf::get_if<caf::config_value::dictionary>(&value)) {
      to.insert(path + " {}");
      flatten(*dictionary, path + ".", to);
    } else {
      to.insert(path + " " + of_value(value));
    }
  }
}

/// Empty where CAF refuses the text.
inline std::string as_caf_reads(std::string_view text) {
  std::istringstream stream{std::string{text}};
  const auto content = caf::actor_system_config::parse_config(stream);
  if (!content) {
    return {};
  }
  found lines;
  flatten(*content, "", lines);
  return caf::deep_to_string(lines);
}

} // namespace continuo::tests
