#pragma once

#include <continuo/result.hpp>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace continuo::tools {

/// What stands in a store, and what is wrong with it.
struct journal_findings {
  static constexpr std::size_t problems_max = 20;

  std::map<std::string, std::uint64_t> records; ///< by kind
  std::uint64_t history = 0;                    ///< entries
  std::uint64_t entries = 0;                    ///< of workflows
  std::uint64_t peers = 0;
  std::uint64_t owed = 0;        ///< names of records under the peers to which they owe something
  std::uint64_t client_keys = 0; ///< idempotency keys of clients
  std::uint64_t pauses = 0;      ///< what operators said last of services
  std::uint64_t own = 0;         ///< the store's own values
  std::uint64_t types = 0;       ///< whose layout is kept
  std::uint64_t others = 0;      ///< under keys that this program does not know: their checksums were tested
  std::uint64_t store = 0;       ///< its id; 0: none, since no node ever started on it
  std::uint64_t revision = 0;
  std::string cluster; ///< empty where its node stands alone
  std::string node;
  std::vector<error> problems; ///< the first ones, at most `problems_max`
  std::uint64_t problem_count = 0;
};

/// Reads everything in the directory of a store that no node has open, changing nothing: the log, all blocks
/// of the tables, each value's frame and content, and whether histories, expiry index and records fit each
/// other. `read` counts entries. Takes a few hundred bytes of memory for each instance. @pre
/// `data_directory::look_at` holds what it stands in
journal_findings verify_journal(const std::filesystem::path& journal, std::atomic<std::uint64_t>& read);

} // namespace continuo::tools
