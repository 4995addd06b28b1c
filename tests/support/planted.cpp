#define CONTINUO_PLANTED_BUGS

#include "tests/support/planted.hpp"

#include "engine/planted.hpp"

#include <utility>

namespace continuo {

namespace {

std::string active; // set between runs, while no node lives
std::size_t hits = 0;

} // namespace

bool with_bugs::planted(std::string_view name) {
  const auto is_active = name == active;
  hits += is_active ? 1 : 0;
  return is_active;
}

void tests::set_planted(std::string name) {
  active = std::move(name);
  hits = 0;
}

std::size_t tests::planted_hits() {
  return hits;
}

} // namespace continuo
