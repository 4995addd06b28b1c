#include "nodes/pem.hpp"

#include "journal/files.hpp"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <cerrno>
#include <cstring>
#include <sys/stat.h>
#include <utility>

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

void free_all(STACK_OF(X509_INFO) * of) {
  sk_X509_INFO_pop_free(of, X509_INFO_free);
}

/// All certificates and lists of a file, whatever else stands between them. One that cannot be read spoils
/// all.
result<authorities_found> read_all(const std::filesystem::path& file, std::string_view what) {
  const auto text = text_of(file);
  if (!text) {
    return tl::unexpected(text.error());
  }
  const std::unique_ptr<STACK_OF(X509_INFO), freeing<free_all>> read{
      PEM_X509_INFO_read_bio(reader(*text).get(), nullptr, no_password, nullptr)};
  if (!read) {
    return no_pem(file, what);
  }
  ERR_clear_error();
  authorities_found found;
  for (int i = 0; i < sk_X509_INFO_num(read.get()); ++i) {
    auto* one = sk_X509_INFO_value(read.get(), i);
    if (one->x509 != nullptr) {
      found.certificates.emplace_back(std::exchange(one->x509, nullptr));
    }
    if (one->crl != nullptr) {
      found.lists.emplace_back(std::exchange(one->crl, nullptr));
    }
  }
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

result<authorities_found> authorities_in(const std::filesystem::path& file) {
  auto found = read_all(file, "certificate");
  return found && found->certificates.empty() ? no_pem(file, "certificate") : std::move(found);
}

result<std::vector<certificate_ptr>> certificates_in(const std::filesystem::path& file) {
  return authorities_in(file).map([](authorities_found&& all) { return std::move(all.certificates); });
}

result<std::vector<list_ptr>> lists_in(const std::filesystem::path& file) {
  constexpr std::string_view what = "list of revoked certificates";
  auto found = read_all(file, what);
  return !found                 ? tl::unexpected(found.error())
         : found->lists.empty() ? no_pem(file, what)
                                : result<std::vector<list_ptr>>{std::move(found->lists)};
}

result<std::vector<list_ptr>> lists_if_any(const std::filesystem::path& file) {
  if (file.empty()) {
    return std::vector<list_ptr>{};
  }
  auto found = lists_in(file);
  std::error_code unknown;
  return !found && found.error().code == errc::not_found &&
                 symlink_status(file, unknown).type() == std::filesystem::file_type::not_found
             ? std::vector<list_ptr>{}
             : std::move(found);
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
    const auto has_password = text->find("ENCRYPTED") != std::string::npos;
    return no_pem(file, has_password ? "key without a password" : "key");
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
