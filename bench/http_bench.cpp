#include "bench/machine.hpp"
#include "bench/measuring.hpp"
#include "bench/order_workflow.hpp"
#include "bench/report.hpp"

#include <fmt/core.h>

#include <array>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>

namespace continuo::bench {

namespace {

constexpr std::chrono::seconds patience{120};

struct run_options {
  options common;
  std::uint16_t port = 8799;
  std::uint32_t connections = 64;
  std::uint32_t seconds = 20;
};

/// What publish.lua prints.
struct figures {
  std::uint64_t requests = 0;
  std::uint64_t took_us = 0;
  std::uint64_t refused = 0; ///< answers that are no success
  std::uint64_t broken = 0;  ///< no answer at all
  std::uint64_t p50_us = 0;
  std::uint64_t p99_us = 0;
  std::uint64_t p999_us = 0;
};

figures run_wrk(const run_options& chosen, std::uint32_t seconds) {
  const auto command = fmt::format("wrk -t1 -c{} -d{}s -s bench/publish.lua http://127.0.0.1:{} 2>&1",
                                   chosen.connections, seconds, chosen.port);
  const std::unique_ptr<FILE, int (*)(FILE*)> said{::popen(command.c_str(), "r"), ::pclose};
  require(said != nullptr, "wrk cannot be started");
  std::string all;
  std::array<char, 512> line{};
  std::optional<figures> found;
  while (std::fgets(line.data(), line.size(), said.get()) != nullptr) {
    all += line.data();
    figures read;
    if (std::sscanf(line.data(), "FIGURES %lu %lu %lu %lu %lu %lu %lu", &read.requests, &read.took_us,
                    &read.refused, &read.broken, &read.p50_us, &read.p99_us, &read.p999_us) == 7) {
      found = read;
    }
  }
  require(found.has_value(), "wrk says nothing that can be read:\n" + all);
  return *found;
}

/// Every accepted publish has started its workflow, and all come to their end.
void wait_for_ends(const node& here) {
  const auto begun = steady::now();
  while (here.figures().in_flight > 0) {
    require(steady::now() - begun < patience, "orders are left that do not end");
    sleep_for(0.05);
  }
}

int run(const run_options& chosen) {
  const scratch_directory scratch{chosen.common.directory};
  report rows{"http", chosen.common};
  auto config = node_config::embedded(scratch.path() / "data");
  config.http = http_address{"127.0.0.1", chosen.port, {}};
  config.in_flight = 1'000'000;
  node here{std::move(config)};
  host_orders(here, 16);
  const auto started = here.start();
  require(started.has_value(), started ? std::string{} : started.error().message);
  run_wrk(chosen, chosen.common.quick ? 1 : 3); // warm
  wait_for_ends(here);
  const auto before = usage_now();
  const auto syncs_before = here.figures().syncs;
  const auto measured = run_wrk(chosen, chosen.seconds);
  const auto used = used_between(before, usage_now());
  const auto syncs = here.figures().syncs - syncs_before;
  wait_for_ends(here);
  const auto seconds = static_cast<double>(measured.took_us) / 1e6;
  const auto rate = static_cast<double>(measured.requests) / seconds;
  fmt::print("{} publishes a second over {} connections, each starting its order workflow (wanted 5,000)\n"
             "answered within p50 {} us, p99 {} us, p99.9 {} us; {} refused, {} without an answer\n"
             "CPU of the node {:.1f} s in {:.1f} s, {} resident\n",
             grouped(rate), chosen.connections, measured.p50_us, measured.p99_us, measured.p999_us,
             measured.refused, measured.broken, used.cpu_seconds, seconds,
             mebibytes(static_cast<double>(memory_now().resident)));
  rows.add({{"in_flight", chosen.connections},
            {"orders", measured.requests},
            {"orders_per_second", rate},
            {"p50_us", measured.p50_us},
            {"p99_us", measured.p99_us},
            {"p999_us", measured.p999_us},
            {"syncs", syncs},
            {"cpu_seconds", used.cpu_seconds},
            {"rss_bytes", memory_now().resident},
            {"refused", measured.refused},
            {"broken", measured.broken}});
  require(measured.refused + measured.broken == 0, "publishes were refused, or not answered");
  return rows.finish();
}

} // namespace

} // namespace continuo::bench

int main(int argc, char** argv) {
  using namespace continuo::bench;
  CLI::App line{
      "Orders published over HTTP by wrk, as fast as they are answered; both on the same processors."};
  run_options chosen;
  chosen.common.add_to(line);
  line.add_option("--port", chosen.port, "Where the node answers (default: 8799)");
  line.add_option("--connections", chosen.connections,
                  "Of wrk, each with one publish at a time (default: 64)");
  line.add_option("--seconds", chosen.seconds, "How long to measure (default: 20)");
  CLI11_PARSE(line, argc, argv);
  if (chosen.common.quick) {
    chosen.seconds = 3;
  }
  try {
    return run(chosen);
  } catch (const std::exception& failed) {
    fmt::print(stderr, "http_bench: {}\n", failed.what());
    return 1;
  }
}
