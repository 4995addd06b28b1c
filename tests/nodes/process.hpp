#pragma once

#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <functional>
#include <map>
#include <optional>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace continuo::tests {

/// A program that a test runs, talks to by lines, and kills by its pid. It does not outlive its object, nor
/// the test.
class process {
public:
  using clock = std::chrono::steady_clock;

  /// How it ended: an exit code, or the signal that killed it.
  struct ending {
    std::optional<int> code;
    int signal = 0;
  };

  /// @param before what the child does before it becomes the program; false: it exits with 99
  process(const std::string& program, std::vector<std::string> arguments,
          const std::map<std::string, std::string>& environment = {},
          const std::function<bool()>& before = {}) {
    int in[2];
    int out[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) {
      throw std::runtime_error{"no pipes"};
    }
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL); // where the test ends without a word
      ::dup2(in[0], STDIN_FILENO);
      ::dup2(out[1], STDOUT_FILENO);
      for (const auto& [name, value] : environment) {
        ::setenv(name.c_str(), value.c_str(), 1);
      }
      std::vector<char*> words{const_cast<char*>(program.c_str())};
      for (auto& argument : arguments) {
        words.push_back(argument.data());
      }
      words.push_back(nullptr);
      if (before && !before()) {
        ::_exit(99);
      }
      ::execv(program.c_str(), words.data());
      ::_exit(98);
    }
    ::close(in[0]);
    ::close(out[1]);
    in_ = in[1];
    out_ = out[0];
    ::fcntl(in_, F_SETFL, O_NONBLOCK);
    ::fcntl(out_, F_SETFL, O_NONBLOCK);
    std::signal(SIGPIPE, SIG_IGN); // it may die while it is written to
  }

  ~process() {
    if (!ended_) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(in_);
    ::close(out_);
  }

  process(const process&) = delete;
  process& operator=(const process&) = delete;

  pid_t pid() const { return pid_; }

  void kill(int signal) const {
    if (!ended_) {
      ::kill(pid_, signal);
    }
  }

  /// Queues a line; it is written while lines are read.
  void say(const std::string& line) { unsaid_ += line + "\n"; }

  /// The next line that it says; nothing where it has ended, or says nothing until `deadline`.
  std::optional<std::string> hear(clock::time_point deadline) {
    while (true) {
      if (const auto end = heard_.find('\n'); end != std::string::npos) {
        auto line = heard_.substr(0, end);
        heard_.erase(0, end + 1);
        return line;
      }
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock::now()).count();
      if (closed_ || left <= 0) {
        return std::nullopt;
      }
      pollfd both[] = {{out_, POLLIN, 0}, {in_, static_cast<short>(unsaid_.empty() ? 0 : POLLOUT), 0}};
      ::poll(both, unsaid_.empty() ? 1 : 2, static_cast<int>(left));
      exchange();
    }
  }

  /// Waits for a line that begins so, and drops what comes before it.
  bool wait_for_line(const std::string& begin,
                     std::chrono::milliseconds patience = std::chrono::seconds{30}) {
    const auto deadline = clock::now() + patience;
    while (auto line = hear(deadline)) {
      if (line->starts_with(begin)) {
        return true;
      }
    }
    return false;
  }

  /// Waits for its end, and kills it where that does not come: the code is empty and the signal SIGKILL then.
  ending wait(std::chrono::milliseconds patience = std::chrono::seconds{30}) {
    const auto deadline = clock::now() + patience;
    while (!closed_ && clock::now() < deadline) {
      hear(deadline); // its output ends when it does
    }
    if (!closed_) {
      kill(SIGKILL);
    }
    if (!ended_) {
      int status = 0;
      ::waitpid(pid_, &status, 0);
      ended_ = true;
      ending_ = {WIFEXITED(status) ? std::optional{WEXITSTATUS(status)} : std::nullopt,
                 WIFSIGNALED(status) ? WTERMSIG(status) : 0};
    }
    return ending_;
  }

private:
  void exchange() {
    char part[65536];
    const auto got = ::read(out_, part, sizeof(part));
    if (got > 0) {
      heard_.append(part, static_cast<std::size_t>(got));
    } else if (got == 0) {
      closed_ = true;
    }
    if (!unsaid_.empty()) {
      const auto said = ::write(in_, unsaid_.data(), unsaid_.size());
      if (said > 0) {
        unsaid_.erase(0, static_cast<std::size_t>(said));
      } else if (said < 0 && errno == EPIPE) {
        unsaid_.clear();
      }
    }
  }

  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  std::string unsaid_;
  std::string heard_;
  bool closed_ = false;
  bool ended_ = false;
  ending ending_;
};

} // namespace continuo::tests
