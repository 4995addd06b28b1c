#pragma once

#include "actors/core.hpp"
#include "engine/record.hpp"

#include <continuo/archive.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace continuo::actors {

/// Reads the records behind `cursor` and moves it on: some hundreds, or fewer where `visit` says so. Whether
/// these were the last. A store that cannot be read ends the node.
template <class Visit>
bool read_some(core& shared, std::string& cursor, Visit visit) {
  constexpr std::size_t records_a_scan = 500;
  std::size_t read = 0;
  bool whole = true;
  std::optional<error> wrong;
  const auto scanned = shared.store->scan(
      "r",
      [&](std::string_view key, std::string_view bytes) {
        auto stored = decode<engine::record>(bytes);
        if (!stored) {
          wrong = unreadable_record(key, stored.error());
          return false;
        }
        cursor = key;
        whole = visit(std::move(*stored)) && ++read < records_a_scan;
        return whole;
      },
      cursor);
  if (!scanned || wrong) {
    shared.failed(wrong ? *wrong : scanned.error());
    return true;
  }
  return whole;
}

} // namespace continuo::actors
