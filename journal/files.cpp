#include "journal/files.hpp"

#include "messages/printable.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace continuo::journal {

namespace {

/// Folders in folders that anything of ours has: `private/1` of a backup.
constexpr int depth_max = 4;

/// Whose the file is that was denied, or the nearest folder above it of which that can be known.
std::string denial_text(const std::filesystem::path& path) {
  struct stat status {};
  auto known = path;
  while (::lstat(known.c_str(), &status) != 0) {
    const auto above = known.parent_path();
    if (above.empty() || above == known) {
      return {};
    }
    known = above;
  }
  return fmt::format(
      ": {} belongs to {} with mode {:04o}, and this process is {}; run it as the owner, or give the "
      "files to this user with chown -R",
      known == path ? "it" : continuo::printable(known.string()), user_text(status.st_uid),
      status.st_mode & 07777u, user_text(::geteuid()));
}

const char* kind_text(mode_t mode) {
  return S_ISLNK(mode)    ? "a link"
         : S_ISDIR(mode)  ? "a directory"
         : S_ISFIFO(mode) ? "a FIFO"
         : S_ISSOCK(mode) ? "a socket"
                          : "a device";
}

tl::unexpected<error> refuse(const std::filesystem::path& path, std::string_view what) {
  return fail(errc::invalid_configuration, fmt::format("{} {}", continuo::printable(path.string()), what));
}

int flags_of(file_use use) {
  switch (use) {
  case file_use::read:
    return O_RDONLY;
  case file_use::write:
    return O_WRONLY;
  case file_use::create:
    return O_WRONLY | O_CREAT | O_EXCL;
  case file_use::append:
    return O_WRONLY | O_CREAT | O_APPEND;
  case file_use::change:
    return O_RDWR | O_CREAT;
  }
  return O_RDONLY;
}

result<void> trusted(const struct stat& status, const std::filesystem::path& path) {
  if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
    return refuse(path, fmt::format("belongs to {}, and this process is {}: it may say anything, and is not "
                                    "used; remove it, or run this as that user",
                                    user_text(status.st_uid), user_text(::geteuid())));
  }
  if ((status.st_mode & 022u) != 0) {
    return refuse(path, fmt::format("can be written by others (mode {:04o}): it may say anything, and is not "
                                    "used; chmod go-w it where what it says is right",
                                    status.st_mode & 07777u));
  }
  return {};
}

} // namespace

descriptor::~descriptor() {
  if (number_ >= 0) {
    ::close(number_);
  }
}

std::string user_text(uid_t id) {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> names(16'384);
  const auto known = ::getpwuid_r(id, &entry, names.data(), names.size(), &found) == 0 && found != nullptr;
  return known ? fmt::format("user {} ({})", id, found->pw_name) : fmt::format("user {}", id);
}

error system_failure(std::string_view what, const std::filesystem::path& path, int number) {
  const auto full = number == ENOSPC || number == EDQUOT;
  const auto misplaced = number == EACCES || number == ENOTDIR || number == ENAMETOOLONG || number == ELOOP;
  return {full        ? errc::storage_full
          : misplaced ? errc::invalid_configuration
                      : errc::storage_failed,
          fmt::format("cannot {} {}: {}{}", what, continuo::printable(path.string()),
                      std::generic_category().message(number), number == EACCES ? denial_text(path) : "")};
}

result<descriptor> open_file(const std::filesystem::path& path, file_use use, mode_t mode, links how) {
  const auto* what = use == file_use::read ? "read" : use == file_use::create ? "create" : "write";
  const auto follow = how == links::followed ? 0 : O_NOFOLLOW;
  descriptor file{
      ::open(path.c_str(), flags_of(use) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | follow, mode & 0755u)};
  const auto why = errno;
  struct stat status {};
  const auto is_there =
      file.get() >= 0 ? ::fstat(file.get(), &status) == 0 : ::lstat(path.c_str(), &status) == 0;
  if (is_there && !S_ISREG(status.st_mode) && (file.get() >= 0 || how == links::refused)) {
    return refuse(path, fmt::format("is {}: a file is expected", kind_text(status.st_mode)));
  }
  if (file.get() < 0) {
    return why == ENOENT ? fail(errc::not_found, continuo::printable(path.string()) + " is missing")
                         : tl::unexpected(system_failure(what, path, why));
  }
  if (use != file_use::read && status.st_uid != ::geteuid()) {
    return refuse(path, fmt::format("belongs to {}, and this process is {}: nothing is written to it; remove "
                                    "it, or run this as that user",
                                    user_text(status.st_uid), user_text(::geteuid())));
  }
  // A segment of the log may have one, where somebody keeps copies by links.
  if ((use == file_use::append || use == file_use::change) && status.st_nlink > 1) {
    return refuse(path, "has a second name (a hard link): nothing is written to it; remove it");
  }
  return file;
}

result<std::string> read_small_file(const std::filesystem::path& path, std::size_t bytes_max, links how) {
  const auto file = open_file(path, file_use::read, 0, how);
  return file ? read_small_file(*file, path, bytes_max) : tl::unexpected(file.error());
}

result<std::string> read_small_file(const descriptor& file, const std::filesystem::path& path,
                                    std::size_t bytes_max) {
  std::string text(bytes_max + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const auto got = ::pread(file.get(), text.data() + size, text.size() - size, static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return tl::unexpected(system_failure("read", path, errno));
    }
    if (got == 0) {
      text.resize(size);
      return text;
    }
    size += static_cast<std::size_t>(got);
  }
  return refuse(path, fmt::format("is larger than {} bytes", bytes_max));
}

result<void> check_trusted(const descriptor& file, const std::filesystem::path& path) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) {
    return refuse(path, "is missing");
  }
  return trusted(status, path);
}

