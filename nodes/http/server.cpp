#include "nodes/http/server.hpp"

#include "nodes/http/sockets.hpp"
#include "nodes/probe.hpp"
#include "nodes/threads.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>
#include <atomic>
#include <cctype>
#include <deque>
#include <optional>
#include <set>
#include <thread>

namespace continuo::http {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace wire = boost::beast::http;
using tcp = asio::ip::tcp;

constexpr std::size_t message_bytes_max = 2'000;
constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";

/// Of a body that is read at a time. What must be read whole, such as a chunk's header, has not much more.
constexpr std::size_t piece_bytes = 65'536;

/// How long a refused request is still read, and thrown away.
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

std::string lower(std::string_view text) {
  std::string made{text};
  for (auto& letter : made) {
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
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

  void accept();

  handler answers_;
  admission admits_;
  server_limits limits_;
  tcp::acceptor acceptor_{context};
  asio::steady_timer pause_{context};
  bool stopped_ = false;                        // of the server's thread
  std::set<std::shared_ptr<session>> sessions_; // of the server's thread
  std::thread thread_;
};

/// One connection: a request, its answer, the next request.
class server::state::session : public std::enable_shared_from_this<session> {
public:
  session(tcp::socket&& socket, std::shared_ptr<state> owner)
      : stream_(std::move(socket)), timer_(owner->context), owner_(std::move(owner)),
        buffer_(owner_->limits_.header_bytes + piece_bytes) {}

  void read() {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(owner_->limits_.header_bytes));
    parser_->body_limit(owner_->limits_.body_bytes);
    stream_.expires_after(owner_->limits_.idle);
    if (buffer_.size() > 0) {
      read_rest();
      return;
    }
    // The first bytes may take long; from then on the client has to go on.
    stream_.async_read_some(buffer_.prepare(4'096),
                            [self = shared_from_this()](beast::error_code failed, std::size_t bytes) {
                              if (failed) {
                                self->close();
                                return;
                              }
                              self->buffer_.commit(bytes);
                              self->read_rest();
                            });
  }

  void close() {
    if (stream_of_) {
      stream_of_->is_over = true;
      stream_of_->kept.reset();
    }
    beast::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
    stream_.close();
    timer_.cancel();
    owner_->sessions_.erase(shared_from_this());
  }

private:
  void read_rest() {
    stream_.expires_after(owner_->limits_.to_send);
    wire::async_read_header(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](beast::error_code failed, std::size_t) { self->on_header(failed); });
  }

  void on_header(beast::error_code failed) {
    if (failed) {
      on_read(failed);
      return;
    }
    // The fields now: those of a trailer, which come behind the body, are put to them.
    if (auto refusal = take_header()) {
      refuse(std::move(*refusal));
      return;
    }
    const auto& header = parser_->get();
    if (header.version() < 11 || parser_->is_done() ||
        !beast::iequals(header[wire::field::expect], "100-continue")) {
      read_body(failed);
      return;
    }
    asio::async_write(
        stream_, asio::buffer(go_on),
        [self = shared_from_this()](beast::error_code gone, std::size_t) { self->read_body(gone); });
  }

  void read_body(beast::error_code failed) {
    if (failed) {
      on_read(failed);
      return;
    }
    wire::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](beast::error_code ended, std::size_t) { self->on_read(ended); });
  }

  void on_read(beast::error_code failed) {
    if (!failed) {
      take(parser_->release());
    } else if (failed == wire::error::body_limit) {
      refuse(413, "too_large",
             fmt::format("the body is larger than {} bytes: send less", owner_->limits_.body_bytes));
    } else if (failed == wire::error::header_limit) {
      refuse(431, "too_large",
             fmt::format("the header is larger than {} bytes: send less", owner_->limits_.header_bytes));
    } else if (failed == wire::error::buffer_overflow) {
      refuse(431, "too_large", "the header of a chunk, or a trailer, is too large: leave them out");
    } else if (failed == wire::error::end_of_stream || failed == wire::error::partial_message ||
               failed.category() != wire::make_error_code(wire::error::bad_target).category()) {
      close(); // it has gone, or is too slow
    } else {
      refuse(400, "bad_request", fmt::format("this is no HTTP/1.1 request: {}", failed.message()));
    }
  }

  /// Reads what stands before the body; why the request is refused, whatever follows.
  std::optional<response> take_header() {
    const auto& message = parser_->get();
    keep_alive_ = message.keep_alive();
    version_ = message.version();
    is_head_ = message.method() == wire::verb::head;
    asked_ = {};
    asked_.method = std::string{message.method_string()};
    const auto hosts = message.count(wire::field::host);
    if (hosts > 1 || (hosts == 0 && version_ >= 11)) {
      return error_response(400, "bad_request", "a request has one Host header");
    }
    // What is not understood would be read as the next request: RFC 9112, 6.1.
    if (message.count(wire::field::transfer_encoding) > 0 &&
        !beast::iequals(message[wire::field::transfer_encoding], "chunked")) {
      return error_response(400, "bad_request", "the only Transfer-Encoding that is understood is chunked");
    }
    if (const auto wrong = read_target({message.target().data(), message.target().size()}, asked_);
        !wrong.empty()) {
      return error_response(400, "bad_request", wrong);
    }
    for (const auto& field : message) {
      const auto [header, is_new] =
          asked_.headers.try_emplace(lower({field.name_string().data(), field.name_string().size()}),
                                     field.value().data(), field.value().size());
      if (!is_new) { // RFC 9110, 5.3
        header->second.append(", ").append(field.value().data(), field.value().size());
      }
    }
    return owner_->admits_ ? owner_->admits_(asked_) : std::nullopt;
  }

  void take(wire::request<wire::string_body>&& message) {
    auto made = std::move(asked_);
    made.body = std::move(message.body());
    stream_.expires_never();
    timer_.expires_after(owner_->limits_.to_answer);
    const auto number = ++requests_;
    timer_.async_wait([self = shared_from_this(), number](beast::error_code cancelled) {
      if (!cancelled) {
        auto late = error_response(503, "unavailable", "the node took too long to answer: try again");
        late.headers.emplace_back("Retry-After", "1");
        self->write(number, std::move(late));
      }
    });
    owner_->answers_(std::move(made), [weak = weak_from_this(), owner = owner_, number](response ready) {
      asio::post(owner->context, [weak, number, ready = std::move(ready)]() mutable {
        if (const auto self = weak.lock()) {
          self->write(number, std::move(ready));
        }
      });
    });
  }

  void refuse(unsigned status, std::string_view code, std::string_view message) {
    refuse(error_response(status, code, message));
  }

  void refuse(response&& why) {
    keep_alive_ = false;
    is_refused_ = true;
    write(++requests_, std::move(why));
  }

  /// Reads on until the client has seen the refusal: closed with something unread, the connection would be
  /// reset, and the refusal lost.
  void drain() {
    buffer_.consume(buffer_.size());
    stream_.async_read_some(buffer_.prepare(65'536),
                            [self = shared_from_this()](beast::error_code ended, std::size_t) {
                              if (ended) {
                                self->close();
                              } else {
                                self->drain();
                              }
                            });
  }

  /// Writes the answer to the request of that number, unless it has one.
  void write(std::uint64_t number, response&& ready) {
    if (number != requests_ || number == answered_) {
      return;
    }
    answered_ = number;
    timer_.cancel();
    message_.emplace(static_cast<wire::status>(ready.status), version_);
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
    message_->body() = std::move(ready.body);
    message_->prepare_payload();
    if (is_head_) { // the length stays, the body does not: RFC 9110, 9.3.2
      message_->body().clear();
    }
    stream_.expires_after(owner_->limits_.to_send);
    wire::async_write(stream_, *message_, [self = shared_from_this()](beast::error_code failed, std::size_t) {
      if (!failed && self->is_refused_) {
        beast::error_code ignored;
        self->stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
        self->stream_.expires_after(linger);
        self->drain();
      } else if (failed || !self->keep_alive_) {
        self->close();
      } else {
        self->read();
      }
    });
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
    message_->chunked(version_ >= 11); // before 1.1 the end of the connection ends the body
    head_.emplace(*message_);
    writing_ = true;
    stream_.expires_after(owner_->limits_.to_send);
    wire::async_write_header(stream_, *head_,
                             [self = shared_from_this()](beast::error_code failed, std::size_t) {
                               self->writing_ = false;
                               if (failed) {
                                 self->close();
                                 return;
                               }
                               self->stream_.expires_never();
                               self->listen_for_end();
                               self->write_piece();
                             });
    opened(stream_of_);
  }

  /// A client has nothing more to say; that it closes is all that can come.
  void listen_for_end() {
    stream_.async_read_some(asio::buffer(rest_),
                            [self = shared_from_this()](beast::error_code failed, std::size_t) {
                              if (failed) {
                                self->close();
                              } else {
                                self->listen_for_end();
                              }
                            });
  }

  void queue_piece(std::string&& piece) {
    pieces_.push_back(std::move(piece));
    write_piece();
  }

  void write_piece() {
    if (writing_ || pieces_.empty() || stream_of_->is_over) {
      return;
    }
    writing_ = true;
    const auto& piece = pieces_.front();
    timer_.expires_after(owner_->limits_.to_send); // the stream's own timer would end the reading as well
    timer_.async_wait([self = shared_from_this()](beast::error_code cancelled) {
      if (!cancelled) {
        self->close();
      }
    });
    const auto written = [self = shared_from_this()](beast::error_code failed, std::size_t) {
      self->timer_.cancel();
      self->writing_ = false;
      if (failed) {
        self->close();
        return;
      }
      self->stream_of_->queued -= self->pieces_.front().size();
      self->pieces_.pop_front();
      self->write_piece();
    };
    if (message_->chunked()) {
      asio::async_write(stream_, wire::make_chunk(asio::buffer(piece)), written);
    } else {
      asio::async_write(stream_, asio::buffer(piece), written);
    }
  }

  beast::tcp_stream stream_;
  asio::steady_timer timer_;
  std::shared_ptr<state> owner_;
  std::shared_ptr<piecewise> stream_of_;
  std::optional<wire::response_serializer<wire::string_body>> head_;
  std::deque<std::string> pieces_;
  bool writing_ = false;
  std::array<char, 512> rest_{};
  beast::flat_buffer buffer_;
  request asked_; // the one whose body is read
  std::optional<wire::request_parser<wire::string_body>> parser_;
  std::optional<wire::response<wire::string_body>> message_;
  std::uint64_t requests_ = 0;
  std::uint64_t answered_ = 0;
  unsigned version_ = 11;
  bool keep_alive_ = false;
  bool is_head_ = false;
  bool is_refused_ = false;
};

result<void> server::state::open(const http_address& at) {
  beast::error_code failed;
  tcp::resolver resolver{context};
  const auto found = resolver.resolve(at.host, std::to_string(at.port), tcp::resolver::passive, failed);
  if (failed || found.empty()) {
    return tl::unexpected(nodes::unknown_host(at.host, at.port, failed.message()));
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
    return tl::unexpected(nodes::listen_failure(at.host, at.port, failed.value()));
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
    if (!failed && self->sessions_.size() < self->limits_.connections) {
      const auto made = std::make_shared<session>(std::move(socket), self);
      self->sessions_.insert(made);
      made->read();
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
    for (const auto& one : std::set{self->sessions_}) {
      one->close();
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
