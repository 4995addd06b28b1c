#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace continuo::journal {

/// A set of keys, as ranges.
class key_ranges {
public:
  /// Adds the keys from `from` on that are less than `to`.
  void add(std::string_view from, std::string_view to);

  [[nodiscard]] bool contains(std::string_view key) const;
  [[nodiscard]] bool empty() const { return ranges_.empty(); }

  /// From, to: apart from each other, in order.
  [[nodiscard]] const std::map<std::string, std::string, std::less<>>& all() const { return ranges_; }

private:
  // From, to. Invariant: each is apart from the next one.
  std::map<std::string, std::string, std::less<>> ranges_;
};

} // namespace continuo::journal
