#include "nodes/backup.hpp"

#include "journal/copies.hpp"
#include "journal/directory.hpp"
#include "journal/files.hpp"
#include "journal/journal.hpp"
#include "messages/printable.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace continuo::nodes {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view backup_prefix = "continuo backup, format 1, store ";

std::string backup_line(std::uint64_t store) {
  return fmt::format("{}{:016x}\n", backup_prefix, store);
}

/// What `BACKUP` says; nothing where it is missing.
std::optional<std::string> read_backup_line(const fs::path& directory) {
  auto read = journal::read_small_file(directory / "BACKUP", 4'096);
  return read ? std::optional{std::move(*read)} : std::nullopt;
}

/// What stands in a directory that is in the way; empty where nothing does.
result<std::string> content_of(const fs::path& directory) {
  std::error_code trouble;
  const auto status = fs::status(directory, trouble);
  if (!fs::exists(status)) {
    return status.type() == fs::file_type::not_found
               ? result<std::string>{}
               : tl::unexpected(journal::system_failure("look at", directory, trouble.value()));
  }
  if (!fs::is_directory(status)) {
    return fail(errc::invalid_configuration, fmt::format("{} is not a directory", directory.string()));
  }
  for (fs::directory_iterator i{directory, trouble}, end; !trouble && i != end; i.increment(trouble)) {
    const auto name = i->path().filename();
    if (name != "BACKUP.new" && name != "lost+found") { // the first: of one that died as it began
      return printable(name.string());
    }
  }
  if (trouble) {
    return tl::unexpected(journal::system_failure("list", directory, trouble.value()));
  }
  return std::string{};
}

/// Nothing else has a place in a backup.
result<void> check_no_backup(const fs::path& directory) {
  const auto line = read_backup_line(directory);
  return line && line->starts_with(backup_prefix)
             ? fail(errc::invalid_configuration,
                    fmt::format("{} is a backup itself: choose a directory beside it; nothing was changed",
                                printable(directory.string())))
             : result<void>{};
}

/// Makes `to` a place for backups of the store, or finds that it is one.
result<void> prepare(const fs::path& to, std::uint64_t store) {
  const auto line = backup_line(store);
  const auto found = content_of(to);
  if (!found) {
    return tl::unexpected(found.error());
  }
  if (!found->empty()) {
    const auto known = read_backup_line(to);
    if (known == line) {
      return {};
    }
    return fail(
        errc::invalid_configuration,
        known && known->starts_with(backup_prefix)
            ? fmt::format("{} holds backups of another store ({}; this one is {:016x}): choose another "
                          "directory; nothing was changed",
                          to.string(), printable(known->substr(backup_prefix.size(), 16)), store)
            : fmt::format("{} is not empty and holds no backup (it has {}): choose another directory; "
                          "nothing was changed",
                          to.string(), *found));
  }
  for (auto above = fs::absolute(to).parent_path(); above != above.parent_path();
       above = above.parent_path()) {
    if (auto room = check_no_backup(above); !room) {
      return room;
    }
  }
  if (auto made = journal::make_directory(to); !made) {
    return made;
  }
  std::error_code theirs;
  fs::permissions(to, fs::perms::owner_all, theirs); // as the data itself: for its owner alone
  if (auto ours = journal::check_owner(to); !ours) {
    return ours;
  }
  return journal::write_file_atomically(to / "BACKUP", line);
}

/// Goes with what is in it, unless it was given its name.
class scratch_directory {
public:
  static result<scratch_directory> beside(const fs::path& place) {
    auto pattern = place.string() + ".restoring-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) {
      return tl::unexpected(journal::system_failure("make the directory", pattern, errno));
    }
    return scratch_directory{pattern};
  }
  scratch_directory(scratch_directory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  scratch_directory& operator=(scratch_directory&&) = delete;
  ~scratch_directory() {
    std::error_code trouble;
    if (!path_.empty()) {
      fs::remove_all(path_, trouble);
    }
  }

  [[nodiscard]] const fs::path& path() const { return path_; }

  result<void> rename_to(const fs::path& place) {
    if (::rename(path_.c_str(), place.c_str()) != 0) {
      return tl::unexpected(journal::system_failure("rename the restored directory to", place, errno));
    }
    path_.clear();
    return {};
  }

private:
  explicit scratch_directory(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

} // namespace

result<fs::path> place_of_backup(const fs::path& folder, const fs::path& to) {
  if (folder.empty()) {
    return fail(errc::invalid_configuration,
                "backups that are asked for over HTTP go to the node's backup folder, and it has none: set "
                "backup-folder in [node] of the cluster file, or node_config::backup_folder");
  }
  if (const auto text = to.string(); !is_printable(text)) {
    return fail(errc::invalid_configuration,
                fmt::format("{} has a character that no terminal shows: choose another name; nothing was "
                            "changed",
                            printable(text)));
  }
  auto place = to.lexically_normal();
  place = place.has_filename() ? place : place.parent_path();
  const auto way = place.lexically_relative(folder);
  if (way.empty() || *way.begin() == "..") {
    return fail(
        errc::invalid_configuration,
        fmt::format("backups that are asked for over HTTP go to {} or folders in it, and {} is not: name "
                    "one there, or set backup-folder in [node] of the cluster file "
                    "(node_config::backup_folder); nothing was changed",
                    folder.string(), to.string()));
  }
  if (auto made = journal::make_directory(folder); !made) {
    return tl::unexpected(made.error());
  }
  constexpr auto as_directory = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  journal::descriptor at{::open(folder.c_str(), as_directory)}; // itself it may be a link: it was chosen
  auto reached = folder;
  auto usable = journal::check_trusted(at, reached);
  for (auto part = way.begin(); usable && part != way.end() && *part != "."; ++part) {
    if (auto room = check_no_backup(reached); !room) {
      return tl::unexpected(room.error());
    }
    reached /= *part;
    if (::mkdirat(at.get(), part->c_str(), 0700) != 0 && errno != EEXIST) {
      return tl::unexpected(journal::system_failure("make the directory", reached, errno));
    }
    journal::descriptor next{::openat(at.get(), part->c_str(), as_directory | O_NOFOLLOW)};
    if (next.get() < 0 && errno != ELOOP && errno != ENOTDIR) {
      return tl::unexpected(journal::system_failure("open the directory", reached, errno));
    }
    if (next.get() < 0) {
      return fail(errc::invalid_configuration,
                  fmt::format("{} is a link, or no directory: a backup goes to none; nothing was changed",
                              reached.string()));
    }
    at = std::move(next);
    usable = journal::check_trusted(at, reached);
  }
  return usable ? result<fs::path>{reached} : tl::unexpected(usable.error());
}

result<backup_figures> back_up(const journal::store& store, const fs::path& to,
                               const std::function<bool(std::uint64_t bytes)>& goes_on) {
  const auto begun = std::chrono::steady_clock::now();
  const auto bytes = store.get(journal::store_id_key);
  if (!bytes) {
    return tl::unexpected(bytes.error());
  }
  const auto id = *bytes
                      ? decode<std::uint64_t>(**bytes)
                      : result<std::uint64_t>{fail(errc::not_found, "no node ever started on this journal: "
                                                                    "there is nothing to back up")};
  if (!id) {
    return tl::unexpected(id.error());
  }
  if (auto prepared = prepare(to, *id); !prepared) {
    return tl::unexpected(prepared.error());
  }
  // The lock is the kernel's: it ends with the process.
  const auto alone = journal::open_file(to / "BACKUP", journal::file_use::write);
  if (!alone) {
    return tl::unexpected(alone.error());
  }
  if (::flock(alone->get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(errc::conflict, fmt::format("another backup to {} runs just now", to.string()));
  }
  if (auto plain = journal::check_plain(to); !plain) {
    return tl::unexpected(plain.error());
  }
  const auto copied = store.back_up(to, goes_on);
  if (!copied) {
    return tl::unexpected(copied.error());
  }
  return backup_figures{*copied, std::chrono::duration_cast<std::chrono::milliseconds>(
                                     std::chrono::steady_clock::now() - begun)};
}

result<void> restore(const fs::path& from, fs::path to,
                     const std::function<result<void>(const fs::path& journal)>& check) {
  if (::access((from / "BACKUP").c_str(), R_OK) != 0 && errno == EACCES) {
    return tl::unexpected(journal::system_failure("read", from / "BACKUP", EACCES));
  }
  const auto line = read_backup_line(from);
  if (!line || !line->starts_with(backup_prefix)) {
    return fail(errc::invalid_configuration,
                fmt::format("{} holds no backup of `continuo journal backup`{}", from.string(),
                            line ? ": its file BACKUP cannot be understood" : " (it has no file BACKUP)"));
  }
  if (auto plain = journal::check_plain(from); !plain) {
    return plain;
  }
  to = fs::absolute(to).lexically_normal();
  if (!to.has_filename()) {
    to = to.parent_path();
  }
  const auto in_the_way = content_of(to);
  if (!in_the_way) {
    return tl::unexpected(in_the_way.error());
  }
  if (!in_the_way->empty()) {
    return fail(errc::invalid_configuration,
                fmt::format("{} is not empty (it holds {}): a backup is restored into a directory that is "
                            "missing or empty; move this one away; nothing was changed",
                            to.string(), *in_the_way));
  }
  const auto parent = to.parent_path();
  if (auto placed = journal::make_directory(parent, 0755); !placed) {
    return placed;
  }
  auto made = scratch_directory::beside(to);
  if (!made) {
    return tl::unexpected(made.error());
  }
  const auto journal = made->path() / "journal";
  if (auto restored = journal::restore_store(from, journal); !restored) {
    return restored;
  }
  if (auto checked = check(journal); !checked) {
    return checked;
  }
  // Until here a node would refuse the directory as somebody else's.
  if (auto marked = journal::write_format(made->path()); !marked) {
    return marked;
  }
  if (auto renamed = made->rename_to(to); !renamed) {
    return renamed;
  }
  return journal::sync_directory(parent);
}

} // namespace continuo::nodes
