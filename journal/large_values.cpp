#include "journal/large_values.hpp"

#include "journal/patch.hpp"

#include <functional>

namespace continuo::journal {

namespace {

constexpr std::size_t seen_max = 1u << 16; // then they are forgotten
constexpr unsigned misses_max = 3;
constexpr unsigned passed_max = 15;

} // namespace

std::string large_values::next(std::string_view key, std::string_view value) {
  auto found = values_.find(key);
  if (value.size() < bytes_min) {
    if (found != values_.end()) {
      forget(found);
    }
    return {};
  }
  std::string patch;
  if (found != values_.end()) {
    auto& last = found->second;
    patch = patch_of(last, value);
    kept_bytes_ -= last.value.size();
    last.value = value;
    turns_.splice(turns_.end(), turns_, last.turn);
  } else if (seen_.insert(std::hash<std::string_view>{}(key)).second) {
    if (seen_.size() > seen_max) {
      seen_.clear();
    }
    return {};
  } else {
    found = values_.emplace(key, kept{std::string{value}, 0, 0, 0, 0, {}}).first;
    found->second.turn = turns_.insert(turns_.end(), found);
  }
  kept_bytes_ += value.size();
  while (kept_bytes_ > kept_bytes_max) {
    forget(turns_.front());
  }
  return patch;
}

std::string large_values::patch_of(kept& last, std::string_view value) {
  const auto is_hopeless = last.misses >= misses_max && last.passed < passed_max;
  last.passed = is_hopeless ? last.passed + 1 : 0;
  std::string patch;
  if (!is_hopeless && last.patches < patches_max && (last.patches + 1) * value.size() <= work_max) {
    patch = make_patch(last.value, value);
    last.misses = patch.empty() ? last.misses + 1 : 0;
  }
  if (patch.empty() || last.patched_bytes + patch.size() > value.size()) {
    last.patches = last.patched_bytes = 0;
    return {};
  }
  ++last.patches;
  last.patched_bytes += patch.size();
  return patch;
}

void large_values::erase(std::string_view key) {
  if (const auto found = values_.find(key); found != values_.end()) {
    forget(found);
  }
}

void large_values::erase_range(std::string_view from, std::string_view to) {
  for (auto i = values_.lower_bound(from); i != values_.end() && i->first < to;) {
    forget(i++);
  }
}

void large_values::forget(values::iterator which) {
  kept_bytes_ -= which->second.value.size();
  turns_.erase(which->second.turn);
  values_.erase(which);
}

} // namespace continuo::journal
