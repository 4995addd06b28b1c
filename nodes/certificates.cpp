#include "nodes/certificates.hpp"

#include "journal/files.hpp"

#include <fmt/format.h>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <unistd.h>

namespace continuo::nodes {

namespace {

constexpr long ten_years_s = 10L * 365 * 24 * 3'600;
constexpr long clocks_differ_s = 3'600; // a certificate is valid at once also where another clock is behind

template <auto Free>
struct freeing {
  template <class T>
  void operator()(T* what) const {
    Free(what);
  }
};

using key_ptr = std::unique_ptr<EVP_PKEY, freeing<EVP_PKEY_free>>;
using certificate_ptr = std::unique_ptr<X509, freeing<X509_free>>;
using file_ptr = std::unique_ptr<std::FILE, freeing<std::fclose>>;

std::string openssl_reason() {
  const auto code = ERR_get_error();
  ERR_clear_error();
  const auto* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "no reason is known" : reason;
}

tl::unexpected<error> wrong(const std::filesystem::path& file, const std::string& what) {
  return fail(errc::invalid_configuration,
              fmt::format("{}: {}; `continuo cluster init` makes what a cluster needs", file.string(), what));
}

result<file_ptr> open_file(const std::filesystem::path& path) {
  auto opened = journal::open_file(path, journal::file_use::read, 0, journal::links::followed);
  if (!opened && opened.error().code == errc::not_found) {
    return wrong(path, std::strerror(ENOENT));
  }
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  file_ptr file{::fdopen(opened->get(), "r")};
  if (!file) {
    return wrong(path, std::strerror(errno));
  }
  opened->release();
  return file;
}

result<certificate_ptr> read_certificate(const std::filesystem::path& path) {
  auto file = open_file(path);
  if (!file) {
    return tl::unexpected(file.error());
  }
  certificate_ptr read{PEM_read_X509(file->get(), nullptr, nullptr, nullptr)};
  if (!read) {
    return wrong(path, "this is no PEM certificate: " + openssl_reason());
  }
  return read;
}

result<key_ptr> read_key(const std::filesystem::path& path) {
  auto file = open_file(path);
  if (!file) {
    return tl::unexpected(file.error());
  }
  key_ptr read{PEM_read_PrivateKey(file->get(), nullptr, nullptr, nullptr)};
  if (!read) {
    return wrong(path, "this is no PEM key: " + openssl_reason());
  }
  return read;
}

/// A new file that only its owner can read where it is a secret. Never overwrites.
template <class Write>
result<void> write_file(const std::filesystem::path& path, bool secret, Write write) {
  auto opened = journal::open_file(path, journal::file_use::create, secret ? 0600 : 0644);
  if (!opened) {
    return fail(errc::invalid_configuration, opened.error().message);
  }
  const auto number = opened->get();
  file_ptr file{::fdopen(number, "w")};
  if (!file) {
    return fail(errc::invalid_configuration, fmt::format("{}: {}", path.string(), std::strerror(errno)));
  }
  opened->release();
  if (write(file.get()) != 1 || std::fflush(file.get()) != 0 || ::fsync(number) != 0) {
    return fail(errc::invalid_configuration, fmt::format("{}: cannot be written", path.string()));
  }
  return {};
}

bool add_extension(X509* to, X509* issuer, int what, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, freeing<X509_EXTENSION_free>> made{
      X509V3_EXT_conf_nid(nullptr, &context, what, value)};
  return made && X509_add_ext(to, made.get(), -1) == 1;
}

/// A certificate of `key` in the name of `subject`; signed by itself where there is no authority.
certificate_ptr make_certificate(EVP_PKEY* key, const std::string& subject, X509* authority,
                                 EVP_PKEY* signing) {
  certificate_ptr made{X509_new()};
  unsigned char random[16];
  const std::unique_ptr<BIGNUM, freeing<BN_free>> number{
      RAND_bytes(random, sizeof(random)) == 1 ? BN_bin2bn(random, sizeof(random), nullptr) : nullptr};
  if (!made || !number || X509_set_version(made.get(), 2) != 1 ||
      BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(made.get())) == nullptr ||
      X509_gmtime_adj(X509_getm_notBefore(made.get()), -clocks_differ_s) == nullptr ||
      X509_gmtime_adj(X509_getm_notAfter(made.get()), ten_years_s) == nullptr ||
      X509_set_pubkey(made.get(), key) != 1) {
    return nullptr;
  }
  auto* name = X509_get_subject_name(made.get());
  if (X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(subject.c_str()), -1, -1, 0) != 1 ||
      X509_set_issuer_name(made.get(), authority == nullptr ? name : X509_get_subject_name(authority)) != 1) {
    return nullptr;
  }
  auto* issuer = authority == nullptr ? made.get() : authority;
  const auto extended =
      authority == nullptr
          ? add_extension(made.get(), issuer, NID_basic_constraints, "critical,CA:TRUE") &&
                add_extension(made.get(), issuer, NID_key_usage, "critical,keyCertSign,cRLSign")
          : add_extension(made.get(), issuer, NID_basic_constraints, "critical,CA:FALSE") &&
                add_extension(made.get(), issuer, NID_ext_key_usage, "serverAuth,clientAuth");
  if (!extended || X509_sign(made.get(), signing, EVP_sha256()) == 0) {
    return nullptr;
  }
  return made;
}

