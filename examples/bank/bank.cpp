/// Moves money between accounts, at random, and shows that none is made or lost.

#include "accounts.hpp"
#include "teller.hpp"
#include "transfer.hpp"

#include <continuo/node.hpp>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <chrono>
#include <string>

using namespace bank_transfers;

namespace {

constexpr int exit_money_lost = 1;
constexpr int exit_wrong_arguments = 2;
constexpr std::int64_t opening_cents = 100'00;

struct options {
  std::string data;
  std::size_t accounts = 20;
  std::size_t transfers = 1'000;
  std::uint64_t seed = 1;
};

std::string in_units(std::int64_t cents) {
  return fmt::format("{}.{:02}", cents / 100, cents % 100);
}

/// Prints what is there, moves money, prints what is there then. Returns whether it is the same.
continuo::result<bool> work(const continuo::client& client, const options& chosen) {
  const auto opened =
      settle(client).and_then([&] { return open_accounts(client, chosen.accounts, opening_cents); });
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  const auto before = total(client, chosen.accounts);
  if (!before) {
    return tl::unexpected(before.error());
  }
  fmt::print("before: {} in {} accounts\n", in_units(*before), chosen.accounts);
  const auto batch = fmt::format("{:x}", std::chrono::system_clock::now().time_since_epoch().count());
  const auto counts = move_money(client, chosen.accounts, chosen.transfers, chosen.seed, batch);
  if (!counts) {
    return tl::unexpected(counts.error());
  }
  fmt::print("{} transfers: {} completed, {} declined and undone\n", chosen.transfers, counts->completed,
             counts->undone);
  return total(client, chosen.accounts).map([&](std::int64_t after) {
    fmt::print("after:  {} in {} accounts\n", in_units(after), chosen.accounts);
    return after == *before;
  });
}

int run(const options& chosen) {
  const auto refuse = [](const continuo::error& why) {
    fmt::print(stderr, "bank: {}\n", why.message);
    return continuo::exit_code(why.code);
  };
  continuo::node node{chosen.data.empty() ? continuo::node_config::in_memory()
                                          : continuo::node_config::embedded(chosen.data)};
  node.host(accounts());
  node.host<transfer>();
  if (auto started = node.start(); !started) {
    return refuse(started.error());
  }
  const auto conserved = work(node.client(), chosen);
  if (!conserved) {
    return refuse(conserved.error());
  }
  if (!*conserved) {
    fmt::print(stderr, "bank: money was made or lost\n");
    return exit_money_lost;
  }
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  CLI::App program{"Makes random transfers between accounts and compares the total before and after."};
  options chosen;
  program.add_option("--data", chosen.data, "Folder of the node's journal (default: in memory)")
      ->type_name("DIR");
  program.add_option("--accounts", chosen.accounts, "How many accounts (default: 20)")
      ->type_name("M")
      ->check(CLI::Range(2, 1'000'000));
  program.add_option("--transfers", chosen.transfers, "How many transfers (default: 1000)")->type_name("N");
  program.add_option("--seed", chosen.seed, "Of the random transfers (default: 1)")->type_name("S");
  program.footer(
      "Exit codes: 0 the totals agree, 1 money was made or lost, 2 wrong arguments, 3 corrupt data,\n"
      "4 the disk failed or is full, 6 the folder is in use.");
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {
    return program.exit(wrong) == 0 ? 0 : exit_wrong_arguments;
  }
  return run(chosen);
}
