#pragma once

#include <cstdio>
#include <filesystem>
#include <string>

namespace continuo::tools {

struct dump_options {
  std::string type; ///< only this one; empty: all
  std::string key;  ///< only this one; empty: all
  bool history = false;
};

/// Prints a line of JSON for each record in the directory of a store that no node has open, changing nothing.
/// Types of the application are not known here: states and payloads are hexadecimal bytes. What cannot be
/// read gives a line with an `error`. Returns the exit code. @pre `data_directory::look_at` holds what it
/// stands in
int dump_journal(const std::filesystem::path& journal, const dump_options& options, std::FILE* to);

} // namespace continuo::tools
