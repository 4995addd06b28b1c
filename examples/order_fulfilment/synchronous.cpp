/// The order workflow without Continuo, the way it is done with plain calls: a payment server, a warehouse
/// server, and a program that calls one after the other for each order. The bank, the label printer and their
/// ledgers are those of the other program. Kill it whenever you like, and count with `check` what is left:
/// the reason why Continuo exists, in numbers.

#include "calls.hpp"
#include "orders.hpp"
#include "placer.hpp"
#include "report.hpp"
#include "servers.hpp"
#include "shop_log.hpp"
#include "tally.hpp"

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <ctime>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include <unistd.h>

using namespace order_fulfilment;
using namespace std::chrono_literals;
using continuo::result;
using std::chrono::milliseconds;

namespace {

constexpr int exit_wrong_arguments = 2;
constexpr std::size_t calls_at_once = 16; // as many as the services of the other program handle

struct options {
  // of several commands
  std::string ledgers;
  std::string orders;
  std::size_t generate = 0;
  std::string log;
  // serve
  std::string server;
  std::uint16_t port = 0;
  milliseconds provider_time = 0ms;
  milliseconds slow_time = 3s;
  // place
  std::string payment;
  std::string warehouse;
  placer_options placing;
  bool show_progress = false;
};

// -- the command line --------------------------------------------------------------------

void add_duration(CLI::App& command, const std::string& name, milliseconds& value, const std::string& help) {
  static const std::map<std::string, std::int64_t> units{{"ms", 1}, {"s", 1'000}, {"min", 60'000}};
  command
      .add_option_function<std::int64_t>(
          name, [&value](std::int64_t count) { value = milliseconds{count}; }, help)
      ->transform(CLI::AsNumberWithUnit(units, CLI::AsNumberWithUnit::UNIT_REQUIRED, "DURATION"))
      ->check(CLI::NonNegativeNumber);
}

void add_ledgers(CLI::App& command, options& chosen) {
  command.add_option("--ledgers", chosen.ledgers, "Folder of the ledgers")->required()->type_name("DIR");
}

void add_orders(CLI::App& command, options& chosen) {
  auto* which = command.add_option_group("orders", "Which orders");
  which->add_option("--orders", chosen.orders, "The orders of this file")->type_name("FILE.csv");
  which->add_option("--generate", chosen.generate, "N made-up orders")->type_name("N");
  which->require_option(1);
}

CLI::App* describe_serve(CLI::App& program, options& chosen) {
  auto* serve = program.add_subcommand("serve", "Answer calls to payment or the warehouse until stopped");
  serve->add_option("SERVER", chosen.server, "payment or warehouse")
      ->required()
      ->check(CLI::IsMember({"payment", "warehouse"}));
  serve
      ->add_option(
          "--port", chosen.port,
          "Port on the loopback interface (default: a free one; the first line of output says which)")
      ->type_name("P");
  add_ledgers(*serve, chosen);
  add_duration(*serve, "--provider-time", chosen.provider_time,
               "How long the bank or the label printer takes (default: 0ms)");
  add_duration(*serve, "--slow-time", chosen.slow_time,
               "How long a payment by the method \"slow\" takes (default: 3s)");
  return serve;
}

CLI::App* describe_place(CLI::App& program, options& chosen) {
  auto* place = program.add_subcommand("place", "Place orders, by calling payment and then the warehouse");
  add_orders(*place, chosen);
  place->add_option("--payment", chosen.payment, "The payment server")->required()->type_name("HOST:PORT");
  place->add_option("--warehouse", chosen.warehouse, "The warehouse server")
      ->required()
      ->type_name("HOST:PORT");
  place
      ->add_option(
          "--log", chosen.log,
          "File that gets a line for each order begun and ended; those begun in it are not begun again")
      ->required()
      ->type_name("FILE");
  place
      ->add_option("--rate", chosen.placing.rate,
                   "Begin so many orders a second (default: as fast as they go)")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  place->add_option("--at-once", chosen.placing.at_once, "Work on so many orders at a time (default: 16)")
      ->type_name("N")
      ->check(CLI::Range(1, 256));
  add_duration(*place, "--timeout", chosen.placing.timeout,
               "Wait so long for an answer; a call gets 3 attempts (default: 2s)");
  place->add_flag("--progress", chosen.show_progress, "Show how far the orders are");
  return place;
}

CLI::App* describe_check(CLI::App& program, options& chosen) {
  auto* check = program.add_subcommand("check", "Count from the ledgers how many orders are inconsistent");
  add_orders(*check, chosen);
  add_ledgers(*check, chosen);
  check
      ->add_option(
          "--log", chosen.log,
          "The log of place. Where it says that an order failed, the customer was told, and the order "
          "does not count as lost if nothing was done for it")
      ->type_name("FILE");
  return check;
}

// -- running ---------------------------------------------------------------------------

/// Prints the error and gives its exit code.
int refuse(const continuo::error& why) {
  fmt::print(stderr, "synchronous-orders: {}\n", why.message);
  const auto code = continuo::exit_code(why.code);
  return code != 0 ? code : 1;
}

/// Blocks the signals that end a program, so that every thread started later leaves them to the main thread.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

result<std::vector<order_placed>> choose_orders(const options& chosen) {
  return chosen.orders.empty() ? generate_orders(chosen.generate) : read_orders(chosen.orders);
}

/// What the server answers, with its ledger open behind it.
result<call_server::handler> open_provider(const options& chosen) {
  const bool is_payment = chosen.server == "payment";
  const auto book = ledger::open(is_payment ? bank_file(chosen.ledgers) : label_file(chosen.ledgers));
  if (!book) {
    return tl::unexpected(book.error());
  }
  if (is_payment) {
    payment_options paying;
    paying.delay = [usual = chosen.provider_time, slow = chosen.slow_time](const make_payment& command) {
      std::this_thread::sleep_for(command.method == "slow" ? slow : usual);
    };
    return [provider = std::make_shared<bank>(*book), paying](const std::string& line) {
      return answer_payment(line, *provider, paying);
    };
  }
  warehouse_options shipping;
  shipping.delay = [usual = chosen.provider_time](const create_shipping_label&) {
    std::this_thread::sleep_for(usual);
  };
  return [printer = std::make_shared<label_printer>(*book, opening_stock()),
          shipping](const std::string& line) { return answer_warehouse(line, *printer, shipping); };
}

int serve(const options& chosen) {
  const auto signals = block_signals();
  const auto provider = open_provider(chosen);
  if (!provider) {
    return refuse(provider.error());
  }
  const auto server = call_server::start(chosen.port, calls_at_once, *provider);
  if (!server) {
    return refuse(server.error());
  }
  fmt::print("{} listens on 127.0.0.1:{}\n", chosen.server, (*server)->port());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  return 0;
}

/// One line, at most ten times a second on a terminal, where it replaces the one before; else once a second.
class progress_line {
public:
  void show(const placer::progress& far, bool last) {
    const auto now = std::chrono::steady_clock::now();
    if (!last && now < next_) {
      return;
    }
    next_ = now + (on_terminal_ ? 100ms : 1'000ms);
    fmt::print("{}begun {:>6}   shipped {:>6}   refused {:>6}   failed {:>6}   in hand {:>6}{}",
               on_terminal_ ? "\r" : "", far.begun, far.shipped, far.refused, far.failed, far.in_hand(),
               on_terminal_ && !last ? "" : "\n");
    std::fflush(stdout);
  }

private:
  bool on_terminal_ = ::isatty(STDOUT_FILENO) == 1;
  std::chrono::steady_clock::time_point next_{};
};

/// Takes out the orders that an earlier run has begun, and says which of them nobody will continue.
void drop_begun(std::vector<order_placed>& orders, const shop_log::words& earlier) {
  const auto abandoned = std::count_if(earlier.begin(), earlier.end(),
                                       [](const auto& order) { return order.second == "begun"; });
  if (abandoned > 0) {
    fmt::print("{} orders were in hand when an earlier run ended; nobody knows how far they were\n",
               abandoned);
    std::fflush(stdout);
  }
  std::erase_if(orders, [&](const order_placed& order) { return earlier.contains(order.order_id); });
}

int place(options chosen) {
  auto orders = choose_orders(chosen);
  const auto payment = endpoint::parse(chosen.payment);
  const auto warehouse = endpoint::parse(chosen.warehouse);
  if (!orders || !payment || !warehouse) {
    return refuse(!orders ? orders.error() : !payment ? payment.error() : warehouse.error());
  }
  chosen.placing.payment = *payment;
  chosen.placing.warehouse = *warehouse;
  const auto log = shop_log::open(chosen.log);
  if (!log) {
    return refuse(log.error());
  }
  drop_begun(*orders, (*log)->earlier());

  const auto signals = block_signals();
  const timespec a_moment{0, 10'000'000};
  progress_line line;
  placer shop{chosen.placing, std::move(*orders), **log};
  for (bool ended = false; !ended;) {
    ended = shop.done() || shop.trouble() || ::sigtimedwait(&signals, nullptr, &a_moment) > 0;
    if (chosen.show_progress) {
      line.show(shop.so_far(), ended);
    }
  }
  if (const auto trouble = shop.trouble()) {
    return refuse({continuo::errc::storage_failed, *trouble});
  }
  return 0;
}

int check(const options& chosen) {
  const auto orders = choose_orders(chosen);
  if (!orders) {
    return refuse(orders.error());
  }
  const auto bank_entries = ledger::read(bank_file(chosen.ledgers));
  if (!bank_entries) {
    return refuse(bank_entries.error());
  }
  const auto label_entries = ledger::read(label_file(chosen.ledgers));
  if (!label_entries) {
    return refuse(label_entries.error());
  }
  const auto words = chosen.log.empty() ? shop_log::words{} : shop_log::read(chosen.log);
  if (!words) {
    return refuse(words.error());
  }
  std::set<std::string> given_up;
  for (const auto& [order, word] : *words) {
    if (word == "failed") {
      given_up.insert(order);
    }
  }
  const auto counted = count(*orders, *bank_entries, *label_entries, given_up);
  fmt::print("{}inconsistent {}\n", counted.table(), counted.inconsistent());
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  CLI::App program{"Runs the order workflow with plain calls from process to process, without Continuo."};
  options chosen;
  const auto* serving = describe_serve(program, chosen);
  const auto* placing = describe_place(program, chosen);
  describe_check(program, chosen);
  program.require_subcommand(1);
  program.footer(
      "Exit codes: 0 done, or stopped in order; 2 wrong arguments, 3 corrupt files, 4 the disk failed or\n"
      "is full, 6 a file is in use, 7 the port is in use.");
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {
    return program.exit(wrong) == 0 ? 0 : exit_wrong_arguments;
  }
  if (serving->parsed()) {
    return serve(chosen);
  }
  return placing->parsed() ? place(std::move(chosen)) : check(chosen);
}
