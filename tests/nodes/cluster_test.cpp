#define CAF_SUITE cluster
// ctest: timeout=240 labels=processes

#include "nodes/certificates.hpp"
#include "tests/nodes/process.hpp"
#include "tests/nodes/shop.hpp"

#include <caf/test/dsl.hpp>

#include <arpa/inet.h>
#include <fstream>
#include <map>
#include <netinet/in.h>
#include <set>
#include <sstream>
#include <sys/socket.h>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

const std::string program = std::string{CONTINUO_PROGRAMS_DIR} + "/shop_node";

/// A port that the kernel had free a moment ago.
std::uint16_t free_port() {
  const int file = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (::bind(file, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(file, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error{"no port"};
  }
  ::close(file);
  return ntohs(address.sin_port);
}

/// Three nodes as processes of their own, with TLS between them.
struct fixture {
  temporary_directory directory;
  std::filesystem::path ledger = directory.path() / "ledger";
  std::filesystem::path file = directory.path() / "shop.conf";
  std::map<std::string, std::unique_ptr<process>> nodes;

  fixture() {
    write_file();
    const auto made =
        nodes::make_certificates(directory.path() / "certificates", {"ordering", "payment", "warehouse"});
    CAF_REQUIRE(made.has_value());
  }

  void write_file() {
    std::ofstream out{file};
    out << "[cluster]\nname=\"shop\"\n";
    for (const auto& [name, hosts] :
         std::map<std::string, std::string>{{"ordering", "\"selling\", \"account\""},
                                            {"payment", "\"payment\""},
                                            {"warehouse", "\"warehouse\""}}) {
      out << "[nodes." << name << "]\naddress=\"127.0.0.1:" << free_port() << "\"\nhosts=[" << hosts << "]\n";
    }
  }

  std::filesystem::path errors(const std::string& name) const {
    return directory.path() / (name + ".stderr");
  }

  std::string said(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream{errors(name)}.rdbuf();
    return text.str();
  }

  process& start(const std::string& name) {
    auto& node = nodes[name];
    node = std::make_unique<process>(
        program, std::vector<std::string>{"--config", file.string(), "--node", name},
        std::map<std::string, std::string>{{"SHOP_LEDGER", ledger.string()}}, [this, name] {
          const int to = ::open(errors(name).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
          return ::dup2(to, STDERR_FILENO) >= 0;
        });
    return *node;
  }

  /// For each kind of effect and order the keys that it was done under.
  std::map<std::string, std::set<std::string>> effects() const {
    std::map<std::string, std::set<std::string>> found;
    std::ifstream lines{ledger};
    for (std::string kind, order, key; lines >> kind >> order >> key;) {
      found[kind + " " + order].insert(key);
    }
    return found;
  }
};

int number_of(const process::ending& end) {
  return end.code ? *end.code : -end.signal;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(cluster_tests, fixture)

CAF_TEST(orders wait for a killed service and complete when it is back) {
  for (const auto* name : {"ordering", "payment", "warehouse"}) {
    start(name);
  }
  for (const auto* name : {"ordering", "payment", "warehouse"}) {
    CAF_REQUIRE(nodes[name]->wait_for_line("ready"));
  }
  auto& ordering = *nodes["ordering"];
  ordering.say("place o-0 100");
  ordering.say("watch o-0");
  CAF_REQUIRE(ordering.wait_for_line("ended o-0 completed"));
  nodes["payment"]->kill(SIGKILL);
  nodes["payment"]->wait();
  for (int i = 1; i <= 100; ++i) {
    ordering.say("place o-" + std::to_string(i) + " 100");
  }
  for (int i = 1; i <= 100; ++i) {
    CAF_REQUIRE(ordering.wait_for_line("accepted o-"));
  }
  ordering.say("show o-50");
  CAF_CHECK(ordering.wait_for_line("shown o-50 running, reply make_payment payment@payment"));
  start("payment");
  for (int i = 1; i <= 100; ++i) {
    ordering.say("watch o-" + std::to_string(i));
  }
  std::size_t completed = 0;
  const auto deadline = process::clock::now() + 60s;
  while (completed < 100) {
    const auto line = ordering.hear(deadline);
    CAF_REQUIRE(line.has_value());
    completed += line->starts_with("ended ") && line->ends_with(" completed") ? 1 : 0;
  }
  const auto done = effects();
  for (int i = 0; i <= 100; ++i) {
    const auto charge = done.find("charge o-" + std::to_string(i));
    CAF_REQUIRE(charge != done.end());
    CAF_CHECK_EQUAL(charge->second.size(), 1u);
  }
  for (const auto* name : {"ordering", "payment", "warehouse"}) {
    nodes[name]->kill(SIGTERM);
    CAF_CHECK_EQUAL(number_of(nodes[name]->wait(6s)), 0);
  }
}

CAF_TEST(a node whose data directory was wiped ends with 5) {
  for (const auto* name : {"ordering", "payment", "warehouse"}) {
    start(name);
  }
  for (const auto* name : {"ordering", "payment", "warehouse"}) {
    CAF_REQUIRE(nodes[name]->wait_for_line("ready"));
  }
  nodes["ordering"]->say("place o-0 100");
  nodes["ordering"]->say("watch o-0");
  CAF_REQUIRE(nodes["ordering"]->wait_for_line("ended o-0 completed"));
  nodes["payment"]->kill(SIGKILL);
  nodes["payment"]->wait();
  std::filesystem::remove_all(directory.path() / "data" / "payment");
  CAF_CHECK_EQUAL(number_of(start("payment").wait(20s)), 5);
  // Whether it finds out itself, from the hello of the one that dials, or is told by the one that it dials:
  // both say what to do.
  CAF_CHECK(said("payment").find("continuo journal restore --accept-loss") != std::string::npos);
}

CAF_TEST(what cannot be run ends with its code and says why) {
  CAF_CHECK_EQUAL(number_of(start("nobody").wait(10s)), 2);
  CAF_CHECK(said("nobody").find("ordering, payment") != std::string::npos);
  // The other's key.
  const auto folder = directory.path() / "certificates";
  std::filesystem::copy_file(folder / "payment.key", folder / "warehouse.key",
                             std::filesystem::copy_options::overwrite_existing);
  CAF_CHECK_EQUAL(number_of(start("warehouse").wait(10s)), 2);
  CAF_CHECK(said("warehouse").find("does not belong to") != std::string::npos);
  // The port of a node that runs.
  CAF_REQUIRE(start("ordering").wait_for_line("ready"));
  std::stringstream text;
  text << std::ifstream{file}.rdbuf();
  auto copy = text.str();
  const auto data = copy.find("name=\"shop\"\n");
  copy.insert(data, "data=\"elsewhere\"\n");
  std::ofstream{file} << copy;
  const auto running = std::move(nodes["ordering"]);
  CAF_CHECK_EQUAL(number_of(start("ordering").wait(10s)), 7);
}

CAF_TEST_FIXTURE_SCOPE_END()
