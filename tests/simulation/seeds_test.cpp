// ctest: timeout=900
// Continuo in the simulation: every scenario over fresh seeds, and the seeds that ever failed.
#define CAF_SUITE seeds

#include "engine/acceptance.hpp"
#include "engine/execution.hpp"
#include "engine/keyed_machine.hpp"
#include "engine/letter.hpp"
#include "engine/link.hpp"
#include "engine/saga_machine.hpp"
#include "tests/support/business.hpp"
#include "tests/support/places.hpp"
#include "tests/support/scenarios.hpp"

#include <caf/test/dsl.hpp>

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <iostream>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace continuo;
using namespace continuo::tests;

namespace {

std::uint64_t number_of(const char* variable, std::uint64_t otherwise) {
  const auto* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// How many seeds in all: CONTINUO_SEEDS, else 10,000; a tenth of it below a sanitizer.
std::uint64_t seeds_in_all() {
#ifdef CONTINUO_SANITIZED
  return number_of("CONTINUO_SEEDS", 500);
#else
  return number_of("CONTINUO_SEEDS", 10'000);
#endif
}

/// Rows that no scenario takes, and why.
const std::map<std::string, std::string>& rows_out_of_reach() {
  static const std::map<std::string, std::string> all{
      {"saga: quarantine", "a crash comes between two transitions, never in one"},
      {"saga: given_up_refused", "no business declines to undo a step that was given up"},
      {"keyed: quarantine", "the same"},
      {"link: amnesia", "no scenario gives a node an older copy of its disk"},
      {"link: repeated", "a connection keeps its order, as TCP does"},
      {"link: gap", "the same"},
  };
  return all;
}

/// The rows of a table that were never taken although they should be, and those that were although they
/// cannot.
std::vector<std::string> rows_amiss(const char* machine, std::span<const char* const> table,
                                    const std::map<std::string, std::uint64_t>& taken) {
  std::vector<std::string> amiss;
  for (const auto* row : table) {
    const auto name = std::string{machine} + ": " + row;
    const auto found = taken.find(name);
    const auto count = found == taken.end() ? 0 : found->second;
    std::cout << "row " << name << ": " << count << "\n";
    if ((count == 0) != rows_out_of_reach().contains(name)) {
      amiss.push_back(name);
    }
  }
  return amiss;
}

} // namespace

CAF_TEST(every scenario holds over fresh seeds) {
  // scripts/test draws the first one from the commit, so that each commit sees others.
  const auto first = number_of("CONTINUO_FIRST_SEED", 1);
  testing::figures all;
  const auto is_whole =
      std::getenv("CONTINUO_SEED") == nullptr && std::getenv("CONTINUO_SCENARIO") == nullptr;
  for (const auto& one : all_scenarios()) {
    const auto* only = std::getenv("CONTINUO_SCENARIO");
    if (only != nullptr && one.name != only) {
      continue;
    }
    const auto count = std::max<std::uint64_t>(1, seeds_in_all() * one.share / 1'000);
    std::string failed;
    try {
      const auto seen = testing::for_each_seed(one.run, {first, count});
      std::cout << one.name << ": " << to_string(seen);
      all += seen;
    } catch (const std::exception& thrown) {
      failed = thrown.what();
    }
    CAF_CHECK_EQUAL(failed, std::string{});
    if (!failed.empty()) {
      std::cout << "*** with CONTINUO_SCENARIO=" << one.name << "\n";
    }
  }
  std::cout << "in all: " << to_string(all);
  if (is_whole) {
    CAF_CHECK_GREATER_OR_EQUAL(all.seeds, seeds_in_all() * 99 / 100);
  }
  const auto is_enough = is_whole && seeds_in_all() >= 5'000; // else too few for what is rare
  for (const auto& [machine, table] :
       std::initializer_list<std::pair<const char*, std::span<const char* const>>>{
           {"saga", engine::saga_edges()},
           {"saga", engine::workflow_edges()},
           {"saga", engine::command_edges()},
           {"keyed", engine::keyed_edges()},
           {"execution", engine::execution_edges()},
           {"acceptance", engine::acceptance_edges()},
           {"letter", engine::letter_edges()},
           {"link", engine::link_edges()}}) {
    const auto amiss = rows_amiss(machine, table, all.rows);
    CAF_CHECK_EQUAL(is_enough ? amiss : std::vector<std::string>{}, std::vector<std::string>{});
  }
  for (const auto& [name, count] : all.sometimes) {
    CAF_CHECK_EQUAL(count > 0 || !is_enough ? "" : "never seen: " + name, "");
  }
}

CAF_TEST(seeds that failed once do not any more) {
  for (const auto& kept : kept_seeds(continuo::tests::places::root() + "/tests/simulation/seeds.txt")) {
    testing::cluster here{kept.seed};
    std::string failed;
    try {
      scenario_of(kept.scenario).run(here);
    } catch (const std::exception& thrown) {
      failed = kept.scenario + " (" + kept.what + "): " + thrown.what();
    }
    CAF_CHECK_EQUAL(failed, std::string{});
  }
}

CAF_TEST(the same seed gives the same run and another one another) {
  for (const auto* name : {"orders", "mixed", "timers"}) {
    std::uint64_t hashes[3] = {};
    std::string traces[3];
    const std::uint64_t seeds[3] = {7, 7, 8};
    for (int i = 0; i < 3; ++i) {
      testing::cluster here{seeds[i]};
      scenario_of(name).run(here);
      hashes[i] = here.trace_hash();
      traces[i] = here.trace();
    }
    CAF_CHECK(traces[0] == traces[1]);
    CAF_CHECK_EQUAL(hashes[0], hashes[1]);
    CAF_CHECK(hashes[0] != hashes[2]);
  }
}

CAF_TEST(the set is a thousand shares) {
  std::uint64_t shares = 0;
  for (const auto& one : all_scenarios()) {
    shares += one.share;
  }
  CAF_CHECK_EQUAL(shares, 1'000u);
}
