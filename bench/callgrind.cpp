#include "bench/callgrind.hpp"

#include "bench/machine.hpp"
#include "bench/measuring.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <string_view>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

namespace continuo::bench {

namespace {

/// "12,345" and "12345" behind the last colon of a line.
std::uint64_t number_at_end(const std::string& line) {
  return std::stoull(line.substr(line.rfind(':') + 1));
}

bool allocates(std::string_view function) {
  static constexpr std::array names{"malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"};
  return function.starts_with("operator new") ||
         std::find(names.begin(), names.end(), function) != names.end();
}

/// One thread's file. A function is written `(12) name` the first time and `(12)` from then on, whether it
/// calls (fn=) or is called (cfn=); a line `calls=N ...` says how often the one did the other.
thread_cost read_thread(const std::filesystem::path& file) {
  std::ifstream in{file};
  thread_cost cost;
  std::map<std::string, bool> allocating;
  bool inside = false; // an allocator: what it calls itself is the same allocation
  bool called = false;
  const auto look_up = [&](std::string_view function) {
    const auto end = function.find(')') + 1;
    const std::string number{function.substr(0, end)};
    if (function.size() > end + 1) {
      allocating[number] = allocates(function.substr(end + 1));
    }
    return allocating[number];
  };
  bool complete = false;
  for (std::string line; std::getline(in, line);) {
    const std::string_view text{line};
    if (text.starts_with("fn=")) {
      inside = look_up(text.substr(3));
    } else if (text.starts_with("cfn=")) {
      called = look_up(text.substr(4));
    } else if (text.starts_with("calls=") && called && !inside) {
      cost.allocations += std::stoull(line.substr(6));
    } else if (text.starts_with("totals:")) {
      cost.instructions = number_at_end(line);
      complete = true;
    }
  }
  require(complete, "callgrind did not write " + file.string() + " to its end");
  return cost;
}

/// What valgrind wrote beside the counts: its number of each thread with the kernel's, and the total.
struct callgrind_log {
  std::map<std::string, std::string> kernel_numbers;
  std::uint64_t total = 0;
};

callgrind_log read_log(const std::filesystem::path& file) {
  callgrind_log log;
  std::ifstream in{file};
  for (std::string line; std::getline(in, line);) {
    // "Thread 3: status = VgTs_WaitSys syscall 202 (lwpid 4711)"
    constexpr std::string_view mark = "(lwpid ";
    if (const auto at = line.find(mark); line.starts_with("Thread ") && at != std::string::npos) {
      const auto begin = at + mark.size();
      log.kernel_numbers[line.substr(7, line.find(':') - 7)] =
          line.substr(begin, line.find(')', begin) - begin);
    } else if (line.find("Collected :") != std::string::npos) {
      log.total = number_at_end(line);
    }
  }
  return log;
}

} // namespace

// -- in the program that is counted ------------------------------------------------------------

void start_counting() {
  CALLGRIND_START_INSTRUMENTATION;
}

void stop_counting() {
  CALLGRIND_STOP_INSTRUMENTATION;
  (void)VALGRIND_MONITOR_COMMAND("v.info scheduler");
}

std::map<std::string, std::string> thread_names() {
  std::map<std::string, std::string> names;
  for (const auto& task : std::filesystem::directory_iterator{"/proc/self/task"}) {
    std::ifstream in{task.path() / "comm"};
    std::getline(in, names[task.path().filename().string()]);
  }
  return names;
}

// -- around it -----------------------------------------------------------------------------------

void run_program(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const auto& word : command) {
    arguments.push_back(const_cast<char*>(word.c_str()));
  }
  arguments.push_back(nullptr);
  const auto child = ::fork();
  require(child >= 0, "fork failed");
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  require(!WIFEXITED(status) || WEXITSTATUS(status) != 127,
          command.front() + " is missing; scripts/install-packages installs it");
  require(WIFEXITED(status) && WEXITSTATUS(status) == 0, command.front() + " failed");
}

void run_under_callgrind(std::vector<std::string> command, const std::filesystem::path& directory) {
  // Valgrind runs one thread at a time; fair: in the order in which they ask, not whichever comes first.
  const std::vector<std::string> before{"valgrind",
                                        "--tool=callgrind",
                                        "--separate-threads=yes",
                                        "--instr-atstart=no",
                                        "--fair-sched=yes",
                                        "--callgrind-out-file=" + (directory / "thread").string(),
                                        "--log-file=" + (directory / "log").string()};
  command.insert(command.begin(), before.begin(), before.end());
  run_program(command);
}

std::map<std::string, thread_cost> read_costs(const std::filesystem::path& directory,
                                              const std::map<std::string, std::string>& names) {
  const auto log = read_log(directory / "log");
  std::map<std::string, thread_cost> roles;
  std::uint64_t sum = 0;
  for (const auto& file : std::filesystem::directory_iterator{directory}) {
    const auto name = file.path().filename().string();
    if (!name.starts_with("thread-")) {
      continue;
    }
    const auto cost = read_thread(file.path());
    const auto known = log.kernel_numbers.find(std::to_string(std::stoul(name.substr(7))));
    const auto named = known == log.kernel_numbers.end() ? names.end() : names.find(known->second);
    auto& role = roles[named == names.end() ? "threads that ended" : thread_role(named->second)];
    role.instructions += cost.instructions;
    role.allocations += cost.allocations;
    sum += cost.instructions;
  }
  require(sum > 0 && sum == log.total,
          fmt::format("callgrind counted {} instructions, but its threads add up to {}", log.total, sum));
  return roles;
}

} // namespace continuo::bench
