#pragma once

#include <continuo/result.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace continuo::config {

/// What an entry of a configuration file is.
enum class entry_kind {
  section,    ///< `[cluster]`, `[nodes.payment]`
  dictionary, ///< `environment={...}`, in a list too
  value,      ///< a string, number, list or another single value
};

/// One section, dictionary or value of a configuration file.
struct entry {
  /// Section, key and the keys of dictionaries around it, with dots between:
  /// `nodes.payment.environment.HOME`. A dictionary in a list has its place behind: `a.list[0].key`. Other
  /// parts of a list are no entries, but stand in the text of the list.
  std::string path;
  entry_kind kind = entry_kind::value;
  std::string text;  ///< of a value: as it stands in the file, lists with their brackets; else empty
  unsigned line = 0; ///< where its key stands, from 1

  friend bool operator==(const entry&, const entry&) = default;
};

/// The longest file that is read, in bytes.
inline constexpr std::size_t file_bytes_max = 1u << 20;

/// How deep lists and dictionaries may stand in each other.
inline constexpr unsigned nesting_max = 16;

/// Walks a text in CAF's configuration syntax and finds every entry with its line, in the order of the text.
/// CAF's own parser has no lines, keeps one of two equal keys, drops sections that nest or repeat, and reads
/// a list that is not closed as nothing; all this is refused here, and nothing is accepted that CAF would
/// refuse, but for single values, whose form is not looked at (`10m`).
///
/// Errors (`invalid_configuration`, the first mistake only, as `FILE:LINE: what is wrong; what would be
/// right`): a key given twice, a section opened again or deeper than `[a.b]`, a key before the first section,
/// a string, list or dictionary that is not closed, a line that is no section, key or comment, a control
/// character, a text longer than `file_bytes_max`, lists nested deeper than `nesting_max`. `file` is only
/// named in errors.
result<std::vector<entry>> scan(std::string_view text, std::string_view file);

} // namespace continuo::config
