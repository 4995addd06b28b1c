// Any bytes as the answer of an HTTP service. A call ends with an answer within its bounds or with a
// sentence, and whatever stands behind the answer is none to the next call. The first two bytes say where to
// cut.

#include "nodes/http/endpoint.hpp"
#include "tests/fuzz/claim.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace {

using namespace continuo;
using namespace std::chrono_literals;

constexpr std::string_view good = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext";

/// A service whose first connection gives the bytes to its first request, and each other one `good`. One for
/// the whole run.
class service {
public:
  service() : listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    claim(::bind(listening_, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
              ::listen(listening_, 64) == 0 &&
              ::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size) == 0,
          "it listens");
    port_ = ntohs(address.sin_port);
    std::thread{[this] { run(); }}.detach();
  }

  std::uint16_t port() const { return port_; }

  /// What the next connection says. @pre the one before is over
  void prepare(std::string_view bytes, std::uint16_t seed) {
    const std::lock_guard lock{mutex_};
    bytes_ = bytes;
    seed_ = seed;
    is_next_ = true;
    has_said_ = false;
  }

  /// Until all of it was said.
  void wait() {
    std::unique_lock lock{mutex_};
    claim(changed_.wait_for(lock, 8s, [&] { return has_said_; }), "the service is asked");
  }

private:
  void run() {
    while (true) {
      const int file = uninterrupted([&] { return ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC); });
      claim(file >= 0, "somebody connects");
      const int yes = 1;
      ::setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
      if (hear(file)) {
        std::string_view bytes = good;
        std::uint64_t cuts = 0;
        const auto is_first = take(bytes, cuts);
        while (!bytes.empty()) {
          cuts = cuts * 6'364'136'223'846'793'005u + 1'442'695'040'888'963'407u;
          const auto piece =
              std::min<std::size_t>(is_first ? 1 + (cuts >> 33) % 400 : bytes.size(), bytes.size());
          if (uninterrupted([&] { return ::send(file, bytes.data(), piece, MSG_NOSIGNAL); }) <= 0) {
            break;
          }
          bytes.remove_prefix(piece);
        }
        ::shutdown(file, SHUT_WR);
        if (is_first) {
          const std::lock_guard lock{mutex_};
          has_said_ = true;
          changed_.notify_all();
        }
      }
      const linger at_once{1, 0}; // leave no port behind that waits
      closes_.push_back(file);
      if (closes_.size() > 8) { // what was said has been read by then
        ::setsockopt(closes_.front(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        ::close(closes_.front());
        closes_.pop_front();
      }
    }
  }

  bool take(std::string_view& bytes, std::uint64_t& seed) {
    const std::lock_guard lock{mutex_};
    if (!is_next_) {
      return false;
    }
    is_next_ = false;
    bytes = bytes_;
    seed = seed_;
    return true;
  }

  /// Until a request is there.
  static bool hear(int file) {
    std::string heard;
    std::array<char, 1'024> part;
    while (!heard.ends_with("{}")) {
      const auto got = uninterrupted([&] { return ::recv(file, part.data(), part.size(), 0); });
      if (got <= 0) {
        return false;
      }
      heard.append(part.data(), static_cast<std::size_t>(got));
    }
    return true;
  }

  int listening_;
  std::uint16_t port_ = 0;
  std::deque<int> closes_; // of its thread
  std::mutex mutex_;       // guards what follows
  std::condition_variable changed_;
  std::string_view bytes_;
  std::uint16_t seed_ = 0;
  bool is_next_ = false;
  bool has_said_ = false;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static service& called = *new service; // never ended: the fuzzer leaves by exit
  if (size < 2) {
    return 0;
  }
  called.prepare({reinterpret_cast<const char*>(data) + 2, size - 2},
                 static_cast<std::uint16_t>(data[0] | data[1] << 8));
  http::endpoint at{"127.0.0.1", called.port()};
  const auto first = at.post({"/", "{}"}, 8s);
  if (first) {
    claim(first->body.size() <= http::answer_body_bytes_max, "a body is within its limit");
  } else {
    claim(first.error().code == errc::handler_failed && !first.error().message.empty(),
          "it says what is wrong");
  }
  called.wait();
  const auto next = at.post({"/", "{}"}, 8s);
  claim(next && next->status == 200 && next->body == "next", "the next call gets its own answer");
  return 0;
}
