#include "bench/three_nodes.hpp"

#include "bench/measuring.hpp"
#include "bench/order_workflow.hpp"
#include "config/cluster_file.hpp"
#include "nodes/certificates.hpp"

#include <fmt/core.h>

#include <arpa/inet.h>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace continuo::bench {

namespace {

constexpr std::chrono::seconds patience{30};
constexpr const char* child_mark = "--as-node";

void require(const result<void>& done) {
  bench::require(done.has_value(), done ? std::string{} : done.error().message);
}

} // namespace

std::uint16_t free_port() {
  const int file = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  const auto bound = ::bind(file, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     ::getsockname(file, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  ::close(file);
  if (!bound) {
    throw std::runtime_error("the kernel gives no port");
  }
  return ntohs(address.sin_port);
}

three_nodes::three_nodes(std::filesystem::path directory, bool tls, std::uint32_t concurrency)
    : directory_(std::move(directory)), file_(directory_ / "bench.conf"), concurrency_(concurrency) {
  std::ofstream out{file_};
  out << "[cluster]\nname=\"bench\"\ntls=\"" << (tls ? "on" : "off") << "\"\n";
  for (const auto& [name, hosts] : {std::pair{"ordering", "fulfilment"}, std::pair{"payment", "payment"},
                                    std::pair{"warehouse", "warehouse"}}) {
    out << fmt::format("[nodes.{}]\naddress=\"127.0.0.1:{}\"\nhosts=[\"{}\"]\n", name, free_port(), hosts);
  }
  out.close();
  if (tls) {
    require(nodes::make_certificates(directory_ / "certificates", {"ordering", "payment", "warehouse"})
                .map([](const nodes::certificates_made&) {}));
  }
}

three_nodes::~three_nodes() {
  stop();
}

// -- the processes ---------------------------------------------------------------------------

void three_nodes::start_all() {
  start("payment");
  start("warehouse");
  const auto file = config::read_cluster_file(file_);
  if (!file) {
    throw std::runtime_error(file.error().message);
  }
  auto config = config::node_config_of(*file, "ordering");
  if (!config) {
    throw std::runtime_error(config.error().message);
  }
  std::filesystem::create_directories(std::filesystem::path{config->data}.parent_path());
  ordering_.emplace(std::move(*config));
  host_orders(*ordering_, concurrency_);
  require(ordering_->start());
  wait_until_up("payment");
  wait_until_up("warehouse");
}

void three_nodes::start(const std::string& name) {
  const auto child = ::fork();
  if (child < 0) {
    throw std::runtime_error("fork failed");
  }
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, nullptr);
    const auto concurrency = std::to_string(concurrency_);
    ::execl("/proc/self/exe", "bench-node", child_mark, concurrency.c_str(), "--config", file_.c_str(),
            "--node", name.c_str(), nullptr);
    ::_exit(127);
  }
  children_[name] = child;
}

void three_nodes::kill(const std::string& name) {
  const auto child = children_.extract(name).mapped();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

bool three_nodes::is_up(const std::string& name) const {
  for (const auto& peer : ordering_->peers()) {
    if (peer.name == name) {
      return peer.up;
    }
  }
  return false;
}

void three_nodes::wait_until_up(const std::string& name) {
  const auto begun = steady::now();
  while (!is_up(name)) {
    if (steady::now() - begun > patience) {
      throw std::runtime_error("the node " + name + " cannot be reached");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
}

void three_nodes::stop() {
  for (const auto& [name, child] : children_) {
    ::kill(child, SIGTERM);
  }
  ordering_.reset();
  for (const auto& [name, child] : children_) {
    ::waitpid(child, nullptr, 0);
  }
  children_.clear();
}

// -- queries ---------------------------------------------------------------------------------------

std::map<std::string, double> three_nodes::cpu_seconds() const {
  std::map<std::string, double> used{{"ordering", usage_now().cpu_seconds}};
  for (const auto& [name, child] : children_) {
    used[name] = cpu_seconds_of(child);
  }
  return used;
}

std::map<std::string, memory> three_nodes::memory_held() const {
  std::map<std::string, memory> held{{"ordering", memory_now()}};
  for (const auto& [name, child] : children_) {
    held[name] = memory_of(child);
  }
  return held;
}

std::optional<int> run_as_child(int argc, char** argv) {
  if (argc < 3 || std::strcmp(argv[1], child_mark) != 0) {
    return std::nullopt;
  }
  const auto concurrency = static_cast<std::uint32_t>(std::strtoul(argv[2], nullptr, 10));
  argv[2] = argv[0];
  return run_node(argc - 2, argv + 2, [&](node_builder& node) { host_orders(node, concurrency); });
}

} // namespace continuo::bench
