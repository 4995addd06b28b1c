#include "bench/disk_limit.hpp"
#include "bench/machine.hpp"
#include "bench/measuring.hpp"
#include "bench/order_load.hpp"
#include "bench/order_workflow.hpp"
#include "bench/report.hpp"

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
  bool random_ids = false;
  bool no_history = false;
  bool as_workflow = false;
  std::uint32_t concurrency = 16; ///< handlers of one service that run at a time
  std::uint32_t threads = 0;      ///< CAF's workers; 0: as many as there are cores
  std::vector<std::uint32_t> in_flight{1, 64, 1024};
};

/// Syncs between the call of `publish` and the durable result: one before each of the two handlers with
/// outside effects, and one before the result is told.
constexpr double syncs_on_the_path = 3;

struct measured_run {
  double seconds = 0;
  std::uint64_t orders = 0;
  latencies taken;
  node_figures done; ///< in the measured time
  usage used;
  memory held;
};

node_figures difference(const node_figures& before, const node_figures& after) {
  auto done = after;
  done.transitions -= before.transitions;
  done.syncs -= before.syncs;
  done.operations -= before.operations;
  done.bytes -= before.bytes;
  done.sync_ns -= before.sync_ns;
  return done;
}

/// One row: a fresh node on a fresh directory, loaded and stopped.
measured_run measure(const run_options& chosen, std::uint32_t in_flight) {
  const scratch_directory scratch{chosen.common.directory};
  auto config = node_config::embedded(scratch.path() / "data");
  config.history = !chosen.no_history;
  config.threads = chosen.threads;
  node target{config};
  host_orders(target, chosen.concurrency, chosen.as_workflow ? written_as::workflow : written_as::saga);
  const auto started = target.start();
  require(started.has_value(),
          "the node does not start: " + (started ? std::string{} : started.error().message));

  order_load load{target.client(), {in_flight, chosen.random_ids, 0}};
  load.start();
  sleep_for(chosen.warm_up);
  const auto figures_before = target.figures();
  const auto usage_before = usage_now();
  const auto begun = steady::now();
  load.begin_measuring();
  sleep_for(chosen.seconds);
  load.end_measuring();
  measured_run row;
  row.seconds = std::chrono::duration<double>(steady::now() - begun).count();
  row.done = difference(figures_before, target.figures());
  row.used = used_between(usage_before, usage_now());
  row.held = memory_now();
  const auto all_ended = load.finish();
  const auto trouble = load.trouble();
  require(!trouble, trouble.value_or(""));
  require(all_ended, "orders are still open a minute after the last one was placed");
  row.orders = load.measured();
  require(row.orders > 0, "no order ended in the measured time");
  row.taken = load.taken();
  target.stop();
  return row;
}

nlohmann::ordered_json to_json(std::uint32_t in_flight, measured_run& row, const disk_limit& disk) {
  const auto orders = static_cast<double>(row.orders);
  const auto p50 = row.taken.percentile(0.5);
  nlohmann::ordered_json json{
      {"in_flight", in_flight},
      {"orders", row.orders},
      {"orders_per_second", orders / row.seconds},
      {"p50_us", p50},
      {"p99_us", row.taken.percentile(0.99)},
      {"p999_us", row.taken.percentile(0.999)},
      {"syncs", row.done.syncs},
      {"cpu_seconds", row.used.cpu_seconds},
      {"rss_bytes", row.held.resident},
      {"peak_rss_bytes", row.held.peak},
      {"seconds", row.seconds},
      {"transitions_per_order", static_cast<double>(row.done.transitions) / orders},
      {"operations_per_order", static_cast<double>(row.done.operations) / orders},
      {"store_bytes_per_order", static_cast<double>(row.done.bytes) / orders},
      {"disk_bytes_per_order", static_cast<double>(row.used.disk_bytes) / orders},
      {"syncs_per_order", static_cast<double>(row.done.syncs) / orders},
      {"store_us_per_sync",
       static_cast<double>(row.done.sync_ns) / 1e3 / static_cast<double>(row.done.syncs)},
      {"cpu_us_per_order", row.used.cpu_seconds * 1e6 / orders},
      {"thread_cpu_seconds", row.used.thread_seconds},
  };
  if (in_flight == 1) {
    json["syncs_on_the_path"] = syncs_on_the_path;
    json["path_syncs_us"] = syncs_on_the_path * disk.growing_us;
    json["rest_us"] = p50 - syncs_on_the_path * disk.growing_us;
  }
  return json;
}

