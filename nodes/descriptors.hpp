#pragma once

#include <continuo/result.hpp>

#include <cstddef>

namespace continuo::nodes {

/// What a node opens, beyond what every node does.
struct descriptor_demands {
  std::size_t peers = 0;  ///< other nodes of its cluster
  std::size_t calls = 0;  ///< of HTTP services, at a time
  bool on_disk = false;   ///< it has a data directory
  bool answers = false;   ///< HTTP
  bool strangers = false; ///< anybody may connect to where it listens for its peers, and is not known yet
};

/// How many descriptors each part of a node may have open that would else take as many as there are.
struct descriptor_shares {
  std::size_t tables = 512;    ///< files of the store
  std::size_t strangers = 256; ///< connections that came in and have not said anything yet
  std::size_t clients = 1'024; ///< connections of HTTP
};

/// Divides `allowed` descriptors of a process that has `open` ones already: first comes what the journal, the
/// peers and the calls of HTTP services need, whatever clients do; then, of three quarters of what is left,
/// the shares. The last quarter is the program's. `errc::invalid_configuration` where they are too few, with
/// the number that is needed.
result<descriptor_shares> share_descriptors(const descriptor_demands& demands, std::size_t allowed,
                                            std::size_t open);

/// The same for this process as it is.
result<descriptor_shares> share_descriptors(const descriptor_demands& demands);

/// Allows this process as many descriptors as a node has a use for, or as many as it may allow itself.
void raise_descriptor_limit();

} // namespace continuo::nodes
