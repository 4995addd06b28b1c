// What a node opens: who inherits it, where it is, and how much of it.
#define CAF_SUITE descriptors

#include "nodes/certificates.hpp"
#include "nodes/descriptors.hpp"
#include "nodes/probe.hpp"
#include "tests/http_services/scripted_server.hpp"
#include "tests/nodes/reserved_port.hpp"
#include "tests/nodes/shop.hpp"

#include <caf/test/dsl.hpp>

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <fstream>
#include <memory>
#include <sys/resource.h>
#include <sys/wait.h>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

/// What the descriptors of a program that this process starts stand for, but for its own.
std::vector<std::string> inherited(const std::filesystem::path& folder) {
  const auto list = (folder / "inherited").string();
  CAF_REQUIRE_EQUAL(std::system(("ls -l /proc/self/fd > " + list).c_str()), 0);
  std::vector<std::string> found;
  std::ifstream lines{list};
  for (std::string line; std::getline(lines, line);) {
    const auto arrow = line.find(" -> ");
    const auto target = arrow == std::string::npos ? std::string{} : line.substr(arrow + 4);
    if (!target.empty() && target != list && !target.starts_with("/proc/")) {
      found.push_back(target);
    }
  }
  return found;
}

/// A node's side of a cluster of two with TLS: `here` has the order workflow, `there` nothing.
struct pair_of_nodes {
  explicit pair_of_nodes(const std::filesystem::path& folder) : certificates(folder / "certificates") {
    CAF_REQUIRE(nodes::make_certificates(certificates, {"here", "there"}).has_value());
  }

  node_config config(const std::string& name) const {
    node_config made;
    made.name = name;
    made.cluster.emplace();
    made.cluster->name = "shop";
    made.cluster->nodes = {{"here", "127.0.0.1", ports[0].number(), {"payment", "warehouse", "fulfilment"}},
                           {"there", "127.0.0.1", ports[1].number(), {}}};
    made.cluster->tls =
        tls_files{certificates / (name + ".pem"), certificates / (name + ".key"), certificates / "ca.pem"};
    return made;
  }

  std::filesystem::path certificates;
  std::array<reserved_port, 2> ports;
};

