#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

/// Instructions by thread, as valgrind's callgrind counts them.
namespace continuo::bench {

// -- in the program that is counted ------------------------------------------------------------

/// What lies between the two is counted, and nothing else. At the end valgrind lists its threads, which is
/// how they get their names. Neither does anything outside of valgrind.
void start_counting();
void stop_counting();

/// The names of this process's threads by their number in the kernel, as text.
std::map<std::string, std::string> thread_names();

// -- around it -----------------------------------------------------------------------------------

struct thread_cost {
  std::uint64_t instructions = 0; ///< in user mode
  std::uint64_t allocations = 0;  ///< calls of malloc, operator new and their like
};

/// Runs a program, and waits for it. Throws where it does not end with 0.
void run_program(const std::vector<std::string>& command);

/// The same under callgrind, whose files are left in `directory`. Throws where valgrind is not installed.
void run_under_callgrind(std::vector<std::string> command, const std::filesystem::path& directory);

/// Adds up what callgrind left in `directory` by `thread_role`. `names` are the counted program's, of a
/// moment soon after `stop_counting`. Throws where the threads do not add up to callgrind's own total.
std::map<std::string, thread_cost> read_costs(const std::filesystem::path& directory,
                                              const std::map<std::string, std::string>& names);

} // namespace continuo::bench
