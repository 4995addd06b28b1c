#include "tools/apart.hpp"

#include "tools/report.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace continuo::tools {

namespace {

volatile std::sig_atomic_t running = 0; ///< the command's process

void pass_on(int signal) {
  ::kill(static_cast<pid_t>(running), signal);
}

bool is_fault(int signal) {
  return signal == SIGABRT || signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL;
}

} // namespace

int run_apart(const std::string& what, const std::function<int()>& command) {
  std::fflush(nullptr);          // or both processes write what waits
  std::signal(SIGCHLD, SIG_DFL); // ignored, as some starters leave it, it would hide how the child ended
  const auto parent = ::getpid();
  const auto child = ::fork();
  if (child < 0) {
    return refuse(fmt::format("a process cannot be started: {}", std::strerror(errno)));
  }
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) { // it has ended already
      std::_Exit(1);
    }
    return command();
  }
  running = child;
  struct sigaction passes {};
  passes.sa_handler = pass_on;
  for (const auto signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    ::sigaction(signal, &passes, &before);
    if (before.sa_handler == SIG_IGN) { // as under nohup
      ::sigaction(signal, &before, nullptr);
    }
  }
  int status = 0;
  pid_t ended = 0;
  do {
    ended = ::waitpid(child, &status, 0);
  } while (ended < 0 && errno == EINTR);
  if (ended < 0) {
    return refuse(fmt::format("nobody knows how it ended: {}", std::strerror(errno)));
  }
  if (WIFEXITED(status)) {
    return WEXITSTATUS(status);
  }
  const auto signal = WTERMSIG(status);
  if (is_fault(signal)) {
    return refuse(
        {errc::corrupt,
         fmt::format("{}: the process that read it was ended (signal {}, {}): it is damaged, or was "
                     "made, in a way that the storage engine does not survive; `continuo journal restore` "
                     "makes another of a backup",
                     what, signal, ::strsignal(signal))});
  }
  std::signal(signal, SIG_DFL);
  ::raise(signal); // as if there had been one process
  return 128 + signal;
}

} // namespace continuo::tools
