#include "journal/commit_log.hpp"
#include "journal/files.hpp"
#include "messages/printable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace continuo::journal {

namespace {

tl::unexpected<error> damaged(const std::filesystem::path& path, std::size_t place, std::string_view what) {
  return continuo::fail(errc::corrupt,
                        fmt::format("{}: byte {}: {}; nothing was changed",
                                    continuo::printable(path.string()), place * sector_bytes, what));
}

result<std::vector<log_segment>> list_segments(const std::filesystem::path& directory) {
  std::vector<log_segment> found;
  std::error_code trouble;
  for (std::filesystem::directory_iterator i{directory, trouble}, end; !trouble && i != end;
       i.increment(trouble)) {
    if (i->path().extension() != ".log") {
      continue;
    }
    const auto stem = i->path().stem().string();
    log_segment segment{0, 0, i->path()};
    const auto [last, failed] = std::from_chars(stem.data(), stem.data() + stem.size(), segment.number);
    if (failed != std::errc{} || last != stem.data() + stem.size()) {
      return damaged(i->path(), 0, "not the name of a log segment");
    }
    found.push_back(std::move(segment));
  }
  if (trouble && trouble != std::errc::no_such_file_or_directory) {
    return tl::unexpected(system_failure("list", directory, trouble.value()));
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
  for (std::size_t i = 1; i < found.size(); ++i) {
    if (found[i].number != found[i - 1].number + 1) {
      return damaged(found[i].path, 0,
                     fmt::format("the segment before it, number {}, is missing", found[i].number - 1));
    }
  }
  return found;
}

/// The largest segment there can be: of one commit, which its head can count no further.
constexpr std::uint64_t segment_bytes_max =
    (std::uint64_t{0xFFFF'FFFF} / sector_payload_bytes + 2) * sector_bytes;

/// The sectors of a segment's file, of which a part at a time is in memory.
class segment_file {
public:
  static result<segment_file> open(const std::filesystem::path& path) {
    if (auto possible = check_size(path, segment_bytes_max); !possible) {
      return tl::unexpected(possible.error());
    }
    auto file = open_file(path, file_use::read);
    struct stat status {};
    if (file && ::fstat(file->get(), &status) != 0) {
      return tl::unexpected(system_failure("read", path, errno));
    }
    return file ? result<segment_file>{segment_file{path, std::move(*file),
                                                    static_cast<std::uint64_t>(status.st_size)}}
                : tl::unexpected(file.error());
  }

  /// In whole sectors; what may follow them is none.
  std::size_t sectors() const { return size_ / sector_bytes; }

  /// The sector at `place`, valid until the next call; empty beyond the end. A read that fails is in
  /// `failure`.
  std::string_view at(std::size_t place) {
    if (place < first_ || place - first_ >= part_.size() / sector_bytes) {
      read(place);
    }
    return std::string_view{part_}.substr(std::min((place - first_) * sector_bytes, part_.size()),
                                          sector_bytes);
  }

  const std::optional<error>& failure() const { return failure_; }

private:
  static constexpr std::size_t part_bytes = 1u << 20;

  segment_file(std::filesystem::path path, descriptor file, std::uint64_t size)
      : path_(std::move(path)), file_(std::move(file)), size_(size) {}

  void read(std::size_t place) {
    first_ = place;
    part_.resize(place < sectors() ? part_bytes : 0);
    std::size_t got = 0;
    while (got < part_.size()) {
      const auto read = ::pread(file_.get(), part_.data() + got, part_.size() - got,
                                static_cast<off_t>(place * sector_bytes + got));
      if (read < 0 && errno == EINTR) {
        continue;
      }
      if (read < 0) {
        failure_ = system_failure("read", path_, errno);
      }
      if (read <= 0) {
        break;
      }
      got += static_cast<std::size_t>(read);
    }
    part_.resize(got / sector_bytes * sector_bytes);
  }

  std::filesystem::path path_;
  descriptor file_;
  std::uint64_t size_;
  std::string part_;
  std::size_t first_ = 0; // its place
  std::optional<error> failure_;
};

/// Cuts an entry's payload into its operations; false if it does not have that shape.
bool parse(std::string_view payload, std::vector<logged_operation>& operations) {
  operations.clear();
  while (!payload.empty()) {
    if (payload.size() < 9 || payload[0] < 0 || payload[0] > 3) {
      return false;
    }
    const auto what = static_cast<logged_operation::kind>(payload[0]);
    const std::size_t key = get_u32(payload.data() + 1);
    const std::size_t value = get_u32(payload.data() + 5);
    payload.remove_prefix(9);
    if (key > payload.size() || value > payload.size() - key) {
      return false;
    }
    operations.push_back({what, payload.substr(0, key), {}, payload.substr(key, value)});
    payload.remove_prefix(key + value);
  }
  return true;
}

/// One segment's way through its sectors.
class segment_reader {
public:
  segment_reader(const log_segment& segment, segment_file& file) : segment_(segment), file_(file) {}

  /// The number of the first commit.
  result<std::uint64_t> read_head() {
    sector_head head;
    const auto kind = look_at_sector(file_.at(0), 0, segment_.number, head);
    if (file_.failure()) {
      return tl::unexpected(*file_.failure());
    }
    if (kind != sector_kind::present || head.ordinal != head_ordinal) {
      return damaged(segment_.path, 0, "the head of the log segment is damaged");
    }
    if (head.version > log_version) {
      return continuo::fail(errc::newer_version,
                            fmt::format("{} has log version {}, this program knows {}",
                                        segment_.path.string(), head.version, log_version));
    }
    return head.commit;
  }

  /// Whether the entry of `commit` stands whole at the present place; if so its payload is in `payload`, and
  /// the place behind it. If not, nothing of a later commit stands in the rest of the segment: had it been
  /// acknowledged, the next one would.
  result<bool> next(std::uint64_t commit, std::string& payload) {
    payload.clear();
    sector_head first;
    const auto kind = look_at_sector(file_.at(place_), place_, segment_.number, first);
    if (kind == sector_kind::present && first.commit == commit && first.ordinal == 0) {
      const auto count = sectors_of(first.payload_bytes);
      auto is_whole = true;
      for (std::size_t i = 0; i < count && is_whole; ++i) {
        auto expected = first;
        expected.ordinal = static_cast<std::uint32_t>(i);
        sector_head head;
        const auto sector = file_.at(place_ + i);
        const auto at = look_at_sector(sector, place_ + i, segment_.number, head);
        is_whole = at == sector_kind::present && head == expected;
        if (is_whole) {
          payload.append(payload_of(sector));
        }
      }
      if (is_whole) {
        payload.resize(first.payload_bytes);
        place_ += count;
        return true;
      }
    }
    return check_rest(commit);
  }

private:
  result<bool> check_rest(std::uint64_t torn) {
    for (auto place = place_; place < file_.sectors() && !file_.failure(); ++place) {
      sector_head head;
      const auto kind = look_at_sector(file_.at(place), place, segment_.number, head);
      if (kind == sector_kind::damaged) {
        return damaged(segment_.path, place, "the checksum of this log sector does not fit");
      }
      if (kind == sector_kind::present && head.commit != torn) {
        return damaged(
            segment_.path, place_,
            fmt::format("commit {} should stand here, since {} stands behind it", torn, head.commit));
      }
    }
    if (file_.failure()) {
      return tl::unexpected(*file_.failure());
    }
    return false;
  }

  const log_segment& segment_;
  segment_file& file_;
  std::size_t place_ = 1;
};

} // namespace

bool is_reusable(const std::filesystem::path& path, std::uint32_t number) {
  auto file = segment_file::open(path);
  sector_head head;
  for (std::size_t place = 0; file && place < file->sectors() && !file->failure(); ++place) {
    if (look_at_sector(file->at(place), place, number, head) == sector_kind::damaged) {
      return false;
    }
  }
  return file && !file->failure();
}

result<log_content> read_log(const std::filesystem::path& directory, std::uint64_t applied,
                             const entry_visitor& visit) {
  auto segments = list_segments(directory);
  if (!segments) {
    return tl::unexpected(segments.error());
  }
  log_content content{std::move(*segments), 0};
  std::vector<logged_operation> operations;
  std::string payload;
  for (auto& segment : content.segments) {
    auto file = segment_file::open(segment.path);
    if (!file) {
      return tl::unexpected(file.error());
    }
    segment_reader reader{segment, *file};
    const auto first = reader.read_head();
    if (!first) {
      return tl::unexpected(first.error());
    }
    segment.first_commit = *first;
    // What is missing between two segments, or before the first one, must be in the tables.
    const auto known = std::max(content.last_commit, applied);
    if (*first > known + 1) {
      return damaged(segment.path, 0,
                     fmt::format("the segment begins with commit {}, but {} is the last one known before it: "
                                 "acknowledged commits are missing",
                                 *first, known));
    }
    for (auto commit = *first;; ++commit) {
      const auto found = reader.next(commit, payload);
      if (!found) {
        return tl::unexpected(found.error());
      }
      if (!*found) {
        break;
      }
      if (!parse(payload, operations)) {
        return damaged(segment.path, 0, fmt::format("commit {} has no readable operations", commit));
      }
      content.last_commit = commit;
      if (commit > applied) {
        if (auto visited = visit(commit, operations); !visited) {
          return tl::unexpected(visited.error());
        }
      }
    }
  }
  return content;
}

} // namespace continuo::journal
