#include "nodes/pem.hpp"

#include "journal/files.hpp"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <cerrno>
#include <cstring>
#include <sys/stat.h>

namespace continuo::nodes {

namespace {

constexpr std::size_t pem_bytes_max = 1u << 20;

using bio_ptr = std::unique_ptr<BIO, freeing<BIO_free>>;

tl::unexpected<error> no_pem(const std::filesystem::path& file, std::string_view of) {
  return fail(errc::corrupt, fmt::format("{}: this is no PEM {}: {}", file.string(), of, openssl_reason()));
}

result<std::string> text_of(const std::filesystem::path& file) {
  ERR_clear_error();
  auto read = journal::read_small_file(file, pem_bytes_max, journal::links::followed);
  if (!read && read.error().code == errc::not_found) {
    return fail(errc::not_found, fmt::format("{}: {}", file.string(), std::strerror(ENOENT)));
  }
  return read;
}

bio_ptr reader(const std::string& text) {
  return bio_ptr{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
}

int no_password(char*, int, int, void*) {
  return -1;
}

/// `Read` is one of OpenSSL's.
template <class Pointer, auto Read>
result<std::vector<Pointer>> all_in(const std::filesystem::path& file, std::string_view what) {
  const auto text = text_of(file);
  if (!text) {
    return tl::unexpected(text.error());
  }
  const auto from = reader(*text);
  std::vector<Pointer> found;
  while (Pointer one{Read(from.get(), nullptr, no_password, nullptr)}) {
    found.push_back(std::move(one));
  }
  const auto is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (found.empty() || !is_end) {
    return no_pem(file, what);
  }
  ERR_clear_error();
  return found;
}

tl::unexpected<error> unusable(const std::string& why) {
  return fail(errc::invalid_configuration, why);
}

} // namespace

std::string openssl_reason() {
  const auto code = ERR_get_error();
  ERR_clear_error();
  const auto* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "no reason is known" : reason;
}

result<std::vector<certificate_ptr>> certificates_in(const std::filesystem::path& file) {
  return all_in<certificate_ptr, PEM_read_bio_X509>(file, "certificate");
}

result<std::vector<list_ptr>> lists_in(const std::filesystem::path& file) {
  return all_in<list_ptr, PEM_read_bio_X509_CRL>(file, "list of revoked certificates");
}

result<key_ptr> key_in(const std::filesystem::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) == 0 && (status.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    return fail(
        errc::invalid_configuration,
        fmt::format("{} is for every user of this machine to {} (mode {:04o}): whoever has read it can "
                    "speak as its owner. If nobody has, `chmod 600` it; else revoke it",
                    file.string(), (status.st_mode & S_IROTH) != 0 ? "read" : "write",
                    status.st_mode & 07777u));
  }
  const auto text = text_of(file);
  if (!text) {
    return tl::unexpected(text.error());
  }
  key_ptr read{PEM_read_bio_PrivateKey(reader(*text).get(), nullptr, no_password, nullptr)};
  if (!read) {
    return no_pem(file, "key");
  }
  return read;
}

result<void> use_identity(SSL_CTX* into, const std::filesystem::path& certificate,
                          const std::filesystem::path& key) {
  const auto certificates = certificates_in(certificate);
  if (!certificates) {
    return unusable(certificates.error().message);
  }
  const auto read = key_in(key);
  if (!read) {
    return unusable(read.error().message);
  }
  auto is_used =
      SSL_CTX_use_certificate(into, certificates->front().get()) == 1 && SSL_CTX_clear_chain_certs(into) == 1;
  for (auto one = certificates->begin() + 1; one != certificates->end(); ++one) {
    is_used = is_used && SSL_CTX_add1_chain_cert(into, one->get()) == 1;
  }
  if (!is_used || SSL_CTX_use_PrivateKey(into, read->get()) != 1) {
    return unusable(fmt::format("{} and {}: {}", certificate.string(), key.string(), openssl_reason()));
  }
  return {};
}

} // namespace continuo::nodes
