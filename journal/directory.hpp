#pragma once

#include "journal/files.hpp"

#include <continuo/result.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace continuo::journal {

/// The format of data directories that this program writes, and the only one that it reads.
constexpr unsigned directory_format = 1;

/// A node's data directory, held by this object and by nobody else, in this process or another, until it is
/// destroyed. In it stand `FORMAT` (which format the rest has), `LOCK` (who holds it: a process id, and where
/// that process answers HTTP), and what others put there.
class data_directory {
public:
  /// Takes the directory `path`, which is made (for its owner alone, mode 0700) where it is missing; its
  /// parent must exist or be makeable.
  ///
  /// `errc::in_use` if this or another process holds it (the message names the process),
  /// `errc::newer_version` if a newer program wrote it (nothing is touched), `errc::corrupt` if `FORMAT`
  /// cannot be understood, `errc::invalid_configuration` if it is not a directory, holds files of others or
  /// files that this user may not use, belongs to somebody else, or everybody may write there (nothing is
  /// touched),
  /// `errc::storage_full` or `errc::storage_failed` if it cannot be made or written.
  [[nodiscard]] static result<std::unique_ptr<data_directory>> open(const std::filesystem::path& path);

  /// Holds a directory that is there already, for reading: nothing in it is made or changed. Others may read
  /// meanwhile, and no node starts on it. Errors as those of `open`, and `errc::invalid_configuration` where
  /// there is no data directory.
  [[nodiscard]] static result<std::unique_ptr<data_directory>> look_at(const std::filesystem::path& path);

  /// Refuses a data directory of another user where this process is root, whose files its owner could not
  /// open. `errc::invalid_configuration`, or `errc::in_use` where somebody holds it.
  [[nodiscard]] static result<void> check_user(const std::filesystem::path& path);

  /// Where the process that holds `path` says that it answers HTTP; empty where nobody does.
  /// `errc::invalid_configuration` where others than this user and root may have written what stands there.
  [[nodiscard]] static result<std::string> http_of_holder(const std::filesystem::path& path);

  /// Lets whoever finds the directory in use know where to ask. @pre opened for writing
  [[nodiscard]] result<void> tell_http(std::string_view url);

  data_directory(const data_directory&) = delete;
  data_directory& operator=(const data_directory&) = delete;

  /// Lets go of the directory.
  ~data_directory();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
  data_directory(std::filesystem::path path, descriptor lock);

  std::filesystem::path path_;
  descriptor lock_; // of the open LOCK file; negative: there is none to read
};

/// Marks a directory as a data directory. It is to be the last thing that is made in one that did not begin
/// with `data_directory::open`.
[[nodiscard]] result<void> write_format(const std::filesystem::path& directory);

} // namespace continuo::journal
