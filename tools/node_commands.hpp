#pragma once

#include "tools/arguments.hpp"

namespace continuo::tools {

/// `continuo services`, `nodes`, `message-types` and `events`. Options live as long as the program.
void add_node_commands(CLI::App& program, chosen_run& run);

} // namespace continuo::tools
