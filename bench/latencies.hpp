#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace continuo::bench {

/// Samples of one duration, all kept, so that the percentiles are exact. In microseconds. Not thread-safe.
class latencies {
public:
  void add(double microseconds) {
    samples_.push_back(microseconds);
    sorted_ = false;
  }

  void add(const latencies& others) {
    samples_.insert(samples_.end(), others.samples_.begin(), others.samples_.end());
    sorted_ = false;
  }

  std::size_t size() const { return samples_.size(); }

  /// The smallest sample that at least this share (0 to 1) of all samples does not pass; 0 where there is
  /// none.
  double percentile(double share) {
    if (samples_.empty()) {
      return 0;
    }
    if (!sorted_) {
      std::sort(samples_.begin(), samples_.end());
      sorted_ = true;
    }
    const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(samples_.size())));
    return samples_[std::clamp<std::size_t>(rank, 1, samples_.size()) - 1];
  }

private:
  std::vector<double> samples_;
  bool sorted_ = true;
};

} // namespace continuo::bench
