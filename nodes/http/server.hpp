#pragma once

#include <continuo/cluster.hpp>
#include <continuo/fields.hpp>
#include <continuo/result.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace continuo::http {

/// What a client asks for. A node passes it on to another one as bytes.
struct request {
  std::string method;                       ///< as it was sent: "GET"
  std::string path;                         ///< decoded, without the query
  std::vector<std::string> segments;        ///< of the path, each decoded by itself: one may hold a slash
  std::map<std::string, std::string> query; ///< decoded; no name is there twice
  std::map<std::string, std::string>
      headers; ///< by their names in lower case; a repeated one's values with commas between them
  std::string body;
  /// A client in a process of the cluster asks: the bodies of the request and of its answer are bytes of the
  /// types in `bodies.hpp`, not JSON, unless the answer is an error. Nothing from outside sets it.
  bool in_bytes = false;
  /// Set once the client has gone: nobody waits for the answer then. Empty where that cannot be seen.
  std::shared_ptr<const std::atomic<bool>> client_left{};

  CONTINUO_FIELDS(request, method, path, segments, query, headers, body, in_bytes)
};

/// Reads path and query of a request's target into `to`. What cannot be read; empty where all can.
std::string read_target(std::string_view target, request& to);

/// `HOST:PORT`, an IPv6 address in brackets.
std::string address_text(const std::string& host, std::uint16_t port);

/// An answer that goes on: what is written to it reaches the client piece by piece. Any thread; it may
/// outlive the connection and the server.
class stream {
public:
  virtual ~stream() = default;

  /// Queues a piece. False where the client has gone, or `stream_bytes` of it have not been taken yet: then
  /// nothing is queued.
  virtual bool write(std::string piece) = 0;

  /// Whether the client is still there.
  virtual bool is_open() const = 0;

  /// Keeps something alive for as long as the connection.
  virtual void keep(std::shared_ptr<void> what) = 0;
};

struct response {
  unsigned status = 200;
  std::string body;
  std::string type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers{};

  /// Where it is set there is no body: it is called on the server's thread once the header is on its way.
  std::function<void(const std::shared_ptr<stream>&)> opened{};

  CONTINUO_FIELDS(response, status, body, type, headers)
};

/// `{"error": {"code": ..., "message": ...}}`.
response error_response(unsigned status, std::string_view code, std::string_view message);

/// Takes the answer to one request, once, from any thread; it may outlive the server.
using answer = std::function<void(response)>;

/// Answers a request, at once or later. Runs on the server's thread and must not block; the connection waits
/// and costs no thread meanwhile. @pre it does not throw
using handler = std::function<void(request&&, answer)>;

/// Why a request is refused by its header alone: its body is not read then. Runs on the server's thread and
/// must not block. @pre it does not throw
using admission = std::function<std::optional<response>(const request&)>;

struct server_limits {
  /// Where there are so many a new one closes one whose client has left, or the one that is longest without a
  /// whole request.
  std::size_t connections = 1'024;
  /// So many more are there for a moment where none of them is idle: `spare_path` is answered, whatever else
  /// is asked for is a 503. A new one closes the oldest of them.
  std::size_t spare = 16;
  std::string spare_path = "/healthz";
  std::size_t header_bytes = 16'384;
  /// Of what must be read whole besides the header (a chunk's header, the trailers), and of requests that
  /// come ahead of their turn.
  std::size_t rest_bytes = 65'536;
  std::size_t body_bytes = 2u << 20;
  /// Of all connections together, requests and answers: beyond it what a client sends is a 503.
  std::size_t held_bytes = 256u << 20;
  std::size_t stream_bytes = 1u << 20; ///< that a client of a stream has not taken
  std::chrono::seconds to_send{10};    ///< a client has this long in all for a request once it has begun, and
                                       ///< to take an answer
  std::chrono::seconds idle{60};       ///< a connection without a request is closed after it
  std::chrono::seconds to_answer{90};  ///< then a 503
};

/// An HTTP/1.1 server on one thread of its own; of HTTPS where the address has a certificate. What it cannot
/// read is answered with 400, 413 or 431 and closed. A client that closes while it waits is noticed at once:
/// its connection makes room, and is closed within two seconds, for it may have closed only its own
/// direction, and still take an answer.
class server {
public:
  /// Listens until it is destroyed. `errc::address_in_use` where the address is taken, `errc::unavailable`
  /// where it is none of this machine's or its name cannot be resolved, `errc::invalid_configuration` where
  /// the certificate cannot be shown. Port 0: the kernel chooses.
  static result<std::unique_ptr<server>> listen(const http_address& at, handler answers,
                                                admission admits = {}, server_limits limits = {});

  /// Closes all connections. A handler that runs ends first.
  ~server();

  server(const server&) = delete;
  server& operator=(const server&) = delete;

  std::uint16_t port() const;

private:
  class state;
  explicit server(std::shared_ptr<state> state);
  std::shared_ptr<state> state_;
};

} // namespace continuo::http
