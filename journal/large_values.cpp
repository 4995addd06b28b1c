#include "journal/large_values.hpp"

#include "journal/patch.hpp"

namespace continuo::journal {

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
    patch = make_patch(last.value, value);
    last.patched_bytes = patch.empty() ? 0 : last.patched_bytes + patch.size();
    if (last.patched_bytes > value.size()) {
      patch.clear();
      last.patched_bytes = 0;
    }
    kept_bytes_ -= last.value.size();
    last.value = value;
    turns_.splice(turns_.end(), turns_, last.turn);
  } else {
    found = values_.emplace(key, kept{std::string{value}, 0, {}}).first;
    found->second.turn = turns_.insert(turns_.end(), found);
  }
  kept_bytes_ += value.size();
  while (kept_bytes_ > kept_bytes_max) {
    forget(turns_.front());
  }
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
