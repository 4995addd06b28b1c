#include "tools/connection_users.hpp"

#include "journal/files.hpp"

#include <continuo/result.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <grp.h>
#include <ifaddrs.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <memory>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <vector>

namespace continuo::tools {

namespace {

using boost::asio::ip::tcp;

struct owned_socket {
  uid_t user = 0;
  bool is_accepted = false; ///< or listens; else `user` is not to be relied on
};

void write_address(const boost::asio::ip::address& address, __be32 (&to)[4]) {
  if (address.is_v4()) {
    to[0] = htonl(address.to_v4().to_uint());
    return;
  }
  const auto bytes = address.to_v6().to_bytes();
  std::memcpy(&to, bytes.data(), bytes.size());
}

/// Asks for the socket at `there` that is connected to `here`, or for the one that listens there.
struct question {
  nlmsghdr header{};
  inet_diag_req_v2 body{};

  question(const tcp::endpoint& there, const tcp::endpoint* here) {
    header.nlmsg_len = sizeof(*this);
    header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    header.nlmsg_flags = NLM_F_REQUEST;
    body.sdiag_family = there.address().is_v4() ? AF_INET : AF_INET6; // IPv4 finds sockets for both, too
    body.sdiag_protocol = IPPROTO_TCP;
    body.idiag_states = ~0u;
    body.id.idiag_sport = htons(there.port());
    write_address(there.address(), body.id.idiag_src);
    body.id.idiag_cookie[0] = body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    if (here != nullptr) {
      body.id.idiag_dport = htons(here->port());
      write_address(here->address(), body.id.idiag_dst);
    }
    if (there.address().is_v6()) {
      body.id.idiag_if = static_cast<__u32>(there.address().to_v6().scope_id());
    }
  }
};

/// Nothing where the kernel names no such socket, as of one that is bound to a device.
result<std::optional<owned_socket>> find_socket(const question& asked) {
  const journal::descriptor kernel{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)};
  constexpr timeval patience{1, 0}; // it answers at once
  if (kernel.get() < 0 ||
      ::setsockopt(kernel.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
      ::send(kernel.get(), &asked, sizeof(asked), 0) != static_cast<ssize_t>(sizeof(asked))) {
    return fail(errc::unavailable,
                fmt::format("the kernel cannot be asked who answers there ({})", std::strerror(errno)));
  }
  alignas(nlmsghdr) std::array<char, 8'192> answer{};
  ssize_t size = 0;
  do {
    size = ::recv(kernel.get(), answer.data(), answer.size(), 0);
  } while (size < 0 && errno == EINTR);
  nlmsghdr header{};
  inet_diag_msg found{};
  if (size < 0) {
    return fail(errc::unavailable,
                fmt::format("the kernel does not say who answers there ({})", std::strerror(errno)));
  }
  std::memcpy(&header, answer.data(), sizeof(header));
  if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY || size < static_cast<ssize_t>(NLMSG_HDRLEN + sizeof(found))) {
    return std::optional<owned_socket>{};
  }
  std::memcpy(&found, answer.data() + NLMSG_HDRLEN, sizeof(found));
  if (found.id.idiag_dport != asked.body.id.idiag_dport) {
    return std::optional<owned_socket>{}; // of who listens here, where nobody is connected so
  }
  return std::optional{owned_socket{found.idiag_uid, found.idiag_inode != 0}};
}

/// Whether it is an address of this machine.
bool is_ours(const boost::asio::ip::address& address) {
  ifaddrs* all = nullptr;
  if (address.is_loopback() || ::getifaddrs(&all) != 0) {
    return true; // where nobody knows
  }
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> kept{all, ::freeifaddrs};
  __be32 wanted[4]{};
  write_address(address, wanted);
  for (const auto* one = all; one != nullptr; one = one->ifa_next) {
    const auto family = one->ifa_addr == nullptr ? AF_UNSPEC : one->ifa_addr->sa_family;
    if (family == AF_INET && address.is_v4() &&
        std::memcmp(&reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr, wanted, 4) == 0) {
      return true;
    }
    if (family == AF_INET6 && address.is_v6() &&
        std::memcmp(&reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr, wanted, 16) == 0) {
      return true;
    }
  }
  return false;
}

bool is_member(uid_t user, gid_t group) {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> names(16'384);
  if (::getpwuid_r(user, &entry, names.data(), names.size(), &found) != 0 || found == nullptr) {
    return false;
  }
  std::vector<gid_t> groups(1'024);
  int count = static_cast<int>(groups.size());
  if (::getgrouplist(found->pw_name, found->pw_gid, groups.data(), &count) < 0) {
    return false;
  }
  groups.resize(static_cast<std::size_t>(count));
  return std::find(groups.begin(), groups.end(), group) != groups.end();
}

bool may_read(uid_t user, const struct stat& file) {
  return user == 0 || user == ::geteuid() || user == file.st_uid ||
         ((file.st_mode & S_IRGRP) != 0 && is_member(user, file.st_gid));
}

} // namespace

std::optional<std::string> objection_to_peer(const std::filesystem::path& file, const tcp::endpoint& here,
                                             const tcp::endpoint& there) {
  const auto listens = find_socket({there, nullptr}); // before, so that it is not gone when it is needed
  const auto connected = find_socket({there, &here});
  if ((!connected || !*connected) && here.address() != there.address() && !is_ours(there.address())) {
    return std::nullopt; // on another machine
  }
  if (!connected || !listens) {
    return (!connected ? connected : listens).error().message;
  }
  const auto& owner = *connected && !(*connected)->is_accepted ? *listens : *connected;
  if (!owner) {
    return "the kernel names nobody who answers there";
  }
  struct stat status {};
  if (::stat(file.c_str(), &status) == 0 && may_read(owner->user, status)) {
    return std::nullopt;
  }
  return fmt::format("{} answers there, who may not read the token in {}", journal::user_text(owner->user),
                     file.string());
}

} // namespace continuo::tools
