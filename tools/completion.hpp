#pragma once

#include <CLI/CLI.hpp>

#include <string>

/// Scripts made out of the description of the command line itself.
namespace continuo::tools {

/// The script that completes commands, options and their values, and file names, in bash or zsh.
std::string bash_completion(const CLI::App& program);
std::string zsh_completion(const CLI::App& program);

} // namespace continuo::tools
