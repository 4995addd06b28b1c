#include "nodes/tls.hpp"

#include "actors/trouble.hpp"
#include "messages/printable.hpp"
#include "nodes/probe.hpp"
#include "nodes/tls_board.hpp"
#include "nodes/tls_session.hpp"

#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/middleman_actor_impl.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/doorman_impl.hpp>
#include <caf/io/network/stream_impl.hpp>
#include <caf/io/scribe.hpp>
#include <caf/send.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace continuo::nodes {

namespace {

namespace network = caf::io::network;
using clock = std::chrono::steady_clock;

/// As a handshake may take. Nothing waits for it but the next attempt.
constexpr std::chrono::seconds handshake_time{3};

/// Of what a peer does not take. Credit bounds what a link sends, and answers to its questions are short: so
/// much is only waiting where the peer lets it.
constexpr std::size_t unsent_bytes_max = 256u << 20;

/// A record of TLS, so that nothing of it is left in the session, where no event would tell of it.
constexpr std::size_t record_bytes_max = 16'384;

/// That are read before other connections have their turn.
constexpr int records_at_once = 64;

/// Accepted connections that have not said anything yet, oldest first. I/O thread only.
class strangers {
public:
  explicit strangers(std::size_t at_most) : at_most_(at_most) {}

  void add(int file) {
    if (files_.size() >= at_most_) {
      ::shutdown(files_.front(), SHUT_RDWR); // its own event closes it
      files_.pop_front();
    }
    files_.push_back(file);
  }

  void remove(int file) { std::erase(files_, file); }

private:
  std::size_t at_most_;
  std::deque<int> files_;
};

class tls_scribe;

/// How CAF's stream reads and writes.
struct tls_policy {
  explicit tls_policy(tls_scribe& of) : scribe(&of) {}
  network::rw_state read_some(std::size_t& got, network::native_socket, void* to, std::size_t size);
  network::rw_state write_some(std::size_t& wrote, network::native_socket, const void* from,
                               std::size_t size);
  bool must_read_more(network::native_socket, std::size_t threshold);

  tls_scribe* scribe;
};

class tls_scribe : public caf::io::scribe {
public:
  /// One that was accepted; it counts as a stranger among `guests` until it introduces itself.
  tls_scribe(network::default_multiplexer& loop, int file, std::unique_ptr<tls_session> with,
             std::shared_ptr<tls_board> board, std::shared_ptr<strangers> guests)
      : scribe(network::conn_hdl_from_socket(file)), session_(std::move(with)), board_(std::move(board)),
        guests_(std::move(guests)), stream_(loop, file, *this) {
    guests_->add(file);
  }

  /// One that was made here, and was admitted.
  tls_scribe(network::default_multiplexer& loop, int file, std::unique_ptr<tls_session> with,
             std::shared_ptr<tls_board> board, tls_board::admission&& as)
      : scribe(network::conn_hdl_from_socket(file)), session_(std::move(with)), board_(std::move(board)),
        stream_(loop, file, *this) {
    begin(std::move(as));
  }

  ~tls_scribe() override {
    is_known();
    if (filter_) {
      board_->leave(id_);
    }
  }

  /// What it may be the filter has looked at: CAF makes room at once for as many bytes as a header announces.
  void configure_read(caf::io::receive_policy::config config) override {
    stream_.configure_read(config);
    if (!launched_) {
      launched_ = true;
      stream_.start(this);
    }
  }

  void ack_writes(bool enable) override { stream_.ack_writes(enable); }
  std::vector<char>& wr_buf() override { return stream_.wr_buf(); }
  std::vector<char>& rd_buf() override { return stream_.rd_buf(); }

  /// Not in CAF's way, which first sends what waits: a peer that takes nothing would keep the socket for
  /// ever.
  void graceful_shutdown() override {
    ::shutdown(stream_.fd(), SHUT_RDWR);
    detach(&stream_.backend(), false);
  }

