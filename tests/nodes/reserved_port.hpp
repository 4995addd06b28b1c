#pragma once

#include <arpa/inet.h>
#include <cstdint>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace continuo::tests {

/// A port of loopback that the kernel gives to nobody else as long as this lives: it stays bound here,
/// without listening, so that only who asks for it by number and with SO_REUSEADDR (a node) gets it.
class reserved_port {
public:
  reserved_port() : file_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int yes = 1;
    ::setsockopt(file_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    if (::bind(file_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::getsockname(file_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error{"no port"};
    }
    number_ = ntohs(address.sin_port);
  }

  ~reserved_port() { ::close(file_); }
  reserved_port(const reserved_port&) = delete;
  reserved_port& operator=(const reserved_port&) = delete;

  std::uint16_t number() const { return number_; }
  int file() const { return file_; }

private:
  int file_;
  std::uint16_t number_ = 0;
};

} // namespace continuo::tests