void allow_descriptors(rlim_t count) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min(count, limit.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// A connection to a node that closes with it.
class caller {
public:
  explicit caller(std::uint16_t port) : file_(nodes::open_connection("127.0.0.1", port, 5s).value_or(-1)) {
    CAF_REQUIRE(file_ >= 0);
  }
  ~caller() { ::close(file_); }
  caller(const caller&) = delete;
  caller& operator=(const caller&) = delete;

  /// Whether the other side sends something, or closes, in 20 s.
  bool is_answered() const {
    pollfd waits{file_, POLLIN, 0};
    return ::poll(&waits, 1, 20'000) > 0;
  }

  void ask() const {
    const std::string request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    ::send(file_, request.data(), request.size(), MSG_NOSIGNAL); // it may be closed already
  }

private:
  int file_;
};

/// Descriptors that this process can still have, up to `at_most`.
std::size_t free_descriptors(std::size_t at_most) {
  std::vector<int> opened;
  while (opened.size() < at_most) {
    const int file = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (file < 0) {
      break;
    }
    opened.push_back(file);
  }
  for (const int file : opened) {
    ::close(file);
  }
  return opened.size();
}

/// A pipe by which a child and its parent wait for each other.
class signal_pipe {
public:
  signal_pipe() { CAF_REQUIRE_EQUAL(::pipe2(ends_, O_CLOEXEC), 0); }
  ~signal_pipe() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  signal_pipe(const signal_pipe&) = delete;
  signal_pipe& operator=(const signal_pipe&) = delete;

  void give() const { [[maybe_unused]] const auto wrote = ::write(ends_[1], "x", 1); }
  bool wait() const {
    pollfd waits{ends_[0], POLLIN, 0};
    char got = 0;
    return ::poll(&waits, 1, 60'000) > 0 && ::read(ends_[0], &got, 1) == 1;
  }

private:
  int ends_[2] = {-1, -1};
};

/// Gives a working directory back as it was.
class working_directory {
public:
  working_directory() : before_(std::filesystem::current_path()) {}
  ~working_directory() {
    std::error_code ignored;
    std::filesystem::current_path(before_, ignored);
  }
  working_directory(const working_directory&) = delete;
  working_directory& operator=(const working_directory&) = delete;

private:
  std::filesystem::path before_;
};

} // namespace

CAF_TEST(a program that a handler starts inherits nothing of the node) {
  const temporary_directory directory;
  const auto before = inherited(directory.path());
  scripted_server labels{[](scripted_server::peer& to) {
    while (!to.request().empty()) {
      to.send(answer("200 OK", R"({"tracking": "t-0"})"));
    }
  }};
  const pair_of_nodes both{directory.path()};
  const reserved_port calls;
  auto config = both.config("here");
  config.data = directory.path() / "data";
  config.trace_file = directory.path() / "trace";
  config.http = http_address{"127.0.0.1", calls.number()};
  config.http_services["warehouse"] = {labels.url()};
  std::vector<std::string> after;
  node here{std::move(config)};
  here.host(service{"payment"}
                .handle([&](const make_payment& command, command_context&) -> outcome<payment_completed> {
                  after = inherited(directory.path());
                  return payment_completed{command.order_id};
                })
                .handle([](const refund_payment& command, command_context&) -> outcome<payment_refunded> {
                  return payment_refunded{command.order_id};
                }));
  here.host(shop_warehouse());
  here.host<fulfilment>();
  node there{both.config("there")};
  there.host(shop_payment());
  there.host(shop_warehouse());
  there.host<fulfilment>();
  CAF_REQUIRE(here.start().has_value());
  CAF_REQUIRE(there.start().has_value());
  const auto caller = nodes::open_connection("127.0.0.1", calls.number(), 2s);
  CAF_REQUIRE(caller.has_value());
  CAF_REQUIRE_EQUAL(::send(*caller, "GET", 3, MSG_NOSIGNAL), 3); // it is accepted before it is answered
  const auto complete = [&](const std::string& order) {          // over the link, which is up then
    CAF_REQUIRE(there.client().publish(order_placed{order, 100}).get().has_value());
    return line_of(wait_for(here.client().result_of({"fulfilment", order})));
  };
  CAF_CHECK_EQUAL(complete("o-1"), "completed: t-0");
  CAF_CHECK_EQUAL(complete("o-2"), "completed: t-0"); // with the connection to the service open
  ::close(*caller);
  CAF_CHECK_EQUAL(after, before);
}

CAF_TEST(a node keeps its files where they were when the program changes its directory) {
  const temporary_directory directory;
  const auto first = directory.path() / "first";
  const auto second = directory.path() / "second";
  std::filesystem::create_directories(first);
  std::filesystem::create_directories(second);
  const working_directory back;
  std::filesystem::current_path(first);
  auto config = node_config::embedded("data");
  config.trace_file = "trace";
  for (const auto* order : {"o-1", "o-2"}) { // the second life finds what the first one left
    std::filesystem::current_path(first);
    node here{config};
    std::filesystem::current_path(second);
    host_shop(here);
    CAF_REQUIRE(here.start().has_value());
    CAF_CHECK_EQUAL(place(here, order), std::string{"completed: track-"} + order);
  }
  CAF_CHECK(std::filesystem::is_empty(second));
  CAF_CHECK(std::filesystem::exists(first / "data" / "journal"));
  CAF_CHECK(std::filesystem::exists(first / "trace"));
}

CAF_TEST(the journal comes first when descriptors are divided) {
  const nodes::descriptor_demands all{2, 10, true, true, true};
  std::size_t refused = 0;
  for (std::size_t allowed = 16; allowed <= 10'000; ++allowed) {
    const auto shares = nodes::share_descriptors(all, allowed, 20);
    if (!shares) {
      CAF_CHECK_EQUAL(code_of(shares), "invalid_configuration");
      refused = allowed;
      continue;
    }
    const auto promised = 20 + 2 * 4 + 10 + shares->tables + shares->strangers + shares->clients;
    CAF_REQUIRE(promised + 64 <= allowed);
    CAF_REQUIRE(shares->tables >= 32 && shares->strangers >= 16 && shares->clients >= 16);
  }
  CAF_CHECK_EQUAL(refused + 1, 166u); // 20 open, 64 + 8 + 10 certain, 64 at the least
  const auto plenty = nodes::share_descriptors(all, 8'192, 20);
  CAF_REQUIRE(plenty.has_value());
  CAF_CHECK_EQUAL(plenty->clients, 1'024u);
  CAF_CHECK_EQUAL(plenty->tables, 512u);
}

CAF_TEST(a node that may not open enough says so and does not start) {
  const temporary_directory directory;
  const auto child = ::fork();
  CAF_REQUIRE(child >= 0);
  if (child == 0) {
    allow_descriptors(64);
    node here{node_config::embedded(directory.path() / "data")};
    host_shop(here);
    const auto started = here.start();
    const auto says = !started && started.error().message.find("may have 64 files") != std::string::npos;
    ::_exit(says && started.error().code == errc::invalid_configuration ? 42 : 1);
  }
  int status = 0;
  CAF_REQUIRE_EQUAL(::waitpid(child, &status, 0), child);
  CAF_CHECK_EQUAL(WEXITSTATUS(status), 42);
  CAF_CHECK(!std::filesystem::exists(directory.path() / "data"));
}

CAF_TEST(clients and strangers leave the journal what it needs) {
  constexpr rlim_t allowed = 300;
  constexpr std::size_t crowd = 400; // of each kind
  const temporary_directory directory;
  const pair_of_nodes both{directory.path()};
  const reserved_port calls;
  const signal_pipe ready;
  const signal_pipe crowded;
  const auto child = ::fork();
  CAF_REQUIRE(child >= 0);
  if (child == 0) {
    allow_descriptors(allowed);
    auto config = both.config("here");
    config.data = directory.path() / "data";
    config.http = http_address{"127.0.0.1", calls.number()};
    node here{std::move(config)};
    host_shop(here);
    if (!here.start()) {
      ::_exit(1);
    }
    ready.give();
    if (!crowded.wait()) {
      ::_exit(2);
    }
    if (free_descriptors(64) < 64) {
      ::_exit(3);
    }
    for (int i = 0; i < 20; ++i) {
      if (place(here, "o-" + std::to_string(i)) != "completed: track-o-" + std::to_string(i)) {
        ::_exit(4);
      }
    }
    ::_exit(here.failed().wait_for(0s) == std::future_status::ready ? 5 : 42);
  }
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  allow_descriptors(4'096);
  const auto is_ready = ready.wait();
  {
    std::vector<std::unique_ptr<caller>> strangers;
    std::vector<std::unique_ptr<caller>> clients;
    for (std::size_t i = 0; is_ready && i < crowd; ++i) {
      strangers.push_back(std::make_unique<caller>(both.ports[0].number()));
      clients.push_back(std::make_unique<caller>(calls.number()));
      clients.back()->ask();
    }
    // All have been let in, or sent away: the first stranger made room for a later one.
    CAF_CHECK(!is_ready || strangers.front()->is_answered());
    for (const auto& one : clients) {
      if (!one->is_answered()) {
        CAF_ERROR("a client is neither served nor sent away");
        break;
      }
    }
    crowded.give();
    int status = 0;
    CAF_REQUIRE_EQUAL(::waitpid(child, &status, 0), child);
    CAF_CHECK_EQUAL(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 42);
  }
  ::setrlimit(RLIMIT_NOFILE, &before);
}
