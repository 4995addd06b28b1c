#pragma once

#include "journal/store.hpp"

#include <continuo/result.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>

/// Backups of a node's data: a directory with the file `BACKUP`, which names the store, and beside it what
/// the store copies there (docs/journal-format.md).
namespace continuo::nodes {

struct backup_figures {
  std::uint64_t bytes = 0; ///< of the backup; those that an earlier one had already are not written again
  std::chrono::milliseconds took{0};
};

/// The place of a backup that somebody asks for over HTTP: `to`, which must be the absolute path of `folder`
/// or of a folder in it. What is missing of it is made for this user alone. Nobody but this user, and root,
/// may be able to change anything on the way from `folder` on, and none of it may be a link.
/// `errc::invalid_configuration`, or as `journal::system_failure`.
result<std::filesystem::path> place_of_backup(const std::filesystem::path& folder,
                                              const std::filesystem::path& to);

/// Makes or renews the backup in `to`, which is made where it is missing. Any thread, while a node runs on
/// the store; `goes_on` as in `store::back_up`. Returns after the sync; what is broken off leaves the earlier
/// backup.
///
/// `errc::invalid_configuration` where `to` is neither empty nor an earlier backup of this very store
/// (nothing is changed), `errc::conflict` while another backup to it runs, `errc::not_found` where no node
/// ever started on the store, else as `store::back_up`.
result<backup_figures> back_up(const journal::store& store, const std::filesystem::path& to,
                               const std::function<bool(std::uint64_t bytes)>& goes_on);

/// Makes the data directory `to`, which must be missing or empty, of the backup `from`. It appears complete
/// or not at all: it is made beside its place, checked by `check` (which is given the directory of its
/// store), synced, and renamed. What a crash leaves beside it (`to` with `.restoring-` and six letters) no
/// node would start on. `errc::invalid_configuration` where `from` is no backup or `to` is in the way,
/// `errc::corrupt`, `errc::storage_full`, `errc::storage_failed`.
result<void> restore(const std::filesystem::path& from, std::filesystem::path to,
                     const std::function<result<void>(const std::filesystem::path& journal)>& check);

} // namespace continuo::nodes
