#include "journal/copies.hpp"

#include "journal/commit_log.hpp"
#include "journal/files.hpp"
#include "journal/rocksdb_tables.hpp"
#include "messages/printable.hpp"

#include <rocksdb/utilities/backup_engine.h>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <system_error>

namespace continuo::journal {

namespace {

rocksdb::BackupEngineOptions engine_options(const std::filesystem::path& directory, rocksdb::Logger& log) {
  rocksdb::BackupEngineOptions options{directory.string()};
  options.info_log = &log;
  options.backup_log_files = false; // RocksDB's own log is empty
  return options;
}

/// As `error_of`, of a copy.
error copy_error(const rocksdb::Status& status, const std::filesystem::path& directory) {
  auto made = error_of(status, directory);
  const auto text = continuo::printable(status.ToString());
  if (made.code == errc::corrupt) {
    made.message = fmt::format("the backup in {} is damaged: {}", directory.string(), text);
  } else if (made.code == errc::storage_failed) {
    made.message = fmt::format("the backup in {} failed: {}", directory.string(), text);
  }
  return made;
}

/// Looks at the files of a copy before any of them is read and written: whether each is one of its own and as
/// large as its name says, and whether there is room for all.
result<void> check_files(const rocksdb::BackupInfo& copy, const std::filesystem::path& from,
                         const std::filesystem::path& to) {
  const auto damaged = [&](const std::string& what) {
    return continuo::fail(errc::corrupt, fmt::format("the backup in {} is damaged: {}", from.string(), what));
  };
  std::uint64_t bytes = 0;
  for (const auto& file : copy.file_details) {
    const std::filesystem::path name{file.relative_filename};
    if (name.is_absolute() || std::find(name.begin(), name.end(), "..") != name.end()) {
      return damaged(
          fmt::format("its list names {}, which is no file of it", continuo::printable(name.string())));
    }
    const auto stem = name.stem().native(); // NUMBER_SESSION_SIZE of a table
    const auto size = stem.rfind('_');
    if (name.extension() == ".sst" && size != std::string::npos &&
        stem.substr(size + 1) != std::to_string(file.size)) {
      return damaged(fmt::format("{} has {} bytes, which is not what its name says",
                                 continuo::printable(name.string()), file.size));
    }
    bytes += file.size;
  }
  std::error_code unknown;
  const auto room = std::filesystem::space(to, unknown);
  if (!unknown && bytes > room.available) {
    return continuo::fail(
        errc::storage_full,
        fmt::format("the disk of {} has no room for the backup in {}: that has {} bytes, and "
                    "{} are free",
                    to.string(), from.string(), bytes, room.available));
  }
  return {};
}

} // namespace

result<std::uint64_t> copy_tables(rocksdb::DB& tables, const std::filesystem::path& to,
                                  const std::function<bool(std::uint64_t bytes)>& goes_on) {
  if (auto possible = check_sizes(to); !possible) {
    return tl::unexpected(possible.error());
  }
  no_log log;
  const auto options = engine_options(to, log);
  rocksdb::BackupEngine* opened = nullptr;
  if (const auto status = rocksdb::BackupEngine::Open(options, rocksdb::Env::Default(), &opened);
      !status.ok()) {
    return tl::unexpected(copy_error(status, to));
  }
  const std::unique_ptr<rocksdb::BackupEngine> engine{opened};
  std::atomic<std::uint64_t> bytes{0};
  rocksdb::CreateBackupOptions how;
  how.progress_callback = [&] {
    bytes += options.callback_trigger_interval_size;
    if (!goes_on(bytes)) {
      engine->StopBackup();
    }
  };
  rocksdb::BackupID made = 0;
  if (const auto status = engine->CreateNewBackup(how, &tables, &made); !status.ok()) {
    if (status.IsIncomplete()) {
      return continuo::fail(errc::unavailable,
                            fmt::format("the backup to {} was given up before its end", to.string()));
    }
    return tl::unexpected(copy_error(status, to));
  }
  rocksdb::BackupInfo info;
  if (const auto status = engine->GetBackupInfo(made, &info); !status.ok()) {
    return tl::unexpected(copy_error(status, to));
  }
  // Durable from here: the older ones may go.
  if (const auto status = engine->PurgeOldBackups(1); !status.ok()) {
    return tl::unexpected(copy_error(status, to));
  }
  return info.size;
}

result<void> restore_store(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::error_code unreadable;
  if (!std::filesystem::is_directory(from / "meta", unreadable)) { // to RocksDB this looks like a broken disk
    if (unreadable == std::errc::permission_denied) {
      return tl::unexpected(system_failure("read", from / "meta", EACCES));
    }
    return continuo::fail(
        errc::corrupt,
        fmt::format("{} has no list of its files (meta/): it is no whole backup", from.string()));
  }
  if (auto possible = check_sizes(from); !possible) {
    return possible;
  }
  no_log log;
  rocksdb::BackupEngineReadOnly* opened = nullptr;
  if (const auto status =
          rocksdb::BackupEngineReadOnly::Open(engine_options(from, log), rocksdb::Env::Default(), &opened);
      !status.ok()) {
    return tl::unexpected(copy_error(status, from));
  }
  const std::unique_ptr<rocksdb::BackupEngineReadOnly> engine{opened};
  rocksdb::BackupInfo newest;
  if (!engine->GetLatestBackupInfo(&newest, true).ok()) {
    return continuo::fail(errc::corrupt, fmt::format("{} holds no complete backup", from.string()));
  }
  const auto tables = to / "tables";
  for (const auto& directory : {to, tables}) {
    if (auto made = make_directory(directory); !made) {
      return made;
    }
  }
  if (auto possible = check_files(newest, from, tables); !possible) {
    return possible;
  }
  if (const auto status = engine->RestoreDBFromBackup(rocksdb::RestoreOptions{}, newest.backup_id,
                                                      tables.string(), tables.string());
      !status.ok()) {
    return tl::unexpected(copy_error(status, from));
  }
  rocksdb_options options;
  const auto db = open_tables(to, rocksdb_settings(options));
  if (!db || !*db) {
    return tl::unexpected(db ? error{errc::corrupt, fmt::format("{} holds no tables", from.string())}
                             : db.error());
  }
  const auto applied = read_applied(**db, to);
  if (!applied) {
    return tl::unexpected(applied.error());
  }
  // Without a log the store would miss it: it cannot know that nothing more was ever committed.
  if (auto begun = commit_log::begin(to / "log", {}, *applied + 1, options.segment_bytes); !begun) {
    return tl::unexpected(begun.error());
  }
  for (const auto& made : {tables, to}) {
    if (auto synced = sync_directory(made); !synced) {
      return synced;
    }
  }
  return {};
}

} // namespace continuo::journal
