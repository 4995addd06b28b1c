#include "nodes/http/endpoint.hpp"

#include "nodes/http/addresses.hpp"
#include "nodes/http/parsing.hpp"
#include "nodes/http/sockets.hpp"

#include <continuo/detail/times.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace continuo::http {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace wire = boost::beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;
using clock = std::chrono::steady_clock;

/// What must be read whole besides the header: a chunk's header, the trailers.
constexpr std::size_t answer_rest_bytes_max = 64u << 10;

/// What is read at a time.
constexpr std::size_t header_read_bytes = 4'096;
constexpr std::size_t body_read_bytes = 65'536;

/// Answers that only say that the true one comes later (RFC 9110, 15.2), before one gives up on it.
constexpr int interim_answers_max = 16;

error why_no_answer(const error_code& trouble) {
  if (trouble == wire::error::body_limit) {
    return {errc::handler_failed,
            fmt::format("the answer is larger than {} MiB", answer_body_bytes_max >> 20)};
  }
  if (trouble == wire::error::header_limit) {
    return {errc::handler_failed,
            fmt::format("the header of the answer is larger than {} KiB", answer_header_bytes_max >> 10)};
  }
  if (trouble == wire::error::buffer_overflow) {
    return {errc::handler_failed,
            fmt::format("the header of a chunk, or the trailers, of the answer are larger "
                        "than {} KiB",
                        answer_rest_bytes_max >> 10)};
  }
  if (trouble == wire::error::end_of_stream) {
    return {errc::handler_failed, "the connection was closed without an answer"};
  }
  if (trouble == wire::error::partial_message) {
    return {errc::handler_failed, "the connection was closed in the middle of the answer"};
  }
  if (trouble.category() == wire::make_error_code(wire::error::bad_version).category()) {
    return {errc::handler_failed, fmt::format("the answer is no HTTP: {}", trouble.message())};
  }
  return {errc::handler_failed, fmt::format("the connection broke: {}", trouble.message())};
}

} // namespace

// -- a connection ------------------------------------------------------------------------------

/// One connection, and one call on it at a time. It runs on the thread of that call; only `stop` comes from
/// others.
class endpoint::connection {
public:
  explicit connection(const std::atomic<bool>& stopping) : stopping_(stopping) {}

  result<void> open(const addresses& to, time_point deadline) {
    error_code trouble = asio::error::not_found;
    for (auto address = to.begin(); trouble && address != to.end(); ++address) {
      error_code ignored;
      socket_.close(ignored);
      trouble = {};
      open_closed_on_exec(socket_, address->protocol(), trouble);
      if (trouble) {
        continue;
      }
      const auto connected =
          await(deadline, [&](auto done) { socket_.async_connect(*address, std::move(done)); });
      if (!connected) {
        return tl::unexpected(connected.error());
      }
      trouble = *connected;
    }
    if (trouble) {
      return fail(errc::handler_failed, fmt::format("it cannot be connected to: {}", trouble.message()));
    }
    error_code ignored;
    socket_.set_option(tcp::no_delay{true}, ignored);
    return {};
  }

  result<post_answer> exchange(const wire::request<wire::string_body>& request, time_point deadline) {
    reusable_ = false;
    anything_came_ = false;
    const auto sent =
        await(deadline, [&](auto done) { wire::async_write(socket_, request, std::move(done)); });
    if (!sent) {
      return tl::unexpected(sent.error());
    }
    if (*sent) {
      return tl::unexpected(why_no_answer(*sent));
    }
    for (int interim = 0; interim <= interim_answers_max; ++interim) {
      wire::response_parser<wire::string_body> parser;
      parser.header_limit(answer_header_bytes_max);
      parser.body_limit(answer_body_bytes_max);
      if (const auto read = read_whole(parser, deadline); !read) {
        return tl::unexpected(read.error());
      }
      const auto status = parser.get().result_int();
      const auto is_interim = status / 100 == 1 && parser.get().result() != wire::status::switching_protocols;
      if (!is_interim) {
        // What came behind the answer belongs to no request.
        reusable_ = parser.keep_alive() && buffer_.size() == 0 && status / 100 != 1;
        return post_answer{status, std::move(parser.get().body())};
      }
    }
    return fail(errc::handler_failed,
                fmt::format("more than {} interim answers came and no other", interim_answers_max));
  }

  bool reusable() const { return reusable_; }

  /// Whether nothing came while nobody used it: what came then answers no question, and must not be taken for
  /// the answer to the next one.
  bool is_quiet() {
    error_code trouble;
    return socket_.available(trouble) == 0 && !trouble;
  }

  bool anything_came() const { return anything_came_; }

