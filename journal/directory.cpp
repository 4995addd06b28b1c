#include "journal/directory.hpp"

#include "messages/printable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace continuo::journal {

namespace {

constexpr std::size_t small_file_bytes = 4'096;
constexpr std::string_view format_prefix = "continuo data directory, format ";

std::string format_line() {
  return fmt::format("{}{}\n", format_prefix, directory_format);
}

/// Whether the directory was made by this program: false for an empty one.
result<bool> has_format(const std::filesystem::path& directory) {
  const auto path = directory / "FORMAT";
  const auto text = read_small_file(path, small_file_bytes);
  if (!text) {
    return text.error().code == errc::not_found ? result<bool>{false} : tl::unexpected(text.error());
  }
  std::string_view rest{*text};
  unsigned number = 0;
  const auto readable = rest.starts_with(format_prefix) && rest.ends_with('\n');
  if (readable) {
    rest.remove_prefix(format_prefix.size());
    rest.remove_suffix(1);
  }
  const auto [end, failed] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  if (!readable || failed != std::errc{} || end != rest.data() + rest.size() || number == 0) {
    return continuo::fail(errc::corrupt,
                          fmt::format("{} does not read '{}<number>': the directory was damaged, or is not "
                                      "one of this program; nothing was changed",
                                      path.string(), format_prefix));
  }
  if (number > directory_format) {
    return continuo::fail(
        errc::newer_version,
        fmt::format("the data directory {} has format {}, this program knows {}: use the newer program; "
                    "nothing was changed",
                    directory.string(), number, directory_format));
  }
  return true;
}

// -- users ------------------------------------------------------------------------------------------

/// Refuses one that this process may not use; `how` as access(2) has it. Other trouble shows by itself.
result<void> check_file(const std::filesystem::path& path, int how) {
  if (::faccessat(AT_FDCWD, path.c_str(), how, AT_EACCESS) == 0 || errno != EACCES) {
    return {};
  }
  return tl::unexpected(system_failure((how & W_OK) != 0 ? "write" : "read", path, EACCES));
}

/// Looks at everything before anything is touched: RocksDB takes a table that it may not open for a damaged
/// one.
result<void> check_access(const std::filesystem::path& directory, int how) {
  if (auto usable = check_file(directory, how | X_OK); !usable) {
    return usable;
  }
  for (const auto* name : {"FORMAT", "LOCK", "running"}) {
    if (auto usable = check_file(directory / name, how); !usable) {
      return usable;
    }
  }
  const auto journal = directory / "journal";
  if (auto usable = check_file(journal, how | X_OK); !usable) {
    return usable;
  }
  std::error_code trouble; // files may go meanwhile, where a node runs
  for (std::filesystem::recursive_directory_iterator i{journal, trouble}, end; !trouble && i != end;
       i.increment(trouble)) {
    if (i.depth() > 4) { // nothing of ours; `check_plain` says so
      i.disable_recursion_pending();
    }
    std::error_code gone;
    if (auto usable = check_file(i->path(), i->is_directory(gone) ? how | X_OK : how); !usable) {
      return usable;
    }
  }
  return {};
}

/// Refuses a directory that holds something else, so that a slip in a path does no harm.
result<void> check_foreign(const std::filesystem::path& directory) {
  std::error_code trouble;
  for (std::filesystem::directory_iterator i{directory, trouble}, end; !trouble && i != end;
       i.increment(trouble)) {
    const auto name = i->path().filename();
    // What an earlier start leaves that died before FORMAT was there.
    if (name != "LOCK" && name != "FORMAT.new" && name != "lost+found") {
      return continuo::fail(
          errc::invalid_configuration,
          fmt::format("the directory {} is not empty and not a data directory (it holds {}): choose "
                      "another one; nothing was changed",
                      directory.string(), continuo::printable(name.string())));
    }
  }
  if (trouble) {
    return tl::unexpected(system_failure("list", directory, trouble.value()));
  }
  return {};
}

/// What the holder wrote: its process id, and perhaps a second line.
std::string read_lock(int lock) {
  char text[512] = {};
  const auto length = ::pread(lock, text, sizeof text, 0);
  return length > 0 ? std::string{text, static_cast<std::size_t>(length)} : std::string{};
}

std::string holder(int lock) {
  const auto text = read_lock(lock);
  const auto number = text.substr(0, text.find('\n'));
  if (number.empty()) {
    return "another process";
  }
  return number == std::to_string(::getpid()) ? "this process (" + number + ")" : "process " + number;
}

result<void> write_lock(int lock, std::string_view text, const std::filesystem::path& path) {
  if (::ftruncate(lock, 0) != 0 || ::lseek(lock, 0, SEEK_SET) != 0) {
    return tl::unexpected(system_failure("write", path, errno));
  }
  return write_all(lock, text, path);
}

/// Takes the lock; `how` is LOCK_EX or LOCK_SH. It belongs to the open file, not to the process: it keeps out
/// a second node of this process as well.
result<void> take_lock(int lock, int how, const std::filesystem::path& directory) {
  if (::flock(lock, how | LOCK_NB) == 0) {
    return {};
  }
  if (errno != EWOULDBLOCK) {
    return tl::unexpected(system_failure("lock", directory / "LOCK", errno));
  }
  return continuo::fail(
      errc::in_use, fmt::format("the data directory {} is in use by {}: stop it, or choose another directory",
                                directory.string(), holder(lock)));
}

} // namespace

