#include "bench/callgrind.hpp"
#include "bench/machine.hpp"
#include "bench/measuring.hpp"
#include "bench/order_load.hpp"
#include "bench/order_workflow.hpp"
#include "bench/report.hpp"
#include "nodes/thread_names.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <exception>
#include <fstream>
#include <vector>

// Each run is a process of its own: this program again, told by `--counted` where to leave what it saw.
namespace continuo::bench {

namespace {

struct run_options {
  options common;
  std::uint64_t orders = 0; ///< counted under callgrind; 0: by the number in flight
  std::uint32_t runs = 3;
  std::uint32_t threads = 2; ///< CAF's workers: not those of the machine, so that figures compare
  std::vector<std::uint32_t> in_flight{1, 64, 1024};
  std::vector<std::string> stores{"memory", "disk"};
  bool as_workflow = false;
  std::filesystem::path counted; ///< set in a run's process
};

/// Orders that a processor of its own brings to their end where callgrind brings one.
constexpr std::uint64_t native_orders = 10;

/// Enough for the ends of the counted time not to matter, and for the runs to differ little.
std::uint64_t orders_of(const run_options& chosen, std::uint32_t in_flight) {
  return chosen.orders != 0 ? chosen.orders
                            : std::max({500ull, std::min(32ull * in_flight, 2000ull), 4ull * in_flight});
}

// -- a run ---------------------------------------------------------------------------------------

void wait_for_orders(const order_load& load, std::uint64_t count) {
  constexpr double patience = 600; // callgrind beside a compiler is slow
  const auto begun = steady::now();
  while (load.ended() < count) {
    const auto trouble = load.trouble();
    require(!trouble, trouble.value_or(""));
    require(seconds_since(begun) < patience, "the orders do not end");
    sleep_for(0.01);
  }
}

/// One node on a fresh store, loaded and counted once it is warm.
void run_counted(const run_options& chosen) {
  nodes::name_thread("benchmark"); // and the threads that it makes, where they have no name of their own
  const auto in_flight = chosen.in_flight.front();
  const scratch_directory scratch{chosen.common.directory};
  auto config = chosen.stores.front() == "disk" ? node_config::embedded(scratch.path() / "data")
                                                : node_config::in_memory();
  config.threads = chosen.threads;
  node target{config};
  host_orders(target, 16, chosen.as_workflow ? written_as::workflow : written_as::saga);
  const auto started = target.start();
  require(started.has_value(),
          "the node does not start: " + (started ? std::string{} : started.error().message));
  order_load load{target.client(), {in_flight, false, 0}};
  load.start();
  wait_for_orders(load, std::max<std::uint64_t>(in_flight, chosen.orders / 4));

  const auto figures_before = target.figures();
  const auto usage_before = usage_now();
  start_counting();
  const auto orders_before =
      load.ended(); // behind it: valgrind may run other threads for long before it counts
  wait_for_orders(load, orders_before + chosen.orders);
  stop_counting();
  const auto orders = load.ended() - orders_before;
  const auto used = used_between(usage_before, usage_now());
  const auto figures = target.figures();
  const auto names = thread_names();

  require(load.finish(), "orders are still open a minute after the last one was placed");
  const auto trouble = load.trouble();
  require(!trouble, trouble.value_or(""));
  target.stop();

  nlohmann::ordered_json switches = nlohmann::ordered_json::object();
  for (const auto& [name, count] : used.thread_switches) {
    switches[name] = {{"waited", count.waited}, {"forced", count.forced}};
  }
  std::ofstream{chosen.counted} << nlohmann::ordered_json{
      {"orders", orders},
      {"syncs", figures.syncs - figures_before.syncs},
      {"transitions", figures.transitions - figures_before.transitions},
      {"bytes", figures.bytes - figures_before.bytes},
      {"switches", switches},
      {"threads", names},
  };
}

// -- the runs of a row ---------------------------------------------------------------------------

/// What one run saw, by the order. A run under callgrind has instructions and allocations, any other the
/// rest: where one thread runs at a time nothing else is as it would be.
struct figures_of_run {
  struct role_figures {
    double instructions = 0;
    double allocations = 0;
    double switches = 0; ///< the thread waited, or was made to
    double forced = 0;   ///< of them: it was made to
  };
  std::map<std::string, role_figures> roles;
  role_figures all;
  double orders = 0;
  double syncs = 0;
  double bytes = 0;
};

figures_of_run run_once(const run_options& chosen, const std::string& store, std::uint32_t in_flight,
                        bool under_callgrind) {
  const scratch_directory scratch{chosen.common.directory};
  const auto file = scratch.path() / "run.json";
  const auto orders = orders_of(chosen, in_flight) * (under_callgrind ? 1 : native_orders);
  std::vector<std::string> command{std::filesystem::read_symlink("/proc/self/exe").string(),
                                   "--counted=" + file.string(),
                                   "--dir=" + chosen.common.directory.string(),
                                   "--store=" + store,
                                   fmt::format("--in-flight={}", in_flight),
                                   fmt::format("--orders={}", orders),
                                   fmt::format("--threads={}", chosen.threads)};
  if (chosen.as_workflow) {
    command.emplace_back("--workflow");
  }
  if (under_callgrind) {
    run_under_callgrind(command, scratch.path());
  } else {
    run_program(command);
  }
  const auto seen = nlohmann::json::parse(std::ifstream{file});
  figures_of_run run;
  run.orders = seen["orders"].get<double>();
  run.syncs = seen["syncs"].get<double>() / run.orders;
  run.bytes = seen["bytes"].get<double>() / run.orders;
  if (under_callgrind) {
    for (const auto& [role, cost] : read_costs(scratch.path(), seen["threads"])) {
      run.roles[role].instructions = static_cast<double>(cost.instructions) / run.orders;
      run.roles[role].allocations = static_cast<double>(cost.allocations) / run.orders;
    }
  } else {
    for (const auto& [name, count] : seen["switches"].items()) {
      auto& role = run.roles[thread_role(name)];
      role.forced += count["forced"].get<double>() / run.orders;
      role.switches += (count["forced"].get<double>() + count["waited"].get<double>()) / run.orders;
    }
  }
  for (const auto& [name, role] : run.roles) {
    run.all.instructions += role.instructions;
    run.all.allocations += role.allocations;
    run.all.switches += role.switches;
    run.all.forced += role.forced;
  }
  return run;
}

/// Sorted by `figure`: the median in the middle, the range at the ends.
std::vector<figures_of_run> run_often(const run_options& chosen, const std::string& store,
                                      std::uint32_t in_flight, bool under_callgrind,
                                      double figures_of_run::role_figures::*figure) {
  std::vector<figures_of_run> runs;
  for (std::uint32_t i = 0; i < chosen.runs; ++i) {
    runs.push_back(run_once(chosen, store, in_flight, under_callgrind));
  }
  std::sort(runs.begin(), runs.end(),
            [figure](const auto& a, const auto& b) { return a.all.*figure < b.all.*figure; });
  return runs;
}

nlohmann::ordered_json measure(const run_options& chosen, const std::string& store, std::uint32_t in_flight) {
  using role_figures = figures_of_run::role_figures;
  const auto counted = run_often(chosen, store, in_flight, true, &role_figures::instructions);
  const auto native = run_often(chosen, store, in_flight, false, &role_figures::switches);
  const auto& cost = counted[counted.size() / 2];
  const auto& usual = native[native.size() / 2];
  auto roles = usual.roles;
  for (const auto& [name, role] : cost.roles) {
    roles[name].instructions = role.instructions;
    roles[name].allocations = role.allocations;
  }
  nlohmann::ordered_json by_role;
  for (const auto& [name, role] : roles) {
    by_role[name] = {{"instructions_per_order", role.instructions},
                     {"allocations_per_order", role.allocations},
                     {"switches_per_order", role.switches}};
  }
  return {
      {"in_flight", in_flight},
      {"orders", cost.orders},
      {"store", store},
      {"instructions_per_order", cost.all.instructions},
      {"instructions_per_order_range", {counted.front().all.instructions, counted.back().all.instructions}},
      {"allocations_per_order", cost.all.allocations},
      {"syncs_per_order_counted", cost.syncs},
      {"switches_per_order", usual.all.switches},
      {"switches_per_order_range", {native.front().all.switches, native.back().all.switches}},
      {"forced_switches_per_order", usual.all.forced},
      {"store_bytes_per_order", usual.bytes},
      {"syncs_per_order", usual.syncs},
      {"native_orders", usual.orders},
      {"roles", by_role},
  };
}

// -- what is printed -----------------------------------------------------------------------------

void print_row(const nlohmann::ordered_json& row) {
  const auto number = [](const nlohmann::ordered_json& value) { return value.get<double>(); };
  const auto& range = row["instructions_per_order_range"];
  const auto& switches = row["switches_per_order_range"];
  fmt::print("{:>6}  {:>9}  {:>12}  {:>19}  {:>11}  {:>8.3f}  {:>15}  {:>6.3f}  {:>8}  {:>6.3f}\n",
             row["store"].get<std::string>(), grouped(number(row["in_flight"])),
             grouped(number(row["instructions_per_order"])),
             grouped(number(range[0])) + " - " + grouped(number(range[1])),
             grouped(number(row["allocations_per_order"])), number(row["switches_per_order"]),
             fmt::format("{:.3f} - {:.3f}", number(switches[0]), number(switches[1])),
             number(row["forced_switches_per_order"]), grouped(number(row["store_bytes_per_order"])),
             number(row["syncs_per_order"]));
  std::fflush(stdout);
}

void print_roles(const nlohmann::ordered_json& row) {
  fmt::print("\n{}, {} in flight: by thread, an order\n", row["store"].get<std::string>(),
             grouped(row["in_flight"].get<double>()));
  for (const auto& [name, role] : row["roles"].items()) {
    if (role["instructions_per_order"] < 0.5 && role["switches_per_order"] < 0.0005) {
      continue;
    }
    fmt::print("  {:<28} {:>12} instructions  {:>7.1f} allocations  {:>8.3f} context switches\n", name,
               grouped(role["instructions_per_order"].get<double>()),
               role["allocations_per_order"].get<double>(), role["switches_per_order"].get<double>());
  }
}

int run(const run_options& chosen) {
  report report{"instructions", chosen.common};
  const auto of_runs = fmt::format("of {} run{}", chosen.runs, chosen.runs == 1 ? "" : "s");
  fmt::print("{:>6}  {:>9}  {:>12}  {:>19}  {:>11}  {:>8}  {:>15}  {:>6}  {:>8}  {:>6}\n", "store",
             "in flight", "instructions", of_runs, "allocations", "switches", of_runs, "forced", "B stored",
             "syncs");
  std::vector<nlohmann::ordered_json> rows;
  for (const auto& store : chosen.stores) {
    for (const auto in_flight : chosen.in_flight) {
      rows.push_back(measure(chosen, store, in_flight));
      print_row(rows.back());
      report.add(rows.back());
    }
  }
  for (const auto& row : rows) {
    print_roles(row);
  }
  return report.finish();
}

} // namespace

} // namespace continuo::bench