  /// Ends what runs. Any thread. @pre the endpoint is stopping
  void stop() { context_.stop(); }

private:
  template <class Parser>
  result<void> read_whole(Parser& parser, time_point deadline) {
    error_code failed;
    while (!parser.is_done()) {
      const auto took_some = put(parser, buffer_, failed);
      anything_came_ = anything_came_ || parser.got_some();
      if (!took_some && !failed) {
        std::size_t bytes = 0;
        const auto wanted = parser.is_header_done() ? body_read_bytes : header_read_bytes;
        const auto room = buffer_.prepare(std::min(wanted, buffer_.max_size() - buffer_.size()));
        const auto read = await(deadline, [&](auto done) {
          socket_.async_read_some(room, [&bytes, done](const error_code& trouble, std::size_t count) mutable {
            bytes = count;
            done(trouble);
          });
        });
        if (!read) {
          return tl::unexpected(read.error());
        }
        buffer_.commit(bytes);
        failed = *read;
        if (failed == asio::error::eof) {
          failed = wire::error::end_of_stream;
          if (parser.got_some()) {
            parser.put_eof(failed);
          }
        } else if (bytes == 0 && !failed) {
          failed = wire::error::buffer_overflow; // there was no room
        }
      }
      if (failed) {
        return tl::unexpected(why_no_answer(failed));
      }
    }
    return {};
  }

  /// Starts an operation and waits for its end: what became of it, or why it was given up.
  template <class Start>
  result<error_code> await(time_point deadline, Start start) {
    std::optional<error_code> ended;
    start([&ended](const error_code& trouble, const auto&...) { ended = trouble; });
    context_.restart(); // before the look at `stopping_`: whoever stops sets that first
    if (!stopping_) {
      context_.run_until(deadline);
    }
    if (ended) {
      return *ended;
    }
    error_code ignored;
    socket_.close(ignored);
    context_.restart();
    context_.run(); // the operation ends as aborted, and lets go of what it uses
    if (stopping_) {
      return fail(errc::unavailable, "the node stops");
    }
    return fail(errc::timed_out, "no answer in time");
  }

  const std::atomic<bool>& stopping_;
  asio::io_context context_{1};
  tcp::socket socket_{context_};
  beast::flat_buffer buffer_{answer_header_bytes_max + answer_rest_bytes_max};
  bool reusable_ = false;
  bool anything_came_ = false;
};

// -- an endpoint ---------------------------------------------------------------------------------

/// Names a connection as long as it is used, so that `stop` finds it.
class endpoint::use {
public:
  use(endpoint& of, connection& on) : of_(of), on_(on) {
    const std::lock_guard lock{of_.mutex_};
    of_.in_use_.insert(&on_);
  }

  ~use() {
    const std::lock_guard lock{of_.mutex_};
    of_.in_use_.erase(&on_);
  }

  use(const use&) = delete;
  use& operator=(const use&) = delete;

private:
  endpoint& of_;
  connection& on_;
};

endpoint::endpoint(std::string host, std::uint16_t port) : host_(std::move(host)), port_(port) {}

endpoint::~endpoint() = default;

std::unique_ptr<endpoint::connection> endpoint::take_kept() {
  const std::lock_guard lock{mutex_};
  while (!kept_.empty()) {
    auto taken = std::move(kept_.back());
    kept_.pop_back();
    if (taken->is_quiet()) {
      return taken;
    }
  }
  return nullptr;
}

void endpoint::keep(std::unique_ptr<connection> used) {
  const std::lock_guard lock{mutex_};
  kept_.push_back(std::move(used));
}

result<post_answer> endpoint::post(const post_request& request, std::chrono::milliseconds timeout) {
  const auto deadline = detail::later(clock::now(), timeout);
  wire::request<wire::string_body> message{wire::verb::post, request.target, 11};
  const auto host = host_.find(':') == std::string::npos ? host_ : '[' + host_ + ']';
  message.set(wire::field::host, port_ == 80 ? host : fmt::format("{}:{}", host, port_));
  message.set(wire::field::content_type, "application/json");
  message.set(wire::field::accept, "application/json");
  for (const auto& [name, value] : request.headers) {
    message.set(name, value);
  }
  message.body() = request.body;
  message.prepare_payload();

  if (auto kept = take_kept()) {
    auto answer = [&] {
      const use in_use{*this, *kept};
      return kept->exchange(message, deadline);
    }();
    if (answer && kept->reusable()) {
      keep(std::move(kept));
      return answer;
    }
    // Closed while nobody used it, most likely. Had the first request arrived all the same, its key says so.
    const auto send_again = !answer && answer.error().code == errc::handler_failed && !kept->anything_came();
    if (!send_again) {
      return answer;
    }
  }
  const auto known = addresses_of(host_, port_, deadline, stopping_);
  if (!known) {
    return tl::unexpected(known.error());
  }
  auto fresh = std::make_unique<connection>(stopping_);
  auto answer = [&]() -> result<post_answer> {
    const use in_use{*this, *fresh};
    if (auto opened = fresh->open(*known, deadline); !opened) {
      return tl::unexpected(opened.error());
    }
    return fresh->exchange(message, deadline);
  }();
  if (answer && fresh->reusable()) {
    keep(std::move(fresh));
  }
  return answer;
}

void endpoint::stop() {
  stopping_ = true;
  const std::lock_guard lock{mutex_};
  for (auto* one : in_use_) {
    one->stop();
  }
  kept_.clear();
}

} // namespace continuo::http
