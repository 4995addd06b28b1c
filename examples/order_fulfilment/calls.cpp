#include "calls.hpp"

#include <fmt/core.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace order_fulfilment {

namespace {

using namespace std::chrono_literals;
using continuo::errc;
using continuo::fail;
using continuo::result;
using clock = std::chrono::steady_clock;

/// How long a server waits for a caller that connected to say what it wants, and to take the answer.
constexpr auto server_patience = 5s;
constexpr int waiting_connections_max = 128;

class descriptor {
public:
  explicit descriptor(int value) : value_(value) {}
  ~descriptor() {
    if (value_ >= 0) {
      ::close(value_);
    }
  }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;

  int get() const { return value_; }

private:
  int value_;
};

tl::unexpected<continuo::error> broken(std::string_view what, int code) {
  return fail(errc::unavailable, fmt::format("{}: {}", what, std::generic_category().message(code)));
}

/// Waits until the socket is ready.
result<void> await(int socket, short events, clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now()).count();
    pollfd one{socket, events, 0};
    const int ready = left <= 0 ? 0 : ::poll(&one, 1, static_cast<int>(left));
    if (ready > 0) {
      return {};
    }
    if (ready == 0) {
      return fail(errc::timed_out, "no answer in time");
    }
    if (errno != EINTR) {
      return broken("poll", errno);
    }
  }
}

result<void> write_line(int socket, std::string line, clock::time_point deadline) {
  line += '\n';
  for (std::string_view rest = line; !rest.empty();) {
    const auto written = ::send(socket, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EAGAIN) {
      return broken("the connection broke", errno);
    } else if (auto ready = await(socket, POLLOUT, deadline); !ready) {
      return ready;
    }
  }
  return {};
}

result<std::string> read_line(int socket, clock::time_point deadline) {
  std::string line;
  char part[4096];
  while (line.size() <= call_bytes_max) {
    if (auto ready = await(socket, POLLIN, deadline); !ready) {
      return tl::unexpected(ready.error());
    }
    const auto got = ::recv(socket, part, sizeof(part), 0);
    if (got == 0) {
      return fail(errc::unavailable, "the connection was closed");
    }
    if (got < 0 && errno != EAGAIN) {
      return broken("the connection broke", errno);
    }
    line.append(part, got < 0 ? 0 : static_cast<std::size_t>(got));
    if (const auto end = line.find('\n'); end != std::string::npos) {
      line.resize(end);
      return line;
    }
  }
  return fail(errc::malformed, "a line of a call is too long");
}

std::optional<sockaddr_in> look_up(const endpoint& server) {
  addrinfo wanted{};
  wanted.ai_family = AF_INET;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(server.host.c_str(), std::to_string(server.port).c_str(), &wanted, &found) != 0) {
    return std::nullopt;
  }
  sockaddr_in address{};
  std::memcpy(&address, found->ai_addr, sizeof(address));
  ::freeaddrinfo(found);
  return address;
}

/// Whether a connection to a port where nobody listens met itself: the kernel may give the caller just this
/// port.
bool met_itself(int socket) {
  sockaddr_in near{};
  sockaddr_in far{};
  socklen_t size = sizeof(near);
  return ::getsockname(socket, reinterpret_cast<sockaddr*>(&near), &size) == 0 &&
         ::getpeername(socket, reinterpret_cast<sockaddr*>(&far), &size) == 0 &&
         near.sin_port == far.sin_port && near.sin_addr.s_addr == far.sin_addr.s_addr;
}

result<void> connect_to(int socket, const sockaddr_in& address, clock::time_point deadline) {
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    if (errno != EINPROGRESS) {
      return broken("no connection", errno);
    }
    if (auto ready = await(socket, POLLOUT, deadline); !ready) {
      return ready;
    }
    int code = 0;
    socklen_t size = sizeof(code);
    ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &size);
    if (code != 0) {
      return broken("no connection", code);
    }
  }
  return met_itself(socket) ? broken("no connection", ECONNREFUSED) : result<void>{};
}

} // namespace

// -- calling -------------------------------------------------------------------------------

result<endpoint> endpoint::parse(const std::string& text) {
  const auto colon = text.rfind(':');
  endpoint parsed;
  if (colon != std::string::npos && colon > 0) {
    parsed.host = text.substr(0, colon);
    const auto* end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data() + colon + 1, end, parsed.port);
    if (error == std::errc{} && stopped == end && parsed.port != 0) {
      return parsed;
    }
  }
  return fail(errc::invalid_configuration, fmt::format("`{}` is not HOST:PORT, as in 127.0.0.1:8080", text));
}

result<std::string> call(const endpoint& server, const std::string& line, std::chrono::milliseconds timeout) {
  const auto deadline = clock::now() + timeout;
  const auto address = look_up(server);
  if (!address) {
    return fail(errc::unavailable, fmt::format("the host {} is not known", server.host));
  }
  const descriptor socket{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (socket.get() < 0) {
    return broken("no socket", errno);
  }
  return connect_to(socket.get(), *address, deadline)
      .and_then([&] { return write_line(socket.get(), line, deadline); })
      .and_then([&] { return read_line(socket.get(), deadline); });
}

// -- answering -----------------------------------------------------------------------------

result<std::unique_ptr<call_server>> call_server::start(std::uint16_t port, std::size_t threads,
                                                        handler answer) {
  std::unique_ptr<call_server> made{new call_server};
  made->listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  made->stopping_ = ::eventfd(0, EFD_CLOEXEC);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  socklen_t size = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  const int yes = 1; // a server that was killed comes back on its port at once
  if (made->listening_ < 0 || made->stopping_ < 0 ||
      ::setsockopt(made->listening_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
      ::bind(made->listening_, any, size) != 0 || ::listen(made->listening_, waiting_connections_max) != 0 ||
      ::getsockname(made->listening_, any, &size) != 0) {
    return fail(
        errno == EADDRINUSE ? errc::address_in_use : errc::unavailable,
        fmt::format("port {} cannot be listened on: {}", port, std::generic_category().message(errno)));
  }
  made->port_ = ntohs(address.sin_port);
  made->answer_ = std::move(answer);
  for (std::size_t i = 0; i < threads; ++i) {
    made->threads_.emplace_back([server = made.get()] { server->serve(); });
  }
  return made;
}

call_server::~call_server() {
  if (stopping_ >= 0) {
    ::eventfd_write(stopping_, 1);
  }
  threads_.clear(); // joins them
  ::close(listening_);
  ::close(stopping_);
}

void call_server::serve() const {
  for (;;) {
    pollfd both[] = {{stopping_, POLLIN, 0}, {listening_, POLLIN, 0}};
    ::poll(both, 2, -1);
    if (both[0].revents != 0) {
      return;
    }
    const descriptor socket{::accept4(listening_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (socket.get() < 0) { // another thread took it, or the caller is gone
      continue;
    }
    const auto asked = read_line(socket.get(), clock::now() + server_patience);
    if (asked) {
      const auto answer = answer_(*asked);
      // A caller that has gone meanwhile does not learn what was done for it: that is the trouble with calls.
      [[maybe_unused]] const auto told = write_line(socket.get(), answer, clock::now() + server_patience);
    }
  }
}

} // namespace order_fulfilment
