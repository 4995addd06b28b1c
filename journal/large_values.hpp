#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <string>
#include <string_view>

namespace continuo::journal {

/// The large values that were written last, so that the next one of a key is written as a patch. One thread.
///
/// Values below `bytes_min` are always written whole. Beyond `kept_bytes_max` in all, those that were written
/// longest ago are forgotten: their next value is written whole. So is one whose patches since the last whole
/// one have grown as long as itself, so that reading goes through no more than that.
class large_values {
public:
  static constexpr std::size_t bytes_min = 4u << 10;
  static constexpr std::size_t kept_bytes_max = 16u << 20;

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
    std::size_t patched_bytes = 0;
    std::list<values::iterator>::iterator turn;
  };

  void forget(values::iterator which);

  values values_;
  std::list<values::iterator> turns_; // the one written longest ago first
  std::size_t kept_bytes_ = 0;
};

} // namespace continuo::journal
