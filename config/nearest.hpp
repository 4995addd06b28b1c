#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <string_view>

/// Which of the words that there are somebody may have meant by one that there is not.
namespace continuo::config {

/// How many letters must be inserted, removed or replaced to make one of the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// Like enough to be a slip: a third of the letters may differ.
bool is_like(std::string_view a, std::string_view b);

/// The word that is most like `meant`; empty if none is like it.
template <class Words>
std::string nearest_of(std::string_view meant, const Words& words) {
  std::string best;
  for (const auto& word : words) {
    if (is_like(meant, word) && (best.empty() || edit_distance(meant, word) < edit_distance(meant, best))) {
      best = word;
    }
  }
  return best;
}

/// What to say behind "there is no such word": the one that may have been meant, else all there are.
template <class Words>
std::string suggestion(std::string_view meant, const Words& words) {
  if (const auto like = nearest_of(meant, words); !like.empty()) {
    return fmt::format("did you mean {}?", like);
  }
  return fmt::format("there are: {}", fmt::join(words, ", "));
}

} // namespace continuo::config