result<void> write_pair(const std::filesystem::path& folder, const std::string& name, EVP_PKEY* key,
                        X509* certificate) {
  // The key first: a certificate without one would be kept for ever.
  auto written = write_file(folder / (name + ".key"), true, [&](std::FILE* file) {
    return PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
  return !written ? written : write_file(folder / (name + ".pem"), false, [&](std::FILE* file) {
    return PEM_write_X509(file, certificate);
  });
}

struct authority {
  key_ptr key;
  certificate_ptr certificate;
};

result<authority> authority_in(const std::filesystem::path& folder) {
  if (std::filesystem::exists(folder / "ca.pem")) {
    auto certificate = read_certificate(folder / "ca.pem");
    if (std::error_code hidden; !std::filesystem::exists(folder / "ca.key", hidden) && !hidden) {
      return fail(
          errc::invalid_configuration,
          fmt::format("{}: it is not here, and signs new certificates: put it back for as long as this takes",
                      (folder / "ca.key").string()));
    }
    auto key = read_key(folder / "ca.key");
    if (!certificate || !key) {
      return tl::unexpected(certificate ? key.error() : certificate.error());
    }
    return authority{std::move(*key), std::move(*certificate)};
  }
  authority made;
  made.key.reset(EVP_EC_gen("P-256"));
  made.certificate =
      made.key ? make_certificate(made.key.get(), "Continuo cluster authority", nullptr, made.key.get())
               : nullptr;
  if (!made.certificate) {
    return fail(errc::invalid_configuration,
                "the authority's certificate cannot be made: " + openssl_reason());
  }
  if (auto written = write_pair(folder, "ca", made.key.get(), made.certificate.get()); !written) {
    return tl::unexpected(written.error());
  }
  return made;
}

} // namespace

result<void> check_certificates(const tls_files& files) {
  const auto certificate = read_certificate(files.certificate);
  if (!certificate) {
    return tl::unexpected(certificate.error());
  }
  const auto key = read_key(files.key);
  if (!key) {
    return tl::unexpected(key.error());
  }
  const auto authority = read_certificate(files.authority);
  if (!authority) {
    return tl::unexpected(authority.error());
  }
  if (X509_check_private_key(certificate->get(), key->get()) != 1) {
    ERR_clear_error();
    return fail(
        errc::invalid_configuration,
        fmt::format("{}: this key does not belong to {}: remove both, and `continuo cluster init` makes new "
                    "ones",
                    files.key.string(), files.certificate.string()));
  }
  const std::unique_ptr<X509_STORE, freeing<X509_STORE_free>> trusted{X509_STORE_new()};
  const std::unique_ptr<X509_STORE_CTX, freeing<X509_STORE_CTX_free>> check{X509_STORE_CTX_new()};
  if (!trusted || !check || X509_STORE_add_cert(trusted.get(), authority->get()) != 1 ||
      X509_STORE_CTX_init(check.get(), trusted.get(), certificate->get(), nullptr) != 1) {
    return wrong(files.authority, openssl_reason());
  }
  if (X509_verify_cert(check.get()) != 1) {
    const auto reason = X509_verify_cert_error_string(X509_STORE_CTX_get_error(check.get()));
    ERR_clear_error();
    return fail(
        errc::invalid_configuration,
        fmt::format(
            "{}: {} does not vouch for it: {}; remove it and its key, and `continuo cluster init` makes "
            "new ones",
            files.certificate.string(), files.authority.string(), reason));
  }
  return {};
}

result<void> make_certificates(const std::filesystem::path& folder, const std::vector<std::string>& names) {
  if (auto made = journal::make_directory(folder, 0755); !made) {
    return fail(errc::invalid_configuration, made.error().message);
  }
  const auto signer = authority_in(folder);
  if (!signer) {
    return tl::unexpected(signer.error());
  }
  for (const auto& name : names) {
    if (std::filesystem::exists(folder / (name + ".pem"))) {
      continue;
    }
    const key_ptr key{EVP_EC_gen("P-256")};
    const auto made =
        key ? make_certificate(key.get(), name, signer->certificate.get(), signer->key.get()) : nullptr;
    if (!made) {
      return fail(errc::invalid_configuration,
                  fmt::format("the certificate of {} cannot be made: {}", name, openssl_reason()));
    }
    if (auto written = write_pair(folder, name, key.get(), made.get()); !written) {
      return written;
    }
  }
  return {};
}

} // namespace continuo::nodes
