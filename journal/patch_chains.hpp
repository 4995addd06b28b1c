#pragma once

#include <continuo/result.hpp>

#include <cstdint>
#include <map>
#include <string>

namespace rocksdb {
class DB;
} // namespace rocksdb

namespace continuo::journal {

struct logged_operation;

/// Looks whether each patch of a log is for the value that its key has then, in the log before it or in the
/// tables, before anything is changed: by the checksums that patches name, without putting them together. One
/// thread.
class patch_chains {
public:
  /// @param tables up to the first commit that is noted; null where there are none
  explicit patch_chains(rocksdb::DB* tables) : tables_(tables) {}

  /// The next operation of the log. `errc::corrupt` with the key.
  result<void> note(const logged_operation& one);

private:
  result<std::uint64_t> checksum_in_tables(const std::string& key) const;

  rocksdb::DB* tables_;
  std::map<std::string, std::uint64_t, std::less<>> last_; // of large values that the log has
};

} // namespace continuo::journal
