#pragma once

#include "tests/nodes/process.hpp"
#include "tests/nodes/reserved_port.hpp"
#include "tests/support/places.hpp"

#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace continuo::tests {

/// One of the examples' providers in Python, as a process of its own at a port that it keeps over its deaths.
class provider_process {
public:
  provider_process(const std::string& example, std::string service, std::filesystem::path ledger)
      : script_(continuo::tests::places::root() + "/examples/" + example + "/providers.py"),
        service_(std::move(service)), ledger_(std::move(ledger)) {}

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_.number()); }
  const std::filesystem::path& ledger() const { return ledger_; }

  /// Starts it and waits until it listens.
  void start(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{
        "python3", script_, service_, "--port", std::to_string(port_.number()), "--ledger", ledger_.string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    running_ = std::make_unique<process>("/usr/bin/env", arguments);
    if (!running_->wait_for_line("listening on ")) {
      throw std::runtime_error{service_ + " does not start"};
    }
  }

  void kill() {
    running_->kill(SIGKILL);
    running_->wait();
    running_.reset();
  }

  /// The whole lines of its ledger.
  std::vector<nlohmann::json> entries() const {
    std::vector<nlohmann::json> all;
    std::ifstream in{ledger_};
    for (std::string line; std::getline(in, line) && !in.eof();) {
      all.push_back(nlohmann::json::parse(line));
    }
    return all;
  }

private:
  reserved_port port_;
  std::string script_;
  std::string service_;
  std::filesystem::path ledger_;
  std::unique_ptr<process> running_;
};

} // namespace continuo::tests