  /// What is written before the handshake is over goes out when it is.
  void flush() override {
    if (detached()) { // the broker has closed it, and answers what it had read of it
      return;
    }
    begin_life();
    end_spawn_server();
    if (stream_.wr_buf().size() > unsent_bytes_max) {
      say("it takes nothing of what is sent to it");
      ::shutdown(stream_.fd(), SHUT_RDWR); // its own event closes it
    }
    if (session_->is_ready()) {
      stream_.flush(this);
    }
  }

  std::string addr() const override {
    const auto found = network::remote_addr_of_fd(stream_.fd());
    return found ? *found : std::string{};
  }
  std::uint16_t port() const override {
    const auto found = network::remote_port_of_fd(stream_.fd());
    return found ? *found : std::uint16_t{0};
  }

  void add_to_loop() override { stream_.activate(this); }
  void remove_from_loop() override {
    stream_.passivate();
    // A stream that began to read in this turn of the loop holds this object, and the loop, which has seen
    // nothing of it, tells nobody of its end.
    if ((stream_.eventbf() & network::input_mask) == 0) {
      stream_.removed_from_loop(network::operation::read);
    }
  }

  network::rw_state read(void* to, std::size_t size, std::size_t& got) {
    got = 0;
    if (!session_->is_ready()) {
      // A handshake is a few packets: who does not even take these is not waited for.
      const auto step = session_->shake_hands();
      if (step != tls_session::progress::made) {
        tell_refused_certificate();
        return step == tls_session::progress::waits_to_read ? network::rw_state::success
                                                            : network::rw_state::failure;
      }
      auto admitted = board_->admit(stream_.fd(), session_->certificate_of_peer(), true);
      if (!admitted) {
        say(admitted.error().message);
        return network::rw_state::failure;
      }
      begin(std::move(*admitted));
      stream_.flush(this);
    }
    end_spawn_server();
    give_room_back(size);
    if (filter_->ready() == 0) {
      // What has not introduced itself has nothing to be taken, and CAF has no time limit for it: if it were
      // not read, nobody would see that it has closed.
      if (filter_->is_introduced() && !board_->may_read(id_, go_on_)) {
        stream_.passivate();
        return network::rw_state::success;
      }
      if (!fill()) {
        return network::rw_state::failure;
      }
    }
    got = filter_->give(to, size);
    return network::rw_state::success;
  }

  network::rw_state write(const void* from, std::size_t size, std::size_t& wrote) {
    wrote = 0;
    if (size == 0) {
      return network::rw_state::indeterminate;
    }
    return session_->write(from, size, wrote) == tls_session::progress::failed ? network::rw_state::failure
                                                                               : network::rw_state::success;
  }

  std::size_t ready() const { return filter_ ? filter_->ready() : 0; }

private:
  void begin(tls_board::admission&& as) {
    id_ = std::move(as.id);
    name_ = std::move(as.name);
    filter_.emplace(std::move(as.terms));
  }

  /// Reads again after `passivate`, which was between two messages: CAF forgets what it has of one.
  void read_again() {
    if (!detached()) {
      stream_.activate(this);
      // Where the loop has not come to what `passivate` wants there is nothing to activate: take that back.
      stream_.backend().add(network::operation::read, stream_.fd(), &stream_);
    }
  }

  /// Reads until there is something for CAF, or no more. False where the connection is over.
  bool fill() {
    std::array<char, record_bytes_max> record;
    for (int i = 0; i < records_at_once && filter_->ready() == 0; ++i) {
      std::size_t count = 0;
      const auto step = session_->read(record.data(), record.size(), count);
      if (step == tls_session::progress::failed) {
        return false;
      }
      if (count == 0) {
        break;
      }
      if (const auto taken = filter_->take({record.data(), count}); !taken) {
        say(taken.error().message);
        return false;
      }
      // Before CAF has any of it: what it passes on may be taken at once.
      if (const auto weight = filter_->take_weight(); weight > 0) {
        board_->gives(id_, weight);
      }
    }
    if (const auto much = filter_->gathers_much(); much != gathers_) {
      gathers_ = much;
      board_->gathers(id_, much);
    }
    if (filter_->is_introduced()) {
      is_known();
    }
    return true;
  }

