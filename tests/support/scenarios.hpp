#pragma once

#include <continuo/testing.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// What Continuo is put through in the simulation, over many seeds: in a short form by the tests, for as long
/// as wanted by the program `soak`.
namespace continuo::tests {

struct named_scenario {
  std::string name;
  std::string what; ///< in a sentence
  testing::scenario run;
  std::uint64_t share = 1; ///< of a thousand seeds
};

/// All of them; their shares make up a thousand.
const std::vector<named_scenario>& all_scenarios();

/// @throws std::out_of_range
const named_scenario& scenario_of(std::string_view name);

/// A seed that failed once, and why.
struct kept_seed {
  std::string scenario;
  std::uint64_t seed = 0;
  std::string what;
};

/// Those in tests/simulation/seeds.txt.
std::vector<kept_seed> kept_seeds();

} // namespace continuo::tests
