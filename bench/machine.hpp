#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <sys/types.h>

namespace continuo::bench {

/// What a figure depends on: processor, cores, memory, kernel, compiler, and the file system under
/// `directory`.
nlohmann::ordered_json describe_machine(const std::filesystem::path& directory);

/// The type of the file system under `directory`, as `mount` names it ("ext4", "tmpfs"), and what it is
/// mounted from.
struct file_system {
  std::string type;
  std::string source;
};
file_system file_system_of(const std::filesystem::path& directory);

/// How often a thread gave up its processor: because it waited, or because it was made to.
struct context_switches {
  std::uint64_t waited = 0;
  std::uint64_t forced = 0;
};

/// What this process has used so far.
struct usage {
  double cpu_seconds = 0;       ///< user and system, all threads, ended ones too
  std::uint64_t disk_bytes = 0; ///< what the kernel was asked to bring to the disk; 0 where it does not say
  std::map<std::string, double> thread_seconds; ///< CPU time of the threads alive, added up by name
  std::map<std::string, context_switches> thread_switches; ///< of the same threads
};
usage usage_now();

/// The difference of two moments. A thread that ended in between counts in `cpu_seconds` only.
usage used_between(const usage& before, const usage& after);

/// What a thread's name stands for, for people: "caf.worker" -> "actors (CAF's workers)".
std::string thread_role(const std::string& name);

/// Resident memory of this process, in bytes: now, and the most there ever was.
struct memory {
  std::uint64_t resident = 0;
  std::uint64_t anonymous =
      0; ///< of `resident`: the heap and the stacks, not the files that the program consists of
  std::uint64_t peak = 0;
};
memory memory_now();

/// The same of another process of this machine: its memory, and the CPU time that it has used so far, in
/// seconds. Zero where there is no such process.
memory memory_of(pid_t process);
double cpu_seconds_of(pid_t process);

} // namespace continuo::bench
