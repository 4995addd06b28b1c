#include "tools/node_process.hpp"

#include "journal/directory.hpp"
#include "journal/files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <sstream>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace continuo::tools {

namespace {

constexpr std::chrono::seconds time_to_lock{20};
constexpr std::chrono::seconds time_to_die{10}; // of what has been killed

constexpr std::size_t pid_file_bytes = 4'096;

/// Of a file of the kernel's.
std::string first_line_of(const std::filesystem::path& file) {
  std::ifstream in{file};
  std::string line;
  std::getline(in, line);
  return line;
}

std::string boot_id() {
  return first_line_of("/proc/sys/kernel/random/boot_id");
}

/// Whether threads of the process are left, where its first one has ended.
bool has_threads(pid_t pid, std::uint64_t at_least) {
  std::error_code gone;
  const auto threads = std::filesystem::directory_iterator{fmt::format("/proc/{}/task", pid), gone};
  return !gone && static_cast<std::uint64_t>(std::distance(begin(threads), end(threads))) >= at_least;
}

/// What proc(5) says of a process behind `name` in its file `status`; empty where it is gone.
std::string status_of(pid_t pid, std::string_view name) {
  std::ifstream in{fmt::format("/proc/{}/status", pid)};
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(name) && line.substr(name.size()).starts_with(":\t")) {
      return line.substr(name.size() + 2);
    }
  }
  return {};
}

/// Whether it has been killed and is not gone yet: what it holds is let go of soon.
bool is_killed(pid_t pid) {
  const auto state = status_of(pid, "State");
  const auto has_kill = [&](std::string_view pending) {
    return (std::strtoull(status_of(pid, pending).c_str(), nullptr, 16) & (1u << (SIGKILL - 1))) != 0;
  };
  return state.empty() || state.front() == 'Z' || state.front() == 'X' || has_kill("SigPnd") ||
         has_kill("ShdPnd");
}

/// As whom it runs.
std::optional<uid_t> user_of(pid_t pid) {
  std::istringstream ids{status_of(pid, "Uid")};
  uid_t real = 0;
  uid_t effective = 0;
  return ids >> real >> effective ? std::optional{effective} : std::nullopt;
}

std::filesystem::path beside(const std::filesystem::path& data, const char* ending) {
  auto path = data;
  path += ending;
  return path;
}

/// A handle of a process; -1 where it does not run. The kernel keeps its id from being used again as long as
/// it is open, so what is checked through it stays true.
class process_handle {
public:
  explicit process_handle(const process_mark& of) {
    number_ = static_cast<int>(::syscall(SYS_pidfd_open, of.pid, 0u));
    if (number_ >= 0 && mark_of(of.pid) != of) {
      ::close(number_);
      number_ = -1;
    }
  }
  ~process_handle() {
    if (number_ >= 0) {
      ::close(number_);
    }
  }
  process_handle(const process_handle&) = delete;
  process_handle& operator=(const process_handle&) = delete;

  int get() const { return number_; }

private:
  int number_ = -1;
};

