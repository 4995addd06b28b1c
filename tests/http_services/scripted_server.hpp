#pragma once

#include <algorithm>
#include <arpa/inet.h>
#include <atomic>
#include <cctype>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace continuo::tests {

/// A server on loopback that behaves as a test says, byte by byte. Each connection runs the script on a
/// thread of its own; all of them end with the server.
class scripted_server {
public:
  /// What a script sees of its connection. Reads and writes end when the server does.
  class peer {
  public:
    peer(int file, int number, const std::atomic<bool>& over) : file_(file), number_(number), over_(over) {}

    int number() const { return number_; } ///< of the connection, from 1

    /// The next request, header and body; empty where the connection has ended.
    std::string request() {
      while (true) {
        if (const auto end = got_.find("\r\n\r\n"); end != std::string::npos) {
          const auto size = end + 4 + length_in(got_.substr(0, end));
          if (got_.size() >= size) {
            const auto whole = got_.substr(0, size);
            got_.erase(0, size);
            return whole;
          }
        }
        char part[4096];
        const auto count = ::recv(file_, part, sizeof(part), 0);
        if (count <= 0) {
          return {};
        }
        got_.append(part, static_cast<std::size_t>(count));
      }
    }

    /// False where nobody takes it any more.
    bool send(const std::string& text) const {
      std::size_t sent = 0;
      while (sent < text.size()) {
        const auto count = ::send(file_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
        if (count <= 0) {
          return false;
        }
        sent += static_cast<std::size_t>(count);
      }
      return true;
    }

    /// One byte at a time, so long apart, until it is over or nobody takes it.
    void drip(const std::string& text, std::chrono::milliseconds apart) const {
      for (const char byte : text) {
        pollfd one{file_, POLLRDHUP, 0};
        if (over_ || ::poll(&one, 1, static_cast<int>(apart.count())) > 0 || !send(std::string{byte})) {
          return;
        }
      }
    }

    /// Says nothing until the other side has gone.
    void hang() const {
      char ignored[4096];
      while (::recv(file_, ignored, sizeof(ignored), 0) > 0) {
      }
    }

  private:
    static std::size_t length_in(std::string header) {
      std::transform(header.begin(), header.end(), header.begin(),
                     [](unsigned char letter) { return std::tolower(letter); });
      const auto found = header.find("content-length:");
      return found == std::string::npos ? 0 : std::stoul(header.substr(found + 15));
    }

    int file_;
    int number_;
    const std::atomic<bool>& over_;
    std::string got_;
  };

  using script = std::function<void(peer&)>;

  explicit scripted_server(script behave, std::uint16_t port = 0) : behave_(std::move(behave)) {
    listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int yes = 1;
    ::setsockopt(listening_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    socklen_t size = sizeof(address);
    if (::bind(listening_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listening_, 64) != 0 ||
        ::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error{"no port"};
    }
    port_ = ntohs(address.sin_port);
    accepting_ = std::thread{[this] { accept_all(); }};
  }

  ~scripted_server() {
    over_ = true;
    ::shutdown(listening_, SHUT_RDWR);
    accepting_.join();
    {
      const std::lock_guard lock{mutex_};
      for (const auto file : files_) {
        ::shutdown(file, SHUT_RDWR);
      }
    }
    for (auto& one : threads_) {
      one.join();
    }
    for (const auto file : files_) {
      ::close(file);
    }
    ::close(listening_);
  }

  scripted_server(const scripted_server&) = delete;
  scripted_server& operator=(const scripted_server&) = delete;

  std::uint16_t port() const { return port_; }
  std::string url(const std::string& path = {}) const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }

  int connections() const { return connections_; }

private:
  void accept_all() {
    while (true) {
      const auto file = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
      if (file < 0) {
        return;
      }
      const auto number = ++connections_;
      const std::lock_guard lock{mutex_};
      files_.push_back(file);
      threads_.emplace_back([this, file, number] {
        peer here{file, number, over_};
        behave_(here);
        ::shutdown(file, SHUT_RDWR);
      });
    }
  }

  script behave_;
  int listening_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> over_{false};
  std::atomic<int> connections_{0};
  std::mutex mutex_; // guards the files until the server accepts no more
  std::vector<int> files_;
  std::vector<std::thread> threads_;
  std::thread accepting_;
};

/// An answer with its length.
inline std::string answer(const std::string& status, const std::string& body,
                          const std::string& headers = {}) {
  return "HTTP/1.1 " + status + "\r\n" + headers + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

/// The value of a header of a request; empty where it has none.
inline std::string header_of(const std::string& request, const std::string& name) {
  const auto found = request.find("\r\n" + name + ": ");
  if (found == std::string::npos) {
    return {};
  }
  const auto begin = found + name.size() + 4;
  return request.substr(begin, request.find("\r\n", begin) - begin);
}

inline std::string body_of(const std::string& request) {
  const auto end = request.find("\r\n\r\n");
  return end == std::string::npos ? std::string{} : request.substr(end + 4);
}

} // namespace continuo::tests
