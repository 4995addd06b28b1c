#include "journal/reader.hpp"

#include "journal/commit_log.hpp"
#include "journal/frame.hpp"
#include "journal/patch.hpp"
#include "journal/rocksdb_tables.hpp"

#include <rocksdb/metadata.h>
#include <rocksdb/sst_file_reader.h>

#include <fmt/format.h>

namespace continuo::journal {

namespace {

rocksdb_options options_of(const std::filesystem::path& directory) {
  rocksdb_options options;
  options.directory = directory;
  options.memory_bytes = 16u << 20;
  return options;
}

error located(const std::filesystem::path& directory, const error& reason) {
  return {reason.code, directory.string() + ": " + reason.message};
}

} // namespace

reader::reader(std::filesystem::path directory) : directory_(std::move(directory)) {
  std::uint64_t applied = 0;
  auto opened = open_tables(directory_, rocksdb_settings(options_of(directory_)));
  if (!opened) {
    troubles_.push_back(opened.error());
  } else if (*opened) {
    const auto known = read_applied(**opened, directory_);
    if (known) {
      applied = *known;
    } else {
      troubles_.push_back(known.error());
    }
    tables_ = std::move(*opened);
  }
  // Without the tables' number the log would seem to lack what is before it.
  const auto is_known = troubles_.empty();
  const auto log = directory_ / "log";
  const auto found = read_log(log, is_known ? applied : ~std::uint64_t{0} - 1,
                              [&](std::uint64_t, const std::vector<logged_operation>& operations) {
                                for (const auto& one : operations) {
                                  note(one);
                                }
                                return result<void>{};
                              });
  if (!found) {
    troubles_.push_back(found.error());
  } else if (found->segments.empty() && applied != 0) {
    troubles_.push_back({errc::corrupt, log.string() + ": the log is missing"});
  }
}

reader::~reader() = default;

void reader::note(const logged_operation& one) {
  switch (one.what) {
  case logged_operation::kind::put:
    newer_[std::string{one.key}] = {std::string{one.value}, {}};
    break;
  case logged_operation::kind::patch: {
    const auto [known, is_first] = newer_.try_emplace(std::string{one.key});
    if (is_first ? emptied_.contains(one.key) : known->second.is_erased()) {
      known->second.framed.emplace(); // of nothing: it cannot be read
    }
    known->second.patches.emplace_back(one.value);
    break;
  }
  case logged_operation::kind::erase:
    newer_[std::string{one.key}] = {};
    break;
  case logged_operation::kind::erase_range:
    if (one.key < one.value) {
      newer_.erase(newer_.lower_bound(one.key), newer_.lower_bound(one.value));
      emptied_.add(one.key, one.value);
    }
    break;
  }
}

result<std::string> reader::value_of(std::string_view key, const std::optional<std::string_view>& in_tables,
                                     const change* newer) const {
  const auto framed =
      newer != nullptr && newer->framed ? std::optional<std::string_view>{*newer->framed} : in_tables;
  if (!framed) {
    return fail(errc::corrupt, fmt::format("{}: the log changes the value of key '{}', and there is none",
                                           directory_.string(), printable(key)));
  }
  auto value = unframe(key, *framed).map([](std::string_view bytes) { return std::string{bytes}; });
  for (std::size_t i = 0; value && newer != nullptr && i < newer->patches.size(); ++i) {
    const auto patch = unframe(key, newer->patches[i]);
    value = patch ? apply_patch(*value, *patch) : tl::unexpected(patch.error());
    if (patch && !value) {
      value.error().message = fmt::format("key '{}': {}", printable(key), value.error().message);
    }
  }
  return value ? std::move(value) : tl::unexpected(located(directory_, value.error()));
}

std::vector<error> reader::check_tables() const {
  std::vector<error> damaged;
  if (!tables_) {
    return damaged;
  }
  std::vector<rocksdb::LiveFileMetaData> files;
  tables_->GetLiveFilesMetaData(&files);
  for (const auto& file : files) {
    const auto path = file.db_path + file.name;
    rocksdb::SstFileReader table{rocksdb_settings(options_of(directory_))};
    auto status = table.Open(path);
    if (status.ok()) {
      status = table.VerifyChecksum();
    }
    if (!status.ok()) {
      auto why = error_of(status, directory_);
      why.message = fmt::format("{}: {}", path, status.ToString());
      damaged.push_back(std::move(why));
    }
  }
  return damaged;
}

result<void> reader::scan(std::string_view prefix, const entry_reader& visit) const {
  const auto show = [&](std::string_view key, const std::optional<std::string_view>& in_tables,
                        const change* newer_one) {
    if (key == applied_key || (newer_one != nullptr && newer_one->is_erased())) {
      return true;
    }
    const auto value = value_of(key, in_tables, newer_one);
    return visit(key, value ? result<std::string_view>{*value} : tl::unexpected(value.error()));
  };
  auto newer = newer_.lower_bound(prefix);
  const auto has_newer = [&] {
    return newer != newer_.end() && std::string_view{newer->first}.starts_with(prefix);
  };
  std::string last;
  if (tables_) {
    rocksdb::ReadOptions how;
    how.fill_cache = false;
    how.total_order_seek = true;
    const std::unique_ptr<rocksdb::Iterator> i{tables_->NewIterator(how)};
    for (i->Seek(slice(prefix)); i->Valid() && i->key().starts_with(slice(prefix)); i->Next()) {
      const auto key = view(i->key());
      for (; has_newer() && newer->first < key; ++newer) {
        if (!show(newer->first, std::nullopt, &newer->second)) {
          return {};
        }
      }
      last = key;
      const auto is_changed = has_newer() && newer->first == key;
      if (!is_changed && emptied_.contains(key)) {
        continue;
      }
      if (!show(key, view(i->value()), is_changed ? &newer->second : nullptr)) {
        return {};
      }
      if (is_changed) {
        ++newer;
      }
    }
    if (!i->status().ok()) {
      auto why = error_of(i->status(), directory_);
      why.message += last.empty()
                         ? ", at the first key"
                         : fmt::format(", behind the key {}: what follows it was not read", printable(last));
      return tl::unexpected(std::move(why));
    }
  }
  for (; has_newer(); ++newer) {
    if (!show(newer->first, std::nullopt, &newer->second)) {
      return {};
    }
  }
  return {};
}

result<std::optional<std::string>> reader::get(std::string_view key) const {
  const auto found = newer_.find(key);
  const auto* newer = found == newer_.end() ? nullptr : &found->second;
  if (newer != nullptr && newer->is_erased()) {
    return std::optional<std::string>{};
  }
  std::string framed;
  std::optional<std::string_view> in_tables;
  if (tables_ && (newer == nullptr || !newer->framed) && !emptied_.contains(key)) {
    const auto read = tables_->Get(rocksdb::ReadOptions{}, slice(key), &framed);
    if (!read.ok() && !read.IsNotFound()) {
      return tl::unexpected(error_of(read, directory_));
    }
    in_tables = read.ok() ? std::optional<std::string_view>{framed} : std::nullopt;
  }
  if (newer == nullptr && !in_tables) {
    return std::optional<std::string>{};
  }
  return value_of(key, in_tables, newer).map([](std::string value) {
    return std::optional{std::move(value)};
  });
}

} // namespace continuo::journal
