#pragma once

#include "messages/caf_types.hpp"
#include "messages/frames.hpp"
#include "nodes/probe.hpp"
#include "nodes/tls_session.hpp"

#include <continuo/archive.hpp>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/message.hpp>
#include <caf/test/dsl.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace continuo::tests {

/// A connection to a node that closes with it.
class visitor {
public:
  explicit visitor(std::uint16_t port)
      : file_(nodes::open_connection("127.0.0.1", port, std::chrono::seconds{2}).value_or(-1)) {}
  ~visitor() { leave(); }
  visitor(visitor&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  visitor& operator=(visitor&&) = delete;

  bool is_in() const { return file_ >= 0; }
  int file() const { return file_; }
  void leave() {
    if (file_ >= 0) {
      ::close(file_);
      file_ = -1;
    }
  }

  void say(const std::string& bytes) const {
    CAF_CHECK(::send(file_, bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0);
  }

  /// Shakes hands and reads; why that failed, empty where the node goes on to speak.
  std::string shake_hands(const nodes::tls_context& with) const {
    const auto session = nodes::tls_session::begin(with, file_, false);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    char byte = 0;
    std::size_t got = 0;
    auto step = session->shake_hands();
    while (got == 0 && step != nodes::tls_session::progress::failed &&
           std::chrono::steady_clock::now() < deadline) {
      pollfd waits{file_, POLLIN, 0};
      ::poll(&waits, 1, 100);
      step = session->is_ready() ? session->read(&byte, 1, got) : session->shake_hands();
    }
    return got > 0 ? "" : session->trouble();
  }

  /// Shakes hands, says that, and waits until the node ends the connection; false where it does not in 10 s.
  bool is_ended_for_saying(const nodes::tls_context& with, const std::string& bytes) const {
    using progress = nodes::tls_session::progress;
    const auto session = nodes::tls_session::begin(with, file_, false);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    std::size_t said = 0;
    bool is_said = false;
    std::array<char, 4'096> heard{};
    auto step = progress::waits_to_read;
    while (step != progress::failed && std::chrono::steady_clock::now() < deadline) {
      std::size_t got = 0;
      if (!session->is_ready()) {
        step = session->shake_hands();
      } else if (!is_said) {
        std::size_t wrote = 0;
        step = session->write(bytes.data() + said, bytes.size() - said, wrote);
        said += wrote;
        is_said = said == bytes.size();
      } else {
        step = session->read(heard.data(), heard.size(), got);
      }
      if (step == progress::waits_to_read || step == progress::waits_to_write) {
        pollfd waits{file_, static_cast<short>(step == progress::waits_to_write ? POLLOUT : POLLIN), 0};
        ::poll(&waits, 1, 100);
      }
    }
    return step == progress::failed;
  }

private:
  int file_;
};

/// The header of a message of CAF 0.17 (libcaf_io/caf/io/basp/header.hpp): numbers are big-endian.
inline std::string caf_header(unsigned operation, std::uint32_t payload, std::uint64_t data,
                              std::uint64_t from, std::uint64_t to) {
  std::string made{static_cast<char>(operation), '\0', '\0', '\0'};
  const auto put = [&](std::uint64_t number, int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
      made += static_cast<char>(number >> shift);
    }
  };
  put(payload, 4);
  put(data, 8);
  put(from, 8);
  put(to, 8);
  return made;
}

/// What CAF writes, as the program of a node would.
class caf_words {
public:
  caf_words() {
    config_.add_message_types<caf::id_block::continuo>();
    system_ = std::make_unique<caf::actor_system>(config_);
  }

  template <class... Values>
  std::string written(const Values&... values) const {
    std::vector<char> bytes;
    caf::binary_serializer to{*system_, bytes};
    CAF_CHECK(!to(const_cast<Values&>(values)...));
    return {bytes.begin(), bytes.end()};
  }

