#include "nodes/http/certificate.hpp"

#include "nodes/pem.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <utility>

namespace continuo::http {

namespace {

using clock = std::chrono::steady_clock;

constexpr std::chrono::seconds look_every{1};

result<tls_context> read_context(const http_certificate& files) {
  auto made = std::make_shared<boost::asio::ssl::context>(boost::asio::ssl::context::tls_server);
  auto* raw = made->native_handle();
  ERR_clear_error();
  if (SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(raw, "HIGH:!aNULL:!MD5:!SHA1") != 1) {
    return fail(errc::invalid_configuration, "HTTP cannot speak TLS: " + nodes::openssl_reason());
  }
  const auto used = nodes::use_identity(raw, files.certificate, files.key);
  if (!used) {
    return fail(errc::invalid_configuration, "HTTP cannot show its certificate: " + used.error().message);
  }
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(raw, 0);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS); // of connections that wait
  return made;
}

} // namespace

shown_certificate::shown_certificate(http_certificate files, tls_context first)
    : files_(std::move(files)), context_(std::move(first)), read_at_(clock::now()) {}

result<std::unique_ptr<shown_certificate>> shown_certificate::read(const http_certificate& files) {
  return read_context(files).map([&](tls_context&& first) {
    return std::unique_ptr<shown_certificate>{new shown_certificate{files, std::move(first)}};
  });
}

tls_context shown_certificate::current() {
  if (const auto now = clock::now(); now - read_at_ > look_every) {
    read_at_ = now;
    if (auto read = read_context(files_)) {
      context_ = std::move(*read);
    }
  }
  return context_;
}

} // namespace continuo::http
