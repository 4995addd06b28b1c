/// The order workflow as one program: a node with the saga and its services. It stands alone, or is one node
/// of a cluster, which then says what of it runs there. Kill it whenever you like; started again on the same
/// data it goes on where it was.

#include "fulfilment.hpp"
#include "node_options.hpp"
#include "ordering.hpp"
#include "orders.hpp"
#include "payment.hpp"
#include "report.hpp"
#include "warehouse.hpp"

#include <continuo/node.hpp>

#include <fmt/core.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <iterator>
#include <stop_token>
#include <string>
#include <thread>

#include <unistd.h>

using namespace order_fulfilment;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

constexpr int exit_wrong_ledgers = 1;

/// Prints the error and gives its exit code.
int refuse(const continuo::error& why) {
  fmt::print(stderr, "order-node: {}\n", why.message);
  const auto code = continuo::exit_code(why.code);
  return code != 0 ? code : 1;
}

/// One line, at most ten times a second on a terminal, where it replaces the one before; else once a second.
class progress_line {
public:
  void show(const ordering::progress& far, bool last = false) {
    const auto now = std::chrono::steady_clock::now();
    if (!last && now < next_) {
      return;
    }
    next_ = now + (on_terminal_ ? 100ms : 1'000ms);
    fmt::print("{}placed {:>6}   shipped {:>6}   compensated {:>6}   waiting {:>6}{}",
               on_terminal_ ? "\r" : "", far.placed, far.shipped, far.compensated, far.waiting(),
               on_terminal_ && !last ? "" : "\n");
    std::fflush(stdout);
  }

private:
  bool on_terminal_ = ::isatty(STDOUT_FILENO) == 1;
  std::chrono::steady_clock::time_point next_{};
};

/// Blocks the signals that end a program, so that every thread started later leaves them to `signal_within`.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

/// Waits for such a signal; false if none comes in time.
bool signal_within(const sigset_t& signals, std::chrono::nanoseconds time) {
  const timespec wait{0, static_cast<long>(time.count())};
  return ::sigtimedwait(&signals, nullptr, &wait) > 0;
}

/// What is to be placed. Nothing was asked for: the orders of earlier runs are seen to their end.
continuo::result<std::vector<order_placed>> choose_orders(const node_options& chosen) {
  auto orders = chosen.orders.empty() ? generate_orders(chosen.generate) : read_orders(chosen.orders);
  if (orders) {
    for (auto& order : *orders) {
      order.pay_within = chosen.payment_timeout;
    }
  }
  return orders;
}

/// Offers everything. The books of what does not run here are null, and its handlers never called.
void host_everything(continuo::node& node, const node_options& chosen,
                     const std::shared_ptr<ledger>& bank_book, const std::shared_ptr<ledger>& label_book) {
  payment_options paying;
  const auto slow = chosen.slow_time > 0ms ? chosen.slow_time : chosen.payment_timeout * 3 / 2;
  paying.delay = [usual = chosen.provider_time, slow](const make_payment& command) {
    std::this_thread::sleep_for(command.method == "slow" ? slow : usual);
  };
  warehouse_options shipping;
  shipping.delay = [usual = chosen.provider_time](const create_shipping_label&) {
    std::this_thread::sleep_for(usual);
  };
  node.host(payment(bank_book ? std::make_shared<bank>(bank_book) : nullptr, paying));
  node.host(warehouse(label_book ? std::make_shared<label_printer>(label_book, opening_stock()) : nullptr,
                      shipping));
  node.host<fulfilment>();
}

/// An order that waits for a person would be waited for for ever: the program says so instead.
continuo::result<void> look_for_stuck(const continuo::node& node) {
  const auto stuck = node.client().list("fulfilment", continuo::instance_status::stuck, 1).get();
  if (!stuck || stuck->empty()) {
    return {};
  }
  const auto& first = stuck->front();
  return continuo::fail(continuo::errc::handler_failed,
                        fmt::format("order {} is stuck: {}", first.instance.key, first.reason));
}

/// Waits for so long; true where the program is to end.
using pause = std::function<bool(std::chrono::nanoseconds time)>;

/// Sees all orders to their end, or until the program is to end. Returns whether they are at their end.
continuo::result<bool> fulfil(continuo::node& node, ordering& shop, const node_options& chosen,
                              const pause& wait) {
  const auto failed = node.failed();
  progress_line line;
  auto look_again = std::chrono::steady_clock::now();
  if (auto known = shop.find_known(); !known) {
    return tl::unexpected(known.error());
  }
  for (;;) {
    if (failed.wait_for(0s) == std::future_status::ready) {
      return tl::unexpected(failed.get());
    }
    if (auto placed = shop.step(std::chrono::steady_clock::now()); !placed) {
      return tl::unexpected(placed.error());
    }
    const bool ended = shop.done() || wait(10ms);
    if (chosen.show_progress) {
      line.show(shop.so_far(), ended);
    }
    if (ended) {
      return shop.done();
    }
    if (const auto now = std::chrono::steady_clock::now(); now >= look_again) {
      look_again = now + 2s;
      if (auto healthy = look_for_stuck(node); !healthy) {
        return tl::unexpected(healthy.error());
      }
    }
  }
}

int print_report(const std::vector<order_placed>& orders, const continuo::client& client,
                 const std::string& ledgers) {
  const auto made = compare(orders, client, ledgers);
  if (!made) {
    return refuse(made.error());
  }
  fmt::print("{}", made->table);
  for (const auto& problem : made->problems) {
    fmt::print("  WRONG: {}\n", problem);
  }
  if (made->problems.empty()) {
    fmt::print("  no order lost, every payment shipped or refunded, nothing charged twice\n");
  }
  return made->problems.empty() ? 0 : exit_wrong_ledgers;
}

int run_alone(node_options chosen) {
  if (chosen.ledgers.empty()) {
    // Beside the journal, not in it: what happened outside is not the node's.
    const std::filesystem::path data = chosen.data;
    chosen.ledgers = (data.has_filename() ? data : data.parent_path()).string() + "-ledgers";
  }
  const auto orders = choose_orders(chosen); // before anything is created
  if (!orders) {
    return refuse(orders.error());
  }
  const auto signals = block_signals();
  const auto bank_book = ledger::open(bank_file(chosen.ledgers));
  if (!bank_book) {
    return refuse(bank_book.error());
  }
  const auto label_book = ledger::open(label_file(chosen.ledgers));
  if (!label_book) {
    return refuse(label_book.error());
  }

  continuo::node node{continuo::node_config::embedded(chosen.data)};
  host_everything(node, chosen, *bank_book, *label_book);
  if (auto started = node.start(); !started) {
    return refuse(started.error());
  }
  ordering shop{node.client(), *orders, chosen.rate};
  const auto ended =
      fulfil(node, shop, chosen, [&](std::chrono::nanoseconds time) { return signal_within(signals, time); });
  if (!ended) {
    return refuse(ended.error());
  }
  const int code = *ended && chosen.show_report ? print_report(*orders, node.client(), chosen.ledgers) : 0;
  node.stop();
  return code;
}

/// Beside a node of a cluster that runs the saga: places the orders and sees them to their end.
void place_orders(continuo::node& node, const node_options& chosen, const std::vector<order_placed>& orders,
                  const std::stop_token& stop) {
  ordering shop{node.client(), orders, chosen.rate};
  const auto ended = fulfil(node, shop, chosen, [&](std::chrono::nanoseconds time) {
    std::this_thread::sleep_for(time);
    return stop.stop_requested();
  });
  if (!ended) {
    refuse(ended.error());
  } else if (*ended && chosen.show_report) {
    print_report(orders, node.client(), chosen.ledgers);
    std::fflush(stdout);
  }
}

int run_in_cluster(node_options chosen, const char* program) {
  if (chosen.ledgers.empty()) {
    chosen.ledgers = "ledgers";
  }
  const auto orders = choose_orders(chosen);
  if (!orders) {
    return refuse(orders.error());
  }
  std::string arguments[] = {program, "--config", chosen.cluster_file, "--node", chosen.node};
  std::vector<char*> pointers;
  for (auto& one : arguments) {
    pointers.push_back(one.data());
  }
  pointers.push_back(nullptr);
  bool places = false;
  const auto open_book = [](bool runs_here, const std::filesystem::path& file) -> std::shared_ptr<ledger> {
    if (!runs_here) {
      return nullptr;
    }
    auto book = ledger::open(file);
    if (!book) {
      std::exit(refuse(book.error())); // nothing has started yet
    }
    return *book;
  };
  return continuo::run_node(
      static_cast<int>(std::size(arguments)), pointers.data(),
      [&](continuo::node_builder& node) {
        host_everything(node, chosen, open_book(node.runs_here("payment"), bank_file(chosen.ledgers)),
                        open_book(node.runs_here("warehouse"), label_file(chosen.ledgers)));
        places = node.runs_here(continuo::message_name<fulfilment>());
      },
      [&](continuo::node& node, const std::stop_token& stop) {
        if (places && !orders->empty()) {
          place_orders(node, chosen, *orders, stop);
        }
      });
}

} // namespace

int main(int argc, char** argv) {
  node_options chosen;
  if (const auto ended = read_options(argc, argv, chosen)) {
    return *ended;
  }
  return chosen.cluster_file.empty() ? run_alone(std::move(chosen))
                                     : run_in_cluster(std::move(chosen), argv[0]);
}
