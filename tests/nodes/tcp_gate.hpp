#pragma once

#include "tests/nodes/shop_cluster.hpp"

#include <atomic>
#include <cerrno>
#include <deque>
#include <list>
#include <poll.h>
#include <string>
#include <thread>

namespace continuo::tests {

/// Stands between who dials and a port of loopback: forwards, and holds, delays or cuts on demand. A thread
/// of its own.
class tcp_gate {
public:
  using clock = std::chrono::steady_clock;

  explicit tcp_gate(std::uint16_t target) : target_(target) {
    if (::listen(port_.file(), 64) != 0) {
      throw std::runtime_error{"the gate does not listen"};
    }
    ::fcntl(port_.file(), F_SETFL, O_NONBLOCK);
    thread_ = std::thread{[this] { run(); }};
  }

  ~tcp_gate() {
    ends_ = true;
    thread_.join();
    for (auto& one : pairs_) {
      close(one.dialer);
      close(one.target);
    }
  }

  tcp_gate(const tcp_gate&) = delete;
  tcp_gate& operator=(const tcp_gate&) = delete;

  std::uint16_t port() const { return port_.number(); }

  /// Nothing goes through in these directions, not even an end: it waits here, as in a network that loses
  /// everything.
  void hold(bool to_target, bool to_dialer) {
    holds_to_target_ = to_target;
    holds_to_dialer_ = to_dialer;
  }

  /// Everything takes so long in each direction.
  void delay(std::chrono::milliseconds time) { delay_ms_ = static_cast<int>(time.count()); }

  /// Resets all connections, and while `refuses` each new one.
  void cut(bool refuses = false) {
    refuses_ = refuses;
    resets_dialers_ = resets_targets_ = true;
  }

  /// Resets one side of all connections. The other one is not told.
  void cut_dialers() { resets_dialers_ = true; }
  void cut_targets() { resets_targets_ = true; }

  /// Lets everything through again.
  void heal() {
    hold(false, false);
    delay(std::chrono::milliseconds{0});
    refuses_ = false;
  }

private:
  struct part {
    clock::time_point due;
    std::string bytes; ///< empty: the end
  };

  struct side {
    int file = -1;
    bool ended = false; ///< says nothing more
    std::deque<part> from;
  };

  struct pair {
    side dialer;
    side target;
    bool half = false; ///< one side was reset: the other one is left alone until it closes
  };

  static void close(side& one, bool reset = false) {
    if (one.file < 0) {
      return;
    }
    if (reset) {
      const linger at_once{1, 0};
      ::setsockopt(one.file, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    }
    ::close(one.file);
    one.file = -1;
    one.from.clear();
  }

  void run() {
    while (!ends_) {
      std::vector<pollfd> waits{{port_.file(), POLLIN, 0}};
      for (const auto& one : pairs_) {
        waits.push_back({one.dialer.file, static_cast<short>(one.dialer.ended ? 0 : POLLIN), 0});
        waits.push_back({one.target.file, static_cast<short>(one.target.ended ? 0 : POLLIN), 0});
      }
      ::poll(waits.data(), waits.size(), 5);
      std::this_thread::sleep_for(std::chrono::milliseconds{1}); // what is held stays ready to be read
      accept();
      const bool dialers = resets_dialers_.exchange(false);
      const bool targets = resets_targets_.exchange(false);
      for (auto& one : pairs_) {
        if (dialers || targets) {
          one.half = dialers != targets;
          if (dialers) {
            close(one.dialer, true);
          }
          if (targets) {
            close(one.target, true);
          }
        }
        read(one.dialer);
        read(one.target);
        if (!holds_to_target_) {
          write(one.dialer, one.target);
        }
        if (!holds_to_dialer_) {
          write(one.target, one.dialer);
        }
      }
      pairs_.remove_if([](pair& one) {
        const bool dead = one.dialer.file < 0 && one.target.file < 0;
        const bool over = !one.half && (one.dialer.file < 0 || one.target.file < 0);
        const bool left = one.half && (one.dialer.ended || one.target.ended);
        if (dead || over || left) {
          close(one.dialer);
          close(one.target);
          return true;
        }
        return false;
      });
    }
  }

  void accept() {
    while (true) {
      const int from = ::accept4(port_.file(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (from < 0) {
        return;
      }
      pair made;
      made.dialer.file = from;
      made.target.file = refuses_ ? -1 : connect();
      if (made.target.file < 0) {
        close(made.dialer, true);
      } else {
        pairs_.push_back(std::move(made));
      }
    }
  }

  int connect() const {
    const int file = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(target_);
    if (::connect(file, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      ::close(file);
      return -1;
    }
    ::fcntl(file, F_SETFL, O_NONBLOCK);
    return file;
  }

  void read(side& from) const {
    char bytes[65536];
    while (from.file >= 0 && !from.ended && from.from.size() < 64) {
      const auto got = ::read(from.file, bytes, sizeof(bytes));
      if (got < 0 && errno == EAGAIN) {
        return;
      }
      from.ended = got <= 0;
      from.from.push_back({clock::now() + std::chrono::milliseconds{delay_ms_},
                           std::string{bytes, static_cast<std::size_t>(std::max<ssize_t>(0, got))}});
    }
  }

  static void write(side& from, side& to) {
    while (to.file >= 0 && !from.from.empty() && from.from.front().due <= clock::now()) {
      auto& bytes = from.from.front().bytes;
      if (bytes.empty()) {
        close(to);
        return;
      }
      const auto wrote = ::send(to.file, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (wrote < 0) {
        if (errno != EAGAIN) {
          to.ended = true;
          close(from);
        }
        return;
      }
      bytes.erase(0, static_cast<std::size_t>(wrote));
      if (bytes.empty()) {
        from.from.pop_front();
      }
    }
  }

  reserved_port port_;
  const std::uint16_t target_;
  std::atomic<bool> ends_{false};
  std::atomic<bool> refuses_{false};
  std::atomic<bool> resets_dialers_{false};
  std::atomic<bool> resets_targets_{false};
  std::atomic<bool> holds_to_target_{false};
  std::atomic<bool> holds_to_dialer_{false};
  std::atomic<int> delay_ms_{0};
  std::list<pair> pairs_; // of the thread
  std::thread thread_;
};

} // namespace continuo::tests
