#pragma once

#include "tests/nodes/process.hpp"
#include "tests/nodes/reserved_port.hpp"
#include "tests/support/places.hpp"

#include <nlohmann/json.hpp>

#include <caf/test/dsl.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

/// What the suites of the program `continuo` share.
namespace continuo::tests {

inline const std::string continuo_program = continuo::tests::places::continuo_program();

/// How a run of `continuo` ended, and all that it said.
struct run_outcome {
  int code = -1;
  std::string text;
};

inline bool join_outputs() {
  return ::dup2(STDOUT_FILENO, STDERR_FILENO) >= 0;
}

/// @param before as in `process`
inline run_outcome run(std::vector<std::string> arguments,
                       const std::function<bool()>& before = join_outputs) {
  process program{continuo_program, std::move(arguments), {}, before};
  run_outcome made;
  while (auto line = program.hear(process::clock::now() + std::chrono::seconds{90})) {
    made.text += *line + '\n';
  }
  made.code = program.wait().code.value_or(-1);
  return made;
}

inline bool has(const run_outcome& from, const std::string& text) {
  const auto found = from.text.find(text) != std::string::npos;
  if (!found) {
    CAF_MESSAGE("not in: " << from.text);
  }
  return found;
}

/// Ends the nodes of a cluster file when the test does, also where it aborts: nodes that were started with
/// `--detach` outlive whoever started them. A shell waits for the end of a pipe that only this process holds.
class last_resort {
public:
  explicit last_resort(const std::filesystem::path& file)
      : shell_(::popen(("cat >/dev/null; for node in ordering payment warehouse; do '" + continuo_program +
                        "' cluster kill '" + file.string() + "' $node; done >/dev/null 2>&1")
                           .c_str(),
                       "we"),
               ::pclose) {}

private:
  std::unique_ptr<FILE, int (*)(FILE*)> shell_;
};

/// A folder with a cluster of three order nodes in it. Whatever runs in the end is ended.
struct order_cluster {
  std::filesystem::path folder;
  std::filesystem::path file;
  std::array<reserved_port, 6> held;
  std::vector<std::uint16_t> ports;
  std::optional<last_resort> nodes_end;

  order_cluster() {
    auto name = (std::filesystem::temp_directory_path() / "continuo-tools-XXXXXX").string();
    CAF_REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder = name;
    file = folder / "shop.conf";
    for (const auto& one : held) {
      ports.push_back(one.number());
    }
    write(0);
    nodes_end.emplace(file);
  }

  ~order_cluster() {
    nodes_end.reset();
    std::filesystem::remove_all(folder);
  }

  void write(int orders, const std::string& more = {}) const {
    std::ofstream out{file};
    out << "[cluster]\nname=\"shop\"\nprogram=\"" << continuo::tests::places::order_node()
        << "\"\narguments=[\"--generate\", \"" << orders << "\"]\n"
        << more;
    const char* nodes[][2] = {{"ordering", "fulfilment"}, {"payment", "payment"}, {"warehouse", "warehouse"}};
    for (std::size_t i = 0; i < 3; ++i) {
      out << "[nodes." << nodes[i][0] << "]\naddress=\"127.0.0.1:" << ports[i]
          << "\"\nhttp=\"127.0.0.1:" << ports[i + 3] << "\"\nhosts=[\"" << nodes[i][1] << "\"]\n";
    }
  }

  run_outcome cluster(const std::string& command, const std::string& node = {}) const {
    std::vector<std::string> arguments{"cluster", command, file.string()};
    if (!node.empty()) {
      arguments.push_back(node);
    }
    return run(arguments);
  }

  run_outcome up() const { return run({"cluster", "up", file.string(), "--detach"}); }

  nlohmann::json status() const {
    return nlohmann::json::parse(run({"cluster", "status", file.string(), "--json"}).text, nullptr, false);
  }

  /// Waits until so many orders have completed or were compensated.
  bool wait_for_ends(std::uint64_t orders) const {
    const auto deadline = process::clock::now() + std::chrono::seconds{60};
    while (process::clock::now() < deadline) {
      const auto now = status();
      const auto counts =
          now.value(nlohmann::json::json_pointer{"/instances/fulfilment"}, nlohmann::json::object());
      if (counts.value("completed", 0u) + counts.value("compensated", 0u) == orders) {
        return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds{50});
    }
    CAF_MESSAGE(status().dump(1));
    return false;
  }

  /// That `init` has made.
  std::string token() const {
    std::string text;
    std::ifstream{folder / "http-token"} >> text;
    return text;
  }

  pid_t pid_of(const std::string& node) const {
    pid_t pid = 0;
    std::ifstream{folder / "data" / (node + ".pid")} >> pid;
    return pid;
  }
};

} // namespace continuo::tests