  /// CAF keeps a buffer as large as the largest message that came.
  void give_room_back(std::size_t needed) {
    if (needed >= caf_filter::buffer_kept || rd_buf().capacity() <= caf_filter::buffer_kept || shrinks_) {
      return;
    }
    shrinks_ = true; // when nobody reads into it
    stream_.backend().post([weak = std::weak_ptr{self_}] {
      if (const auto self = weak.lock()) {
        (*self)->shrinks_ = false;
        (*self)->rd_buf().shrink_to_fit();
      }
    });
  }

  void say(const std::string& why) const {
    board_->say_once(
        log_level::error, name_.empty() ? "?" : name_,
        fmt::format("the connection with {} is closed: {}", name_.empty() ? addr() : name_, why));
  }

  /// Who has one that was good once should be told why it is not; strangers come and go in silence.
  void tell_refused_certificate() const {
    if (session_->refuses_known_certificate()) {
      say(session_->trouble());
    }
  }

  /// CAF takes a connection that it has made and not heard of yet for one that was always silent: it would
  /// end it at the next heartbeat.
  void begin_life() {
    auto& basp = static_cast<caf::io::basp_broker&>(*parent());
    const auto found = basp.ctx.find(hdl());
    if (found != basp.ctx.end() && found->second.last_seen == caf::actor_clock::time_point{}) {
      found->second.last_seen = basp.clock().now();
    }
  }

  /// CAF asks each node for its spawn server, by an actor that waits five minutes for the answer and of which
  /// it keeps the handle for ever. No node answers (`caf_filter`).
  void end_spawn_server() {
    if (!asks_ || !filter_ || !filter_->is_introduced() || detached()) {
      return;
    }
    auto& basp = static_cast<caf::io::basp_broker&>(*parent());
    const auto found = basp.spawn_servers.find(id_);
    if (found != basp.spawn_servers.end()) {
      caf::anon_send_exit(found->second, caf::exit_reason::kill);
      basp.spawn_servers.erase(found);
      asks_ = false;
    }
  }

  void is_known() {
    if (guests_) {
      guests_->remove(stream_.fd());
      guests_ = nullptr;
    }
  }

  std::unique_ptr<tls_session> session_;
  std::shared_ptr<tls_board> board_;
  std::shared_ptr<strangers> guests_;
  caf::node_id id_; ///< of the peer, as CAF knows it
  std::string name_;
  std::optional<caf_filter> filter_; ///< from the end of the handshake on
  bool asks_ = true;                 ///< CAF, for the spawn server
  bool launched_ = false;
  bool gathers_ = false; ///< much, as the board knows
  bool shrinks_ = false; ///< its buffer, soon
  network::stream_impl<tls_policy> stream_;
  const std::shared_ptr<tls_scribe*> self_ = std::make_shared<tls_scribe*>(this); ///< of the I/O thread
  const std::function<void()> go_on_ = [loop = &stream_.backend(), weak = std::weak_ptr{self_}] {
    loop->post([weak] {
      if (const auto self = weak.lock()) {
        (*self)->read_again();
      }
    });
  };
};

network::rw_state tls_policy::read_some(std::size_t& got, network::native_socket, void* to,
                                        std::size_t size) {
  return scribe->read(to, size, got);
}

network::rw_state tls_policy::write_some(std::size_t& wrote, network::native_socket, const void* from,
                                         std::size_t size) {
  return scribe->write(from, size, wrote);
}

bool tls_policy::must_read_more(network::native_socket, std::size_t threshold) {
  return scribe->ready() >= std::max<std::size_t>(threshold, 1);
}

} // namespace

/// A socket until somebody takes it over.
class owned_file {
public:
  explicit owned_file(int file) : file_(file) {}
  ~owned_file() {
    if (file_ >= 0) {
      ::close(file_);
    }
  }
  owned_file(owned_file&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  owned_file& operator=(owned_file&& other) noexcept {
    std::swap(file_, other.file_);
    return *this;
  }

  int get() const { return file_; }
  int release() { return std::exchange(file_, -1); }

private:
  int file_;
};

struct prepared {
  owned_file file;
  std::unique_ptr<tls_session> with;
};

// -- what the parts share ------------------------------------------------------------------

class tls_transport::state {
public:
  explicit state(std::shared_ptr<tls_board> known) : board(std::move(known)) {}

