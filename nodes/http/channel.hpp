#pragma once

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>

#include <memory>
#include <optional>
#include <utility>

namespace continuo::http {

using tls_context = std::shared_ptr<boost::asio::ssl::context>;

/// A connection with TLS on it or without: what Beast reads from and writes to. `Below` is a TCP stream of
/// Asio or Beast. One thread at a time.
template <class Below>
class channel {
public:
  using executor_type = typename Below::executor_type;

  template <class... Arguments>
  explicit channel(Arguments&&... of_below) : below_(std::forward<Arguments>(of_below)...) {}

  // TLS holds on to what is below.
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;

  executor_type get_executor() { return below_.get_executor(); }
  Below& below() { return below_; }
  const Below& below() const { return below_; }

  /// Null without TLS.
  SSL* tls() { return tls_ ? tls_->native_handle() : nullptr; }

  /// From now on it speaks TLS, first of all a handshake. @pre nothing was sent or read
  void secure(tls_context with) {
    context_ = std::move(with);
    tls_.emplace(below_, *context_);
  }

  /// @pre it speaks TLS
  template <class Handler>
  void async_handshake(boost::asio::ssl::stream_base::handshake_type side, Handler&& done) {
    tls_->async_handshake(side, std::forward<Handler>(done));
  }

  template <class Buffers, class Handler>
  void async_read_some(const Buffers& to, Handler&& done) {
    if (tls_) {
      tls_->async_read_some(to, std::forward<Handler>(done));
    } else {
      below_.async_read_some(to, std::forward<Handler>(done));
    }
  }

  template <class Buffers, class Handler>
  void async_write_some(const Buffers& from, Handler&& done) {
    if (tls_) {
      tls_->async_write_some(from, std::forward<Handler>(done));
    } else {
      below_.async_write_some(from, std::forward<Handler>(done));
    }
  }

private:
  Below below_;
  tls_context context_;
  std::optional<boost::asio::ssl::stream<Below&>> tls_;
};

} // namespace continuo::http
