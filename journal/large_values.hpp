#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>

namespace continuo::journal {

/// The large values that were written last, so that the next one of a key is written as a patch. One thread.
///
/// Values below `bytes_min` are always written whole. Beyond `kept_bytes_max` in all, those that were written
/// longest ago are forgotten: their next value is written whole. So is one after `patches_max` patches, after
/// patches as long as itself, or after so many that putting them together would go through more than
/// `work_max` bytes: that is what each reader pays. A key is kept from its second large value on, since most
/// come once; one whose values are not like each other is compared seldom.
class large_values {
public:
  static constexpr std::size_t bytes_min = 4u << 10;
  static constexpr std::size_t kept_bytes_max = 16u << 20;
  static constexpr std::size_t patches_max = 64;
  static constexpr std::size_t work_max = 16u << 20;

  /// Takes the next value of the key, and gives the patch from the last one; empty where the whole value is
  /// to be written.
  [[nodiscard]] std::string next(std::string_view key, std::string_view value);

  /// The key is erased.
  void erase(std::string_view key);

  /// The keys from `from` up to `to` are.
  void erase_range(std::string_view from, std::string_view to);

private:
  struct kept;
  using values = std::map<std::string, kept, std::less<>>;
  struct kept {
    std::string value;
    std::size_t patches = 0; // since it was written whole
    std::size_t patched_bytes = 0;
    unsigned misses = 0; // comparisons in a row without a patch
    unsigned passed = 0; // values that were not compared since the last one that was
    std::list<values::iterator>::iterator turn;
  };

  void forget(values::iterator which);
  static std::string patch_of(kept& last, std::string_view value);

  values values_;
  std::list<values::iterator> turns_; // the one written longest ago first
  std::size_t kept_bytes_ = 0;
  std::unordered_set<std::size_t> seen_; // hashes of keys that had a large value
};

} // namespace continuo::journal
