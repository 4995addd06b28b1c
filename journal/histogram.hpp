#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace continuo::journal {

/// Upper bounds for times, in nanoseconds: 100 us to 30 s.
inline constexpr std::array<std::uint64_t, 16> time_bounds_ns{
    100'000,       250'000,       500'000,        1'000'000,     2'500'000,   5'000'000,
    10'000'000,    25'000'000,    50'000'000,     100'000'000,   250'000'000, 500'000'000,
    1'000'000'000, 2'500'000'000, 10'000'000'000, 30'000'000'000};

/// Upper bounds for numbers of things: 1 to 8,192.
inline constexpr std::array<std::uint64_t, 14> count_bounds{1,   2,   4,   8,     16,    32,    64,
                                                            128, 256, 512, 1'024, 2'048, 4'096, 8'192};

/// Counts values by their size. Any thread adds and reads, and none waits: an addition is two relaxed atomic
/// ones, so a reader may see a value in its bucket and not yet in the sum.
class histogram {
public:
  static constexpr std::size_t bounds_max = 16;

  /// @pre `bounds` ascend, are at most `bounds_max`, and live as long as this
  constexpr explicit histogram(std::span<const std::uint64_t> bounds) : bounds_(bounds) {}

  void add(std::uint64_t value) {
    std::size_t bucket = 0;
    while (bucket < bounds_.size() && value > bounds_[bucket]) {
      ++bucket;
    }
    buckets_[bucket].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
  }

  std::span<const std::uint64_t> bounds() const { return bounds_; }

  /// How many values were above the bound before the `bucket`th and not above that one; the last bucket,
  /// after all bounds, has the rest.
  std::uint64_t in_bucket(std::size_t bucket) const {
    return buckets_[bucket].load(std::memory_order_relaxed);
  }

  std::uint64_t sum() const { return sum_.load(std::memory_order_relaxed); }

private:
  std::span<const std::uint64_t> bounds_;
  std::array<std::atomic<std::uint64_t>, bounds_max + 1> buckets_{};
  std::atomic<std::uint64_t> sum_{0};
};

} // namespace continuo::journal
