#pragma once

#include "tools/arguments.hpp"

namespace continuo::tools {

/// `continuo schedules ...`. Options live as long as the program.
void add_schedule_commands(CLI::App& program, chosen_run& run);

} // namespace continuo::tools
