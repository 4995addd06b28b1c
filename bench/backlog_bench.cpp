#include "bench/machine.hpp"
#include "bench/measuring.hpp"
#include "bench/order_load.hpp"
#include "bench/order_workflow.hpp"
#include "bench/report.hpp"
#include "bench/three_nodes.hpp"

#include <fmt/core.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <thread>

namespace continuo::bench {

namespace {

/// If no order completes for so long, none will.
constexpr std::chrono::seconds patience{60};

struct run_options {
  options common;
  std::uint64_t count = 200'000;
  std::uint32_t in_flight = 1'024; ///< orders whose acceptance is awaited
  double seconds = 6;              ///< of the usual rate
  bool tls = true;
};

/// Places orders as fast as they are accepted, so many at a time; does not wait for their ends. Runs on the
/// node's threads, by callbacks; must outlive the last of them: see `wait`.
class acceptances {
public:
  acceptances(client target, std::uint64_t first, std::uint64_t count, std::uint32_t at_once)
      : client_(std::move(target)), next_(first), end_(first + count), running_(at_once) {
    for (std::uint32_t i = 0; i < at_once; ++i) {
      place();
    }
  }

  /// Waits until all are accepted.
  void wait() const {
    while (running_ > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    require(refused_ == 0, fmt::format("{} orders were refused", refused_.load()));
  }

private:
  void place() {
    const auto number = next_++;
    if (number >= end_) {
      --running_;
      return;
    }
    client_.publish("order_placed", encode(make_order(number, false)), {.wait_for_room = true},
                    [this](const result<accepted>& taken) {
                      refused_ += taken ? 0 : 1;
                      place();
                    });
  }

  client client_;
  std::atomic<std::uint64_t> next_;
  const std::uint64_t end_;
  std::atomic<std::uint32_t> running_;
  std::atomic<std::uint64_t> refused_{0};
};

/// Orders that are at their end every second with everything up: the rate at which they are accepted too.
double usual_rate(three_nodes& nodes, const run_options& chosen) {
  order_load load{nodes.ordering().client(), {chosen.in_flight, false, 1'000'000'000}};
  load.start();
  std::this_thread::sleep_for(std::chrono::duration<double>(chosen.seconds / 3));
  const auto begun = steady::now();
  load.begin_measuring();
  std::this_thread::sleep_for(std::chrono::duration<double>(chosen.seconds));
  load.end_measuring();
  const auto seconds = seconds_since(begun);
  require(load.finish(), "orders are still open a minute after the last one was placed");
  require(!load.trouble(), load.trouble().value_or(""));
  return static_cast<double>(load.measured()) / seconds;
}

/// The most that each process held while `work` ran, by node.
void note_memory(nlohmann::ordered_json& row, const char* when, const three_nodes& nodes) {
  for (const auto& [name, held] : nodes.memory_held()) {
    row[fmt::format("{}_rss_bytes_{}", name, when)] = held.resident;
    row[fmt::format("{}_peak_rss_bytes_{}", name, when)] = held.peak;
  }
}

/// Waits until so many orders are at their end; gives the seconds that it took.
double wait_for_ends(std::uint64_t ends) {
  const auto begun = steady::now();
  auto moved = begun;
  for (auto seen = fulfilment::completions(); seen < ends;) {
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
    if (const auto now = fulfilment::completions(); now != seen) {
      seen = now;
      moved = steady::now();
    }
    require(steady::now() - moved < patience,
            fmt::format("{} of {} orders ended, and no more within a minute", seen, ends));
  }
  return seconds_since(begun);
}

nlohmann::ordered_json measure(const run_options& chosen) {
  const scratch_directory scratch{chosen.common.directory};
  three_nodes nodes{scratch.path(), chosen.tls, 16};
  nodes.start_all();
  nlohmann::ordered_json row{{"in_flight", chosen.in_flight}, {"orders", chosen.count}, {"tls", chosen.tls}};
  row["usual_orders_per_second"] = usual_rate(nodes, chosen);
  note_memory(row, "before", nodes);

  nodes.kill("payment");
  const auto ended_before = fulfilment::completions();
  const auto begun = steady::now();
  acceptances placing{nodes.ordering().client(), 0, chosen.count, chosen.in_flight};
  placing.wait();
  const auto accepting = seconds_since(begun);
  row["accepted_per_second"] = static_cast<double>(chosen.count) / accepting;
  require(fulfilment::completions() == ended_before, "orders ended while payment was down");
  note_memory(row, "down", nodes);

  const auto restart = steady::now();
  nodes.start("payment");
  nodes.wait_until_up("payment");
  row["up_after_seconds"] = seconds_since(restart);
  const auto draining = wait_for_ends(ended_before + chosen.count);
  row["drained_per_second"] = static_cast<double>(chosen.count) / draining;
  row["orders_per_second"] = row["drained_per_second"];
  note_memory(row, "drained", nodes);
  const auto last =
      nodes.ordering().client().result_of({"fulfilment", make_order(chosen.count - 1, false).order_id});
  require(last.wait_for(patience) == std::future_status::ready, "the last order has no result");
  double cpu = 0;
  double resident = 0;
  for (const auto& [name, used] : nodes.cpu_seconds()) {
    cpu += used;
  }
  for (const auto& [name, held] : nodes.memory_held()) {
    resident += static_cast<double>(held.resident);
  }
  row["cpu_seconds"] = cpu;
  row["rss_bytes"] = resident;
  nodes.stop();
  return row;
}

void print(const nlohmann::ordered_json& row) {
  const auto number = [&row](const std::string& key) { return row[key].get<double>(); };
  fmt::print("{} orders placed while payment is down, TLS {}\n", grouped(number("orders")),
             row["tls"].get<bool>() ? "on" : "off");
  fmt::print("  usually   {} orders a second, from the placing to the end\n",
             grouped(number("usual_orders_per_second")));
  fmt::print("  accepted  {} a second while payment was down: {:.0f} % of the usual\n",
             grouped(number("accepted_per_second")),
             100 * number("accepted_per_second") / number("usual_orders_per_second"));
  fmt::print("  payment   seen up {:.2f} s after its start\n", number("up_after_seconds"));
  fmt::print("  completed {} a second once it was back\n", grouped(number("drained_per_second")));
  for (const auto* name : {"ordering", "payment", "warehouse"}) {
    const auto down = fmt::format("{}_peak_rss_bytes_down", name);
    fmt::print("  memory    {:<9} {} before, {} at most while payment was down, {} at most in all\n", name,
               mebibytes(number(fmt::format("{}_rss_bytes_before", name))),
               row.contains(down) ? mebibytes(number(down)) : std::string{"-"},
               mebibytes(number(fmt::format("{}_peak_rss_bytes_drained", name))));
  }
}

int run(const run_options& chosen) {
  report report{"backlog", chosen.common};
  auto row = measure(chosen);
  print(row);
  report.add(std::move(row));
  return report.finish();
}

} // namespace

} // namespace continuo::bench

/// What becomes of orders that are placed while payment is down.
int main(int argc, char** argv) {
  using namespace continuo::bench;
  if (const auto code = run_as_child(argc, argv)) {
    return *code;
  }
  run_options chosen;
  CLI::App line{
      "Three nodes as processes: orders are placed while payment is down, and completed when it is back."};
  chosen.common.add_to(line);
  auto* count =
      line.add_option("--count", chosen.count, "orders")->check(CLI::PositiveNumber)->capture_default_str();
  line.add_option("--in-flight", chosen.in_flight, "orders that are being placed at a time")
      ->capture_default_str();
  bool plain = false;
  line.add_flag("--no-tls", plain, "without TLS");
  CLI11_PARSE(line, argc, argv);
  chosen.tls = !plain;
  if (chosen.common.quick) {
    chosen.count = count->count() > 0 ? chosen.count : 10'000;
    chosen.seconds = 1;
  }
  try {
    return run(chosen);
  } catch (const std::exception& wrong) {
    fmt::print(stderr, "backlog: {}\n", wrong.what());
    return 1;
  }
}
