#pragma once

#include "tools/journal_dump.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

/// `continuo journal ...`: work on the data directory of a node that does not run; `journal_backup` also
/// where it does. Each returns the exit code of the program.
namespace continuo::tools {

struct journal_options {
  std::filesystem::path data; ///< a node's data directory
  std::filesystem::path backup;
  std::filesystem::path file;       ///< the cluster file; empty: ./continuo.conf
  std::string node;                 ///< where the node that runs answers; empty: as the data directory says
  std::filesystem::path token_file; ///< for a node that asks for a token; empty: that of the cluster file
  dump_options dump;
  bool json = false;
  std::uint64_t beyond = 0; ///< of `accept_loss`: the store that a peer knows under the node's name
};

/// Reads everything and changes nothing; 3 where something is damaged.
int journal_verify(const journal_options& chosen);

/// Prints the records as lines of JSON, and changes nothing.
int journal_dump(const journal_options& chosen);

/// Makes or renews the backup of `data` in `backup`. A node that runs on the data is asked to do it.
int journal_backup(const journal_options& chosen);

/// Makes `data` of `backup`.
int journal_restore(const journal_options& chosen);

/// The way out of an amnesia stop: accepts that what the store in `data` does not hold is lost. It gets a new
/// id, which the peers take in place of the old one.
int accept_loss(const journal_options& chosen);

} // namespace continuo::tools
