#pragma once

#include <string>

/// Where the sources and programs lie that tests look at or run. Functions, so that these paths stand in one
/// object file: all others are the same in any clone.
namespace continuo::tests::places {

std::string root();     ///< of the sources
std::string programs(); ///< of tests/programs, compiled

std::string continuo_program();
std::string order_node();
std::string readme_orders();
std::string synchronous_orders();

} // namespace continuo::tests::places