result<void> write_format(const std::filesystem::path& directory) {
  return write_file_atomically(directory / "FORMAT", format_line());
}

data_directory::data_directory(std::filesystem::path path, descriptor lock)
    : path_(std::move(path)), lock_(std::move(lock)) {}

data_directory::~data_directory() {
  // The file stays: were it removed, a third process could lock a new one while a second still waits on this.
  if (lock_.get() >= 0) {
    static_cast<void>(
        ::ftruncate(lock_.get(), 0)); // of one that is only looked at, open for reading, it fails
  }
}

result<void> data_directory::check_user(const std::filesystem::path& path) {
  struct stat status {};
  std::error_code trouble;
  if (::geteuid() != 0 || ::stat(path.c_str(), &status) != 0 || status.st_uid == 0 ||
      !std::filesystem::exists(path / "FORMAT", trouble)) {
    return {};
  }
  if (const auto free = look_at(path); !free) {
    return tl::unexpected(free.error()); // that it is in use, as a rule
  }
  const auto owner = user_text(status.st_uid);
  return continuo::fail(errc::invalid_configuration,
                        fmt::format("the data directory {} belongs to {}: files that root makes in it could "
                                    "not be opened by its owner; "
                                    "run this as that user, as with `runuser -u`; nothing was changed",
                                    path.string(), owner));
}

result<std::unique_ptr<data_directory>> data_directory::open(const std::filesystem::path& path) {
  if (auto made = make_directory(path); !made) {
    return tl::unexpected(made.error());
  }
  if (auto usable = check_access(path, R_OK | W_OK); !usable) {
    return tl::unexpected(usable.error());
  }
  if (auto ours = check_user(path); !ours) {
    return tl::unexpected(ours.error());
  }
  if (auto ours = check_owner(path); !ours) {
    return tl::unexpected(ours.error());
  }
  auto formatted = has_format(path);
  if (!formatted) {
    return tl::unexpected(formatted.error());
  }
  if (!*formatted) {
    if (auto foreign = check_foreign(path); !foreign) {
      return tl::unexpected(foreign.error());
    }
  }
  const auto lock_path = path / "LOCK";
  if (auto plain = check_kind(lock_path); !plain) {
    return tl::unexpected(plain.error());
  }
  auto lock = open_file(lock_path, file_use::change);
  if (!lock) {
    return tl::unexpected(lock.error());
  }
  if (auto locked = take_lock(lock->get(), LOCK_EX, path); !locked) {
    return tl::unexpected(locked.error());
  }
  if (auto plain = check_plain(path); !plain) {
    return tl::unexpected(plain.error());
  }
  if (auto written = write_lock(lock->get(), std::to_string(::getpid()) + "\n", lock_path); !written) {
    return tl::unexpected(written.error());
  }
  // Only now: of two first starts at the same time, the one without the lock writes nothing.
  if (!*formatted) {
    if (auto written = write_format(path); !written) {
      return tl::unexpected(written.error());
    }
  }
  return std::unique_ptr<data_directory>{new data_directory{path, std::move(*lock)}};
}

result<std::unique_ptr<data_directory>> data_directory::look_at(const std::filesystem::path& path) {
  if (auto usable = check_access(path, R_OK); !usable) {
    return tl::unexpected(usable.error());
  }
  const auto formatted = has_format(path);
  if (!formatted) {
    return tl::unexpected(formatted.error());
  }
  if (!*formatted) {
    return continuo::fail(
        errc::invalid_configuration,
        fmt::format("{} is no data directory of a node (it has no file FORMAT): name one, as "
                    "DATA/NODE; nothing was changed",
                    path.string()));
  }
  const auto lock_path = path / "LOCK";
  if (auto plain = check_kind(lock_path); !plain) {
    return tl::unexpected(plain.error());
  }
  auto lock = open_file(lock_path, file_use::read);
  if (!lock && lock.error().code != errc::not_found) { // a copy may lack it
    return tl::unexpected(lock.error());
  }
  if (lock) {
    if (auto locked = take_lock(lock->get(), LOCK_SH, path); !locked) {
      return tl::unexpected(locked.error());
    }
  }
  if (auto plain = check_plain(path); !plain) {
    return tl::unexpected(plain.error());
  }
  return std::unique_ptr<data_directory>{new data_directory{path, lock ? std::move(*lock) : descriptor{}}};
}

result<std::string> data_directory::http_of_holder(const std::filesystem::path& path) {
  const auto lock_path = path / "LOCK";
  const auto lock = open_file(lock_path, file_use::read);
  if (!lock) {
    return lock.error().code == errc::not_found ? result<std::string>{} : tl::unexpected(lock.error());
  }
  if (::flock(lock->get(), LOCK_SH | LOCK_NB) == 0) {
    return std::string{}; // nobody holds it: what stands there is of one who died
  }
  const descriptor directory{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (auto ours = check_trusted(directory, path); !ours) {
    return tl::unexpected(ours.error());
  }
  if (auto ours = check_trusted(*lock, lock_path); !ours) {
    return tl::unexpected(ours.error());
  }
  const auto text = read_lock(lock->get());
  const auto begin = std::min(text.find('\n'), text.size() - 1) + 1;
  return text.empty() ? text : text.substr(begin, text.find('\n', begin) - begin);
}

result<void> data_directory::tell_http(std::string_view url) {
  return write_lock(lock_.get(), fmt::format("{}\n{}\n", ::getpid(), url), path_ / "LOCK");
}

} // namespace continuo::journal
