#include "bench/machine.hpp"
#include "bench/measuring.hpp"
#include "bench/order_workflow.hpp"
#include "bench/report.hpp"
#include "bench/three_nodes.hpp"

#include <fmt/core.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <fstream>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

namespace continuo::bench {

namespace {

/// If nothing moves for so long, nothing will.
constexpr std::chrono::minutes patience{1};

struct run_options {
  options common;
  std::uint64_t count = 1'000'000;
  bool for_peer = false; ///< what waits is a command for a node that is down, with 1 KiB of payload, no timer
  std::string phase;     ///< empty: the whole benchmark; else what this process does for it
  std::filesystem::path data;
  std::filesystem::path result;
};

std::string id_of(std::uint64_t number) {
  return fmt::format("subscription-{:09}", number);
}

/// Publishes the events that start the sagas, a bounded number at a time. Runs on the node's threads, by
/// callbacks.
class loader {
public:
  loader(client target, std::uint64_t count, bool for_peer)
      : client_(std::move(target)), count_(count), for_peer_(for_peer) {}

  /// Returns once every event is durable.
  void run() {
    std::unique_lock lock{mutex_};
    constexpr std::uint64_t at_a_time = 4096;
    running_ = std::min(count_, at_a_time);
    const auto lanes = running_;
    lock.unlock();
    for (std::uint64_t lane = 0; lane < lanes; ++lane) {
      next();
    }
    lock.lock();
    auto seen = ~std::uint64_t{0};
    while (!all_left_.wait_for(lock, patience, [this] { return running_ == 0; })) {
      const auto now = next_number_.load();
      require(now != seen, fmt::format("{} of {} events were taken, and {} wait: nothing moved for a minute",
                                       std::min(now, count_) - running_, count_, running_));
      seen = now;
    }
    require(trouble_.empty(), trouble_);
  }

private:
  void next() {
    const auto number = next_number_++;
    if (number >= count_) {
      leave({});
      return;
    }
    const auto customer = fmt::format("customer-{:06}", number % 1'000'000);
    const auto [type, payload] =
        for_peer_
            ? std::pair{"order_placed", encode(order_placed{id_of(number), customer + std::string(1'024, 'x'),
                                                            "1 Long Street, 12345 Some Town", 4200})}
            : std::pair{"subscribed", encode(subscribed{id_of(number), customer})};
    client_.publish(type, payload, {.wait_for_room = true}, [this](const result<accepted>& taken) {
      if (taken) {
        next();
      } else {
        leave("refused: " + taken.error().message);
      }
    });
  }

  void leave(const std::string& trouble) {
    const std::lock_guard guard{mutex_};
    if (trouble_.empty()) {
      trouble_ = trouble;
    }
    if (--running_ == 0) {
      all_left_.notify_all();
    }
  }

  client client_;
  std::uint64_t count_;
  bool for_peer_;
  std::atomic<std::uint64_t> next_number_{0};
  std::mutex mutex_;
  std::condition_variable all_left_;
  std::uint64_t running_ = 0;
  std::string trouble_;
};

/// A node with a data directory; where it waits for a peer, one of two nodes, the other of which is never
/// there: nothing listens at port 1.
node_config config_of(const run_options& chosen) {
  auto config = node_config::embedded(chosen.data);
  if (chosen.for_peer) {
    config.name = "ordering";
    auto& cluster = config.cluster.emplace();
    cluster.name = "bench";
    cluster.nodes.push_back({"ordering", "127.0.0.1", free_port(), {"fulfilment"}});
    cluster.nodes.push_back({"payment", "127.0.0.1", 1, {"payment", "warehouse"}});
  }
  return config;
}

void start(node& target, bool for_peer) {
  if (for_peer) {
    host_orders(target, 16);
  } else {
    target.host<subscription>();
  }
  const auto started = target.start();
  require(started.has_value(),
          "the node does not start: " + (started ? std::string{} : started.error().message));
}

/// In a process of its own: starts the sagas, waits until all are parked, stops.
nlohmann::ordered_json load(const run_options& chosen) {
  node target{config_of(chosen)};
  start(target, chosen.for_peer);
  const auto begun = steady::now();
  loader source{target.client(), chosen.count, chosen.for_peer};
  source.run();
  const auto all_taken = steady::now();
  while (target.figures().in_flight > 0) {
    require(
        steady::now() - all_taken < patience,
        fmt::format("{} are in flight a minute after the last event was taken", target.figures().in_flight));
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  const auto seconds = seconds_since(begun);
  std::this_thread::sleep_for(
      std::chrono::seconds{3}); // what each instance writes late, at most a second later, is written
  const auto held = memory_now();
  const auto stopping = steady::now();
  target.stop();
  return {
      {"load_seconds", seconds},
      {"loaded_per_second", static_cast<double>(chosen.count) / seconds},
      {"load_rss_bytes", held.resident},
      {"load_anonymous_bytes", held.anonymous},
      {"load_peak_rss_bytes", held.peak},
      {"load_cpu_seconds", usage_now().cpu_seconds},
      {"stop_seconds", seconds_since(stopping)},
  };
}

/// In a process of its own: starts the node on what `load` left, and looks whether everything is there.
nlohmann::ordered_json recover(const run_options& chosen) {
  const auto begun = steady::now();
  node target{config_of(chosen)};
  start(target, chosen.for_peer);
  const auto seconds = seconds_since(begun);
  const auto held = memory_now();
  const auto& figures = target.recovery();
  // An instance that was still told what to forget when the node stopped is resumed, and arms its timer
  // itself.
  require(chosen.for_peer || figures.timers + figures.resumed == chosen.count,
          fmt::format("{} timers are armed after the restart and {} instances resumed, of {}", figures.timers,
                      figures.resumed, chosen.count));
  const auto* type = chosen.for_peer ? "fulfilment" : "subscription";
  const auto last = target.client().show({type, id_of(chosen.count - 1)}).get();
  require(last && last->status == instance_status::running, "the last saga is not waiting after the restart");
  nlohmann::ordered_json json{
      {"recovery_seconds", seconds}, {"records", figures.records},
      {"timers", figures.timers},    {"resumed", figures.resumed},
      {"rss_bytes", held.resident},  {"anonymous_bytes", held.anonymous},
      {"peak_rss_bytes", held.peak}, {"cpu_seconds", usage_now().cpu_seconds},
  };
  target.stop();
  return json;
}

/// Runs one phase in a fresh process, so that neither memory nor caches of the one before count.
nlohmann::ordered_json in_own_process(const std::string& phase, const run_options& chosen) {
  const auto count = std::to_string(chosen.count);
  const auto child = fork();
  require(child >= 0, "fork failed");
  if (child == 0) {
    execl("/proc/self/exe", "parked_bench", "--phase", phase.c_str(), "--count", count.c_str(), "--data",
          chosen.data.c_str(), "--result", chosen.result.c_str(), chosen.for_peer ? "--for-peer" : nullptr,
          nullptr);
    _exit(127);
  }
  int status = 0;
  require(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0,
          "the phase `" + phase + "` failed");
  std::ifstream in{chosen.result};
  return nlohmann::ordered_json::parse(in);
}

/// Takes the files' pages out of the page cache. As root those of everything else as well, the kernel's own
/// caches included. Returns how it was done.
std::string drop_page_cache(const std::filesystem::path& data) {
  sync();
  for (const auto& entry : std::filesystem::recursive_directory_iterator{data}) {
    if (entry.is_regular_file()) {
      const auto file = open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
      if (file >= 0) {
        posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
        close(file);
      }
    }
  }
  std::ofstream everything{"/proc/sys/vm/drop_caches"};
  everything << "3\n";
  everything.close();
  return everything ? "drop_caches" : "posix_fadvise";
}

std::uint64_t bytes_in(const std::filesystem::path& directory) {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator{directory}) {
    bytes += entry.is_regular_file() ? entry.file_size() : 0;
  }
  return bytes;
}

void print(const nlohmann::ordered_json& row) {
  const auto number = [&row](const char* key) { return row[key].get<double>(); };
  fmt::print("{} waiting sagas, each with {}\n", grouped(number("sagas")),
             row["for_peer"].get<bool>() ? "a command of 1 KiB for a node that is down"
                                         : "a timer of 30 days");
  fmt::print("  started in   {:.1f} s ({} a second, {:.1f} s of CPU time), stopped in {:.1f} s\n",
             number("load_seconds"), grouped(number("loaded_per_second")), number("load_cpu_seconds"),
             number("stop_seconds"));
  fmt::print("  memory       {} with all of them waiting ({} of it heap), {} at most while they started\n",
             mebibytes(number("load_rss_bytes")), mebibytes(number("load_anonymous_bytes")),
             mebibytes(number("load_peak_rss_bytes")));
  fmt::print("  on the disk  {}\n", mebibytes(number("disk_bytes")));
  fmt::print("  recovered in {:.2f} s in a new process, with a cold page cache ({}): {} records read, {} "
             "timers armed, "
             "{:.1f} s of CPU time\n",
             number("recovery_seconds"), row["cache_dropped_by"].get<std::string>(),
             grouped(number("records")), grouped(number("timers")), number("cpu_seconds"));
  fmt::print("  memory       {} after the recovery ({} of it heap), {} at most in it\n",
             mebibytes(number("rss_bytes")), mebibytes(number("anonymous_bytes")),
             mebibytes(number("peak_rss_bytes")));
}

int run(run_options chosen) {
  report report{"parked", chosen.common};
  const scratch_directory scratch{chosen.common.directory};
  chosen.data = scratch.path() / "data";
  chosen.result = scratch.path() / "result.json";
  nlohmann::ordered_json row{{"sagas", chosen.count}, {"for_peer", chosen.for_peer}};
  row.update(in_own_process("load", chosen));
  row["disk_bytes"] = bytes_in(chosen.data);
  row["cache_dropped_by"] = drop_page_cache(chosen.data);
  row.update(in_own_process("recover", chosen));
  print(row);
  report.add(row);
  return report.finish();
}

int run_phase(const run_options& chosen) {
  std::ofstream out{chosen.result};
  out << (chosen.phase == "load" ? load(chosen) : recover(chosen)).dump() << '\n';
  return out.flush() ? 0 : 1;
}

} // namespace

} // namespace continuo::bench

/// What a million waiting sagas cost in memory, and how soon a node is ready again with them.
int main(int argc, char** argv) {
  using namespace continuo::bench;
  run_options chosen;
  CLI::App line{"Many sagas that wait for a timer: memory, and the time to recover."};
  chosen.common.add_to(line);
  auto* count =
      line.add_option("--count", chosen.count, "sagas")->check(CLI::PositiveNumber)->capture_default_str();
  line.add_flag("--for-peer", chosen.for_peer,
                "they wait for the answer of a node that is down to a command of 1 KiB, not for a timer");
  line.add_option("--phase", chosen.phase)->group("")->check(CLI::IsMember({"load", "recover"}));
  line.add_option("--data", chosen.data)->group("");
  line.add_option("--result", chosen.result)->group("");
  CLI11_PARSE(line, argc, argv);
  if (chosen.common.quick && count->count() == 0) {
    chosen.count = 50'000;
  }
  try {
    return chosen.phase.empty() ? run(chosen) : run_phase(chosen);
  } catch (const std::exception& wrong) {
    fmt::print(stderr, "parked: {}\n", wrong.what());
    return 1;
  }
}
