#include "config/nearest.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

namespace continuo::config {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    auto diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const auto replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

bool is_like(std::string_view a, std::string_view b) {
  return edit_distance(a, b) <= std::max<std::size_t>(1, std::max(a.size(), b.size()) / 3);
}

} // namespace continuo::config
