#pragma once

#include "tools/arguments.hpp"

namespace continuo::tools {

/// `continuo instances`, `show`, `wait` and an operator's verbs. Options live as long as the program.
void add_instance_commands(CLI::App& program, chosen_run& run);

} // namespace continuo::tools
