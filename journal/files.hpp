#pragma once

#include <continuo/result.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>

/// The one way in which files and folders are made and opened whose place others may reach: whatever stands
/// there (a link, a FIFO, a device, a file of somebody else) is refused with a sentence, and neither followed
/// nor waited for; what is made is for its owner to write, whatever the umask says; no program that is
/// started later inherits it. Any thread.
namespace continuo::journal {

/// A descriptor, closed with this object.
class descriptor {
public:
  descriptor() = default;
  explicit descriptor(int number) : number_(number) {}
  descriptor(descriptor&& other) noexcept : number_(other.release()) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~descriptor();

  [[nodiscard]] int get() const { return number_; } ///< negative: there is none
  int release() { return std::exchange(number_, -1); }

private:
  int number_ = -1;
};

/// What a file is opened for.
enum class file_use : std::uint8_t {
  read,   ///< it must be there
  write,  ///< it must be there
  create, ///< to write; it must not be there
  append, ///< at its end; made where it is missing
  change, ///< to read and to write; made where it is missing
};

/// Whether the last part of a path may be a link: where somebody names a file and may manage it by links, as
/// certificates, and the secrets of a container.
enum class links : std::uint8_t { refused, followed };

/// Opens a file; `mode` is that of one that is made. What is to be written must belong to this user, and what
/// may have been there before have no second name, by which it would be a file of somewhere else.
///
/// `errc::not_found` where it is missing, `errc::invalid_configuration` where it is no file, or not of this
/// user, else as `system_failure`.
[[nodiscard]] result<descriptor> open_file(const std::filesystem::path& path, file_use use,
                                           mode_t mode = 0600, links how = links::refused);

/// Reads a file that is expected to be small. Errors as those of `open_file`, and
/// `errc::invalid_configuration` where it is larger than `bytes_max`.
[[nodiscard]] result<std::string> read_small_file(const std::filesystem::path& path, std::size_t bytes_max,
                                                  links how = links::refused);

/// The same of one that is open, from its beginning.
[[nodiscard]] result<std::string> read_small_file(const descriptor& file, const std::filesystem::path& path,
                                                  std::size_t bytes_max);

/// Refuses what somebody else than this user and root may have written, or can write.
/// `errc::invalid_configuration`, also where it is missing.
[[nodiscard]] result<void> check_trusted(const descriptor& file, const std::filesystem::path& path);

/// Writes all of `text`. `errc::storage_full` or `errc::storage_failed`.
[[nodiscard]] result<void> write_all(int file, std::string_view text, const std::filesystem::path& path);

/// Writes a small file (mode 0600) so that after a crash it is there whole or not at all: beside it, synced,
/// renamed, and the directory synced. Errors as those of `open_file`, with path and reason.
[[nodiscard]] result<void> write_file_atomically(const std::filesystem::path& path, std::string_view text);

/// Makes a directory and what is missing above it, the first with `mode`, the others for all to read (0755);
/// syncs the one above. Nothing where it is there. `errc::invalid_configuration` where something else is
/// there, else as `system_failure`.
[[nodiscard]] result<void> make_directory(const std::filesystem::path& path, mode_t mode = 0700);

/// Refuses a directory in which others than this user, root and their groups can put something in the place
/// of something else. `errc::invalid_configuration`, or as `system_failure`.
[[nodiscard]] result<void> check_owner(const std::filesystem::path& directory);

/// Looks at all that stands in `directory`, which may be another's work, before anything of it is opened: a
/// FIFO would be waited for, a link followed, a device read for ever. `errc::invalid_configuration` with the
/// first thing that is neither file nor directory, or lies deeper than anything of ours; what cannot be
/// looked at is an error as well, so nobody may remove anything meanwhile. A file system's own `lost+found`
/// is passed over.
[[nodiscard]] result<void> check_plain(const std::filesystem::path& directory);

/// Refuses what is neither file nor directory; what is missing is no trouble.
[[nodiscard]] result<void> check_kind(const std::filesystem::path& path);

/// Refuses a file that is larger than any of its kind can be, which would be read for hours or into all of
/// the memory; what is missing is no trouble. `errc::corrupt`.
[[nodiscard]] result<void> check_size(const std::filesystem::path& path, std::uint64_t bytes_max);

/// Syncs a directory, so that the names in it are durable.
[[nodiscard]] result<void> sync_directory(const std::filesystem::path& path);

/// `user 998 (_continuo)`
[[nodiscard]] std::string user_text(uid_t id);

/// The failure of a system call: `errc::storage_full` where `number` (an errno) says so,
/// `errc::invalid_configuration` where it was denied or the path is none, else `errc::storage_failed`; the
/// message reads "cannot <what> <path>: <reason>", and says whose the file is where it was denied.
[[nodiscard]] error system_failure(std::string_view what, const std::filesystem::path& path, int number);

} // namespace continuo::journal
