#include "journal/commit_log.hpp"

#include "journal/files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <unistd.h>

namespace continuo::journal {

namespace {

constexpr std::size_t operation_head_bytes = 9; // kind, length of key, length of value
constexpr std::size_t spare_max = 8;
constexpr std::size_t kept_spare_max = 3; // over a start: each is read once then

result<void> write_at(int file, std::string_view bytes, std::size_t offset,
                      const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const auto written = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written < 0) {
      return tl::unexpected(system_failure("write", path, errno));
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::size_t>(written);
  }
  return {};
}

std::uint64_t payload_bytes_of(const std::vector<logged_operation>& operations) {
  std::uint64_t bytes = 0;
  for (const auto& one : operations) {
    bytes += operation_head_bytes + one.key.size() + one.head.size() + one.value.size();
  }
  return bytes;
}

} // namespace

commit_log::commit_log(std::filesystem::path directory, std::size_t segment_bytes)
    : directory_(std::move(directory)),
      segment_bytes_(std::max(segment_bytes, 8 * sector_bytes) / sector_bytes * sector_bytes) {}

result<std::unique_ptr<commit_log>> commit_log::begin(const std::filesystem::path& directory,
                                                      log_content found, std::uint64_t next_commit,
                                                      std::size_t segment_bytes) {
  if (auto made = make_directory(directory); !made) {
    return tl::unexpected(made.error());
  }
  std::unique_ptr<commit_log> log{new commit_log{directory, segment_bytes}};
  if (!found.segments.empty()) {
    log->number_ = found.segments.back().number;
  }
  std::error_code trouble;
  for (std::filesystem::directory_iterator i{directory, trouble}, end; !trouble && i != end;
       i.increment(trouble)) {
    const auto extension = i->path().extension();
    std::error_code gone;
    if (extension == ".spare" && log->spare_.size() < kept_spare_max &&
        i->file_size(gone) == log->segment_bytes_ && is_reusable(i->path(), log->number_ + 1)) {
      log->spare_.push_back(i->path());
    } else if (extension == ".spare" || extension == ".new") {
      std::filesystem::remove(i->path(),
                              gone); // too many, of another size, damaged, or half made by an earlier life
    }
  }
  log->segments_.assign(found.segments.begin(), found.segments.end());
  if (auto begun = log->begin_segment(next_commit, 1); !begun) {
    return tl::unexpected(begun.error());
  }
  return log;
}

result<void> commit_log::make_zeroed(const std::filesystem::path& path, std::size_t bytes) {
  const auto file = open_file(path, file_use::create);
  if (!file) {
    return tl::unexpected(file.error());
  }
  // Written, not only reserved: the first write into reserved blocks changes metadata, and each sync would
  // pay for it.
  const std::string zeros(std::min<std::size_t>(bytes, 1u << 20), '\0');
  result<void> written;
  for (std::size_t offset = 0; written && offset < bytes; offset += zeros.size()) {
    written = write_at(file->get(), std::string_view{zeros}.substr(0, bytes - offset), offset, path);
  }
  if (written && ::fsync(file->get()) != 0) {
    written = tl::unexpected(system_failure("sync", path, errno));
  }
  return written;
}

result<void> commit_log::begin_segment(std::uint64_t first_commit, std::size_t room_sectors) {
  const auto number = number_ + 1;
  const auto path = directory_ / fmt::format("{:010}.log", number);
  const auto bytes = std::max(segment_bytes_, (room_sectors + 1) * sector_bytes);
  std::filesystem::path from;
  if (bytes == segment_bytes_ && !spare_.empty()) {
    from = spare_.back();
    spare_.pop_back();
  } else {
    from = directory_ / fmt::format("{:010}.new", number);
    if (auto made = make_zeroed(from, bytes); !made) {
      return made;
    }
  }
  auto file = open_file(from, file_use::write);
  if (!file) {
    return tl::unexpected(file.error());
  }
  file_ = std::move(*file);
  writer_.begin(first_commit, number, 0, 0, head_ordinal);
  if (auto written = write_at(file_.get(), writer_.finish(), 0, from); !written) {
    return written;
  }
  // Synced before it takes its name: under its name a segment always has a whole head.
  if (::fdatasync(file_.get()) != 0) {
    return tl::unexpected(system_failure("sync", from, errno));
  }
  if (::rename(from.c_str(), path.c_str()) != 0) {
    return tl::unexpected(system_failure("rename to", path, errno));
  }
  if (auto synced = sync_directory(directory_); !synced) {
    return synced;
  }
  number_ = number;
  segments_.push_back({number, first_commit, path});
  place_ = 1;
  sectors_ = bytes / sector_bytes;
  return {};
}

result<void> commit_log::append(std::uint64_t commit, const std::vector<logged_operation>& operations) {
  const auto bytes = payload_bytes_of(operations);
  if (bytes > 0xFFFF'0000u) {
    return continuo::fail(errc::storage_failed, "a commit of more than 4 GiB");
  }
  const auto sectors = sectors_of(bytes);
  if (place_ + sectors > sectors_) {
    if (auto begun = begin_segment(commit, sectors); !begun) {
      return begun;
    }
  }
  writer_.begin(commit, segments_.back().number, place_, static_cast<std::uint32_t>(bytes));
  for (const auto& one : operations) {
    char head[operation_head_bytes];
    head[0] = static_cast<char>(one.what);
    put_u32(head + 1, static_cast<std::uint32_t>(one.key.size()));
    put_u32(head + 5, static_cast<std::uint32_t>(one.head.size() + one.value.size()));
    writer_.append({head, sizeof head});
    writer_.append(one.key);
    writer_.append(one.head);
    writer_.append(one.value);
  }
  const auto& path = segments_.back().path;
  if (auto written = write_at(file_.get(), writer_.finish(), place_ * sector_bytes, path); !written) {
    return written;
  }
  if (::fdatasync(file_.get()) != 0) {
    return tl::unexpected(system_failure("sync", path, errno));
  }
  // Durable from here.
  place_ += sectors;
  return {};
}

void commit_log::release(std::uint64_t commit) {
  while (segments_.size() > 1 && segments_[1].first_commit <= commit + 1) {
    const auto path = segments_.front().path;
    segments_.pop_front();
    std::error_code trouble;
    const auto fits = std::filesystem::file_size(path, trouble) == segment_bytes_ && !trouble;
    auto spare = path;
    spare.replace_extension(".spare");
    if (fits && spare_.size() < spare_max) {
      std::filesystem::rename(path, spare, trouble);
      if (!trouble) {
        spare_.push_back(std::move(spare));
        continue;
      }
    }
    std::filesystem::remove(path,
                            trouble); // left in place it costs room, nothing else: the next start releases it
  }
}

} // namespace continuo::journal
