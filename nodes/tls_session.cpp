#include "nodes/tls_session.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include <algorithm>
#include <csignal>

namespace continuo::nodes {

namespace {

/// OpenSSL writes without MSG_NOSIGNAL. The threads that do it here are the node's own.
void block_sigpipe() {
  thread_local const bool blocked = [] {
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    return pthread_sigmask(SIG_BLOCK, &pipe, nullptr) == 0;
  }();
  static_cast<void>(blocked);
}

/// Empties this thread's queue of errors; the text of the first one.
std::string take_error() {
  const auto code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) {
    return "the connection was closed";
  }
  const auto* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "TLS error";
}

} // namespace

result<tls_context> read_certificates(const tls_files& files) {
  ERR_clear_error();
  tls_context made{SSL_CTX_new(TLS_method()), SSL_CTX_free};
  if (!made) {
    return fail(errc::invalid_configuration, "TLS: " + take_error());
  }
  auto* raw = made.get();
  if (SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(raw, "HIGH:!aNULL:!MD5:!SHA1") != 1 ||
      SSL_CTX_use_certificate_chain_file(raw, files.certificate.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(raw, files.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_load_verify_locations(raw, files.authority.c_str(), nullptr) != 1) {
    return fail(errc::invalid_configuration,
                fmt::format("{}, {}, {}: {}", files.certificate.string(), files.key.string(),
                            files.authority.string(), take_error()));
  }
  SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(raw, 0);
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  return made;
}

std::unique_ptr<tls_session> tls_session::begin(const tls_context& with, int file, bool accepts) {
  std::unique_ptr<tls_session> made{new tls_session{SSL_new(with.get())}};
  if (!made->ssl_ || SSL_set_fd(made->ssl_.get(), file) != 1) {
    ERR_clear_error();
    return nullptr;
  }
  if (accepts) {
    SSL_set_accept_state(made->ssl_.get());
  } else {
    SSL_set_connect_state(made->ssl_.get());
  }
  return made;
}

tls_session::progress tls_session::shake_hands() {
  const auto step = outcome_of(SSL_do_handshake(cleared()));
  ready_ = step == progress::made;
  return step;
}

tls_session::progress tls_session::read(void* to, std::size_t size, std::size_t& got) {
  got = 0;
  return outcome_of(SSL_read_ex(cleared(), to, size, &got));
}

tls_session::progress tls_session::write(const void* from, std::size_t size, std::size_t& wrote) {
  wrote = 0;
  return outcome_of(SSL_write_ex(cleared(), from, size, &wrote));
}

std::size_t tls_session::pending() const {
  return static_cast<std::size_t>(std::max(0, SSL_pending(ssl_.get())));
}

/// What another connection of this thread left in the queue of errors would be taken for this one's.
SSL* tls_session::cleared() {
  block_sigpipe();
  ERR_clear_error();
  return ssl_.get();
}

tls_session::progress tls_session::outcome_of(int done) {
  if (done == 1) {
    return progress::made;
  }
  switch (SSL_get_error(ssl_.get(), done)) {
  case SSL_ERROR_WANT_READ:
    return progress::waits_to_read;
  case SSL_ERROR_WANT_WRITE:
    return progress::waits_to_write;
  default: {
    const auto verified = SSL_get_verify_result(ssl_.get());
    trouble_ = verified == X509_V_OK
                   ? take_error()
                   : fmt::format("its certificate is refused: {}", X509_verify_cert_error_string(verified));
    ERR_clear_error();
    return progress::failed;
  }
  }
}

} // namespace continuo::nodes
