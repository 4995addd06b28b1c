#include "bench/disk_limit.hpp"
#include "bench/machine.hpp"
#include "bench/measuring.hpp"
#include "bench/order_load.hpp"
#include "bench/order_workflow.hpp"
#include "bench/report.hpp"
#include "bench/three_nodes.hpp"

#include <fmt/core.h>

#include <chrono>
#include <exception>
#include <stdexcept>
#include <thread>
#include <vector>

namespace continuo::bench {

namespace {

struct run_options {
  options common;
  double warm_up = 2;
  double seconds = 8;
  std::uint32_t concurrency = 16; ///< handlers of one service that run at a time
  std::vector<std::uint32_t> in_flight{1, 64, 1024};
  std::vector<std::string> tls{"on", "off"};
};

/// One row: three fresh processes on fresh directories, loaded and stopped.
nlohmann::ordered_json measure(const run_options& chosen, bool tls, std::uint32_t in_flight) {
  const scratch_directory scratch{chosen.common.directory};
  three_nodes nodes{scratch.path(), tls, chosen.concurrency};
  nodes.start_all();
  order_load load{nodes.ordering().client(), {in_flight, false, 0}};
  load.start();
  sleep_for(chosen.warm_up);
  const auto figures_before = nodes.ordering().figures();
  const auto cpu_before = nodes.cpu_seconds();
  const auto threads_before = usage_now();
  const auto begun = steady::now();
  load.begin_measuring();
  sleep_for(chosen.seconds);
  load.end_measuring();
  const auto seconds = std::chrono::duration<double>(steady::now() - begun).count();
  const auto cpu_after = nodes.cpu_seconds();
  const auto threads = used_between(threads_before, usage_now()).thread_seconds;
  const auto figures = nodes.ordering().figures();
  const auto held = nodes.memory_held();
  const auto all_ended = load.finish();
  const auto trouble = load.trouble();
  require(!trouble, trouble.value_or(""));
  require(all_ended, "orders are still open a minute after the last one was placed");
  require(load.measured() > 0, "no order ended in the measured time");
  auto taken = load.taken();
  nodes.stop();

  const auto orders = static_cast<double>(load.measured());
  double cpu = 0;
  double resident = 0;
  nlohmann::ordered_json processes;
  for (const auto& [name, after] : cpu_after) {
    const auto used = after - cpu_before.at(name);
    cpu += used;
    resident += static_cast<double>(held.at(name).resident);
    processes[name] = {{"cpu_seconds", used}, {"rss_bytes", held.at(name).resident}};
  }
  return {
      {"in_flight", in_flight},
      {"orders", load.measured()},
      {"orders_per_second", orders / seconds},
      {"p50_us", taken.percentile(0.5)},
      {"p99_us", taken.percentile(0.99)},
      {"p999_us", taken.percentile(0.999)},
      {"syncs", figures.syncs - figures_before.syncs},
      {"cpu_seconds", cpu},
      {"rss_bytes", resident},
      {"tls", tls},
      {"seconds", seconds},
      {"processes", processes},
      {"cpu_us_per_order", cpu * 1e6 / orders},
      {"ordering_thread_seconds", threads},
  };
}

void print_row(const nlohmann::ordered_json& row) {
  const auto number = [&row](const char* key) { return row[key].get<double>(); };
  const auto share = [&](const char* node) {
    return 100 * row["processes"][node]["cpu_seconds"].get<double>() / number("cpu_seconds");
  };
  fmt::print("{:>4}  {:>9}  {:>9}  {:>8}  {:>8}  {:>9}  {:>7.2f}  {:>6.1f}  {:>8.0f} %  {:>7.0f} %  {:>9.0f} "
             "%  {:>8}\n",
             row["tls"].get<bool>() ? "on" : "off", grouped(number("in_flight")),
             grouped(number("orders_per_second")), grouped(number("p50_us")), grouped(number("p99_us")),
             grouped(number("p999_us")), number("cpu_seconds") / number("seconds"),
             number("cpu_us_per_order"), share("ordering"), share("payment"), share("warehouse"),
             mebibytes(number("rss_bytes")));
  std::fflush(stdout);
}

int run(const run_options& chosen) {
  report report{"cluster", chosen.common};
  const auto disk = measure_disk(chosen.common.directory, chosen.common.quick ? 0.2 : 2.0);
  print(disk);
  fmt::print("{:>4}  {:>9}  {:>9}  {:>8}  {:>8}  {:>9}  {:>7}  {:>6}  {:>10}  {:>9}  {:>11}  {:>8}\n", "TLS",
             "in flight", "orders/s", "p50 us", "p99 us", "p99.9 us", "cores", "cpu us", "ordering",
             "payment", "warehouse", "memory");
  for (const auto& tls : chosen.tls) {
    for (const auto in_flight : chosen.in_flight) {
      auto row = measure(chosen, tls == "on", in_flight);
      row["disk"] = to_json(disk);
      print_row(row);
      for (const auto& [name, seconds] : row["ordering_thread_seconds"].items()) {
        if (seconds.get<double>() / row["seconds"].get<double>() >= 0.01) {
          fmt::print("        ordering: {:<24} {:>6.1f} us an order\n", thread_role(name),
                     seconds.get<double>() * 1e6 / row["orders"].get<double>());
        }
      }
      report.add(std::move(row));
    }
  }
  return report.finish();
}

} // namespace

} // namespace continuo::bench

/// How many orders a second three processes bring to their end, and how long each takes.
int main(int argc, char** argv) {
  using namespace continuo::bench;
  if (const auto code = run_as_child(argc, argv)) {
    return *code;
  }
  run_options chosen;
  CLI::App line{"Three nodes as processes of this machine: the order workflow, with and without TLS."};
  chosen.common.add_to(line);
  line.add_option("--in-flight", chosen.in_flight, "orders in flight, one row each")
      ->delimiter(',')
      ->capture_default_str();
  line.add_option("--tls", chosen.tls, "on, off, or both")
      ->delimiter(',')
      ->check(CLI::IsMember({"on", "off"}))
      ->capture_default_str();
  auto* seconds =
      line.add_option("--seconds", chosen.seconds, "the measured time of a row")->capture_default_str();
  line.add_option("--concurrency", chosen.concurrency, "handlers of one service that run at a time")
      ->capture_default_str();
  CLI11_PARSE(line, argc, argv);
  if (chosen.common.quick) {
    chosen.warm_up = 0.5;
    chosen.seconds = seconds->count() > 0 ? chosen.seconds : 1;
  }
  try {
    return run(chosen);
  } catch (const std::exception& wrong) {
    fmt::print(stderr, "cluster: {}\n", wrong.what());
    return 1;
  }
}