  void put(const std::string& host, std::uint16_t port, prepared&& made) {
    const std::lock_guard lock{mutex_};
    prepared_.insert_or_assign({host, port}, std::move(made));
  }

  void stop() { stopped_ = true; }
  bool is_stopped() const { return stopped_; }

  std::optional<prepared> take(const std::string& host, std::uint16_t port) {
    const std::lock_guard lock{mutex_};
    auto found = prepared_.extract({host, port});
    return found.empty() ? std::nullopt : std::optional{std::move(found.mapped())};
  }

  const std::shared_ptr<tls_board> board;

private:
  std::atomic<bool> stopped_{false};
  std::mutex mutex_; // guards what follows
  std::map<std::pair<std::string, std::uint16_t>, prepared> prepared_;
};

namespace {

class tls_doorman : public network::doorman_impl {
public:
  tls_doorman(network::default_multiplexer& loop, int file, std::shared_ptr<tls_board> board,
              std::size_t guests)
      : network::doorman_impl(loop, file), board_(std::move(board)),
        guests_(std::make_shared<strangers>(guests)) {}

  bool new_connection() override {
    if (detached()) {
      return false; // the broker has closed it, and the loop did not hear of that yet
    }
    auto& loop = acceptor_.backend();
    owned_file file{acceptor_.accepted_socket()};
    network::nonblocking(file.get(), true);
    network::child_process_inherit(file.get(), false); // what a handler starts must not keep it open
    auto with = tls_session::begin(board_->certificates(), file.get(), true);
    if (!with) {
      return false;
    }
    auto made = caf::make_counted<tls_scribe>(loop, file.get(), std::move(with), board_, guests_);
    file.release();
    const auto handle = made->hdl();
    parent()->add_scribe(std::move(made));
    return doorman::new_connection(&loop, handle);
  }

private:
  std::shared_ptr<tls_board> board_;
  std::shared_ptr<strangers> guests_;
};

/// CAF's middleman actor with other sockets.
class tls_middleman : public caf::io::middleman_actor_impl {
public:
  using take_prepared = std::function<std::optional<prepared>(const std::string&, std::uint16_t)>;

  tls_middleman(caf::actor_config& config, caf::actor basp, take_prepared take,
                std::shared_ptr<tls_board> board, std::size_t guests,
                const std::function<void(const error&)>& failed)
      : caf::io::middleman_actor_impl(config, std::move(basp)), take_(std::move(take)),
        board_(std::move(board)), guests_(guests) {
    actors::fail_node_on_trouble(this, failed);
  }

  const char* name() const override { return "continuo.tls"; }

protected:
  caf::expected<caf::io::scribe_ptr> connect(const std::string& host, std::uint16_t port) override {
    auto found = take_(host, port);
    if (!found) {
      return caf::sec::cannot_connect_to_node;
    }
    auto admitted = board_->admit(found->file.get(), found->with->certificate_of_peer(), false);
    if (!admitted) { // `prepare` has looked at it before
      return caf::sec::cannot_connect_to_node;
    }
    return caf::io::scribe_ptr{caf::make_counted<tls_scribe>(
        loop(), found->file.release(), std::move(found->with), board_, std::move(*admitted))};
  }

  caf::expected<caf::io::doorman_ptr> open(std::uint16_t port, const char* address, bool reuse) override {
    auto file = network::new_tcp_acceptor_impl(port, address, reuse);
    if (!file) {
      return std::move(file.error());
    }
    return caf::io::doorman_ptr{caf::make_counted<tls_doorman>(loop(), *file, board_, guests_)};
  }

private:
  network::default_multiplexer& loop() {
    return static_cast<network::default_multiplexer&>(system().middleman().backend());
  }

