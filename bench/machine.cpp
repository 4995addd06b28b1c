#include "bench/machine.hpp"

#include <continuo/version.hpp>

#include <fmt/core.h>

#include <caf/config.hpp>
#include <rocksdb/version.h>

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

namespace continuo::bench {

namespace {

/// The text behind "key: " in a file of /proc; empty where it is not there.
std::string proc_value(const char* file, const std::string& key) {
  std::ifstream in{file};
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(key)) {
      const auto colon = line.find(':');
      const auto start = colon == std::string::npos ? colon : line.find_first_not_of(" \t", colon + 1);
      return start == std::string::npos ? std::string{} : line.substr(start);
    }
  }
  return {};
}

std::uint64_t proc_number(const char* file, const std::string& key) {
  const auto text = proc_value(file, key);
  return text.empty() ? 0 : std::stoull(text);
}

std::string first_line(const std::filesystem::path& file) {
  std::ifstream in{file};
  std::string line;
  std::getline(in, line);
  return line;
}

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "gcc " __VERSION__;
#endif
}

constexpr bool is_optimised =
#if defined(__OPTIMIZE__)
    true;
#else
    false;
#endif

} // namespace

file_system file_system_of(const std::filesystem::path& directory) {
  const auto path = std::filesystem::weakly_canonical(directory).string();
  std::ifstream in{"/proc/self/mounts"};
  file_system found;
  std::size_t longest = 0;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words{line};
    std::string source;
    std::string point;
    std::string type;
    words >> source >> point >> type;
    const auto is_above = point == "/" || path == point || path.starts_with(point + "/");
    if (is_above && point.size() >= longest) {
      longest = point.size();
      found = {type, source};
    }
  }
  return found;
}

nlohmann::ordered_json describe_machine(const std::filesystem::path& directory) {
  utsname kernel{};
  uname(&kernel);
  const auto under = file_system_of(directory);
  return {
      {"cpu", proc_value("/proc/cpuinfo", "model name")},
      {"cpu_mhz", proc_value("/proc/cpuinfo", "cpu MHz")},
      {"cores", std::thread::hardware_concurrency()},
      {"memory_bytes", proc_number("/proc/meminfo", "MemTotal") * 1024},
      {"kernel", fmt::format("{} {}", kernel.sysname, kernel.release)},
      {"file_system", under.type},
      {"device", under.source},
      {"directory", directory.string()},
      {"compiler", compiler()},
      {"optimised", is_optimised},
      {"continuo", version()},
      {"caf", fmt::format("{}.{}.{}", CAF_VERSION / 10000, CAF_VERSION / 100 % 100, CAF_VERSION % 100)},
      {"rocksdb", fmt::format("{}.{}.{}", ROCKSDB_MAJOR, ROCKSDB_MINOR, ROCKSDB_PATCH)},
  };
}

usage usage_now() {
  usage now;
  rusage self{};
  getrusage(RUSAGE_SELF, &self);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  now.cpu_seconds = seconds(self.ru_utime) + seconds(self.ru_stime);
  now.disk_bytes = proc_number("/proc/self/io", "write_bytes");
  for (const auto& task : std::filesystem::directory_iterator{"/proc/self/task"}) {
    // schedstat counts nanoseconds; stat would count ticks of 10 ms.
    std::ifstream in{task.path() / "schedstat"};
    double nanoseconds = 0;
    if (in >> nanoseconds) {
      const auto name = first_line(task.path() / "comm");
      const auto status = task.path() / "status";
      now.thread_seconds[name] += nanoseconds / 1e9;
      now.thread_switches[name].waited += proc_number(status.c_str(), "voluntary_ctxt_switches");
      now.thread_switches[name].forced += proc_number(status.c_str(), "nonvoluntary_ctxt_switches");
    }
  }
  return now;
}

usage used_between(const usage& before, const usage& after) {
  usage difference;
  difference.cpu_seconds = after.cpu_seconds - before.cpu_seconds;
  difference.disk_bytes = after.disk_bytes - before.disk_bytes;
  for (const auto& [name, seconds] : after.thread_seconds) {
    const auto known = before.thread_seconds.find(name);
    const auto used = seconds - (known == before.thread_seconds.end() ? 0 : known->second);
    difference.thread_seconds[name] = std::max(0.0, used);
  }
  for (const auto& [name, switches] : after.thread_switches) {
    const auto known = before.thread_switches.find(name);
    const auto earlier = known == before.thread_switches.end() ? context_switches{} : known->second;
    // Less than before is a thread that ended.
    difference.thread_switches[name] = {switches.waited - std::min(switches.waited, earlier.waited),
                                        switches.forced - std::min(switches.forced, earlier.forced)};
  }
  return difference;
}

std::string thread_role(const std::string& name) {
  static const std::map<std::string, std::string> roles{
      {"caf.worker", "actors (CAF's workers)"},
      {"caf.network", "network (CAF's middleman)"},
      {"caf.clock", "CAF's clock"},
      {"handlers", "handler pool"},
  };
  if (name.starts_with("rocksdb:")) {
    return "RocksDB's own";
  }
  const auto known = roles.find(name);
  return known == roles.end() ? name : known->second;
}

memory memory_now() {
  return memory_of(::getpid());
}

memory memory_of(pid_t process) {
  const auto file = fmt::format("/proc/{}/status", process);
  const auto bytes = [&](const char* key) { return proc_number(file.c_str(), key) * 1024; };
  return {bytes("VmRSS"), bytes("RssAnon"), bytes("VmHWM")};
}

double cpu_seconds_of(pid_t process) {
  // proc(5): the fields behind the program's name in parentheses; 14 and 15 are ticks in user and system
  // mode.
  const auto line = first_line(fmt::format("/proc/{}/stat", process));
  std::istringstream fields{line.substr(std::min(line.rfind(')') + 1, line.size()))};
  std::string skipped;
  for (int field = 3; field < 14; ++field) {
    fields >> skipped;
  }
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

} // namespace continuo::bench
