#include "journal/key_ranges.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace continuo::journal {

void key_ranges::add(std::string_view from, std::string_view to) {
  if (from >= to) {
    return;
  }
  auto next = ranges_.upper_bound(from);
  if (next != ranges_.begin() && std::prev(next)->second >= from) {
    --next;
  }
  std::string first{from};
  std::string last{to};
  while (next != ranges_.end() && next->first <= last) {
    first = std::min(first, next->first);
    last = std::max(last, next->second);
    next = ranges_.erase(next);
  }
  ranges_.emplace_hint(next, std::move(first), std::move(last));
}

bool key_ranges::contains(std::string_view key) const {
  const auto behind = ranges_.upper_bound(key);
  return behind != ranges_.begin() && key < std::prev(behind)->second;
}

} // namespace continuo::journal
