#pragma once

#include <continuo/result.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace continuo::nodes {

/// What CAF may see of the bytes of one connection. CAF 0.17.6 does what a peer says: it takes over another
/// node's name, routes for it, hands messages of any type to any actor that was ever named to anybody, its
/// own servers among them, and reads handles and errors of any depth. Of all that two nodes need little: to
/// introduce themselves, to send frames to actors that were offered, to watch these, and heartbeats. That
/// passes, written anew where it says who is meant; the rest ends the connection. Each connection is known to
/// CAF under an id of its own, which no peer chooses, so nothing that comes on it can concern another one.
///
/// Knows no socket, no actor and no clock. Not thread-safe.
class caf_filter {
public:
  /// What is agreed. Bytes are as CAF writes them.
  struct terms {
    bool accepts = false;     ///< the peer has dialed
    std::string here;         ///< this system's id
    std::string peer;         ///< the id under which CAF knows the peer; no other connection has it
    std::string application;  ///< the identifier that both programs have
    std::string frame_begins; ///< a message that is a frame, up to the size of its bytes
    std::string end_of_actor; ///< the error that stands for whatever ended a peer's actor
    std::function<bool(std::uint64_t actor)> is_offered; ///< whether peers may speak to that actor
  };

  explicit caf_filter(terms agreed) : terms_(std::move(agreed)) {}

  /// Takes what has come. `errc::malformed` says what the peer may not say; nothing is taken after that.
  result<void> take(std::string_view bytes);

  /// Whether a message that is not whole yet needs more memory than a connection keeps.
  bool gathers_much() const { return in_.size() > buffer_kept; }

  /// How many bytes are there for CAF: whole messages.
  std::size_t ready() const { return out_.size() - given_; }

  /// Gives at most `size` of them; how many.
  std::size_t give(void* to, std::size_t size);

  /// What the frames weigh that were let through since this was asked last.
  std::size_t take_weight() { return std::exchange(weight_, 0); }

  /// A frame of so many bytes, with what CAF puts around it until it is taken.
  static constexpr std::size_t weight_of(std::size_t bytes) { return bytes + 512; }

  /// Whether the peer has introduced itself.
  bool is_introduced() const { return introductions_ > 0; }

  /// Of one message, and so of what waits for its end.
  static constexpr std::size_t message_bytes_max = 64u << 20;

  /// What a buffer needed beyond this is given back when it is empty. Larger than what links send: a record,
  /// which has at most 1 MiB, in a batch that ends at 256 KiB.
  static constexpr std::size_t buffer_kept = 4u << 20;

  /// Actors of the peer that have a message, or are watched.
  static constexpr std::size_t actors_max = 64;

private:
  struct header {
    std::uint8_t operation = 0;
    std::uint8_t flags = 0;
    std::uint32_t payload = 0; ///< bytes
    std::uint64_t data = 0;
    std::uint64_t from = 0;
    std::uint64_t to = 0;
  };

  result<void> check(const header& of) const;
  result<void> pass(const header& of, std::string_view payload);
  result<void> pass_introduction(const header& of, std::string_view payload);
  result<void> pass_frame(const header& of, std::string_view payload);
  void put(header of, std::string_view payload);

  terms terms_;
  std::string in_; ///< what is no whole message yet
  std::string out_;
  std::size_t given_ = 0;  ///< of `out_`
  std::size_t weight_ = 0; ///< of frames that nobody has asked about
  int introductions_ = 0;
  std::set<std::uint64_t> speakers_; ///< of the peer
  std::set<std::uint64_t> watched_;  ///< of ours
};

} // namespace continuo::nodes
