#pragma once

#include "tools/arguments.hpp"

namespace continuo::tools {

/// `continuo dead-letters ...`. Options live as long as the program.
void add_letter_commands(CLI::App& program, chosen_run& run);

} // namespace continuo::tools