void print_row(const nlohmann::ordered_json& row) {
  const auto number = [&row](const char* key) { return row[key].get<double>(); };
  fmt::print("{:>9}  {:>9}  {:>9}  {:>9}  {:>9}  {:>7}  {:>9.3f}  {:>9}  {:>8}  {:>6.1f}  {:>8}\n",
             grouped(number("in_flight")), grouped(number("orders_per_second")), grouped(number("p50_us")),
             grouped(number("p99_us")), grouped(number("p999_us")), grouped(number("syncs")),
             number("syncs_per_order"), grouped(number("store_bytes_per_order")),
             grouped(number("disk_bytes_per_order")), number("cpu_us_per_order"),
             mebibytes(number("rss_bytes")));
  std::fflush(stdout);
}

/// What stands behind the table: where the time went.
void print_details(const nlohmann::ordered_json& row) {
  const auto number = [&row](const char* key) { return row[key].get<double>(); };
  fmt::print("\n{} in flight: {:.2f} transitions and {:.2f} keys written an order, {} us in the store a "
             "sync, {:.2f} of {} "
             "cores busy\n",
             grouped(number("in_flight")), number("transitions_per_order"), number("operations_per_order"),
             grouped(number("store_us_per_sync")), number("cpu_seconds") / number("seconds"),
             std::thread::hardware_concurrency());
  for (const auto& [name, seconds] : row["thread_cpu_seconds"].items()) {
    const auto share = seconds.get<double>() / number("seconds");
    if (share >= 0.005) {
      fmt::print("  {:<24} {:>5.1f} % of a core, {:>6.1f} us an order\n", thread_role(name), 100 * share,
                 seconds.get<double>() * 1e6 / number("orders"));
    }
  }
  if (row.contains("rest_us")) {
    fmt::print("  one alone: {} us = {} syncs on its path x {} us (bare append and fdatasync) + {} us\n",
               grouped(number("p50_us")), number("syncs_on_the_path"),
               grouped(number("path_syncs_us") / number("syncs_on_the_path")), grouped(number("rest_us")));
  }
}

int run(const run_options& chosen) {
  report report{"orders", chosen.common};
  const auto disk = measure_disk(chosen.common.directory, chosen.common.quick ? 0.2 : 2.0);
  print(disk);
  fmt::print("{:>9}  {:>9}  {:>9}  {:>9}  {:>9}  {:>7}  {:>9}  {:>9}  {:>8}  {:>6}  {:>8}\n", "in flight",
             "orders/s", "p50 us", "p99 us", "p99.9 us", "syncs", "an order", "B stored", "B disk", "cpu us",
             "memory");
  std::vector<nlohmann::ordered_json> rows;
  for (const auto in_flight : chosen.in_flight) {
    auto measured = measure(chosen, in_flight);
    rows.push_back(to_json(in_flight, measured, disk));
    rows.back()["history"] = !chosen.no_history;
    rows.back()["workflow"] = chosen.as_workflow;
    rows.back()["concurrency"] = chosen.concurrency;
    rows.back()["random_ids"] = chosen.random_ids;
    rows.back()["disk"] = to_json(disk);
    print_row(rows.back());
    report.add(rows.back());
  }
  for (const auto& row : rows) {
    print_details(row);
  }
  return report.finish();
}

} // namespace

} // namespace continuo::bench

/// How many orders one node brings to their end a second, and how long each takes.
int main(int argc, char** argv) {
  using namespace continuo::bench;
  run_options chosen;
  CLI::App line{"One node, the order workflow, a number of orders in flight at a time."};
  chosen.common.add_to(line);
  line.add_option("--in-flight", chosen.in_flight, "orders in flight, one row each")
      ->delimiter(',')
      ->capture_default_str();
  auto* seconds =
      line.add_option("--seconds", chosen.seconds, "the measured time of a row")->capture_default_str();
  line.add_flag("--random-ids", chosen.random_ids, "order ids in no order, instead of ascending ones");
  line.add_option("--concurrency", chosen.concurrency, "handlers of one service that run at a time")
      ->capture_default_str();
  line.add_option("--threads", chosen.threads, "CAF's workers; 0: as many as there are cores")
      ->capture_default_str();
  line.add_flag("--workflow", chosen.as_workflow, "the process written as a coroutine, not as a saga");
  line.add_flag("--no-history", chosen.no_history, "without the history of instances");
  CLI11_PARSE(line, argc, argv);
  if (chosen.common.quick) {
    chosen.warm_up = 0.5;
    chosen.seconds = seconds->count() > 0 ? chosen.seconds : 1;
  }
  try {
    return run(chosen);
  } catch (const std::exception& wrong) {
    fmt::print(stderr, "orders: {}\n", wrong.what());
    return 1;
  }
}
