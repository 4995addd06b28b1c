#include "nodes/http/server.hpp"

#include "nodes/http/certificate.hpp"
#include "nodes/http/channel.hpp"
#include "nodes/http/request_reader.hpp"
#include "nodes/http/sockets.hpp"
#include "nodes/probe.hpp"
#include "nodes/threads.hpp"

#include <continuo/detail/times.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <cctype>
#include <chrono>
#include <deque>
#include <list>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace continuo::http {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace wire = boost::beast::http;
using tcp = asio::ip::tcp;
using clock = std::chrono::steady_clock;

constexpr std::size_t message_bytes_max = 2'000;
constexpr std::string_view go_on_word = "HTTP/1.1 100 Continue\r\n\r\n";

/// What is read at a time: little while a connection is idle, more where much comes.
constexpr std::size_t input_bytes_least = 4'096;
constexpr std::size_t input_bytes_most = 65'536;

/// How long a refused request is still read, and thrown away; and how long a client that says nothing more
/// may still get its answer.
constexpr std::chrono::seconds linger{2};

int digit_of(char letter) {
  if (letter >= '0' && letter <= '9') {
    return letter - '0';
  }
  const auto lower = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// RFC 3986, 2.1; nothing where a `%` is not followed by two digits. In a query `+` is a blank.
std::optional<std::string> decoded(std::string_view text, bool in_query) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      const auto high = i + 2 < text.size() ? digit_of(text[i + 1]) : -1;
      const auto low = i + 2 < text.size() ? digit_of(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return std::nullopt;
      }
      plain += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      plain += in_query && text[i] == '+' ? ' ' : text[i];
    }
  }
  return plain;
}

response busy(std::string_view why) {
  auto made = error_response(503, "unavailable", fmt::format("{}: try again", why));
  made.headers.emplace_back("Retry-After", "1");
  return made;
}

} // namespace

std::string read_target(std::string_view target, request& to) {
  constexpr std::string_view bad_escape =
      "the path cannot be read: it begins with /, and % stands only before two hexadecimal digits";
  constexpr std::string_view scheme = "http://"; // what proxies send: RFC 9112, 3.2.2
  if (target.starts_with(scheme)) {
    const auto path = target.find('/', scheme.size());
    target = path == std::string_view::npos ? std::string_view{"/"} : target.substr(path);
  }
  const auto mark = target.find('?');
  auto path = decoded(target.substr(0, mark), false);
  if (!path || !path->starts_with('/')) {
    return std::string{bad_escape};
  }
  to.path = std::move(*path);
  auto parts = target.substr(1, mark == std::string_view::npos ? mark : mark - 1);
  for (bool more = true; more;) {
    const auto slash = parts.find('/');
    to.segments.push_back(*decoded(parts.substr(0, slash), false)); // its % are right: the whole path's are
    more = slash != std::string_view::npos;
    parts.remove_prefix(more ? slash + 1 : parts.size());
  }
  auto rest = mark == std::string_view::npos ? std::string_view{} : target.substr(mark + 1);
  while (!rest.empty()) {
    const auto end = rest.find('&');
    const auto pair = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    const auto equals = pair.find('=');
    auto name = decoded(pair.substr(0, equals), true);
    auto value =
        decoded(equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1), true);
    if (!name || !value) {
      return std::string{bad_escape};
    }
    if (!name->empty() && !to.query.try_emplace(*name, std::move(*value)).second) {
      return fmt::format("the parameter {} is there twice", *name);
    }
  }
  return {};
}

