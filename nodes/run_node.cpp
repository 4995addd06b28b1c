#include <continuo/node.hpp>

#include "config/cluster_file.hpp"
#include "messages/application.hpp"
#include "messages/printable.hpp"
#include "nodes/descriptors.hpp"
#include "nodes/threads.hpp"

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
#include <system_error>
#include <thread>
#include <unistd.h>

namespace continuo {

namespace {

/// The node promises to be gone after 5 seconds; ending a process takes some of them on a busy machine.
constexpr std::chrono::seconds time_to_stop{4};

constexpr const char* usage =
    "usage: {0} --data DIR [--name NAME] [--disk-reserve BYTES] [-- ...]\n"
    "       {0} --config FILE --node NAME [-- ...]\n"
    "\n"
    "Runs a node until SIGTERM or SIGINT: one that stands alone, or one of a cluster.\n"
    "  --config FILE  the cluster file: where everything runs, and with which limits\n"
    "  --node NAME  which of its nodes this is\n"
    "  --data DIR   where the node keeps its journal; created if missing\n"
    "  --name NAME  the node's name in logs (default: node)\n"
    "  --disk-reserve BYTES  refuse new work when less is free (default: 268435456)\n"
    "  --help       prints this\n"
    "  -- ...       is left to the program\n";

void say(const std::string& line) {
  std::fputs((printable_lines(line) + "\n").c_str(), stderr);
}

/// The exit code of what may pass: the system has no thread for the process.
constexpr int code_of_passing_trouble = 1;

/// An error without an exit code of its own stands for arguments or definitions that cannot be run, unless
/// the same may go well later.
int code_of(const error& reason) {
  const auto code = exit_code(reason.code);
  if (code == 0 && is_retryable(reason.code)) {
    return code_of_passing_trouble;
  }
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

/// What a server is expected to log, and to where its supervisor looks for it.
std::shared_ptr<spdlog::logger> make_logger(const std::string& node, const std::string& level) {
  auto made = std::make_shared<spdlog::logger>(node, std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  made->set_level(spdlog::level::from_str(level));
  return made;
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
  config->logger = make_logger(read.node, file->find(read.node)->limits.log_level);
  read.config = std::move(*config);
  return std::move(read);
}

result<arguments> read_arguments(int argc, char** argv) {
  arguments read;
  auto** next = argv + (argc > 0 ? 1 : 0);
  while (*next != nullptr) {
    const std::string_view argument{*next++};
    if (argument == "--") { // what follows is the program's own
      break;
    }
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
  read.config.logger = make_logger(read.config.name, "info");
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
/// stopping. Nothing is lost by it, the journal recovers. Where there is no thread for it, it is the kernel's
/// alarm that ends the process, without a word.
class watchdog {
public:
  watchdog(std::chrono::seconds patience, int code) {
    auto started = nodes::start_thread("watchdog", [this, patience, code] {
      std::unique_lock lock{mutex_};
      if (!changed_.wait_for(lock, patience, [this] { return done_; })) {
        say(fmt::format(
            "it is not at its end after {} s (perhaps a handler still runs): the node ends all the same, "
            "and what was running runs again after the next start",
            patience.count()));
        ::_exit(code);
      }
    });
    if (started) {
      thread_ = std::move(*started);
    } else {
      ::alarm(static_cast<unsigned>(patience.count()));
    }
  }

  ~watchdog() {
    {
      const std::lock_guard lock{mutex_};
      done_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) {
      thread_.join();
    }
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

/// Waits for a signal; the node's failure comes as one too (see `run_node`). The program's own code may also
/// have stopped the node, which is looked for.
void wait_for_end(const sigset_t& ending, const node& running) {
  const timespec look_every{1, 0};
  while (sigtimedwait(&ending, nullptr, &look_every) < 0 && !running.is_ending()) {
  }
}

/// Starts the node on a thread of its own, since it may take long where there is much to recover or a suspect
/// handler to run alone. A signal that comes meanwhile ends the waiting: nothing then.
class start_in_background {
public:
  explicit start_in_background(node& starting) {
    auto thread = nodes::start_thread(
        "start", [&starting, promise = std::make_shared<std::promise<result<void>>>(std::move(promise_))] {
          try {
            promise->set_value(starting.start());
          } catch (const std::system_error& none) { // of the system's libraries, which get no thread
            promise->set_value(fail(errc::overloaded, none.what()));
          }
        });
    if (thread) {
      thread_ = std::move(*thread);
    } else {
      no_thread_ = std::move(thread.error());
    }
  }

  ~start_in_background() {
    if (thread_.joinable()) {
      thread_.join();
    }
  }

  start_in_background(const start_in_background&) = delete;
  start_in_background& operator=(const start_in_background&) = delete;

  std::optional<result<void>> wait_unless_ended(const sigset_t& ending) {
    if (no_thread_) {
      return result<void>{tl::unexpected(*no_thread_)};
    }
    while (started_.wait_for(std::chrono::milliseconds{20}) != std::future_status::ready) {
      const timespec at_once{0, 0};
      if (sigtimedwait(&ending, nullptr, &at_once) > 0) {
        return std::nullopt;
      }
    }
    return started_.get();
  }

private:
  std::promise<result<void>> promise_;
  std::future<result<void>> started_ = promise_.get_future();
  std::optional<error> no_thread_;
  std::thread thread_;
};

/// What the program does beside its node, on a thread of its own. What it throws ends the node.
class at_side {
public:
  explicit at_side(std::function<void(node&, std::stop_token)> beside) : beside_(std::move(beside)) {}

  ~at_side() { end(); }

  at_side(const at_side&) = delete;
  at_side& operator=(const at_side&) = delete;

  void start(node& running) {
    if (!beside_) {
      return;
    }
    auto thread = nodes::start_thread("beside", [this, &running] {
      // No code that the node calls, but a thread that uses it: it may wait for the end of nodes.
      try {
        beside_(running, stop_.get_token());
      } catch (...) {
        trouble_ = {errc::handler_failed, "`beside` of run_node threw: " + what_was_thrown()};
        ::kill(::getpid(), SIGTERM);
      }
    });
    if (thread) {
      thread_ = std::move(*thread);
    } else {
      trouble_ = std::move(thread.error());
      ::kill(::getpid(), SIGTERM);
    }
  }

  /// Why the node must end with what is beside it. Waits for that.
  std::optional<error> end() {
    stop_.request_stop();
    if (thread_.joinable()) {
      thread_.join();
    }
    return trouble_;
  }

private:
  std::function<void(node&, std::stop_token)> beside_;
  std::stop_source stop_;
  std::optional<error> trouble_; // the thread's, until it has ended
  std::thread thread_;
};

/// Runs a node of this configuration until a signal comes. `ending` are blocked since before any thread.
int run_until_signal(node_config config, const std::function<void(node_builder&)>& offer,
                     const std::function<void(node&, std::stop_token)>& beside) {
  const auto ending = block_signals();
  nodes::raise_descriptor_limit();
  // A closed pipe or connection is an error of its call, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  const auto name = config.name;
  // To the process, not to this thread: a failure during `start` waits until somebody does.
  config.on_failure = [told = std::move(config.on_failure)](const error& reason) {
    ::kill(::getpid(), SIGTERM); // first: the other one may never return
    if (told) {
      told(reason);
    }
  };
  std::optional<node> running{std::in_place, std::move(config)};
  if (const auto offered = call_application(
          errc::invalid_definition, [&] { offer(*running); }, "what the node offers to run threw: ");
      !offered) {
    say(fmt::format("{}: {}", name, offered.error().message));
    return code_of(offered.error());
  }
  std::optional<start_in_background> starting{std::in_place, *running};
  const auto started = starting->wait_unless_ended(ending);
  at_side side{beside};
  if (started && *started) {
    side.start(*running);
    wait_for_end(ending, *running);
  }
  auto reason = started && !*started ? std::optional{started->error()} : failure_of(*running);
  const auto say_why = [&] {
    if (reason) {
      say(fmt::format("{}: {}", name, reason->message));
    }
  };
  say_why();
  const watchdog limit{time_to_stop, reason ? code_of(*reason) : 0};
  if (auto trouble = side.end(); trouble && !reason) {
    reason = std::move(trouble);
    say_why();
  }
  starting.reset();
  running.reset();
  return reason ? code_of(*reason) : 0;
}

} // namespace

int run_node(node_config config, const std::function<void(node_builder&)>& offer,
             const std::function<void(node&, std::stop_token)>& beside) {
  return run_until_signal(std::move(config), offer, beside);
}

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
  return run_until_signal(std::move(read->config), offer, beside);
}

} // namespace continuo
