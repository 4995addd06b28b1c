#pragma once

#include <string>

namespace continuo::tests {

/// Makes this planted bug (engine/planted.hpp) the active one; empty: none. Only the objects of
/// `continuo_planted` have any.
void set_planted(std::string name);

/// How often code asked for the active one and had it.
std::size_t planted_hits();

} // namespace continuo::tests
