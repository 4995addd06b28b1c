#include "tools/connection_users.hpp"

#include "journal/files.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <set>
#include <sstream>
#include <sys/stat.h>
#include <vector>

namespace continuo::tools {

namespace {

using boost::asio::ip::tcp;

/// As the kernel prints addresses: words of 32 bits, as the machine has them, in hexadecimal.
std::optional<std::uint32_t> hex_number(std::string_view text) {
  std::uint32_t made = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), made, 16);
  return failed == std::errc{} && end == text.data() + text.size() ? std::optional{made} : std::nullopt;
}

/// An address as a table has it: "0100007F:1F90".
template <std::size_t Words>
struct printed_endpoint {
  std::array<std::uint32_t, Words> address;
  std::uint16_t port;

  /// @param or_any the address for all addresses is as good
  bool is(std::string_view printed, bool or_any) const {
    if (printed.size() != 8 * Words + 5 || hex_number(printed.substr(8 * Words + 1)) != port) {
      return false;
    }
    bool is_it = true;
    bool is_any = or_any;
    for (std::size_t i = 0; i < Words; ++i) {
      const auto word = hex_number(printed.substr(8 * i, 8));
      is_it = is_it && word == address[i];
      is_any = is_any && word == 0u;
    }
    return is_it || is_any;
  }
};

printed_endpoint<1> as_v4(const tcp::endpoint& at) {
  return {{htonl(at.address().to_v4().to_uint())}, at.port()};
}

printed_endpoint<4> as_v6(const tcp::endpoint& at) {
  namespace ip = boost::asio::ip;
  const auto address =
      at.address().is_v4() ? ip::make_address_v6(ip::v4_mapped, at.address().to_v4()) : at.address().to_v6();
  const auto bytes = address.to_bytes();
  printed_endpoint<4> made{{}, at.port()};
  std::memcpy(made.address.data(), bytes.data(), bytes.size());
  return made;
}

/// Users of what listens at `there`, and of the socket there that is connected to `here`. A table has those
/// that listen before the others. So nobody gets away by accepting a connection and listening no more: until
/// it is accepted its user is said to be root, but the one who listens is still in the table.
template <std::size_t Words>
void add_users(const char* table, const printed_endpoint<Words>& here, const printed_endpoint<Words>& there,
               std::set<uid_t>& to) {
  constexpr std::string_view listens = "0A";
  std::ifstream lines{table};
  std::string line;
  std::getline(lines, line); // the heads
  while (std::getline(lines, line)) {
    std::istringstream fields{line};
    std::string number, local, remote, state, queues, timer, tries;
    uid_t user = 0;
    if (fields >> number >> local >> remote >> state >> queues >> timer >> tries >> user &&
        there.is(local, state == listens) && (state == listens || here.is(remote, false))) {
      to.insert(user);
    }
  }
}

std::set<uid_t> users_there(const tcp::endpoint& here, const tcp::endpoint& there) {
  std::set<uid_t> found;
  if (there.address().is_v4()) {
    add_users("/proc/net/tcp", as_v4(here), as_v4(there), found);
  }
  add_users("/proc/net/tcp6", as_v6(here), as_v6(there), found); // IPv4 too, of sockets for both
  return found;
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
  return user == 0 || user == ::geteuid() || user == file.st_uid || (file.st_mode & S_IROTH) != 0 ||
         ((file.st_mode & S_IRGRP) != 0 && is_member(user, file.st_gid));
}

} // namespace

std::optional<std::string> peer_without(const std::filesystem::path& file, const tcp::endpoint& here,
                                        const tcp::endpoint& there) {
  struct stat status {};
  const auto is_within = there.address().is_loopback() || here.address() == there.address();
  if (!is_within || ::stat(file.c_str(), &status) != 0) {
    return std::nullopt;
  }
  const auto found = users_there(here, there);
  const auto foreign =
      std::find_if(found.begin(), found.end(), [&](uid_t user) { return !may_read(user, status); });
  return foreign == found.end() ? std::nullopt : std::optional{journal::user_text(*foreign)};
}

} // namespace continuo::tools
