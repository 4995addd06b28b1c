#pragma once

#include "journal/files.hpp"
#include "journal/sectors.hpp"
#include "journal/store.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace continuo::journal {

/// One operation as the log has it, a view of what was handed in or read.
struct logged_operation {
  /// The numbers are those of the log's format. A `patch` is a `put` of which the log has what changes the
  /// value that is there (patch.hpp), in a frame as a value.
  enum class kind : std::uint8_t { put, erase, erase_range, patch };
  kind what = kind::put;
  std::string_view key;
  std::string_view head; ///< of the frame; empty for what erases
  std::string_view
      value; ///< when read back: frame and value, and `head` empty; of a range: its end, unframed
};

/// A segment's file.
struct log_segment {
  std::uint32_t number = 0;
  std::uint64_t first_commit = 0;
  std::filesystem::path path;
};

/// What `read_log` found.
struct log_content {
  std::vector<log_segment> segments; ///< oldest first
  std::uint64_t last_commit = 0;     ///< the newest whole commit; 0 where there is none
};

/// Called with each whole commit in order.
using entry_visitor =
    std::function<result<void>(std::uint64_t commit, const std::vector<logged_operation>& operations)>;

/// Reads all segments in `directory` (which may be missing), changing nothing, and visits the commits above
/// `applied`, which is the newest one that is safe elsewhere. A last commit that was written in part is left
/// out. `errc::corrupt` with file and byte if a sector is damaged, or a commit above `applied` is missing
/// between others; `errc::newer_version`; `errc::storage_failed`.
[[nodiscard]] result<log_content> read_log(const std::filesystem::path& directory, std::uint64_t applied,
                                           const entry_visitor& visit);

/// Whether a file may become the segment `number`: every sector of it is absent then. One damaged sector
/// would make the next start refuse the segment.
[[nodiscard]] bool is_reusable(const std::filesystem::path& path, std::uint32_t number);

/// The log that makes commits durable before they are in the tables. Its files are written once with zeros
/// and used again and again, so that a sync writes data only and no metadata. Each life of a log begins a
/// segment of its own: what an earlier life left half written is never continued. One thread.
class commit_log {
public:
  /// Begins a new segment behind those of `found`. `next_commit` is the number of the next commit.
  [[nodiscard]] static result<std::unique_ptr<commit_log>> begin(const std::filesystem::path& directory,
                                                                 log_content found, std::uint64_t next_commit,
                                                                 std::size_t segment_bytes);
  commit_log(const commit_log&) = delete;
  commit_log& operator=(const commit_log&) = delete;

  /// Writes one commit and syncs it. After an error nothing may be appended any more, and the commit may be
  /// there.
  [[nodiscard]] result<void> append(std::uint64_t commit, const std::vector<logged_operation>& operations);

  /// Frees the segments that hold only commits up to `commit`, which are safe in the tables.
  void release(std::uint64_t commit);

  /// Segments in use, the current one included.
  [[nodiscard]] std::size_t segment_count() const { return segments_.size(); }

  /// The number of the segment that is written.
  [[nodiscard]] std::uint32_t segment_number() const { return segments_.back().number; }

private:
  commit_log(std::filesystem::path directory, std::size_t segment_bytes);
  result<void> begin_segment(std::uint64_t first_commit, std::size_t room_sectors);
  result<void> make_zeroed(const std::filesystem::path& path, std::size_t bytes);

  std::filesystem::path directory_;
  std::size_t segment_bytes_;
  std::deque<log_segment> segments_;
  std::vector<std::filesystem::path> spare_; // of segment_bytes_ each
  descriptor file_;                          // of the last segment
  std::size_t place_ = 0;                    // the next sector to write
  std::size_t sectors_ = 0;                  // of the file
  std::uint32_t number_ = 0;                 // of the segment begun last
  sector_writer writer_;
};

} // namespace continuo::journal
