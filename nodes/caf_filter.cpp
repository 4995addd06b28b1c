#include "nodes/caf_filter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace continuo::nodes {

namespace {

// The protocol BASP of CAF 0.17 (libcaf_io/caf/io/basp); numbers are big-endian.
constexpr std::size_t header_bytes = 32;
constexpr std::size_t small_bytes_max = 65'536; // of a payload that is no frame
constexpr std::uint64_t basp_version = 3;
constexpr std::uint64_t plain_message = 0x1000'0000'0000'0000; // no request and no answer
constexpr std::uint8_t to_a_name = 1;                          // flag: the receiver is named, not numbered

enum operation : std::uint8_t {
  server_handshake,
  client_handshake,
  direct_message,
  routed_message,
  monitor_message,
  down_message,
  heartbeat,
};

std::uint64_t number_at(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t made = 0;
  for (std::size_t i = 0; i < size; ++i) {
    made = made << 8 | static_cast<unsigned char>(bytes[at + i]);
  }
  return made;
}

void put_number(std::string& to, std::uint64_t number, std::size_t size) {
  for (std::size_t i = size; i-- > 0;) {
    to += static_cast<char>(number >> (8 * i));
  }
}

tl::unexpected<error> refuse(std::string what) {
  return fail(errc::malformed, std::move(what));
}

/// Takes values off the front of bytes; empty where they are too short.
class reader {
public:
  explicit reader(std::string_view bytes) : rest_(bytes) {}

  std::optional<std::uint32_t> size() {
    std::uint64_t made = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
      if (rest_.empty()) {
        return std::nullopt;
      }
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      made |= std::uint64_t{byte & 0x7fu} << shift;
      if ((byte & 0x80u) == 0) {
        return made <= 0xffff'ffffu ? std::optional{static_cast<std::uint32_t>(made)} : std::nullopt;
      }
    }
    return std::nullopt;
  }

  std::optional<std::string_view> bytes(std::size_t count) {
    if (count > rest_.size()) {
      return std::nullopt;
    }
    const auto made = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return made;
  }

  std::size_t left() const { return rest_.size(); }

private:
  std::string_view rest_;
};

} // namespace

result<void> caf_filter::take(std::string_view bytes) {
  in_.append(bytes);
  std::string_view rest{in_};
  while (rest.size() >= header_bytes) {
    header of;
    of.operation = static_cast<std::uint8_t>(rest[0]);
    of.flags = static_cast<std::uint8_t>(rest[3]);
    of.payload = static_cast<std::uint32_t>(number_at(rest, 4, 4));
    of.data = number_at(rest, 8, 8);
    of.from = number_at(rest, 16, 8);
    of.to = number_at(rest, 24, 8);
    if (auto good = check(of); !good) { // before its payload is waited for
      return good;
    }
    if (rest.size() - header_bytes < of.payload) {
      break;
    }
    if (auto passed = pass(of, rest.substr(header_bytes, of.payload)); !passed) {
      return passed;
    }
    rest.remove_prefix(header_bytes + of.payload);
  }
  in_.erase(0, in_.size() - rest.size());
  if (in_.size() < buffer_kept && in_.capacity() > 2 * buffer_kept) {
    in_.shrink_to_fit();
  }
  return {};
}

std::size_t caf_filter::give(void* to, std::size_t size) {
  const auto count = std::min(size, ready());
  std::memcpy(to, out_.data() + given_, count);
  given_ += count;
  if (given_ == out_.size()) {
    out_.clear();
    given_ = 0;
    if (out_.capacity() > buffer_kept) {
      out_.shrink_to_fit();
    }
  }
  return count;
}

/// What can be said of a message before its payload is there.
result<void> caf_filter::check(const header& of) const {
  const auto introduces = of.operation == server_handshake || of.operation == client_handshake;
  const auto expected = terms_.accepts ? client_handshake : server_handshake;
  if (of.operation > heartbeat) {
    return refuse("what comes is no message of CAF");
  }
  if (introduces ? of.operation != expected : !is_introduced()) {
    return refuse("it does not introduce itself as a node does");
  }
  if (of.operation == server_handshake && of.data != basp_version) {
    return refuse(fmt::format("it does not speak version {} of CAF's protocol", basp_version));
  }
  if (of.operation == routed_message) {
    return refuse("it speaks for a node that is not its own");
  }
  if (of.payload > (of.operation == direct_message ? message_bytes_max : small_bytes_max)) {
    return refuse("it announces a message that is too large");
  }
  return {};
}

