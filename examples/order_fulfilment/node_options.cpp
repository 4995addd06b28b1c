#include "node_options.hpp"

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <cstdint>
#include <map>

namespace order_fulfilment {

namespace {

using std::chrono::milliseconds;

constexpr int exit_wrong_arguments = 2;

CLI::Option* add_duration(CLI::App& program, const std::string& name, milliseconds& value,
                          const std::string& help) {
  static const std::map<std::string, std::int64_t> units{{"ms", 1}, {"s", 1'000}, {"min", 60'000}};
  return program
      .add_option_function<std::int64_t>(
          name, [&value](std::int64_t count) { value = milliseconds{count}; }, help)
      ->transform(CLI::AsNumberWithUnit(units, CLI::AsNumberWithUnit::UNIT_REQUIRED, "DURATION"));
}

void describe(CLI::App& program, node_options& chosen) {
  auto* data = program.add_option("--data", chosen.data, "Folder of the journal of a node that stands alone")
                   ->type_name("DIR");
  auto* cluster =
      program.add_option("--config", chosen.cluster_file, "Run one node of this cluster")->type_name("FILE");
  auto* node = program.add_option("--node", chosen.node, "Which of its nodes")->type_name("NAME");
  cluster->needs(node)->excludes(data);
  node->needs(cluster);
  auto* file =
      program.add_option("--orders", chosen.orders, "Place the orders of this file")->type_name("FILE.csv");
  program.add_option("--generate", chosen.generate, "Place N made-up orders")->type_name("N")->excludes(file);
  program
      .add_option("--rate", chosen.rate,
                  "Place so many orders a second (default: as fast as the node takes them)")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  program
      .add_option(
          "--ledgers", chosen.ledgers,
          "Folder of the ledgers (default: the data folder's name with -ledgers behind it; in a cluster "
          "ledgers)")
      ->type_name("DIR");
  add_duration(program, "--payment-timeout", chosen.payment_timeout,
               "Give an order up that is not paid by then (default: 2s)");
  add_duration(program, "--slow-time", chosen.slow_time,
               "How long a payment by the method \"slow\" takes (default: half as long again as the payment "
               "timeout)");
  add_duration(program, "--provider-time", chosen.provider_time,
               "How long the bank and the label printer take for anything else (default: 0ms)");
  program.add_flag("--progress", chosen.show_progress, "Show how far the orders are");
  program.add_flag("--report", chosen.show_report,
                   "At the end, print a table of the outcomes and compare them with the ledgers");
  program.footer(
      "Alone it ends when all orders are at their end, those of earlier runs included; a node of a cluster "
      "runs\n"
      "until SIGTERM. Orders are placed by the node that runs the saga.\n"
      "Exit codes: 0 stopped in order, 1 the ledgers do not agree with the outcomes (--report, alone), 2 "
      "wrong\n"
      "arguments, 3 corrupt data, 4 the disk failed or is full, 5 its peers know more of its data than it "
      "holds,\n"
      "6 the folder is in use, 7 an address is in use.");
}

} // namespace

std::optional<int> read_options(int argc, char** argv, node_options& chosen) {
  CLI::App program{
      "Runs the order workflow on a durable node: payment, shipping label, and whatever goes wrong."};
  describe(program, chosen);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {
    return program.exit(wrong) == 0 ? 0 : exit_wrong_arguments;
  }
  if (chosen.cluster_file.empty() && chosen.data.empty()) {
    fmt::print(stderr, "order-node: --data DIR or --config FILE is missing; see --help\n");
    return exit_wrong_arguments;
  }
  return std::nullopt;
}

} // namespace order_fulfilment
