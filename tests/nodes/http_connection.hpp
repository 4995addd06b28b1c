#pragma once

#include <arpa/inet.h>
#include <chrono>
#include <cstdint>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

namespace continuo::tests {

/// One connection, as any client may have it: bytes out, bytes in.
class connection {
public:
  explicit connection(std::uint16_t port) : file_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (::connect(file_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      ::close(file_);
      throw std::runtime_error{"nobody listens"};
    }
  }
  ~connection() {
    if (file_ >= 0) {
      ::close(file_);
    }
  }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  void say(const std::string& bytes) const {
    [[maybe_unused]] const auto sent = ::send(file_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  /// Says nothing more, and still listens.
  void say_no_more() const { ::shutdown(file_, SHUT_WR); }

  /// Leaves as a program does that dies, or whose machine is not to be reached: the other side gets a reset.
  void break_off() {
    const linger at_once{1, 0};
    ::setsockopt(file_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    ::close(file_);
    file_ = -1;
  }

  /// All that comes until the other side closes, or `text` has come, or the time is over.
  std::string hear(std::chrono::milliseconds time = std::chrono::seconds{5},
                   const std::string& text = {}) const {
    std::string heard;
    const auto deadline = std::chrono::steady_clock::now() + time;
    char part[4096];
    for (;;) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      pollfd in{file_, POLLIN, 0};
      if (left.count() <= 0 || ::poll(&in, 1, static_cast<int>(left.count())) <= 0) {
        return heard + "<silence>";
      }
      const auto got = ::recv(file_, part, sizeof(part), 0);
      if (got <= 0) {
        return heard;
      }
      heard.append(part, static_cast<std::size_t>(got));
      if (!text.empty() && heard.find(text) != std::string::npos) {
        return heard;
      }
    }
  }

private:
  int file_;
};

inline std::string ask(std::uint16_t port, const std::string& target, const std::string& method = "GET") {
  connection to{port};
  to.say(method + " " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  return to.hear();
}

inline int status_of(const std::string& answer) {
  return answer.starts_with("HTTP/1.1 ") ? std::stoi(answer.substr(9, 3)) : 0;
}

} // namespace continuo::tests
