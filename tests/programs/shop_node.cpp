// clang-format off
// A node program for tests that kill it. It hosts the order workflow with handlers that end the process, or
// hang, for orders whose names say so, and takes its work as lines on standard input:
//
//   place ORDER CENTS    answers `accepted ORDER` or `refused ORDER CODE`
//   deposit ACCOUNT      answers `taken ACCOUNT`, then `deposited ACCOUNT`
//   charge ORDER BYTES   sends a charge alone, of an order whose name is so much longer; answers `charged ORDER`
//   watch ORDER          answers `ended ORDER STATUS`
//   show ORDER           answers `shown ORDER STATUS` and what it waits for
//   stuck TYPE           answers `stuck TYPE KEY REASON` for each, then `end`
//   letters              answers `stuck letter TYPE MESSAGE-ID REASON` for each dead letter, then `end`
//   peers                answers `peer NAME up|down CONNECTIONS WAITING` for each, then `end`
//   fill FILE            writes to the file until the disk is full; answers `full`
//
// It says `ready` when it takes calls. SHOP_LEDGER names the file in which each effect on the outside world
// is noted; SHOP_DEFINITIONS=incomplete leaves out a service; SHOP_HANDLER_MS is how long a handler still runs
// after its effect. With SHOP_DATA, its data directory, it takes no arguments of a node.
// clang-format on
#include "tests/support/no_orphans.hpp"
#include "tests/support/orders.hpp"

#include <continuo/node.hpp>

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <mutex>
#include <poll.h>
#include <sstream>
#include <stop_token>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

using namespace continuo;
using namespace continuo::tests;

namespace {

// -- out and in ------------------------------------------------------------------------

void write_all(int file, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const auto wrote = ::write(file, text.data() + done, text.size() - done);
    if (wrote > 0) {
      done += static_cast<std::size_t>(wrote);
    } else if (errno != EINTR) {
      return;
    }
  }
}

void say(const std::string& line) {
  static std::mutex one_at_a_time;
  const std::lock_guard lock{one_at_a_time};
  write_all(STDOUT_FILENO, line + "\n");
}

/// The next line of standard input; false at its end, or when `over` can be read. `ahead` is what was read
/// beyond it. Unbuffered streams, since the process may end at any moment.
bool read_line(std::string& line, std::string& ahead, int over) {
  while (true) {
    if (const auto end = ahead.find('\n'); end != std::string::npos) {
      line = ahead.substr(0, end);
      ahead.erase(0, end + 1);
      return true;
    }
    pollfd either[] = {{STDIN_FILENO, POLLIN, 0}, {over, POLLIN, 0}};
    if (::poll(either, 2, -1) > 0 && either[1].revents != 0) {
      return false;
    }
    if (either[0].revents == 0) {
      continue; // a signal came
    }
    char part[4096];
    const auto got = ::read(STDIN_FILENO, part, sizeof(part));
    if (got > 0) {
      ahead.append(part, static_cast<std::size_t>(got));
    } else if (got == 0 || errno != EINTR) {
      return false;
    }
  }
}

/// One line for each effect, in one write: the page cache outlives the process.
void note(const std::string& kind, const std::string& order, const command_context& context) {
  static const int ledger = [] {
    const auto* path = std::getenv("SHOP_LEDGER");
    return path == nullptr ? -1 : ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  }();
  if (ledger >= 0) {
    write_all(ledger, kind + " " + order + " " + context.idempotency_key() + "\n");
  }
  static const auto* time = std::getenv("SHOP_HANDLER_MS");
  if (time != nullptr) {
    std::this_thread::sleep_for(std::chrono::milliseconds{std::atoi(time)});
  }
}

// -- what it hosts ---------------------------------------------------------------------------

class selling : public saga<selling> {
public:
  static void define(saga_definition<selling>& saga) {
    saga.starts_on<order_placed>(&order_placed::order_id);
    saga.calls<make_payment>().undone_by(
        [](const make_payment& sent, const payment_completed*) { return refund_payment{sent.order_id}; });
    saga.calls<create_label>().nothing_to_undo();
  }

  void on(const order_placed& event, saga_context& context) {
    if (event.order_id.starts_with("saga-abort")) {
      std::abort();
    }
    order_id = event.order_id;
    context.send(make_payment{order_id, event.cents});
  }
  void on(const payment_completed&, saga_context& context) { context.send(create_label{order_id}); }
  void on(const label_created& reply, saga_context& context) { context.complete(reply.tracking); }

  std::string order_id;
  CONTINUO_FIELDS(selling, order_id)
};

struct deposited {
  CONTINUO_FIELDS(deposited)
};

struct deposit {
  using reply = deposited;
  std::string account;
  CONTINUO_FIELDS(deposit, account)
};

struct account {
  std::int64_t deposits = 0;
  CONTINUO_FIELDS(account, deposits)
};

service payment() {
  return service{"payment"}
      .handle([](const make_payment& command, command_context& context) -> outcome<payment_completed> {
        if (command.order_id.starts_with("service-abort")) {
          std::abort();
        }
        if (command.order_id.starts_with("hang")) {
          say("hanging");
          std::this_thread::sleep_for(std::chrono::minutes{10});
        }
        if (command.cents > 100'000) {
          return decline("amount over the limit");
        }
        note("charge", command.order_id, context);
        return payment_completed{command.order_id};
      })
      .handle([](const refund_payment& command, command_context& context) -> outcome<payment_refunded> {
        note("refund", command.order_id, context);
        return payment_refunded{command.order_id};
      });
}

