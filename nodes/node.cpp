#include <continuo/node.hpp>

#include "nodes/runtime.hpp"

#include <algorithm>

namespace continuo {

node_config::node_config() = default;
node_config::node_config(const node_config&) = default;
node_config::node_config(node_config&&) noexcept = default;
node_config& node_config::operator=(const node_config&) = default;
node_config& node_config::operator=(node_config&&) noexcept = default;
node_config::~node_config() = default;

node_config node_config::embedded(file_path data) {
  node_config config;
  config.data = std::move(data);
  return config;
}

node_config node_config::in_memory() {
  return {};
}

node::node(node_config config) : runtime_(std::make_shared<detail::node_runtime>(std::move(config))) {}

// A callback of the node may destroy it while one of these runs: each holds what it works with.

node::~node() {
  const auto runtime = runtime_;
  runtime->stop(true);
}

void node::host(const service& definition) {
  runtime_->host(definition.describe());
}

void node::host(detail::saga_type definition) {
  runtime_->host(std::move(definition));
}

void node::host(detail::keyed_service_type definition) {
  runtime_->host(std::move(definition));
}

void node::host(const schedule& definition) {
  runtime_->host(definition);
}

bool node::runs_here(std::string_view name) const {
  const auto& config = runtime_->config();
  if (config.http_services.contains(std::string{name})) {
    return false;
  }
  return !config.cluster ||
         std::any_of(config.cluster->nodes.begin(), config.cluster->nodes.end(),
                     [&](const cluster_node& one) {
                       return one.name == config.name &&
                              std::find(one.hosts.begin(), one.hosts.end(), name) != one.hosts.end();
                     });
}

result<void> node::start() {
  const auto runtime = runtime_;
  return runtime->start();
}

void node::stop() {
  const auto runtime = runtime_;
  runtime->stop();
}

std::shared_future<error> node::failed() const {
  return runtime_->failed();
}

continuo::client node::client() const {
  return continuo::client{runtime_};
}

bool node::is_ending() const {
  return runtime_->ending();
}

const recovery_figures& node::recovery() const {
  return runtime_->recovery();
}

node_figures node::figures() const {
  return runtime_->figures();
}

std::vector<peer_status> node::peers() const {
  return runtime_->peers();
}

} // namespace continuo