/// What an order costs in instructions, allocations, context switches, bytes and syncs: figures that do not
/// depend on how fast the machine is.
int main(int argc, char** argv) {
  using namespace continuo::bench;
  run_options chosen;
  CLI::App line{
      "One node, the order workflow: instructions an order by thread, as callgrind counts them, and context "
      "switches, allocations, bytes and syncs."};
  chosen.common.add_to(line);
  auto* in_flight = line.add_option("--in-flight", chosen.in_flight, "orders in flight, one row each")
                        ->delimiter(',')
                        ->capture_default_str();
  line.add_option("--store", chosen.stores, "memory, disk or both")
      ->delimiter(',')
      ->capture_default_str()
      ->check(CLI::IsMember({"memory", "disk"}));
  auto* orders = line.add_option(
      "--orders", chosen.orders,
      fmt::format("orders counted in a run; 0: 500 to 2,000 or four times as many as in flight; {} times as "
                  "many where callgrind does not slow them down",
                  native_orders));
  auto* runs =
      line.add_option("--runs", chosen.runs, "processes a figure: the median is printed, and the range")
          ->capture_default_str()
          ->check(CLI::PositiveNumber);
  line.add_option("--threads", chosen.threads, "CAF's workers")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  line.add_flag("--workflow", chosen.as_workflow, "the process written as a coroutine, not as a saga");
  line.add_option("--counted", chosen.counted)->group(""); // not for people: see above
  CLI11_PARSE(line, argc, argv);
  if (chosen.common.quick) {
    chosen.runs = runs->count() > 0 ? chosen.runs : 1;
    chosen.orders = orders->count() > 0 ? chosen.orders : 200;
    if (in_flight->count() == 0) {
      chosen.in_flight = {64};
    }
  }
  try {
    if (!chosen.counted.empty()) {
      run_counted(chosen);
      return 0;
    }
    return run(chosen);
  } catch (const std::exception& wrong) {
    fmt::print(stderr, "instructions: {}\n", wrong.what());
    return 1;
  }
}
