#include "nodes/tls_session.hpp"

#include "nodes/pem.hpp"

#include <fmt/format.h>
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

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

/// Not every authority has a list of what it has revoked, and a list that nobody has renewed still counts, as
/// does one of a clock that is ahead.
int accept_missing_lists(int good, X509_STORE_CTX* check) {
  const auto what = X509_STORE_CTX_get_error(check);
  if (good == 0 && (what == X509_V_ERR_UNABLE_TO_GET_CRL || what == X509_V_ERR_CRL_HAS_EXPIRED ||
                    what == X509_V_ERR_CRL_NOT_YET_VALID)) {
    X509_STORE_CTX_set_error(check, X509_V_OK);
    return 1;
  }
  return good;
}

tl::unexpected<error> unusable(const std::filesystem::path& file) {
  return fail(errc::invalid_configuration, fmt::format("{}: {}", file.string(), openssl_reason()));
}

result<void> load_authorities(SSL_CTX* into, const std::filesystem::path& file) {
  const auto found = authorities_in(file);
  if (!found) {
    return fail(errc::invalid_configuration, found.error().message);
  }
  auto* store = SSL_CTX_get_cert_store(into);
  auto is_used = true;
  for (const auto& one : found->certificates) {
    is_used = is_used && X509_STORE_add_cert(store, one.get()) == 1;
  }
  for (const auto& one : found->lists) {
    is_used = is_used && X509_STORE_add_crl(store, one.get()) == 1;
  }
  return is_used ? result<void>{} : unusable(file);
}

result<void> load_revoked(SSL_CTX* into, const std::filesystem::path& file, bool is_due) {
  const auto lists = lists_if_any(file);
  if (!lists) {
    return fail(errc::invalid_configuration, lists.error().message);
  }
  if (lists->empty()) {
    return is_due
               ? fail(errc::invalid_configuration,
                      fmt::format("{} is gone, and without it nobody is revoked: put it back, or start the "
                                  "node anew where that is meant",
                                  file.string()))
               : result<void>{};
  }
  auto* store = SSL_CTX_get_cert_store(into);
  X509_STORE_set_verify_cb(store, accept_missing_lists);
  auto is_used = X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK) == 1;
  for (const auto& one : *lists) {
    is_used = is_used && X509_STORE_add_crl(store, one.get()) == 1;
  }
  return is_used ? result<void>{} : unusable(file);
}

std::chrono::seconds time_until(const ASN1_TIME* end) {
  int days = 0;
  int seconds = 0;
  if (ASN1_TIME_diff(&days, &seconds, nullptr, end) != 1) {
    ERR_clear_error();
    return std::chrono::seconds{0};
  }
  return std::chrono::hours{24} * days + std::chrono::seconds{seconds};
}

} // namespace

bool knows_of_revoked(const tls_context& of) {
  const auto* terms = X509_STORE_get0_param(SSL_CTX_get_cert_store(of.get()));
  return (X509_VERIFY_PARAM_get_flags(const_cast<X509_VERIFY_PARAM*>(terms)) & X509_V_FLAG_CRL_CHECK) != 0;
}

result<tls_context> read_certificates(const tls_files& files, bool list_is_due) {
  ERR_clear_error();
  tls_context made{SSL_CTX_new(TLS_method()), SSL_CTX_free};
  if (!made) {
    return fail(errc::invalid_configuration, "TLS: " + openssl_reason());
  }
  auto* raw = made.get();
  if (SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(raw, "HIGH:!aNULL:!MD5:!SHA1") != 1) {
    return fail(errc::invalid_configuration, "TLS: " + openssl_reason());
  }
  auto used = use_identity(raw, files.certificate, files.key);
  used = used ? load_authorities(raw, files.authority) : used;
  used = used ? load_revoked(raw, files.revoked, list_is_due) : used;
  if (!used) {
    return tl::unexpected(used.error());
  }
  SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(raw, 0);
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  return made;
}

std::vector<std::string> names_in(const X509* certificate) {
  std::vector<std::string> found;
  const std::unique_ptr<GENERAL_NAMES, void (*)(GENERAL_NAMES*)> names{
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      GENERAL_NAMES_free};
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const auto* one = sk_GENERAL_NAME_value(names.get(), i);
    if (one->type == GEN_DNS) {
      const auto* text = one->d.dNSName;
      found.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                         static_cast<std::size_t>(ASN1_STRING_length(text)));
    }
  }
  ERR_clear_error();
  return found;
}

std::string objection_to(X509* certificate, const tls_context& now) {
  const std::unique_ptr<X509_STORE_CTX, void (*)(X509_STORE_CTX*)> check{X509_STORE_CTX_new(),
                                                                         X509_STORE_CTX_free};
  if (!check ||
      X509_STORE_CTX_init(check.get(), SSL_CTX_get_cert_store(now.get()), certificate, nullptr) != 1) {
    return openssl_reason();
  }
  X509_STORE_CTX_set_flags(check.get(), X509_V_FLAG_NO_CHECK_TIME);
  const auto good = X509_verify_cert(check.get()) == 1;
  ERR_clear_error();
  return good ? std::string{} : X509_verify_cert_error_string(X509_STORE_CTX_get_error(check.get()));
}

time_left time_left_of(const tls_context& with) {
  auto* own = SSL_CTX_get0_certificate(with.get());
  time_left found;
  found.certificate = time_until(X509_get0_notAfter(own));
  found.authority = found.certificate;
  const std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)> all{
      X509_STORE_get1_all_certs(SSL_CTX_get_cert_store(with.get())),
      [](STACK_OF(X509) * some) { sk_X509_pop_free(some, X509_free); }};
  for (int i = 0; all && i < sk_X509_num(all.get()); ++i) {
    auto* one = sk_X509_value(all.get(), i);
    if (X509_check_issued(one, own) == X509_V_OK) {
      found.authority = time_until(X509_get0_notAfter(one));
    }
  }
  ERR_clear_error();
  return found;
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

shared_certificate tls_session::certificate_of_peer() const {
  return {SSL_get1_peer_certificate(ssl_.get()), X509_free};
}

tls_session::progress tls_session::read(void* to, std::size_t size, std::size_t& got) {
  got = 0;
  return outcome_of(SSL_read_ex(cleared(), to, size, &got));
}

tls_session::progress tls_session::write(const void* from, std::size_t size, std::size_t& wrote) {
  wrote = 0;
  return outcome_of(SSL_write_ex(cleared(), from, size, &wrote));
}

bool tls_session::refuses_known_certificate() const {
  const auto verified = SSL_get_verify_result(ssl_.get());
  return verified == X509_V_ERR_CERT_REVOKED || verified == X509_V_ERR_CERT_HAS_EXPIRED;
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
                   ? (ERR_peek_error() == 0 ? "the connection was closed" : openssl_reason())
                   : fmt::format("its certificate is refused: {}", X509_verify_cert_error_string(verified));
    ERR_clear_error();
    return progress::failed;
  }
  }
}

} // namespace continuo::nodes