std::string address_text(const std::string& host, std::uint16_t port) {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

response error_response(unsigned status, std::string_view code, std::string_view message) {
  std::string said{message.substr(0, message_bytes_max)}; // it may repeat what the client sent
  if (message.size() > message_bytes_max) {
    said += "...";
  }
  return {status, nlohmann::json{{"error", {{"code", code}, {"message", said}}}}.dump(
                      -1, ' ', false, nlohmann::json::error_handler_t::replace)};
}

class server::state : public std::enable_shared_from_this<server::state> {
public:
  state(handler answers, admission admits, const server_limits& limits)
      : answers_(std::move(answers)), admits_(std::move(admits)), limits_(limits) {}

  result<void> open(const http_address& at);
  result<void> run();
  void stop();

  asio::io_context context{1};

private:
  friend class server;
  class session;
  using sessions = std::list<std::shared_ptr<session>>;

  void accept();
  void take_in(tcp::socket&& socket);
  std::optional<response> refusal_of(const request& asked, bool crowded) const;

  handler answers_;
  admission admits_;
  server_limits limits_;
  std::unique_ptr<shown_certificate> certificate_; ///< null: plain HTTP; of the server's thread
  tcp::acceptor acceptor_{context};
  asio::steady_timer pause_{context};

  // Of the server's thread. Each connection is in one of these:
  sessions idle_; ///< no whole request is there: the one that has said nothing new for longest first
  sessions busy_;
  sessions spare_;       ///< those over the limit, the oldest first
  std::size_t held_ = 0; ///< bytes
  bool stopped_ = false;
  std::thread thread_;
};

/// One connection: a request, its answer, the next request. It is read all the while, so that it is seen when
/// the client leaves.
class server::state::session : public std::enable_shared_from_this<session> {
public:
  session(tcp::socket&& socket, std::shared_ptr<state> owner, bool crowded)
      : stream_(std::move(socket)), timer_(owner->context), owner_(std::move(owner)), crowded_(crowded),
        reader_(owner_->limits_), input_(input_bytes_least) {}

  void begin() {
    in_ = crowded_ ? &owner_->spare_ : &owner_->idle_;
    place_ = in_->insert(in_->end(), shared_from_this());
    if (owner_->certificate_) {
      shake_hands();
    } else {
      wait_for_request();
    }
  }

  void close() {
    if (phase_ == phase::closed) {
      return;
    }
    const auto self = shared_from_this(); // the list's may be the last one
    phase_ = phase::closed;
    left_->store(true, std::memory_order_relaxed);
    if (stream_of_) {
      stream_of_->is_over = true;
      stream_of_->kept.reset();
    }
    beast::error_code ignored;
    stream_.below().shutdown(tcp::socket::shutdown_both, ignored);
    stream_.below().close(ignored);
    timer_.cancel();
    holds(0);
    in_->erase(place_);
  }

private:
  enum class phase {
    idle,       // nothing of a request is there
    reading,    // it comes
    continuing, // the word is written that lets its body come
    answering,  // a handler has it
    writing,    // its answer is written
    streaming,  // so is an answer that goes on
    draining,   // it was refused: what comes is thrown away
    closed
  };

  // -- where it stands ---------------------------------------------------------------------------
  void move_to(sessions& list, sessions::iterator before) {
    if (!crowded_) { // one over the limit stays that
      list.splice(before, *in_, place_);
      in_ = &list;
    }
  }

  void count_as_busy() { move_to(owner_->busy_, owner_->busy_.end()); }
  void count_as_idle() { move_to(owner_->idle_, owner_->idle_.end()); }

  /// Requests and answers of this connection that are in memory.
  void holds(std::size_t bytes) { owner_->held_ += bytes - std::exchange(held_, bytes); }

  // -- time --------------------------------------------------------------------------------------
  /// What runs must have ended by then. Reads and writes do not renew it.
  void expect_within(std::chrono::nanoseconds time) { expect_by(detail::later(clock::now(), time)); }
  void expect_nothing() { deadline_ = clock::time_point::max(); }

  void expect_by(clock::time_point time) {
    deadline_ = time;
    // A wait that ends earlier finds out by itself that there is more time: most requests move the deadline,
    // few need another wait.
    if (!waits_ || deadline_ < timer_.expiry()) {
      wait();
    }
  }

  void wait() {
    waits_ = true;
    timer_.expires_at(deadline_);
    timer_.async_wait([self = shared_from_this()](beast::error_code cancelled) {
      if (!cancelled && self->phase_ != phase::closed) {
        self->waits_ = false;
        self->look_at_time();
      }
    });
  }

  void look_at_time() {
    if (clock::now() < deadline_) {
      if (deadline_ != clock::time_point::max()) {
        wait();
      }
    } else if (phase_ == phase::answering && !has_ended_) {
      write(requests_, busy("the node took too long to answer"));
    } else {
      close(); // who is there is too slow, or idle for too long
    }
  }

  // -- TLS ---------------------------------------------------------------------------------------
  void shake_hands() {
    expect_within(owner_->limits_.to_send);
    stream_.secure(owner_->certificate_->current());
    stream_.async_handshake(asio::ssl::stream_base::server,
                            [self = shared_from_this()](beast::error_code failed) {
                              if (failed) {
                                self->close();
                              } else if (self->phase_ != phase::closed) {
                                self->wait_for_request();
                              }
                            });
  }

  // -- what comes --------------------------------------------------------------------------------
  void wait_for_request() {
    expect_within(crowded_ ? owner_->limits_.to_send : owner_->limits_.idle);
    fill();
  }

  /// Reads once, unless that is under way, or what comes ahead has no room.
  void fill() {
    const auto takes_all = phase_ == phase::streaming || phase_ == phase::draining;
    const auto room = takes_all ? input_.size() : std::min(input_.size(), reader_.room());
    if (fills_ || room == 0 || has_ended_) {
      return;
    }
    fills_ = true;
    stream_.async_read_some(asio::buffer(input_.data(), room),
                            [self = shared_from_this()](beast::error_code failed, std::size_t bytes) {
                              self->fills_ = false;
                              self->on_input(failed, bytes);
                            });
  }

  void on_input(beast::error_code failed, std::size_t bytes) {
    if (phase_ == phase::closed) {
      return;
    }
    if (failed) {
      on_end(failed);
      return;
    }
    if (phase_ == phase::streaming || phase_ == phase::draining) {
      fill(); // nobody asked for it
      return;
    }
    reader_.add({input_.data(), bytes});
    if (bytes == input_.size() && bytes < input_bytes_most) {
      input_.resize(2 * bytes);
    }
    if (phase_ == phase::idle) {
      begin_request();
    } else if (phase_ == phase::reading) {
      go_on();
    } else {
      fill(); // the next request waits for the answer to this one
    }
  }

  /// Nothing more comes. What has come is answered all the same, if that is soon: a client may have closed
  /// only its own direction.
  void on_end(beast::error_code failed) {
    const auto may_take_more =
        phase_ == phase::continuing || phase_ == phase::answering || phase_ == phase::writing;
    if (failed != asio::error::eof || !may_take_more) {
      close();
      return;
    }
    has_ended_ = true;
    left_->store(true, std::memory_order_relaxed);
    if (phase_ == phase::answering) {
      answer_soon();
    }
  }

  void answer_soon() {
    move_to(owner_->idle_, owner_->idle_.begin()); // nobody may be there any more
    expect_by(std::min(deadline_, detail::later(clock::now(), linger)));
  }

  void begin_request() {
    phase_ = phase::reading;
    count_as_idle(); // until it is whole: those that never come to an end must not keep others out
    expect_within(owner_->limits_.to_send); // the first byte may take long; now the client has to go on
    go_on();
  }

  void go_on() {
    const auto found = reader_.go_on();
    holds(reader_.held());
    const auto is_small = held_ <= owner_->limits_.header_bytes; // what has no body always comes in
    if (found == request_reader::found::nothing && owner_->held_ > owner_->limits_.held_bytes && !is_small) {
      refuse(busy("there is no room for more requests at this moment"));
      return;
    }
    switch (found) {
    case request_reader::found::nothing:
      wait_for_more();
      break;
    case request_reader::found::header:
      on_header();
      break;
    case request_reader::found::request:
      take();
      break;
    case request_reader::found::nothing_good:
      refuse(response{reader_.refusal()});
      break;
    }
  }

  void wait_for_more() {
    if (has_ended_) {
      close();
    } else {
      fill();
    }
  }

  void on_header() {
    if (auto refusal = owner_->refusal_of(reader_.asked(), crowded_)) {
      refuse(std::move(*refusal));
    } else if (reader_.waits_for_word()) {
      phase_ = phase::continuing;
      asio::async_write(
          stream_, asio::buffer(go_on_word),
          [self = shared_from_this()](beast::error_code gone, std::size_t) { self->on_continued(gone); });
    } else {
      go_on();
    }
  }

  void on_continued(beast::error_code gone) {
    if (gone) {
      close();
    } else if (phase_ == phase::continuing) {
      phase_ = phase::reading;
      go_on();
    }
  }

  // -- what is answered --------------------------------------------------------------------------
  void take() {
    phase_ = phase::answering;
    count_as_busy();
    keep_alive_ = reader_.keep_alive() && !crowded_;
    expect_within(owner_->limits_.to_answer);
    if (has_ended_) {
      answer_soon();
    }
    auto asked = reader_.take();
    holds(asked.body.size());
    asked.client_left = left_;
    const auto number = ++requests_;
    fill();
    owner_->answers_(std::move(asked), [weak = weak_from_this(), owner = owner_, number](response ready) {
      asio::post(owner->context, [weak, number, ready = std::move(ready)]() mutable {
        if (const auto self = weak.lock()) {
          self->write(number, std::move(ready));
        }
      });
    });
  }

  void refuse(response&& why) {
    keep_alive_ = false;
    is_refused_ = true;
    reader_.drop(); // it would be held until the client has taken the answer
    phase_ = phase::answering;
    write(++requests_, std::move(why));
  }

  /// Writes the answer to the request of that number, unless it has one.
  void write(std::uint64_t number, response&& ready) {
    if (number != requests_ || phase_ != phase::answering) {
      return;
    }
    phase_ = phase::writing;
    message_.emplace(static_cast<wire::status>(ready.status), reader_.version());
    message_->set(wire::field::content_type, ready.type);
    message_->set(wire::field::cache_control, "no-store");
    for (const auto& [name, value] : ready.headers) {
      message_->set(name, value);
    }
    if (ready.opened) {
      begin_stream(ready.opened);
      return;
    }
    message_->keep_alive(keep_alive_);
    holds(ready.body.size());
    message_->body() = std::move(ready.body);
    message_->prepare_payload();
    if (reader_.is_head()) { // the length stays, the body does not: RFC 9110, 9.3.2
      message_->body().clear();
    }
    expect_within(owner_->limits_.to_send);
    wire::async_write(stream_, *message_, [self = shared_from_this()](beast::error_code failed, std::size_t) {
      self->on_written(failed);
    });
  }

  void on_written(beast::error_code failed) {
    if (phase_ == phase::closed) {
      return;
    }
    if (!failed && is_refused_ && !has_ended_) {
      drain();
    } else if (failed || !keep_alive_) {
      close();
    } else {
      next();
    }
  }

  void next() {
    phase_ = phase::idle;
    message_.reset();
    holds(0);
    reader_.begin();
    if (reader_.has_begun()) {
      begin_request();
      return;
    }
    count_as_idle();
    expect_within(owner_->limits_.idle);
    if (!fills_ && input_.size() > input_bytes_least) {
      input_ = std::vector<char>(input_bytes_least);
    }
    wait_for_more();
  }

  /// Reads on until the client has seen the refusal: closed with something unread, the connection would be
  /// reset, and the refusal lost.
  void drain() {
    phase_ = phase::draining;
    count_as_idle();
    beast::error_code ignored;
    stream_.below().shutdown(tcp::socket::shutdown_send, ignored);
    expect_within(linger);
    fill();
  }

  // -- streams ---------------------------------------------------------------------------------
  /// The end of a stream that the node writes to. Each piece is sent as one chunk.
  class piecewise : public stream {
  public:
    piecewise(std::weak_ptr<session> to, std::shared_ptr<state> owner)
        : to_(std::move(to)), owner_(std::move(owner)) {}

    bool write(std::string piece) override {
      if (is_over || queued + piece.size() > owner_->limits_.stream_bytes) {
        return false;
      }
      queued += piece.size();
      asio::post(owner_->context, [to = to_, piece = std::move(piece)]() mutable {
        if (const auto session = to.lock()) {
          session->queue_piece(std::move(piece));
        }
      });
      return true;
    }

    bool is_open() const override { return !is_over; }
    void keep(std::shared_ptr<void> what) override { kept = std::move(what); }

    std::atomic<bool> is_over{false};
    std::atomic<std::size_t> queued{0};
    std::shared_ptr<void> kept; // of the server's thread

  private:
    std::weak_ptr<session> to_;
    std::shared_ptr<state> owner_;
  };

  void begin_stream(const std::function<void(const std::shared_ptr<stream>&)>& opened) {
    keep_alive_ = false;
    stream_of_ = std::make_shared<piecewise>(weak_from_this(), owner_);
    message_->keep_alive(false);
    message_->chunked(reader_.version() >= 11); // before 1.1 the end of the connection ends the body
    head_.emplace(*message_);
    writing_ = true;
    expect_within(owner_->limits_.to_send);
    wire::async_write_header(
        stream_, *head_,
        [self = shared_from_this()](beast::error_code failed, std::size_t) { self->on_opened(failed); });
    opened(stream_of_);
  }

  void on_opened(beast::error_code failed) {
    writing_ = false;
    if (phase_ == phase::closed) {
      return;
    }
    if (failed || has_ended_) {
      close();
      return;
    }
    phase_ = phase::streaming;
    expect_nothing();
    fill(); // a client has nothing more to say; that it closes is all that can come
    write_piece();
  }

  void queue_piece(std::string&& piece) {
    pieces_.push_back(std::move(piece));
    write_piece();
  }

  void write_piece() {
    if (writing_ || pieces_.empty() || phase_ != phase::streaming) {
      return;
    }
    writing_ = true;
    const auto& piece = pieces_.front();
    expect_within(owner_->limits_.to_send);
    const auto written = [self = shared_from_this()](beast::error_code failed, std::size_t) {
      self->on_piece_written(failed);
    };
    if (message_->chunked()) {
      asio::async_write(stream_, wire::make_chunk(asio::buffer(piece)), written);
    } else {
      asio::async_write(stream_, asio::buffer(piece), written);
    }
  }

  void on_piece_written(beast::error_code failed) {
    writing_ = false;
    if (failed) {
      close();
      return;
    }
    expect_nothing();
    stream_of_->queued -= pieces_.front().size();
    pieces_.pop_front();
    write_piece();
  }

  channel<tcp::socket> stream_;
  asio::steady_timer timer_;
  clock::time_point deadline_;
  bool waits_ = false; // the timer, for the deadline or an earlier one
  std::shared_ptr<state> owner_;
  const bool crowded_;
  sessions* in_ = nullptr;
  sessions::iterator place_;

  phase phase_ = phase::idle;
  request_reader reader_;
  std::vector<char> input_;
  std::size_t held_ = 0;
  bool fills_ = false;     // a read is under way
  bool has_ended_ = false; // the client says nothing more
  std::shared_ptr<std::atomic<bool>> left_ = std::make_shared<std::atomic<bool>>(false);

  std::optional<wire::response<wire::string_body>> message_;
  std::uint64_t requests_ = 0;
  bool keep_alive_ = false;
  bool is_refused_ = false;

  std::shared_ptr<piecewise> stream_of_;
  std::optional<wire::response_serializer<wire::string_body>> head_;
  std::deque<std::string> pieces_;
  bool writing_ = false; // a piece of the stream
};

result<void> server::state::open(const http_address& at) {
  if (at.tls) {
    auto read = shown_certificate::read(*at.tls);
    if (!read) {
      return tl::unexpected(read.error());
    }
    certificate_ = std::move(*read);
  }
  beast::error_code failed;
  tcp::resolver resolver{context};
  const auto [host, port] = nodes::listener_of(at);
  const auto found = resolver.resolve(host, std::to_string(port), tcp::resolver::passive, failed);
  if (failed || found.empty()) {
    return tl::unexpected(nodes::unknown_host(host, port, failed.message()));
  }
  const auto endpoint = found.begin()->endpoint();
  open_closed_on_exec(acceptor_, endpoint.protocol(), failed);
  if (!failed) {
    acceptor_.native_non_blocking(true, failed);
  }
  if (!failed) {
    acceptor_.set_option(asio::socket_base::reuse_address(true), failed);
  }
  if (!failed) {
    acceptor_.bind(endpoint, failed);
  }
  if (!failed) {
    acceptor_.listen(asio::socket_base::max_listen_connections, failed);
  }
  if (failed) {
    return tl::unexpected(nodes::listen_failure(host, port, failed.value()));
  }
  accept();
  return {};
}

void server::state::accept() {
  acceptor_.async_wait(tcp::acceptor::wait_read, [self = shared_from_this()](beast::error_code failed) {
    if (self->stopped_) {
      return;
    }
    auto socket = failed ? tcp::socket{self->context} : accept_closed_on_exec(self->acceptor_, failed);
    if (failed == asio::error::would_block) { // who came has gone
      self->accept();
      return;
    }
    if (!failed) {
      self->take_in(std::move(socket));
    }
    if (failed) { // out of descriptors, as a rule: not at once again
      self->pause_.expires_after(std::chrono::milliseconds{50});
      self->pause_.async_wait([self](beast::error_code) {
        if (!self->stopped_) {
          self->accept();
        }
      });
      return;
    }
    self->accept();
  });
}

/// Who is idle makes room for who comes. Where nobody is, who comes is over the limit; of those the last ones
/// stay, since one that may be answered at once has sent its request by then.
void server::state::take_in(tcp::socket&& socket) {
  if (idle_.size() + busy_.size() >= limits_.connections && !idle_.empty()) {
    idle_.front()->close();
  }
  const auto crowded = idle_.size() + busy_.size() >= limits_.connections;
  if (crowded && spare_.size() >= limits_.spare) {
    if (spare_.empty()) {
      return;
    }
    spare_.front()->close();
  }
  beast::error_code ignored;
  socket.set_option(tcp::no_delay{true}, ignored); // or a second answer waits until the first is acknowledged
  std::make_shared<session>(std::move(socket), shared_from_this(), crowded)->begin();
}

/// Why a request is not let in.
std::optional<response> server::state::refusal_of(const request& asked, bool crowded) const {
  if (crowded && asked.path != limits_.spare_path) {
    return busy(fmt::format("{} clients have requests under way here, and no more are served at a time",
                            busy_.size()));
  }
  // Whoever may ask for that, a stranger as well, has nothing to send.
  const auto length = asked.headers.find("content-length");
  if (asked.path == limits_.spare_path && (asked.headers.contains("transfer-encoding") ||
                                           (length != asked.headers.end() && length->second != "0"))) {
    return error_response(413, "too_large", fmt::format("{} takes no body: leave it out", asked.path));
  }
  return admits_ ? admits_(asked) : std::nullopt;
}

result<void> server::state::run() {
  return nodes::start_thread("http", [this] { context.run(); }).map([this](std::thread&& started) {
    thread_ = std::move(started);
  });
}

void server::state::stop() {
  asio::post(context, [self = shared_from_this()] {
    // Not the context: what is cancelled has to run, since it holds what holds the context.
    self->stopped_ = true;
    beast::error_code ignored;
    self->acceptor_.close(ignored);
    self->pause_.cancel();
    for (auto* list : {&self->idle_, &self->busy_, &self->spare_}) {
      while (!list->empty()) {
        list->front()->close();
      }
    }
  });
  if (thread_.joinable()) {
    thread_.join();
  }
}

server::server(std::shared_ptr<state> state) : state_(std::move(state)) {}

server::~server() {
  state_->stop();
}

result<std::unique_ptr<server>> server::listen(const http_address& at, handler answers, admission admits,
                                               server_limits limits) {
  auto made = std::make_shared<state>(std::move(answers), std::move(admits), limits);
  if (auto opened = made->open(at); !opened) {
    return tl::unexpected(opened.error());
  }
  if (auto running = made->run(); !running) {
    return tl::unexpected(std::move(running.error()));
  }
  return std::unique_ptr<server>{new server{std::move(made)}};
}

std::uint16_t server::port() const {
  return state_->acceptor_.local_endpoint().port();
}

} // namespace continuo::http
