#pragma once

#include <continuo/cluster.hpp>
#include <continuo/result.hpp>

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace continuo::nodes {

using tls_context = std::shared_ptr<SSL_CTX>;

/// What connections are made with: both sides show a certificate that the authority has signed, TLS 1.2 or
/// newer. `errc::invalid_configuration` with the reason.
result<tls_context> read_certificates(const tls_files& files);

/// One side of a TLS connection. Does not own the socket, which must not block. One thread at a time.
class tls_session {
public:
  enum class progress : std::uint8_t { made, waits_to_read, waits_to_write, failed };

  /// Null where OpenSSL refuses.
  static std::unique_ptr<tls_session> begin(const tls_context& with, int file, bool accepts);

  progress shake_hands();
  progress read(void* to, std::size_t size, std::size_t& got);
  progress write(const void* from, std::size_t size, std::size_t& wrote);

  /// Whether the handshake is over.
  bool is_ready() const { return ready_; }

  /// Bytes that can be read without the socket.
  std::size_t pending() const;

  /// Why the last step failed.
  const std::string& trouble() const { return trouble_; }

private:
  explicit tls_session(SSL* made) : ssl_(made, SSL_free) {}
  SSL* cleared();
  progress outcome_of(int done);

  std::unique_ptr<SSL, void (*)(SSL*)> ssl_;
  bool ready_ = false;
  std::string trouble_;
};

} // namespace continuo::nodes