result<void> write_all(int file, std::string_view text, const std::filesystem::path& path) {
  while (!text.empty()) {
    const auto written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written < 0) {
      return tl::unexpected(system_failure("write", path, errno));
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

result<void> write_file_atomically(const std::filesystem::path& path, std::string_view text) {
  auto beside = path;
  beside += ".new";
  {
    ::unlink(beside.c_str()); // of one that died as it wrote, or planted: it is not written to
    const auto file = open_file(beside, file_use::create);
    if (!file) {
      return tl::unexpected(file.error());
    }
    if (auto written = write_all(file->get(), text, beside); !written) {
      return written;
    }
    if (::fsync(file->get()) != 0) {
      return tl::unexpected(system_failure("sync", beside, errno));
    }
  }
  if (::rename(beside.c_str(), path.c_str()) != 0) {
    return tl::unexpected(system_failure("rename to", path, errno));
  }
  return sync_directory(path.has_parent_path() ? path.parent_path() : ".");
}

result<void> make_directory(const std::filesystem::path& path, mode_t mode) {
  std::error_code trouble;
  const auto status = std::filesystem::status(path, trouble);
  if (std::filesystem::is_directory(status)) {
    return {};
  }
  if (std::filesystem::exists(status)) {
    return refuse(path, "is not a directory");
  }
  const auto above = path.has_filename() ? path.parent_path() : path.parent_path().parent_path();
  if (!above.empty() && above != path) {
    if (std::filesystem::exists(above, trouble) && !std::filesystem::is_directory(above, trouble)) {
      return tl::unexpected(system_failure("make the directory", above / path.filename(), ENOTDIR));
    }
    if (auto made = make_directory(above, 0755); !made) {
      return made;
    }
  }
  if (::mkdir(path.c_str(), mode & 0755u) != 0 && errno != EEXIST) {
    return tl::unexpected(system_failure("make the directory", path, errno));
  }
  return sync_directory(above.empty() ? "." : above);
}

result<void> check_owner(const std::filesystem::path& directory) {
  struct stat link {};
  struct stat status {};
  if (::lstat(directory.c_str(), &link) != 0 || ::stat(directory.c_str(), &status) != 0) {
    return tl::unexpected(system_failure("look at", directory, errno));
  }
  for (const auto owner : {link.st_uid, status.st_uid}) {
    if (owner != 0 && owner != ::geteuid()) {
      return refuse(directory, fmt::format("belongs to {}, and this process is {}: run this as that user, or "
                                           "choose another directory; nothing was changed",
                                           user_text(owner), user_text(::geteuid())));
    }
  }
  if ((status.st_mode & S_IWOTH) != 0) {
    return refuse(directory, fmt::format("can be written by everybody (mode {:04o}), who could put anything "
                                         "there: chmod o-w it; nothing was changed",
                                         status.st_mode & 07777u));
  }
  return {};
}

result<void> check_kind(const std::filesystem::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) {
    return {};
  }
  return refuse(path, fmt::format("is {}: here stand only files and directories; nothing was changed",
                                  kind_text(status.st_mode)));
}

result<void> check_plain(const std::filesystem::path& directory) {
  auto last = directory; // the next step goes into it, where it is one
  std::error_code trouble;
  for (std::filesystem::recursive_directory_iterator i{directory, trouble}, end; !trouble && i != end;
       i.increment(trouble)) {
    if (i.depth() == 0 && i->path().filename() == "lost+found") { // root's, of a file system
      i.disable_recursion_pending();
      continue;
    }
    if (i.depth() > depth_max) {
      return refuse(i->path(), "lies deeper than anything that belongs here; nothing was changed");
    }
    last = i->path();
    if (auto plain = check_kind(i->path()); !plain) {
      return plain;
    }
  }
  if (trouble) {
    return tl::unexpected(system_failure("look through", last, trouble.value()));
  }
  return {};
}

result<void> check_size(const std::filesystem::path& path, std::uint64_t bytes_max) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode) ||
      static_cast<std::uint64_t>(status.st_size) <= bytes_max) {
    return {};
  }
  return fail(errc::corrupt,
              fmt::format("{} has {} bytes, and none of its kind more than {}: it was damaged, "
                          "or is not one of this program; nothing was changed",
                          continuo::printable(path.string()), status.st_size, bytes_max));
}

result<void> sync_directory(const std::filesystem::path& path) {
  const descriptor directory{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (directory.get() < 0 || ::fsync(directory.get()) != 0) {
    return tl::unexpected(system_failure("sync the directory", path, errno));
  }
  return {};
}

} // namespace continuo::journal
