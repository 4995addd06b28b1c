#pragma once

#include "actors/core.hpp"
#include "engine/record.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace continuo::actors {

/// What one handler of a link may read: records of so many bytes, each counted as `record_cost` at least.
/// Counted and not timed, so that a run repeats. Some milliseconds where records are decoded at 200 MB/s.
constexpr std::size_t records_share = 1 << 20;
constexpr std::size_t record_cost = 2'048;

/// Reads records for one handler of a link, as durable state has them. The last one is kept: what is wanted
/// of one record comes together.
class record_reader {
public:
  explicit record_reader(const core& shared) : core_(&shared) {}

  /// Whether the handler's share is not used up. It is looked at before a record is read, so the last one
  /// goes beyond it: by the bounds of a record, not more than once.
  bool has_more() const { return spent_ < records_share; }

  /// Whether the record is here, or may still be read.
  bool may_read(const instance_id& of) const { return is_here(of) || has_more(); }

  /// Whether it was read last.
  bool is_here(const instance_id& of) const { return has_read_ && of_ == of; }

  /// Null where there is none. One that cannot be read ends the node, and nobody acts on it. Valid until
  /// another one is read.
  result<engine::record*> read(const instance_id& of) {
    if (!is_here(of)) {
      has_read_ = true;
      of_ = of;
      stored_ = read_record(*core_, of);
      spend(record_cost + (stored_ && *stored_ ? engine::approximate_size(**stored_) : 0));
    }
    if (!stored_) {
      return tl::unexpected(stored_.error());
    }
    return *stored_ ? &**stored_ : nullptr;
  }

  /// Work on a record beside reading it, as so many bytes.
  void spend(std::size_t bytes) { spent_ += bytes; }

private:
  const core* core_;
  bool has_read_ = false;
  instance_id of_;
  result<std::optional<engine::record>> stored_;
  std::size_t spent_ = 0;
};

/// Reads some of the records that owe something to the peer, in the order of their keys: those whose key of
/// what is owed comes behind `cursor`, which moves on. As many as a handler may read, or fewer where `visit`
/// says so. Whether these were the last. What the index names and is gone meanwhile is left out. A store that
/// cannot be read ends the node.
template <class Visit>
bool read_owed(core& shared, const std::string& peer, std::string& cursor, Visit visit) {
  constexpr auto keys_max = records_share / record_cost;
  const auto prefix = engine::owed_prefix(peer);
  std::vector<std::string> keys;
  const auto scanned = shared.store->scan(
      prefix,
      [&](std::string_view key, std::string_view) {
        keys.emplace_back(key);
        return keys.size() < keys_max;
      },
      cursor);
  if (!scanned) {
    shared.failed(scanned.error());
    return true;
  }
  record_reader records{shared};
  for (auto& key : keys) {
    if (!records.has_more()) {
      return false;
    }
    const auto of = engine::instance_under(std::string_view{key}.substr(prefix.size()));
    cursor = std::move(key);
    if (!of) {
      continue;
    }
    const auto stored = records.read(*of);
    if (!stored) {
      return true;
    }
    if (*stored != nullptr && !visit(**stored)) {
      return false;
    }
  }
  return keys.size() < keys_max;
}

} // namespace continuo::actors
