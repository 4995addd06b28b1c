#include "testing/simulation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

// One scenario, many runs: over seeds, and over the points at which a node may crash.
namespace continuo::testing {

namespace {

/// How one run went.
struct run_result {
  std::optional<std::string> failed;
  testing::figures seen;
  std::string outcome;
  std::size_t faults = 0; ///< that were planned
  std::vector<std::string> fault_texts;
  std::string crash_texts; ///< where nodes were made to crash
  std::string trace;
  std::string mermaid;
  std::map<point_kind, std::size_t> points;
};

struct run_order {
  std::uint64_t seed = 1;
  std::set<std::size_t> left_out{}; ///< faults
  std::vector<crash_point> crashes{};
  bool with_trace = false;
  std::function<std::string(cluster&)> also{}; ///< beside the outcome
};

run_result run_once(const scenario& what, const run_order& order) {
  run_result result;
  cluster here{order.seed};
  auto& world = here.internals();
  world.leave_out(order.left_out);
  world.crash_at(order.crashes);
  try {
    what(here);
    if (!world.is_finished()) {
      here.finish();
    }
    result.outcome = here.outcome() + (order.also ? order.also(here) : std::string{});
  } catch (const std::exception& thrown) {
    const auto* text = thrown.what();
    result.failed = std::string_view{text}.starts_with("seed ")
                        ? std::string{text}
                        : fmt::format("seed {}, after {:.6f} s: {}", order.seed,
                                      std::chrono::duration<double>(here.elapsed()).count(), text);
  }
  result.seen = here.figures();
  result.seen.seeds = 1;
  result.faults = world.planned_faults();
  result.fault_texts = world.planned_fault_texts();
  result.points = world.points();
  for (const auto& one : world.crash_texts()) {
    result.crash_texts += (result.crash_texts.empty() ? "" : ", and ") + one;
  }
  if (order.with_trace) {
    result.trace = here.trace();
    result.mermaid = here.mermaid();
  }
  return result;
}

/// The smallest set of faults, by leaving out one after the other, that still fails.
std::set<std::size_t> shrink(const scenario& what, std::uint64_t seed, std::size_t faults) {
  std::set<std::size_t> left_out;
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (std::size_t fault = 0; fault < faults; ++fault) {
      if (left_out.contains(fault)) {
        continue;
      }
      auto without = left_out;
      without.insert(fault);
      if (run_once(what, {seed, without}).failed) {
        left_out = std::move(without);
        smaller = true;
      }
    }
  }
  return left_out;
}

/// The command line of this process, as one would type it.
std::string this_command() {
  std::ifstream in{"/proc/self/cmdline", std::ios::binary};
  const std::string all{std::istreambuf_iterator<char>{in}, {}};
  std::string text;
  std::string word;
  for (const char letter : all) {
    if (letter != '\0') {
      word += letter;
      continue;
    }
    const auto is_plain = !word.empty() && word.find_first_of(" '\"\\$*?&|;<>()") == std::string::npos;
    text += (text.empty() ? "" : " ") + (is_plain ? word : "'" + word + "'");
    word.clear();
  }
  return text;
}

std::string last_lines(const std::string& text, std::size_t count) {
  if (text.empty()) {
    return text;
  }
  auto from = text.size();
  for (std::size_t lines = 0; from > 0 && lines <= count; ++lines) {
    from = text.rfind('\n', from - 1);
    if (from == std::string::npos) {
      return text;
    }
  }
  return text.substr(from + 1);
}

std::string write_file(const std::string& name, const std::string& text) {
  const auto* folder = std::getenv("CONTINUO_TRACE_DIR");
  const auto path = std::filesystem::path{folder == nullptr ? "." : folder} / name;
  std::ofstream out{path};
  out << text;
  return out ? std::filesystem::absolute(path).lexically_normal().string()
             : "(could not write " + path.string() + ")";
}

/// Says all that there is to say about a seed that fails.
[[noreturn]] void report(const scenario& what, std::uint64_t seed, const run_result& first) {
  const auto left_out = shrink(what, seed, first.faults);
  const auto smallest = run_once(what, {seed, left_out, {}, true});
  const auto& failed = smallest.failed ? *smallest.failed : *first.failed;
  std::string text =
      fmt::format("\n*** {}\n*** repeat it: CONTINUO_SEED={} {}\n", failed, seed, this_command());
  if (first.faults > 0) {
    text += fmt::format("*** of {} planned faults {} are needed for it:\n", first.faults,
                        first.faults - left_out.size());
    for (const auto& fault : smallest.fault_texts) {
      text += fault.empty() ? "" : "***   " + fault + "\n";
    }
  }
  text += last_lines(smallest.trace, 60);
  text += fmt::format("*** all of the trace: {}\n",
                      write_file(fmt::format("continuo-seed-{}.txt", seed), smallest.trace));
  text += fmt::format("*** as a diagram:     {}\n",
                      write_file(fmt::format("continuo-seed-{}.mmd", seed), smallest.mermaid));
  std::cerr << text << std::flush;
  throw failure{failed};
}

} // namespace