result<void> caf_filter::pass(const header& of, std::string_view payload) {
  switch (of.operation) {
  case server_handshake:
  case client_handshake:
    return pass_introduction(of, payload);
  case direct_message:
    return pass_frame(of, payload);
  case monitor_message:
    if (!terms_.is_offered(of.to)) {
      return refuse("it watches an actor that it was never told of");
    }
    if (watched_.insert(of.to).second) {
      put({monitor_message, 0, 0, 0, 0, of.to}, terms_.peer + terms_.here);
    }
    return {};
  case down_message:
    if (of.from == 0) {
      return refuse("it says that nobody has ended");
    }
    put({down_message, 0, 0, 0, of.from, 0}, terms_.peer + terms_.here + terms_.end_of_actor);
    return {};
  default: // a heartbeat
    put({heartbeat, 0, 0, 0, 0, 0}, {});
    return {};
  }
}

/// Who introduces itself says an id of its own making: CAF gets the one that was chosen here.
result<void> caf_filter::pass_introduction(const header& of, std::string_view payload) {
  if (++introductions_ > 1) {
    // CAF repeats a client's once, which says that this connection is the one to use.
    return of.operation == client_handshake && introductions_ == 2
               ? result<void>{}
               : refuse("it introduces itself again and again");
  }
  if (of.operation == client_handshake) {
    put({client_handshake, 0, 0, 0, 0, 0}, terms_.peer);
    return {};
  }
  reader from{payload};
  constexpr std::size_t kind_bytes = 8;
  const auto id = from.bytes(terms_.here.size());
  if (!id || id->substr(0, kind_bytes) != terms_.here.substr(0, kind_bytes)) {
    return refuse("it introduces itself with no node's id");
  }
  const auto count = from.size();
  bool is_ours = false;
  for (std::uint32_t i = 0; count && i < *count; ++i) {
    const auto size = from.size();
    const auto name = size ? from.bytes(*size) : std::nullopt;
    if (!name) {
      return refuse("it introduces itself in half a message");
    }
    is_ours = is_ours || *name == terms_.application;
  }
  const auto actor = from.bytes(sizeof(std::uint64_t));
  if (!actor) {
    return refuse("it introduces itself in half a message");
  }
  if (!is_ours) {
    return refuse(
        fmt::format("its program does not speak {}: run the same version on all nodes", terms_.application));
  }
  auto made = terms_.peer;
  made += '\x01'; // one identifier
  made += static_cast<char>(terms_.application.size());
  made += terms_.application;
  made += *actor;
  made += '\0'; // no signatures
  put({server_handshake, 0, 0, basp_version, 0, 0}, made);
  return {};
}

result<void> caf_filter::pass_frame(const header& of, std::string_view payload) {
  if (of.flags == to_a_name) {
    // CAF itself asks each new node for its spawn server. Nobody answers, and CAF does not mind.
    return {};
  }
  if (of.flags != 0 || of.data != plain_message || of.from == 0) {
    return refuse("it sends what is no frame: a request, an answer, or a message of nobody");
  }
  if (!terms_.is_offered(of.to)) {
    return refuse("it speaks to an actor that it was never told of");
  }
  reader from{payload};
  const auto begins = from.bytes(terms_.frame_begins.size());
  const auto size = begins && *begins == terms_.frame_begins ? from.size() : std::nullopt;
  if (!size || *size != from.left()) {
    return refuse("it sends a message that is no frame");
  }
  if (!speakers_.contains(of.from) && speakers_.size() == actors_max) {
    return refuse(fmt::format("more than {} of its actors speak", actors_max));
  }
  speakers_.insert(of.from);
  weight_ += weight_of(*size);
  put({direct_message, 0, 0, of.data, of.from, of.to}, payload);
  return {};
}

void caf_filter::put(header of, std::string_view payload) {
  out_ += static_cast<char>(of.operation);
  out_.append(2, '\0');
  out_ += static_cast<char>(of.flags);
  put_number(out_, payload.size(), 4);
  put_number(out_, of.data, 8);
  put_number(out_, of.from, 8);
  put_number(out_, of.to, 8);
  out_ += payload;
}

} // namespace continuo::nodes
