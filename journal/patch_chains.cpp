#include "journal/patch_chains.hpp"

#include "journal/commit_log.hpp"
#include "journal/frame.hpp"
#include "journal/large_values.hpp"
#include "journal/patch.hpp"
#include "journal/rocksdb_tables.hpp"

#include <fmt/format.h>

namespace continuo::journal {

result<void> patch_chains::note(const logged_operation& one) {
  std::string key{one.key};
  switch (one.what) {
  case logged_operation::kind::put:
    if (one.value.size() >= large_values::bytes_min + frame_bytes) {
      last_[std::move(key)] = patch_checksum(one.value.substr(frame_bytes));
    } else {
      last_.erase(key);
    }
    return {};
  case logged_operation::kind::erase:
    last_.erase(key);
    return {};
  case logged_operation::kind::erase_range:
    if (one.key < one.value) {
      last_.erase(last_.lower_bound(one.key), last_.lower_bound(one.value));
    }
    return {};
  case logged_operation::kind::patch:
    break;
  }
  const auto patch = unframe(key, one.value);
  if (!patch) {
    return tl::unexpected(patch.error());
  }
  const auto known = last_.find(key);
  const auto from = known != last_.end() ? result<std::uint64_t>{known->second} : checksum_in_tables(key);
  if (!from) {
    return tl::unexpected(from.error());
  }
  const auto ends = ends_of(*patch);
  if (!ends || ends->from != *from) {
    return fail(
        errc::corrupt,
        fmt::format("what the log changes of key '{}' is not for the value that is there", printable(key)));
  }
  last_[std::move(key)] = ends->to;
  return {};
}

result<std::uint64_t> patch_chains::checksum_in_tables(const std::string& key) const {
  std::string framed;
  const auto read = tables_ == nullptr ? rocksdb::Status::NotFound() : tables_->Get({}, slice(key), &framed);
  const auto value = read.ok()
                         ? unframe(key, framed)
                         : fail(errc::corrupt, fmt::format("the log changes the value of key '{}', which is "
                                                           "not there: {}",
                                                           printable(key), read.ToString()));
  return value.map([](std::string_view bytes) { return patch_checksum(bytes); });
}

} // namespace continuo::journal
