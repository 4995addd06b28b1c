#pragma once

#include "tools/arguments.hpp"

namespace continuo::tools {

/// `continuo publish` and `continuo send`. Options live as long as the program.
void add_message_commands(CLI::App& program, chosen_run& run);

} // namespace continuo::tools
