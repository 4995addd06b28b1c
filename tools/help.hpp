#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <string>

/// What every command says of itself, as one document.
namespace continuo::tools {

/// Calls `visit` with each command that is not hidden, and its words: the program first, then in order.
void for_each_command(const CLI::App& app, const std::string& words,
                      const std::function<void(const CLI::App&, const std::string&)>& visit);

/// The help of every command, as Markdown.
std::string help_document(const CLI::App& program);

/// The same as a page for man(1).
std::string man_page(const CLI::App& program);

} // namespace continuo::tools