figures& figures::operator+=(const figures& other) {
  seeds += other.seeds;
  deliveries += other.deliveries;
  frames += other.frames;
  transitions += other.transitions;
  commits += other.commits;
  effects += other.effects;
  crashes += other.crashes;
  for (const auto& [name, count] : other.faults) {
    faults[name] += count;
  }
  for (const auto& [name, count] : other.sometimes) {
    sometimes[name] += count;
  }
  for (const auto& [name, count] : other.rows) {
    rows[name] += count;
  }
  time += other.time;
  return *this;
}

std::string to_string(const figures& seen) {
  std::string text =
      fmt::format("{} runs, {} deliveries, {} frames, {} transitions, {} syncs, {} handlers run, {} crashes, "
                  "{:.0f} s of virtual time\n",
                  seen.seeds, seen.deliveries, seen.frames, seen.transitions, seen.commits, seen.effects,
                  seen.crashes, std::chrono::duration<double>(seen.time).count());
  if (!seen.faults.empty()) {
    text += "faults:";
    for (const auto& [name, count] : seen.faults) {
      text += fmt::format(" {} {},", count, name);
    }
    text.back() = '\n';
  }
  for (const auto& [name, count] : seen.sometimes) {
    text +=
        count == 0 ? fmt::format("never seen: {}\n", name) : fmt::format("seen {} times: {}\n", count, name);
  }
  return text;
}

figures for_each_seed(const scenario& what, seed_range seeds) {
  if (const auto* only = std::getenv("CONTINUO_SEED")) {
    seeds = {std::strtoull(only, nullptr, 10), 1};
  }
  testing::figures all;
  for (std::uint64_t i = 0; i < seeds.count; ++i) {
    const auto seed = seeds.first + i;
    const auto one = run_once(what, {seed});
    if (one.failed) {
      report(what, seed, one);
    }
    all += one.seen;
  }
  return all;
}

crash_report for_each_crash_point(const scenario& what, crash_points_options options) {
  const auto undisturbed = run_once(what, {options.seed, {}, {}, false, options.also});
  if (undisturbed.failed) {
    report(what, options.seed, undisturbed);
  }
  crash_report result;
  const auto count_of = [&](point_kind kind) {
    const auto found = undisturbed.points.find(kind);
    return found == undisturbed.points.end() ? 0 : found->second;
  };
  result.commits = count_of(point_kind::commit);
  result.sends = count_of(point_kind::send);
  result.effects = count_of(point_kind::effect);
  const auto points = result.commits + result.sends + result.effects;

  std::vector<std::vector<crash_point>> orders;
  for (std::size_t point = 1; point <= points; ++point) {
    for (const auto after : {false, true}) {
      orders.push_back({{point, after}});
    }
  }
  if (options.pairs) {
    const auto single = orders;
    for (std::size_t first = 0; first < single.size(); ++first) {
      for (std::size_t second = first + 1; second < single.size(); ++second) {
        orders.push_back({single[first].front(), single[second].front()});
      }
    }
  }
  const auto chosen = std::min(orders.size(), options.runs_max);
  for (std::size_t i = 0; i < chosen; ++i) {
    const auto& order = orders[i * orders.size() / chosen];
    const run_order run{options.seed, {}, order, false, options.also};
    auto one = run_once(what, run);
    ++result.runs;
    if (!one.failed && one.outcome != undisturbed.outcome) {
      one.failed = fmt::format("seed {}: the outcome is another one:\n{}instead of\n{}", options.seed,
                               one.outcome, undisturbed.outcome);
    }
    if (one.failed) {
      auto again = run;
      again.with_trace = true;
      const auto shown = run_once(what, again);
      std::cerr << "\n*** with a crash " << one.crash_texts << ": " << *one.failed
                << "\n*** repeat it: " << this_command() << "\n"
                << last_lines(shown.trace, 60) << "*** all of the trace: "
                << write_file(fmt::format("continuo-crash-{}.txt", order.front().number), shown.trace) << "\n"
                << "*** as a diagram:     "
                << write_file(fmt::format("continuo-crash-{}.mmd", order.front().number), shown.mermaid)
                << std::endl;
      throw failure{fmt::format("with a crash {}: {}", one.crash_texts, *one.failed)};
    }
    result.seen += one.seen;
  }
  return result;
}

} // namespace continuo::testing
