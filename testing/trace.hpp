#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace continuo::testing {

enum class event_kind : std::uint8_t {
  life,    ///< a node starts, crashes, stands still, fails
  fault,   ///< something is done to the disk, the network or the clock
  write,   ///< a transition has become durable
  sync,    ///< a batch has become durable
  send,    ///< a frame leaves a node
  arrive,  ///< a frame arrives
  lost,    ///< a frame does not
  handler, ///< a handler with outside effects runs
  client,  ///< a client is answered
};

/// What happened at one moment. `peer` is who else was concerned; empty: nobody.
struct event {
  std::int64_t at_ns = 0; ///< since the beginning
  event_kind kind = event_kind::life;
  std::string node;
  std::string peer;
  std::string text;
};

/// The words with commas between them; what follows itself stands there once, with a count.
std::string list_of(const std::vector<std::string>& words);

/// Everything that happened in a run, in order: as a hash of all of it, and as text of the last events.
class trace {
public:
  void add(event one);

  /// Something too small for a line of its own happened.
  void count(std::uint64_t what);

  std::uint64_t hash() const { return hash_; }
  std::string text() const;

  /// A Mermaid sequence diagram (https://mermaid.js.org/syntax/sequenceDiagram.html).
  std::string mermaid() const;

private:
  static constexpr std::size_t kept_max = 100'000;

  std::deque<event> events_;
  std::uint64_t left_out_ = 0;
  std::uint64_t hash_ = 0;
};

} // namespace continuo::testing