/// Locks a directory until what is given ends. Waits for it, but not for ever: everybody who may read the
/// directory can hold the lock.
result<journal::descriptor> lock_directory(const std::filesystem::path& path,
                                           std::chrono::milliseconds patience = time_to_lock) {
  journal::descriptor directory{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (directory.get() >= 0 && ::flock(directory.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK || std::chrono::steady_clock::now() > deadline) {
      return fail(errc::in_use,
                  fmt::format("{} is locked by another process, as by another `continuo cluster` "
                              "that starts a node: try again when that has ended",
                              path.string()));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
  return directory;
}

/// Becomes the node's program. Only returns where that fails, with errno.
void execute(const config::cluster_file& file, const config::node_entry& node) {
  if (::chdir(file.file.parent_path().c_str()) != 0) {
    return;
  }
  for (const auto& [name, value] : node.environment) {
    ::setenv(name.c_str(), value.c_str(), 1);
  }
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
  // In front: what follows a `--` is the program's own.
  std::vector<std::string> words{node.program.string(), "--config", file.file.string(), "--node",
                                 node.seen_by_peers.name};
  words.insert(words.end(), node.arguments.begin(), node.arguments.end());
  std::vector<char*> pointers;
  for (auto& word : words) {
    pointers.push_back(word.data());
  }
  pointers.push_back(nullptr);
  ::execv(node.program.c_str(), pointers.data());
}

/// What a child does to become the node. Only returns where that fails, with errno.
void execute_in_child(const config::cluster_file& file, const config::node_entry& node,
                      const start_options& how, int log) {
  if (how.detached) {
    ::setsid();
  } else {
    ::setpgid(0, 0); // Ctrl-C is for its starter, who stops it in order
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  }
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC); // dup2 makes one that is inherited
  const int output = how.detached ? log : how.output;
  if (nothing < 0 || ::dup2(nothing, STDIN_FILENO) < 0 ||
      (output >= 0 && (::dup2(output, STDOUT_FILENO) < 0 || ::dup2(output, STDERR_FILENO) < 0))) {
    return;
  }
  execute(file, node);
}

/// Whether there is something to run, and a folder to run it in, which is made.
result<void> prepare(const config::cluster_file& file, const config::node_entry& node) {
  const auto& name = node.seen_by_peers.name;
  if (node.program.empty()) {
    return fail(
        errc::invalid_configuration,
        fmt::format("{}: the node {} has no program: write program=\"...\" in [cluster] or [nodes.{}]",
                    file.file.string(), name, name));
  }
  // Before the pid file and the log are there, which its owner could not write either.
  if (auto ours = journal::data_directory::check_user(node.data);
      !ours && ours.error().code != errc::in_use) {
    return ours;
  }
  if (auto made = journal::make_directory(node.data.parent_path(), 0755); !made) {
    return fail(errc::invalid_configuration, made.error().message);
  }
  return check_pid_file(node);
}

/// Waits for one that has been killed: what it holds is free when it is gone.
/// @pre whoever calls has locked the folder of the data
result<void> refuse_second(const config::node_entry& node) {
  if (const auto runs = find_process(node)) {
    if (is_killed(runs->pid) && wait_for_end(*runs, time_to_die)) {
      return {};
    }
    return fail(errc::in_use,
                fmt::format("{} runs already, as process {}", node.seen_by_peers.name, runs->pid));
  }
  return {};
}

error cannot_run(const config::node_entry& node, int why) {
  return error{errc::invalid_configuration, fmt::format("{}: cannot run {}: {}", node.seen_by_peers.name,
                                                        node.program.string(), std::strerror(why))};
}

std::string line_of(const process_mark& mark) {
  return fmt::format("{} {} {}\n", mark.pid, mark.start, mark.boot);
}

result<void> write_mark(const config::node_entry& node, const process_mark& mark) {
  return journal::write_file_atomically(pid_file_of(node), line_of(mark));
}

} // namespace

std::chrono::milliseconds process_mark::age() const {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  const auto ticks = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  const auto since_boot =
      std::chrono::seconds{now.tv_sec} +
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::nanoseconds{now.tv_nsec});
  return std::max(std::chrono::milliseconds{0},
                  since_boot - std::chrono::milliseconds{start * 1'000 / ticks});
}

std::optional<process_mark> mark_of(pid_t pid) {
  // proc(5): behind the program's name in parentheses stand the state (field 3) and, as field 22, the start.
  const auto line = first_line_of(fmt::format("/proc/{}/stat", pid));
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos) {
    return std::nullopt;
  }
  std::istringstream fields{line.substr(name_end + 1)};
  std::string state;
  fields >> state;
  std::string skipped;
  for (int field = 4; field < 22; ++field) {
    fields >> skipped;
  }
  process_mark found{pid, 0, boot_id()};
  if (!(fields >> found.start) || state == "X" || (state == "Z" && !has_threads(pid, 2))) {
    return std::nullopt;
  }
  return found;
}

std::filesystem::path pid_file_of(const config::node_entry& node) {
  return beside(node.data, ".pid");
}

std::filesystem::path log_file_of(const config::node_entry& node) {
  return beside(node.data, ".log");
}

namespace {

/// The process that a pid file names; an error where the file is not to be believed.
result<std::optional<process_mark>> read_pid_file(const config::node_entry& node) {
  const auto path = pid_file_of(node);
  const auto file = journal::open_file(path, journal::file_use::read);
  if (!file) {
    return file.error().code == errc::not_found ? result<std::optional<process_mark>>{std::nullopt}
                                                : tl::unexpected(file.error());
  }
  const auto text = journal::read_small_file(*file, path, pid_file_bytes);
  if (!text) {
    return tl::unexpected(text.error());
  }
  struct stat written {};
  if (::fstat(file->get(), &written) != 0 || (written.st_mode & 022u) != 0) {
    return fail(
        errc::invalid_configuration,
        fmt::format("{} can be written by others, who could name any process there: remove it, and end "
                    "the node by hand where it runs",
                    path.string()));
  }
  std::istringstream line{*text};
  process_mark noted;
  if (!(line >> noted.pid >> noted.start >> noted.boot) || noted.pid <= 1) {
    return std::nullopt;
  }
  const auto runs = mark_of(noted.pid);
  const auto user = user_of(noted.pid);
  if (!runs || *runs != noted || !user) {
    return std::nullopt;
  }
  if (*user != written.st_uid) {
    return fail(
        errc::invalid_configuration,
        fmt::format("{} belongs to {} and names process {}, which is one of {}: it is no pid file of that "
                    "process; remove it",
                    path.string(), journal::user_text(written.st_uid), noted.pid, journal::user_text(*user)));
  }
  return runs;
}

} // namespace

std::optional<process_mark> find_process(const config::node_entry& node) {
  return read_pid_file(node).value_or(std::nullopt);
}

result<void> check_pid_file(const config::node_entry& node) {
  return read_pid_file(node).map([](const auto&) {});
}

void forget_process(const config::node_entry& node, const process_mark& of) {
  const auto alone = lock_directory(node.data.parent_path(), std::chrono::milliseconds{0});
  if (alone && alone->get() >= 0) {
    const auto text = journal::read_small_file(pid_file_of(node), pid_file_bytes);
    if (text && *text == line_of(of)) {
      std::error_code ignored;
      std::filesystem::remove(pid_file_of(node), ignored);
    }
  } // else it names a process that is gone, which everybody sees: nobody waits for who holds the lock
}

std::optional<pid_t> holder_without_pid_file(const config::node_entry& node) {
  struct stat file {};
  if (find_process(node) || ::stat((node.data / "LOCK").c_str(), &file) != 0) {
    return std::nullopt;
  }
  const auto place =
      fmt::format("{:02x}:{:02x}:{}", major(file.st_dev), minor(file.st_dev), file.st_ino); // proc(5)
  std::ifstream locks{"/proc/locks"};
  for (std::string line; std::getline(locks, line);) {
    std::istringstream fields{line};
    std::string number, kind, strength, access, held;
    pid_t holder = 0;
    if (fields >> number >> kind >> strength >> access >> holder >> held && kind == "FLOCK" &&
        access == "WRITE" && held == place) {
      return holder;
    }
  }
  return std::nullopt;
}

result<process_mark> start_node(const config::cluster_file& file, const config::node_entry& node,
                                const start_options& how) {
  if (auto ready = prepare(file, node); !ready) {
    return tl::unexpected(ready.error());
  }
  const auto alone =
      lock_directory(node.data.parent_path()); // of two who start it, one sees the other's pid file
  if (!alone) {
    return tl::unexpected(alone.error());
  }
  if (auto first = refuse_second(node); !first) {
    return tl::unexpected(first.error());
  }
  journal::descriptor log;
  if (how.detached) {
    auto opened = journal::open_file(log_file_of(node), journal::file_use::append);
    if (!opened) {
      return tl::unexpected(opened.error());
    }
    log = std::move(*opened);
  }
  int report[2];
  if (::pipe2(report, O_CLOEXEC) != 0) {
    return fail(errc::unavailable, fmt::format("no pipe: {}", std::strerror(errno)));
  }
  const auto child = ::fork();
  if (child == 0) {
    execute_in_child(file, node, how, log.get());
    const int why = errno;
    [[maybe_unused]] const auto wrote = ::write(report[1], &why, sizeof(why));
    ::_exit(127);
  }
  ::close(report[1]);
  int why = child < 0 ? errno : 0;
  if (child > 0 && ::read(report[0], &why, sizeof(why)) > 0) { // ends with the exec
    ::waitpid(child, nullptr, 0);
  }
  ::close(report[0]);
  if (why != 0) {
    return tl::unexpected(cannot_run(node, why));
  }
  const auto mark = mark_of(child).value_or(process_mark{child, 0, {}}); // it may have ended
  if (auto written = write_mark(node, mark); !written) {
    ::kill(child, SIGTERM); // nobody could stop it later
    ::waitpid(child, nullptr, 0);
    return tl::unexpected(written.error());
  }
  return mark;
}

error become_node(const config::cluster_file& file, const config::node_entry& node) {
  if (auto ready = prepare(file, node); !ready) {
    return ready.error();
  }
  const auto alone = lock_directory(node.data.parent_path()); // until the exec
  if (!alone) {
    return alone.error();
  }
  if (auto first = refuse_second(node); !first) {
    return first.error();
  }
  const auto mark = mark_of(::getpid()).value_or(process_mark{});
  if (auto written = write_mark(node, mark); !written) {
    return written.error();
  }
  execute(file, node);
  const auto why = cannot_run(node, errno);
  std::error_code ignored;
  std::filesystem::remove(pid_file_of(node), ignored);
  return why;
}

bool send_signal(const process_mark& to, int signal) {
  const process_handle handle{to};
  return handle.get() >= 0 && ::syscall(SYS_pidfd_send_signal, handle.get(), signal, nullptr, 0u) == 0;
}

bool wait_for_end(const process_mark& of, std::chrono::milliseconds patience, int* status) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const process_handle handle{of};
    if (handle.get() < 0) {
      int how = 0;
      if (::waitpid(of.pid, &how, 0) == of.pid && status != nullptr) { // a child of ours
        *status = how;
      }
      return true;
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      return false;
    }
    pollfd end{handle.get(), POLLIN, 0};
    ::poll(&end, 1, static_cast<int>(left.count()));
  }
}

} // namespace continuo::tools
