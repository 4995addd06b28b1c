#pragma once

#include "nodes/http/server.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <cstddef>
#include <optional>
#include <string_view>

namespace continuo::http {

/// Reads the requests of one connection from its bytes, in whatever pieces they come: the pieces make no
/// difference. It holds no more than the limits of header, rest and body allow.
/// Not thread-safe: it belongs to one connection.
class request_reader {
public:
  enum class found {
    nothing,      ///< bytes are missing
    header,       ///< said once, before the body is read: `asked` is whole but for it
    request,      ///< the body as well: `take` it
    nothing_good, ///< it cannot be read, nor what follows: `refusal` says why
  };

  explicit request_reader(const server_limits& limits);

  // -- bytes ---------------------------------------------------------------------------
  /// How many bytes it can hold besides those that it has. 0 only where a request was found and not taken.
  std::size_t room() const;

  /// @pre `bytes` fit into the room
  void add(std::string_view bytes);

  /// How many bytes it has: of the request that is read, and of those behind it.
  std::size_t held() const;

  // -- the requests in them ------------------------------------------------------------
  /// Turns to the next request.
  /// @pre none has begun yet, or the one before was taken
  void begin();

  /// Whether anything of the request is there.
  bool has_begun() const;

  /// Looks at the bytes that were added.
  /// @pre it has found neither a request that was not taken nor anything that cannot be read
  found go_on();

  /// @pre a header was found
  const request& asked() const { return asked_; }

  /// @pre a request was found
  request take();

  const response& refusal() const { return *refusal_; }

  /// Forgets what was read, where nothing more will be: only what an answer has to know stays.
  void drop();

  // -- what an answer has to know ------------------------------------------------------
  unsigned version() const { return version_; } ///< 11: HTTP/1.1
  bool keep_alive() const { return keep_alive_; }
  bool is_head() const { return is_head_; }

  /// Whether the client waits for a word before it sends the body.
  /// @pre a header was found and nothing since
  bool waits_for_word() const;

private:
  using parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  void read_header();
  void refuse(boost::beast::error_code why);
  void refuse(unsigned status, std::string_view code, std::string_view message);

  std::size_t header_bytes_max_;
  std::size_t body_bytes_max_;
  boost::beast::flat_buffer rest_; // what was not read yet
  std::optional<parser> parser_;
  bool header_found_ = false;
  std::size_t header_bytes_ = 0;
  request asked_;
  std::optional<response> refusal_;
  unsigned version_ = 11;
  bool keep_alive_ = false;
  bool is_head_ = false;
};

} // namespace continuo::http
