#include "engine/expiry.hpp"

#include "engine/planted.hpp"

#include <chrono>
#include <cstdint>

namespace continuo::engine {

namespace {

constexpr char index_prefix = 'e';
constexpr std::size_t head_bytes = 10; // the two letters and the time

/// In the order of time, the times before 1970 first.
constexpr std::uint64_t sign = std::uint64_t{1} << 63;

void change(expiry_kind kind, const instance_id& of, const std::optional<time_point>& before,
            const std::optional<time_point>& after, transition& into) {
  if (before == after) {
    return;
  }
  if (before) {
    into.unindexed.push_back(expiry_key(kind, *before, of));
  }
  if (after && !planted("ended_and_not_in_the_expiry_index")) {
    into.indexed.push_back(expiry_key(kind, *after, of));
  }
}

} // namespace

std::string expiry_prefix(expiry_kind kind) {
  return {index_prefix, static_cast<char>(kind)};
}

std::string expiry_key(expiry_kind kind, time_point from, std::string_view about) {
  std::string key;
  key.reserve(head_bytes + about.size());
  key += index_prefix;
  key += static_cast<char>(kind);
  append_big_endian(key, static_cast<std::uint64_t>(from.time_since_epoch().count()) ^ sign);
  key += about;
  return key;
}

std::string expiry_key(expiry_kind kind, time_point from, const instance_id& about) {
  return expiry_key(kind, from, std::string_view{record_key(about)}.substr(1));
}

instance_id expiry_entry::instance() const {
  const auto end = about.find('\0');
  return {std::string{about.substr(0, end)}, std::string{about.substr(end + 1)}};
}

std::optional<expiry_entry> parse_expiry_key(std::string_view key) {
  if (key.size() < head_bytes || key[0] != index_prefix) {
    return std::nullopt;
  }
  const auto kind = static_cast<expiry_kind>(key[1]);
  const auto about = key.substr(head_bytes);
  const auto is_instance = kind == expiry_kind::ended || kind == expiry_kind::history;
  if (is_instance ? about.find('\0') == std::string_view::npos : kind != expiry_kind::client_key) {
    return std::nullopt;
  }
  const auto time = static_cast<std::int64_t>(read_big_endian(key.substr(2)) ^ sign);
  return expiry_entry{kind, time_point{time_point::duration{time}}, about};
}

expiry_times expiry_of(const record& of) {
  expiry_times times;
  const auto is_kept = of.kind == record_kind::saga || of.kind == record_kind::keyed ||
                       of.kind == record_kind::send || of.kind == record_kind::absence;
  if (is_kept && is_terminal(of.status)) {
    times.ended = of.updated_at;
  }
  if (of.history_since != time_point{}) {
    times.history = of.history_since;
  }
  return times;
}

void change_expiry(const instance_id& of, expiry_times& indexed, const expiry_times& after,
                   transition& into) {
  change(expiry_kind::ended, of, indexed.ended, after.ended, into);
  change(expiry_kind::history, of, indexed.history, after.history, into);
  indexed = after;
}

} // namespace continuo::engine