  /// Of a node of CAF.
  std::string id() const { return written(caf::make_node_id(4'711, {7, 7, 7})); }

  /// The payload of a message, with nobody behind it.
  template <class... Values>
  std::string payload(const Values&... values) const {
    return written(std::vector<caf::strong_actor_ptr>{}, caf::make_message(values...));
  }

  static constexpr std::uint64_t plain = 0x1000'0000'0000'0000;

  /// A frame as a message from an actor to an actor.
  std::string frame(const messages::frame& said, std::uint64_t from, std::uint64_t to) const {
    const auto bytes = payload(messages::wire{encode(said)});
    return caf_header(2, static_cast<std::uint32_t>(bytes.size()), plain, from, to) + bytes;
  }

private:
  caf::actor_system_config config_;
  std::unique_ptr<caf::actor_system> system_;
};

template <class Body>
messages::frame framed(Body body) {
  messages::frame made;
  made.body = std::move(body);
  return made;
}

/// A client that shows a certificate of the cluster, and says what no node would.
class wrong_peer {
public:
  static constexpr std::uint64_t self = 11; ///< the number of its only actor
  using clock = std::chrono::steady_clock;

  wrong_peer(std::uint16_t port, const nodes::tls_context& with, const caf_words& words)
      : visitor_(port), words_(&words), session_(nodes::tls_session::begin(with, visitor_.file(), false)) {}

  // -- up to where --------------------------------------------------------------------------
  bool shake_hands() {
    const auto deadline = clock::now() + std::chrono::seconds{10};
    while (!session_->is_ready() && !ended_ && clock::now() < deadline) {
      step(session_->shake_hands());
    }
    return session_->is_ready();
  }

  /// Up to the node's introduction, of which it learns the gate. `as`: the bytes of an id.
  bool introduce(const std::string& as = {}) {
    const auto id = as.empty() ? words_->id() : as;
    if (!shake_hands() || !say(caf_header(1, static_cast<std::uint32_t>(id.size()), 0, 0, 0) + id)) {
      return false;
    }
    hear_until([&] { return gate_ != 0; });
    return gate_ != 0;
  }

  std::uint64_t gate() const { return gate_; }

  /// Of CAF, as the node has introduced itself.
  const std::string& id_of_node() const { return id_of_node_; }

  /// The actor that has answered last: the link.
  std::uint64_t link() const { return link_; }

  // -- what it says ---------------------------------------------------------------------------
  /// False where the connection is over.
  bool say(const std::string& bytes) {
    const auto deadline = clock::now() + std::chrono::seconds{10};
    for (std::size_t said = 0; said < bytes.size() && !ended_ && clock::now() < deadline;) {
      std::size_t wrote = 0;
      step(session_->write(bytes.data() + said, bytes.size() - said, wrote));
      said += wrote;
    }
    return !ended_;
  }

  bool say(const messages::frame& said, std::uint64_t to = 0) {
    return say(words_->frame(said, self, to == 0 ? gate_ : to));
  }

  // -- what it hears ----------------------------------------------------------------------------
  /// Reads until that holds, the connection ends, or a time is over; whether it holds.
  template <class Holds>
  bool hear_until(Holds holds, std::chrono::milliseconds time = std::chrono::seconds{10}) {
    const auto deadline = clock::now() + time;
    std::array<char, 16'384> heard{};
    while (!holds() && !ended_ && clock::now() < deadline) {
      std::size_t got = 0;
      const auto done = session_->read(heard.data(), heard.size(), got);
      bytes_.append(heard.data(), got);
      take();
      if (got == 0) {
        step(done);
      }
    }
    return holds();
  }

  bool is_ended(std::chrono::milliseconds time = std::chrono::seconds{10}) {
    return hear_until([&] { return ended_; }, time);
  }

  /// The next frame that is a `Body`; nothing where none comes in time.
  template <class Body>
  std::optional<Body> hear(std::chrono::milliseconds time = std::chrono::seconds{10}) {
    std::optional<Body> found;
    hear_until(
        [&] {
          while (!found && !frames_.empty()) {
            if (auto* body = std::get_if<Body>(&frames_.front().body)) {
              found = std::move(*body);
            }
            frames_.erase(frames_.begin());
          }
          return found.has_value();
        },
        time);
    return found;
  }

private:
  void step(nodes::tls_session::progress done) {
    using progress = nodes::tls_session::progress;
    ended_ = ended_ || done == progress::failed;
    if (done == progress::waits_to_read || done == progress::waits_to_write) {
      pollfd waits{visitor_.file(), static_cast<short>(done == progress::waits_to_write ? POLLOUT : POLLIN),
                   0};
      ::poll(&waits, 1, 20);
    }
  }

  static std::uint64_t number(std::string_view bytes, std::size_t at, std::size_t size) {
    std::uint64_t made = 0;
    for (std::size_t i = 0; i < size; ++i) {
      made = made << 8 | static_cast<unsigned char>(bytes[at + i]);
    }
    return made;
  }

  void take() {
    constexpr std::size_t header = 32;
    while (bytes_.size() >= header) {
      const auto size = number(bytes_, 4, 4);
      if (bytes_.size() < header + size) {
        return;
      }
      const auto payload = bytes_.substr(header, size);
      if (bytes_[0] == 0) { // its actor stands behind its id and the identifiers of its program
        const auto at =
            words_->id().size() + 2 + static_cast<unsigned char>(payload[words_->id().size() + 1]);
        gate_ = number(payload, at, 8);
        id_of_node_ = payload.substr(0, words_->id().size());
      }
      const auto frame_begins = words_->payload(messages::wire{});
      const std::string_view begins{frame_begins.data(), frame_begins.size() - 1};
      if (bytes_[0] == 2 && payload.starts_with(begins)) {
        std::size_t at = begins.size();
        while ((static_cast<unsigned char>(payload[at]) & 0x80u) != 0) {
          ++at;
        }
        if (auto frame = decode<messages::frame>(payload.substr(at + 1))) {
          link_ = number(bytes_, 16, 8);
          frames_.push_back(std::move(*frame));
        }
      }
      bytes_.erase(0, header + size);
    }
  }

  visitor visitor_;
  const caf_words* words_;
  std::unique_ptr<nodes::tls_session> session_;
  bool ended_ = false;
  std::string bytes_;
  std::string id_of_node_;
  std::uint64_t gate_ = 0;
  std::uint64_t link_ = 0;
  std::vector<messages::frame> frames_;
};

} // namespace continuo::tests
