#include <continuo/node.hpp>

#include "config/cluster_file.hpp"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unistd.h>

namespace continuo {

namespace {

/// The node promises to be gone after 5 seconds; ending a process takes some of them on a busy machine.
constexpr std::chrono::seconds time_to_stop{4};

constexpr const char* usage =
    "usage: {0} --data DIR [--name NAME] [--disk-reserve BYTES]\n"
    "       {0} --config FILE --node NAME\n"
    "\n"
    "Runs a node until SIGTERM or SIGINT: one that stands alone, or one of a cluster.\n"
    "  --config FILE  the cluster file: where everything runs, and with which limits\n"
    "  --node NAME  which of its nodes this is\n"
    "  --data DIR   where the node keeps its journal; created if missing\n"
    "  --name NAME  the node's name in logs (default: node)\n"
    "  --disk-reserve BYTES  refuse new work when less is free (default: 268435456)\n"
    "  --help       prints this\n";

void say(const std::string& line) {
  std::fputs((line + "\n").c_str(), stderr);
}

/// An error without an exit code of its own stands for arguments or definitions that cannot be run.
int code_of(const error& reason) {
  const auto code = exit_code(reason.code);
  return code != 0 ? code : exit_code(errc::invalid_configuration);
}

// -- arguments --------------------------------------------------------------------------------

struct arguments {
  node_config config;
  std::string file; ///< the cluster file; empty where the node stands alone
  std::string node;
  bool help = false;
};

/// The value of `--option VALUE` or `--option=VALUE`; nothing where `argument` is another option.
result<std::optional<std::string>> value_of(std::string_view option, std::string_view argument,
                                            char**& next) {
  if (argument == option) {
    if (*next == nullptr || **next == '\0') {
      return fail(errc::invalid_configuration, fmt::format("{} needs a value", option));
    }
    return std::optional<std::string>{*next++};
  }
  if (argument.starts_with(option) && argument.substr(option.size()).starts_with('=')) {
    auto value = std::string{argument.substr(option.size() + 1)};
    if (value.empty()) {
      return fail(errc::invalid_configuration, fmt::format("{} needs a value", option));
    }
    return std::optional{std::move(value)};
  }
  return std::optional<std::string>{};
}

/// The configuration of the node as the cluster file has it, and a logger of the level that stands there.
result<arguments> read_cluster(arguments&& read) {
  if (!read.config.data.empty() || read.config.name != node_config{}.name) {
    return fail(errc::invalid_configuration, "--data and --name stand in the cluster file: leave them out");
  }
  const auto file = config::read_cluster_file(read.file);
  if (!file) {
    return tl::unexpected(file.error());
  }
  auto config = config::node_config_of(*file, read.node);
  if (!config) {
    return tl::unexpected(config.error());
  }
  // The folder that holds the data of all nodes is nobody's own.
  std::error_code trouble;
  const auto above = std::filesystem::path{config->data}.parent_path();
  std::filesystem::create_directories(above, trouble);
  if (trouble) {
    return fail(errc::invalid_configuration, fmt::format("{}: {}", above.string(), trouble.message()));
  }
  config->logger =
      std::make_shared<spdlog::logger>(read.node, std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  config->logger->set_level(spdlog::level::from_str(file->find(read.node)->limits.log_level));
  read.config = std::move(*config);
  return std::move(read);
}

result<arguments> read_arguments(int argc, char** argv) {
  arguments read;
  auto** next = argv + (argc > 0 ? 1 : 0);
  while (*next != nullptr) {
    const std::string_view argument{*next++};
    if (argument == "--help" || argument == "-h") {
      read.help = true;
      return read;
    }
    static constexpr std::string_view options[] = {"--data", "--name", "--disk-reserve", "--config",
                                                   "--node"};
    std::optional<std::string> value;
    std::string_view option;
    for (const auto one : options) {
      auto found = value_of(one, argument, next);
      if (!found) {
        return tl::unexpected(found.error());
      }
      if (*found) {
        option = one;
        value = std::move(*found);
        break;
      }
    }
    if (option == "--data") {
      read.config.data = *value;
    } else if (option == "--name") {
      read.config.name = *value;
    } else if (option == "--config") {
      read.file = *value;
    } else if (option == "--node") {
      read.node = *value;
    } else if (option == "--disk-reserve") {
      const auto& text = *value;
      const auto [end, wrong] =
          std::from_chars(text.data(), text.data() + text.size(), read.config.disk_reserve);
      if (wrong != std::errc{} || end != text.data() + text.size()) {
        return fail(errc::invalid_configuration,
                    fmt::format("--disk-reserve needs a number of bytes, found \"{}\"", text));
      }
    } else {
      return fail(errc::invalid_configuration, fmt::format("unknown argument {}; see --help", argument));
    }
  }
  if (read.file.empty() != read.node.empty()) {
    return fail(errc::invalid_configuration, "--config FILE and --node NAME go together; see --help");
  }
  if (!read.file.empty()) {
    return read_cluster(std::move(read));
  }
  if (read.config.data.empty()) {
    return fail(errc::invalid_configuration, "--data DIR or --config FILE is missing; see --help");
  }
  return read;
}

// -- signals ------------------------------------------------------------------------------------

/// Blocks SIGTERM and SIGINT on this thread, and so on every thread that it starts from now on: they are
/// waited for.
sigset_t block_signals() {
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  return ending;
}

// -- the end --------------------------------------------------------------------------------------

/// Ends the process if it is not taken back in time: a handler that still runs must not keep a node from
/// stopping. Nothing is lost by it, the journal recovers.
class watchdog {
public:
  watchdog(std::chrono::seconds patience, int code)
      : thread_([this, patience, code] {
          std::unique_lock lock{mutex_};
          if (!changed_.wait_for(lock, patience, [this] { return done_; })) {
            say(fmt::format(
                "it is not at its end after {} s (perhaps a handler still runs): the node ends all the same, "
                "and what was running runs again after the next start",
                patience.count()));
            ::_exit(code);
          }
        }) {}

  ~watchdog() {
    {
      const std::lock_guard lock{mutex_};
      done_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  watchdog(const watchdog&) = delete;
  watchdog& operator=(const watchdog&) = delete;

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  std::thread thread_; // last: it uses the others
};

/// Why the node must stop; nothing if nothing is wrong with it.
std::optional<error> failure_of(const node& running) {
  const auto failed = running.failed();
  return failed.wait_for(std::chrono::seconds{0}) == std::future_status::ready ? std::optional{failed.get()}
                                                                               : std::nullopt;
}

/// Waits for a signal. The node's failure comes as one too (see `run_node`), so that there is one place to
/// wait.
void wait_for_signal(const sigset_t& ending) {
  int got = 0;
  while (sigwait(&ending, &got) == EINTR) {
  }
}

/// Starts the node, which may take long where there is much to recover or a suspect handler to run alone. A
/// signal that comes meanwhile ends the waiting: nothing then.
std::optional<result<void>> start_unless_ended(const sigset_t& ending, std::future<result<void>>& starting) {
  while (starting.wait_for(std::chrono::milliseconds{20}) != std::future_status::ready) {
    const timespec at_once{0, 0};
    if (sigtimedwait(&ending, nullptr, &at_once) > 0) {
      return std::nullopt;
    }
  }
  return starting.get();
}

} // namespace

int run_node(int argc, char** argv, const std::function<void(node_builder&)>& offer,
             const std::function<void(node&, std::stop_token)>& beside) {
  auto read = read_arguments(argc, argv);
  if (!read) {
    say(fmt::format("{}: {}", argc > 0 ? argv[0] : "node", read.error().message));
    return code_of(read.error());
  }
  if (read->help) {
    std::fputs(fmt::format(fmt::runtime(usage), argc > 0 ? argv[0] : "node").c_str(), stdout);
    return 0;
  }
  const auto ending = block_signals();
  // A closed pipe or connection is an error of its call, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  const auto name = read->config.name;
  // To the process, not to this thread: a failure during `start` waits until somebody does.
  read->config.on_failure = [](const error&) { ::kill(::getpid(), SIGTERM); };
  std::optional<node> running{std::in_place, std::move(read->config)};
  offer(*running);
  auto starting = std::async(std::launch::async, [&running] { return running->start(); });
  const auto started = start_unless_ended(ending, starting);
  std::jthread at_side;
  if (started && *started) {
    if (beside) {
      at_side = std::jthread{[&](std::stop_token stop) { beside(*running, std::move(stop)); }};
    }
    wait_for_signal(ending);
    at_side.request_stop();
  }
  const auto reason = started && !*started ? std::optional{started->error()} : failure_of(*running);
  const auto code = reason ? code_of(*reason) : 0;
  if (reason) {
    say(fmt::format("{}: {}", name, reason->message));
  }
  const watchdog limit{time_to_stop, code};
  if (at_side.joinable()) {
    at_side.join();
  }
  if (starting.valid()) {
    starting.wait();
  }
  running.reset();
  return code;
}

} // namespace continuo
