#pragma once

#include <continuo/cluster.hpp>
#include <continuo/result.hpp>

#include <openssl/ssl.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace continuo::nodes {

using tls_context = std::shared_ptr<SSL_CTX>;

/// What connections are made with: both sides show a certificate that an authority of the file has signed and
/// nobody has revoked, TLS 1.2 or newer. `errc::invalid_configuration` with the reason.
/// @param list_is_due whether it is an error, too, that there is no list of what was revoked
result<tls_context> read_certificates(const tls_files& files, bool list_is_due = false);

/// Whether a list of what was revoked is among them.
bool knows_of_revoked(const tls_context& of);

using shared_certificate = std::shared_ptr<X509>;

/// The names of nodes that a certificate proves: what stands in it as the name of a DNS host, byte for byte.
/// A node's name need not be that of a host: `_` is allowed, and nothing in it is a wildcard.
std::vector<std::string> names_in(const X509* certificate);

/// Why a peer that has shown `certificate` may not be spoken to any more: it was revoked meanwhile, or its
/// authority is trusted no longer. Empty while it may: that its time is over ends no connection.
std::string objection_to(X509* certificate, const tls_context& now);

/// How long the context's own certificate is good still, and the authority's that has signed it; negative
/// where its time is over.
struct time_left {
  std::chrono::seconds certificate{0};
  std::chrono::seconds authority{0};
};
time_left time_left_of(const tls_context& with);

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

  /// What the peer has shown. @pre `is_ready()`
  shared_certificate certificate_of_peer() const;

  /// Whether the handshake failed over a certificate that an authority has signed: it was revoked, or its
  /// time is over. Who has none of ours gets no such answer.
  bool refuses_known_certificate() const;

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
