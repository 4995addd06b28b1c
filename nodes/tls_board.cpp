#include "nodes/tls_board.hpp"

#include "messages/caf_types.hpp"
#include "messages/frames.hpp"
#include "messages/printable.hpp"

#include <caf/actor_registry.hpp>
#include <caf/actor_system.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/error.hpp>
#include <caf/message.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <openssl/rand.h>
#include <sys/socket.h>

namespace continuo::nodes {

namespace {

constexpr std::chrono::seconds reads_apart{1};
constexpr std::chrono::seconds tends_apart{5};
constexpr std::chrono::hours says_again{1};
constexpr std::size_t says_at_most = 50; // in that time, of one: what it does is part of what is said
constexpr std::chrono::hours warns_again{24};
constexpr std::chrono::hours ends_soon{30 * 24};

/// Of one name, that peers have opened. One is in use; others are left behind by what broke.
constexpr std::size_t connections_of_name_max = 8;

/// Whose names are remembered.
constexpr std::size_t closed_max = 1'000;

/// What came on a connection that ended so long ago and is not taken yet is not taken any more.
constexpr std::chrono::minutes lost_after{1};

template <class... Values>
std::string as_caf_writes(caf::actor_system& system, const Values&... values) {
  std::vector<char> bytes;
  caf::binary_serializer to{system, bytes};
  static_cast<void>(to(const_cast<Values&>(values)...)); // what it writes here cannot fail
  return {bytes.begin(), bytes.end()};
}

std::string days_of(std::chrono::seconds time) {
  return time.count() < 0 ? "has ended"
                          : fmt::format("ends in {} days",
                                        std::chrono::duration_cast<std::chrono::hours>(time).count() / 24);
}

} // namespace

tls_board::tls_board(caf::actor_system& system, tls_transport::terms agreed, tls_context first)
    : system_(&system), agreed_(std::move(agreed)), context_(std::move(first)) {
  filter_terms_.here = as_caf_writes(system, system.node());
  filter_terms_.application = fmt::format("continuo-wire-{}", messages::protocol_version);
  filter_terms_.frame_begins =
      as_caf_writes(system, std::vector<caf::strong_actor_ptr>{}, caf::make_message(messages::wire{}));
  filter_terms_.frame_begins.pop_back(); // the size of its bytes, which is 0
  filter_terms_.end_of_actor = as_caf_writes(system, caf::error{caf::exit_reason::remote_link_unreachable});
  filter_terms_.is_offered = [this](std::uint64_t actor) { return is_offered(actor); };
  RAND_bytes(host_.data(), static_cast<int>(host_.size()));
  host_.front() |= 1; // CAF takes one of zeros for none
}

// -- certificates ------------------------------------------------------------------------------

tls_context tls_board::certificates() {
  const std::lock_guard lock{reading_};
  if (const auto now = clock::now(); now - read_at_ > reads_apart) {
    read_at_ = now;
    auto read = read_certificates(agreed_.files, knows_of_revoked(context_));
    if (read) {
      context_ = std::move(*read);
    } else {
      say_once(log_level::error, "",
               fmt::format("the certificates that were read before stay in use: {}", read.error().message));
    }
  }
  return context_;
}

void tls_board::tend() {
  {
    const std::lock_guard lock{mutex_};
    if (clock::now() - tended_at_ < tends_apart) {
      return;
    }
    tended_at_ = clock::now();
  }
  const auto now = certificates();
  std::vector<std::pair<std::string, std::string>> says;
  std::vector<std::function<void()>> go_on;
  {
    const std::lock_guard lock{mutex_};
    forget_lost(go_on);
    for (auto& [id, one] : connections_) {
      if (one.file < 0) {
        continue;
      }
      if (const auto why = objection_to(one.shown.get(), now); !why.empty()) {
        ::shutdown(one.file, SHUT_RDWR); // its own event closes it
        says.emplace_back(one.peer,
                          fmt::format("the connection with {} is closed: its certificate is refused: {}",
                                      one.names.front(), why));
      }
    }
  }
  for (const auto& one : go_on) {
    one();
  }
  for (const auto& [peer, what] : says) {
    say_once(log_level::error, peer, what);
  }
  warn_of_ends();
}

void tls_board::warn_of_ends() {
  {
    const std::lock_guard lock{mutex_};
    if (warned_at_ && clock::now() - *warned_at_ < warns_again) {
      return;
    }
    warned_at_ = clock::now();
  }
  const auto left = time_left_of(certificates());
  if (!agreed_.log || std::min(left.certificate, left.authority) >= ends_soon) {
    return;
  }
  const auto ends_first = left.certificate <= left.authority;
  agreed_.log(log_level::warn,
              fmt::format("{} {}: peers refuse this node then. {}",
                          ends_first ? agreed_.files.certificate.string() : agreed_.files.authority.string(),
                          days_of(std::min(left.certificate, left.authority)),
                          ends_first ? "`continuo cluster init` renews it"
                                     : "`continuo cluster init --new-authority` makes the next one"));
}

// -- connections -----------------------------------------------------------------------------------

std::string tls_board::known_name_of(const std::vector<std::string>& names) const {
  const auto found = std::find_if(names.begin(), names.end(), [&](const std::string& name) {
    return agreed_.peers.find(name) != agreed_.peers.end();
  });
  return found == names.end() ? std::string{} : *found;
}

caf::node_id tls_board::next_id() {
  constexpr std::uint64_t processes = 0xffff'ffff; // CAF takes an id for none whose process is 0
  const auto number = connections_made_++;
  auto host = host_;
  for (std::size_t i = 0; i < 4; ++i) {
    host[4 + i] = static_cast<std::uint8_t>(host_[4 + i] ^ (number / processes >> (8 * i)));
  }
  return caf::make_node_id(static_cast<std::uint32_t>(number % processes + 1), host);
}

void tls_board::close_oldest_of(const std::string& name) {
  const connection* oldest = nullptr;
  std::size_t count = 0;
  for (const auto& [id, one] : connections_) {
    if (one.accepted && one.file >= 0 && one.peer == name) {
      ++count;
      oldest = oldest == nullptr || one.number < oldest->number ? &one : oldest;
    }
  }
  if (count >= connections_of_name_max) {
    ::shutdown(oldest->file, SHUT_RDWR);
  }
}

result<tls_board::admission> tls_board::admit(int file, const shared_certificate& shown, bool accepts) {
  auto names = shown ? names_in(shown.get()) : std::vector<std::string>{};
  auto name = known_name_of(names);
  if (names.empty()) {
    return fail(errc::unavailable,
                "its certificate has no node's name: make new ones with `continuo cluster init`");
  }
  if (name.empty()) {
    return fail(errc::unavailable,
                fmt::format("its certificate is that of {}, which is no peer by the cluster file here",
                            printable(fmt::format("{}", fmt::join(names, ", ")))));
  }
  admission made;
  made.name = std::move(name);
  made.terms = filter_terms_;
  made.terms.accepts = accepts;
  const std::lock_guard lock{mutex_};
  if (accepts) {
    close_oldest_of(made.name);
  }
  made.id = next_id();
  connections_.emplace(
      made.id,
      connection{std::move(names), shown, file, accepts, connections_made_, made.name, 0, false, {}});
  std::vector<char> bytes;
  caf::binary_serializer to{nullptr, bytes};
  static_cast<void>(to(made.id));
  made.terms.peer.assign(bytes.begin(), bytes.end());
  return made;
}

void tls_board::leave(const caf::node_id& id) {
  const std::lock_guard lock{mutex_};
  const auto found = connections_.find(id);
  if (found == connections_.end() || found->second.file < 0) {
    return;
  }
  found->second.file = -1;
  found->second.closed_at = clock::now();
  closed_.push_back(id);
  // One of which something waits is remembered: a frame has a weight, so there is a bound for these as well.
  while (closed_.size() > closed_max && connections_[closed_.front()].untaken == 0) {
    connections_.erase(closed_.front());
    closed_.pop_front();
  }
}

// -- how much waits --------------------------------------------------------------------------------

bool tls_board::may_read(const caf::node_id& id, const std::function<void()>& go_on) {
  const std::lock_guard lock{mutex_};
  const auto found = connections_.find(id);
  if (found == connections_.end()) {
    return true;
  }
  auto& of_peer = flows_[found->second.peer];
  if (of_peer.untaken < untaken_max) {
    return true;
  }
  of_peer.stopped.push_back(go_on);
  return false;
}

void tls_board::gives(const caf::node_id& id, std::size_t weight) {
  const std::lock_guard lock{mutex_};
  if (const auto found = connections_.find(id); found != connections_.end()) {
    found->second.untaken += weight;
    flows_[found->second.peer].untaken += weight;
  }
}

void tls_board::gathers(const caf::node_id& id, bool much) {
  std::string peer;
  {
    const std::lock_guard lock{mutex_};
    const auto found = connections_.find(id);
    if (found == connections_.end()) {
      return;
    }
    found->second.gathers = much;
    for (auto& [other, one] : connections_) {
      if (much && other != id && one.gathers && one.file >= 0 && one.peer == found->second.peer) {
        ::shutdown(one.file, SHUT_RDWR); // its own event closes it
        one.gathers = false;
        peer = one.peer;
      }
    }
  }
  if (!peer.empty()) {
    say_once(
        log_level::error, peer,
        fmt::format("a connection with {} is closed: a large message came on another one meanwhile", peer));
  }
}

void tls_board::took(const caf::node_id& id, std::size_t bytes) {
  std::vector<std::function<void()>> go_on;
  {
    const std::lock_guard lock{mutex_};
    if (const auto found = connections_.find(id); found != connections_.end()) {
      release(found->second, std::min(caf_filter::weight_of(bytes), found->second.untaken), go_on);
    }
  }
  for (const auto& one : go_on) {
    one();
  }
}

void tls_board::release(connection& of, std::size_t weight, std::vector<std::function<void()>>& go_on) {
  auto& of_peer = flows_[of.peer];
  of.untaken -= weight;
  of_peer.untaken -= weight;
  if (of_peer.untaken <= untaken_max / 2) {
    std::move(of_peer.stopped.begin(), of_peer.stopped.end(), std::back_inserter(go_on));
    of_peer.stopped.clear();
  }
}

/// CAF may drop what it has read when a connection ends: nobody takes that.
void tls_board::forget_lost(std::vector<std::function<void()>>& go_on) {
  for (const auto& id : closed_) {
    auto& one = connections_[id];
    if (one.untaken > 0 && clock::now() - one.closed_at > lost_after) {
      release(one, one.untaken, go_on);
    }
  }
}

// -- what is said --------------------------------------------------------------------------------------

void tls_board::offer(std::uint64_t actor) {
  const std::lock_guard lock{mutex_};
  offered_.insert(actor);
}

bool tls_board::is_offered(std::uint64_t actor) const {
  {
    const std::lock_guard lock{mutex_};
    if (!offered_.contains(actor)) {
      return false;
    }
  }
  // CAF knows those of which it has told somebody, and drops what is said to others: nobody would take that.
  return system_->registry().get(actor) != nullptr;
}

bool tls_board::speaks_for(const caf::node_id& id, std::string_view name) const {
  const std::lock_guard lock{mutex_};
  const auto found = connections_.find(id);
  return found != connections_.end() &&
         std::find(found->second.names.begin(), found->second.names.end(), name) != found->second.names.end();
}

bool tls_board::hang_up(const caf::node_id& id, const std::string& why) {
  std::string name;
  {
    const std::lock_guard lock{mutex_};
    const auto found = connections_.find(id);
    if (found == connections_.end()) {
      return false;
    }
    name = found->second.peer;
    if (found->second.file >= 0) {
      ::shutdown(found->second.file, SHUT_RDWR); // its own event closes it
    }
  }
  say_once(log_level::error, name, fmt::format("the connection with {} is closed: {}", name, why));
  return true;
}

void tls_board::say_once(log_level level, const std::string& of, const std::string& what) {
  if (!agreed_.log) {
    return;
  }
  bool is_last = false;
  {
    const std::lock_guard lock{mutex_};
    if (const auto now = clock::now(); now - saying_since_ > says_again) {
      saying_since_ = now;
      said_.clear();
    }
    auto& said = said_[of];
    if (said.size() >= says_at_most || !said.insert(what).second) {
      return;
    }
    is_last = said.size() == says_at_most;
  }
  agreed_.log(level, what);
  if (is_last) {
    agreed_.log(level,
                fmt::format("more about {} is not said within the hour", of == "?"    ? "strangers"
                                                                         : of.empty() ? "certificates here"
                                                                                      : of));
  }
}

} // namespace continuo::nodes
