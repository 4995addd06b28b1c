#pragma once

#include <continuo/result.hpp>

#include <CLI/CLI.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>

/// What the commands' arguments have in common. Wrong ones are `errc::invalid_configuration`, or found by
/// CLI11.
namespace continuo::tools {

/// What is to run once the command line is read; gives the exit code.
using chosen_run = std::function<int()>;

/// Which node to ask, and how to show what it says.
struct node_options {
  std::string node;                 ///< empty: the first of the cluster file
  std::filesystem::path file;       ///< the cluster file; empty: ./continuo.conf
  std::filesystem::path token_file; ///< empty: that of the cluster file
  bool json = false;                ///< print what the node answers as it is
};

/// One instance.
struct instance_options {
  node_options at;
  std::string type;
  std::string key;
};

/// A page of a list.
struct page_options {
  unsigned limit = 0; ///< 0: as many as the node likes
  std::string cursor;
  bool all = false;
};

/// The most entries that a node gives in one page.
inline constexpr unsigned page_size_max = 1'000;

/// Adds a command, which ends its help with the example.
/// @param help a sentence
CLI::App* add_command(CLI::App& to, const char* name, const char* help, const std::string& example);

/// Names stand in paths, where an empty one would be another path.
CLI::Validator is_not_empty();

void add_node_options(CLI::App& to, node_options& chosen);

/// The token for nodes, in place of the one in the cluster file.
CLI::Option* add_token_option(CLI::App& to, std::filesystem::path& file);

/// The cluster file by which nodes are known.
void add_config_option(CLI::App& to, std::filesystem::path& file);
void add_page_options(CLI::App& to, page_options& chosen);

/// The positionals TYPE and KEY, and the node's options.
void add_instance_options(CLI::App& to, instance_options& chosen);

/// An option that takes a duration with its unit (`500ms`, `30s`, `5min`, `1h`).
CLI::Option* add_duration(CLI::App& to, const char* name, std::chrono::milliseconds& chosen,
                          const char* help);

/// Gives the JSON that an argument stands for: `-` is standard input and `@FILE` a file, else it is the JSON
/// itself. It is not changed. Errors: text that is no JSON, with line and column; a file that cannot be read.
result<std::string> read_json(const std::string& argument);

} // namespace continuo::tools