service warehouse() {
  return service{"warehouse"}.handle(
      [](const create_label& command, command_context& context) -> outcome<label_created> {
        if (command.order_id.starts_with("none")) {
          return decline("out of stock");
        }
        note("label", command.order_id, context);
        return label_created{"track-" + command.order_id};
      });
}

keyed_service<account> accounts() {
  keyed_service<account> bank{"account"};
  bank.handle(&deposit::account,
              [](account& state, const deposit& command, keyed_context&) -> outcome<deposited> {
                if (command.account.starts_with("keyed-abort")) {
                  std::abort();
                }
                ++state.deposits;
                return deposited{};
              });
  return bank;
}

// -- work ------------------------------------------------------------------------------------

void place(const client& node, const std::string& order, std::int64_t cents) {
  node.publish("order_placed", encode(order_placed{order, cents}), {true},
               [order](const result<accepted>& taken) {
                 say(taken ? "accepted " + order
                           : "refused " + order + " " + std::string{to_string(taken.error().code)});
               });
}

void watch(const client& node, const std::string& order) {
  node.result_of({"selling", order}, std::nullopt, [order](const result<saga_result>& end) {
    say("ended " + order + " " + std::string{end ? to_string(end->status) : to_string(end.error().code)});
  });
}

template <class Command>
void send(const client& node, const Command& command, const std::string& taken, const std::string& done) {
  node.send(
      std::string{message_name<Command>()}, encode(command),
      [taken](const result<accepted>& accepted) {
        if (accepted) {
          say(taken);
        }
      },
      [done](const result<command_result>& end) {
        if (end && !end->failed) {
          say(done);
        }
      });
}

void list_stuck(const client& node, const std::string& type) {
  if (const auto found = node.list(type, instance_status::stuck).get()) {
    for (const auto& one : *found) {
      say("stuck " + type + " " + one.instance.key + " " + one.reason);
    }
  }
  say("end");
}

void show(const client& node, const std::string& order) {
  const auto seen = node.show({"selling", order}).get();
  std::string line =
      "shown " + order + " " + std::string{seen ? to_string(seen->status) : to_string(seen.error().code)};
  if (seen) {
    for (const auto& cause : seen->waiting_for) {
      line += ", " + cause.kind + " " + cause.what + " " + cause.where;
    }
  }
  say(line);
}

void list_letters(const client& node) {
  if (const auto found = node.dead_letters().get()) {
    for (const auto& one : *found) {
      say("stuck letter " + one.type + " " + one.id + " " + one.reason);
    }
  }
  say("end");
}

void list_peers(const node& here) {
  for (const auto& peer : here.peers()) {
    say("peer " + peer.name + (peer.up ? " up " : " down ") + std::to_string(peer.connections) + " " +
        std::to_string(peer.waiting));
  }
  say("end");
}

void fill(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  for (std::size_t size : {1u << 20, 1u << 12, 1u}) {
    const std::string part(size, 'x');
    while (::write(file, part.data(), part.size()) > 0) {
    }
  }
  ::close(file);
  say("full");
}

/// `here` is used only by who does not end it meanwhile.
void work(const std::stop_token& stop, int over, node& here, const client& node) {
  while (!node.list("selling", std::nullopt, 1).get()) {
    if (stop.stop_requested()) {
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{2}); // the node is starting
  }
  say("ready");
  std::string ahead;
  for (std::string line; read_line(line, ahead, over);) {
    std::istringstream words{line};
    std::string verb;
    std::string what;
    std::int64_t number = 0;
    words >> verb >> what >> number;
    if (verb == "place") {
      place(node, what, number);
    } else if (verb == "deposit") {
      send(node, deposit{what}, "taken " + what, "deposited " + what);
    } else if (verb == "charge") {
      send(node, make_payment{what + std::string(static_cast<std::size_t>(number), '.'), 100},
           "taken " + what, "charged " + what);
    } else if (verb == "watch") {
      watch(node, what);
    } else if (verb == "show") {
      show(node, what);
    } else if (verb == "stuck") {
      list_stuck(node, what);
    } else if (verb == "letters") {
      list_letters(node);
    } else if (verb == "peers") {
      list_peers(here);
    } else if (verb == "halt") {
      here.stop();
    } else if (verb == "fill") {
      fill(what);
    }
  }
}

} // namespace

int main(int argc, char** argv) {
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  const int over = ::eventfd(0, EFD_CLOEXEC);
  std::jthread working;
  const auto offer = [&](node_builder& node) {
    node.host<selling>();
    node.host(payment());
    node.host(accounts());
    const auto* definitions = std::getenv("SHOP_DEFINITIONS");
    if (definitions == nullptr || std::string{definitions} != "incomplete") {
      node.host(warehouse());
    }
    working = std::jthread{work, over, std::ref(node), node.client()}; // the client may outlive the node
  };
  const auto* data = std::getenv("SHOP_DATA");
  const auto code =
      data == nullptr ? run_node(argc, argv, offer) : run_node(node_config::embedded(data), offer);
  working.request_stop();
  ::eventfd_write(over, 1);
  if (working.joinable()) { // it uses what ends with `main`
    working.join();
  }
  return code == 0 && !no_orphans_but_expected() ? 70 : code; // no code of a node's own
}
