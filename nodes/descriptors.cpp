#include "nodes/descriptors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <sys/resource.h>
#include <system_error>

namespace continuo::nodes {

namespace {

/// The log and its next file, locks, the store's own notes, a copy that is made, and what the threads have.
constexpr std::size_t own = 64;

/// Of one peer: a connection, the next one while the old one is not closed yet, and the same by its side.
constexpr std::size_t for_peer = 4;

constexpr descriptor_shares least{32, 16, 16};

/// With it all shares are whole for a cluster of a hundred nodes.
constexpr rlim_t useful = 8'192;

rlimit limit_of_process() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) {
    files.rlim_cur = files.rlim_max = useful;
  }
  return files;
}

} // namespace

result<descriptor_shares> share_descriptors(const descriptor_demands& demands, std::size_t allowed,
                                            std::size_t open) {
  const auto certain = open + own + for_peer * demands.peers + demands.calls;
  const auto needed = certain + (demands.on_disk ? least.tables : 0) +
                      (demands.strangers ? least.strangers : 0) + (demands.answers ? least.clients : 0);
  if (allowed < needed) {
    return fail(errc::invalid_configuration,
                fmt::format("this process may have {} files and connections open, and the node needs {}: "
                            "allow it more (ulimit -n, LimitNOFILE of its unit, the limits of its container)",
                            allowed, needed));
  }
  // Each has the least, and its part of what is left then.
  const auto given = certain + least.tables + least.strangers + least.clients;
  const auto left = allowed - std::min(allowed, given);
  descriptor_shares made;
  made.tables = std::min(made.tables, least.tables + left / 4);
  made.strangers = std::min(made.strangers, least.strangers + left / 8);
  made.clients = std::min(made.clients, least.clients + left / 8 * 3);
  return made;
}

result<descriptor_shares> share_descriptors(const descriptor_demands& demands) {
  std::error_code unknown;
  const auto open = std::filesystem::directory_iterator{"/proc/self/fd", unknown};
  const auto count = unknown ? 0 : std::distance(begin(open), end(open));
  return share_descriptors(demands, limit_of_process().rlim_cur, static_cast<std::size_t>(count));
}

void raise_descriptor_limit() {
  auto files = limit_of_process();
  if (files.rlim_cur < useful && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = std::min(files.rlim_max, useful);
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
}

} // namespace continuo::nodes
