#include "nodes/probe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace continuo::nodes {

namespace {

/// Tries one address; the error is the system's number.
tl::expected<int, int> try_address(const addrinfo& address, std::chrono::milliseconds time) {
  const int file = ::socket(address.ai_family, address.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (file < 0) {
    return tl::unexpected(errno);
  }
  int problem = ::connect(file, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
  if (problem == EINPROGRESS) {
    const auto deadline = std::chrono::steady_clock::now() + time;
    pollfd waits{file, POLLOUT, 0};
    int ready = ::poll(&waits, 1, static_cast<int>(time.count()));
    while (ready < 0 && errno == EINTR) { // signals of an application: its profiler, its timers
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      ready = ::poll(&waits, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    }
    socklen_t size = sizeof(problem);
    if (ready <= 0) {
      problem = ready == 0 ? ETIMEDOUT : errno;
    } else if (::getsockopt(file, SOL_SOCKET, SO_ERROR, &problem, &size) != 0) {
      problem = errno;
    }
  }
  if (problem != 0) {
    ::close(file);
    return tl::unexpected(problem);
  }
  return file;
}

/// Listens at one address and stops again; 0, or the system's number.
int listen_once(const addrinfo& address) {
  const int file = ::socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC, 0);
  if (file < 0) {
    return errno;
  }
  const int yes = 1; // as CAF does: connections of an earlier life are in nobody's way
  int problem = 0;
  if (::setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
      ::bind(file, address.ai_addr, address.ai_addrlen) != 0 || ::listen(file, 1) != 0) {
    problem = errno;
  }
  ::close(file);
  return problem;
}

template <class Address>
listener listener_in(const Address& at) {
  return {at.listen_host.empty() ? at.host : at.listen_host, at.listen_port == 0 ? at.port : at.listen_port};
}

} // namespace

listener listener_of(const cluster_node& node) {
  return listener_in(node);
}

listener listener_of(const http_address& at) {
  return listener_in(at);
}

error unknown_host(const std::string& host, std::uint16_t port, const std::string& reason) {
  return {errc::unavailable,
          fmt::format(
              "cannot listen at {0}:{1}: the name {0} cannot be resolved ({2}); look at /etc/hosts and the "
              "name server, or write an address in place of the name",
              host, port, reason)};
}

error listen_failure(const std::string& host, std::uint16_t port, int number) {
  const auto at = fmt::format("{}:{}", host, port);
  switch (number) {
  case EADDRINUSE:
    return {errc::address_in_use,
            at +
                " is in use by another program: stop that one (`ss -ltnp` names it), or choose another port"};
  case EADDRNOTAVAIL:
    return {errc::unavailable,
            fmt::format("cannot listen at {}: {} is no address of this machine, or not yet", at, host)};
  case EACCES:
    return {errc::invalid_configuration,
            fmt::format("this user may not listen at {}{}", at,
                        port < 1024 ? ": ports below 1024 need a privilege; choose a higher one" : "")};
  default:
    return {errc::unavailable, fmt::format("cannot listen at {}: {}", at, std::strerror(number))};
  }
}

result<void> try_to_listen(const std::string& host, std::uint16_t port) {
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int problem = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &found);
      problem != 0) {
    return tl::unexpected(unknown_host(host, port, ::gai_strerror(problem)));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses{found, ::freeaddrinfo};
  int problem = EADDRNOTAVAIL;
  for (const auto* one = addresses.get(); one != nullptr; one = one->ai_next) {
    problem = listen_once(*one);
    if (problem == 0) {
      return {};
    }
  }
  return tl::unexpected(listen_failure(host, port, problem));
}

result<int> open_connection(const std::string& host, std::uint16_t port, std::chrono::milliseconds time) {
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int problem = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &found);
      problem != 0) {
    return fail(errc::unavailable, fmt::format("{}: {}", host, ::gai_strerror(problem)));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses{found, ::freeaddrinfo};
  int problem = EADDRNOTAVAIL;
  for (const auto* one = addresses.get(); one != nullptr; one = one->ai_next) {
    const auto file = try_address(*one, time);
    if (file) {
      return *file;
    }
    problem = file.error();
  }
  return fail(errc::unavailable, fmt::format("{}:{}: {}", host, port, std::strerror(problem)));
}

result<void> probe(const std::string& host, std::uint16_t port, std::chrono::milliseconds time) {
  const auto file = open_connection(host, port, time);
  if (!file) {
    return tl::unexpected(file.error());
  }
  ::close(*file);
  return {};
}

} // namespace continuo::nodes
