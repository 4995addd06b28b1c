#pragma once

#include "config/cluster_file.hpp"

#include <continuo/result.hpp>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/types.h>

namespace continuo::tools {

/// A process of this machine that cannot be taken for another one: a process id comes again, but not in the
/// same boot with the same start.
struct process_mark {
  pid_t pid = 0;
  std::uint64_t start = 0; ///< in ticks since the boot, as proc(5) has it
  std::string boot;

  /// For how long it has run. @pre it runs
  std::chrono::milliseconds age() const;

  friend bool operator==(const process_mark&, const process_mark&) = default;
};

/// The mark of a process that runs; nothing where there is none. A zombie does not run; but a process whose
/// first thread has ended does, until the others have: it holds its files.
std::optional<process_mark> mark_of(pid_t pid);

/// Where the mark of a node that runs stands, and what it says when it runs detached: `DATA.pid` and
/// `DATA.log`, beside its data directory.
std::filesystem::path pid_file_of(const config::node_entry& node);
std::filesystem::path log_file_of(const config::node_entry& node);

/// The process of a node as its pid file names it, if that runs. Nothing where `check_pid_file` would refuse
/// the file: whoever wrote it could have a signal sent to any process.
std::optional<process_mark> find_process(const config::node_entry& node);

struct start_options {
  bool detached = false; ///< survives its starter, and says what it says to its log file
  int output = -1;       ///< where its output goes otherwise; inherited by the child
};

/// Whether the pid file is missing, or can be read and believed: without it nobody knows whether the node
/// runs. It is a plain file that nobody but its owner can write, and names a process of its owner, if that
/// runs.
result<void> check_pid_file(const config::node_entry& node);

/// Removes the pid file of a process that has ended, unless it names another one by now.
void forget_process(const config::node_entry& node, const process_mark& of);

/// Who holds the data directory of a node that no pid file names, as the kernel says it: for people, since it
/// may be another program than the node's. Nothing where nobody does. Does not disturb who starts meanwhile.
std::optional<pid_t> holder_without_pid_file(const config::node_entry& node);

/// Starts a node and writes its pid file. The child's current directory is the folder of the cluster file. A
/// child that is not detached gets SIGTERM when its starter ends, however that ends.
/// `errc::invalid_configuration` where the file names no program or it cannot be run; `errc::in_use` where
/// the node runs.
result<process_mark> start_node(const config::cluster_file& file, const config::node_entry& node,
                                const start_options& how);

/// Becomes the node: writes a pid file for this process, and replaces its program. Terminal, outputs and
/// process group stay as they are. Only returns where that fails, with an error as above.
error become_node(const config::cluster_file& file, const config::node_entry& node);

/// Sends a signal to exactly that process. False where it does not run any more.
bool send_signal(const process_mark& to, int signal);

/// Waits until it is gone; false where it still runs after `patience`. Reaps it where it is a child: `status`
/// then gets what waitpid says.
bool wait_for_end(const process_mark& of, std::chrono::milliseconds patience, int* status = nullptr);

} // namespace continuo::tools
