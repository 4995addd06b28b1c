#pragma once

#include <cstdint>

namespace continuo::engine {

/// The finalizer of SplitMix64 (Steele, Lea, Flood, 2014): spreads every bit over all bits.
constexpr std::uint64_t mixed(std::uint64_t hash) {
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ULL;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebULL;
  return hash ^ (hash >> 31);
}

} // namespace continuo::engine