  take_prepared take_;
  std::shared_ptr<tls_board> board_;
  std::size_t guests_;
};

} // namespace

// -- the transport ---------------------------------------------------------------------------

tls_transport::tls_transport(std::shared_ptr<state> inside) : inside_(std::move(inside)) {}

tls_transport::~tls_transport() {
  stop();
}

result<std::shared_ptr<tls_transport>> tls_transport::start(caf::actor_system& system, terms agreed) {
  auto first = read_certificates(agreed.files);
  if (!first) {
    return tl::unexpected(first.error());
  }
  if (dynamic_cast<network::default_multiplexer*>(&system.middleman().backend()) == nullptr) {
    return fail(errc::invalid_configuration, "the application's actor system has a network of its own");
  }
  const auto guests = agreed.strangers;
  const auto failed = agreed.failed;
  const auto board = std::make_shared<tls_board>(system, std::move(agreed), std::move(*first));
  const std::shared_ptr<tls_transport> made{new tls_transport{std::make_shared<state>(board)}};
  auto basp = system.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP"));
  made->broker_ = caf::actor_cast<caf::actor>(system.spawn<tls_middleman, caf::detached + caf::hidden>(
      std::move(basp),
      [inside = made->inside_](const std::string& host, std::uint16_t port) {
        return inside->take(host, port);
      },
      board, guests, failed));
  made->tend(); // says what ends soon
  return made;
}

result<void> tls_transport::prepare(const std::string& name, const std::string& host, std::uint16_t port,
                                    std::chrono::milliseconds time) {
  forget(host, port);
  auto connected = open_connection(host, port, time);
  if (!connected) {
    return tl::unexpected(connected.error());
  }
  prepared made{owned_file{*connected},
                tls_session::begin(inside_->board->certificates(), *connected, false)};
  const auto refuse = [&](const std::string& why) {
    return fail(errc::unavailable, fmt::format("{}:{} does not shake hands: {}", host, port, why));
  };
  if (!made.with) {
    return refuse("TLS cannot begin");
  }
  const auto deadline = clock::now() + handshake_time;
  for (auto step = made.with->shake_hands(); step != tls_session::progress::made;
       step = made.with->shake_hands()) {
    if (step == tls_session::progress::failed) {
      return refuse(made.with->trouble());
    }
    if (inside_->is_stopped() || clock::now() >= deadline) {
      return refuse("it is slow");
    }
    const auto waits_for = step == tls_session::progress::waits_to_read ? POLLIN : POLLOUT;
    pollfd waits{*connected, static_cast<short>(waits_for), 0};
    while (::poll(&waits, 1, 20) == 0) { // short, so that the end of the node does not wait for it
      if (inside_->is_stopped() || clock::now() >= deadline) {
        return refuse("it is silent");
      }
    }
  }
  const auto shown = made.with->certificate_of_peer();
  const auto names = shown ? names_in(shown.get()) : std::vector<std::string>{};
  if (names.empty()) {
    return refuse("its certificate has no node's name: make new ones with `continuo cluster init`");
  }
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    return refuse(
        fmt::format("its certificate is that of {}, where {} was to listen: an address in the cluster "
                    "file belongs to another node",
                    printable(fmt::format("{}", fmt::join(names, ", "))), name));
  }
  inside_->put(host, port, std::move(made));
  return {};
}

void tls_transport::forget(const std::string& host, std::uint16_t port) {
  inside_->take(host, port);
}

void tls_transport::offer(const caf::actor& to_peers) {
  inside_->board->offer(to_peers.id());
}

bool tls_transport::speaks_for(const caf::strong_actor_ptr& sender, std::string_view name) const {
  return sender && inside_->board->speaks_for(sender->node(), name);
}

bool tls_transport::hang_up(const caf::strong_actor_ptr& sender, const std::string& why) {
  return sender && inside_->board->hang_up(sender->node(), why);
}

void tls_transport::taken(const caf::strong_actor_ptr& sender, std::size_t bytes) {
  if (sender) {
    inside_->board->took(sender->node(), bytes);
  }
}

void tls_transport::tend() {
  inside_->board->tend();
}

void tls_transport::stop() {
  inside_->stop();
  caf::anon_send_exit(broker_, caf::exit_reason::kill);
}

} // namespace continuo::nodes
