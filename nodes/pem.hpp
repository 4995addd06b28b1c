#pragma once

#include <continuo/result.hpp>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

/// What stands in PEM files (RFC 7468). OpenSSL's own readers open whatever is there, and wait for ever where
/// it is a FIFO; these read files of up to 1 MiB, which may be links. They ask nobody for a password, and may
/// block as the disk does. Errors name the file: `errc::not_found`; `errc::corrupt` where it holds something
/// else, with OpenSSL's reason; else as those of `journal::read_small_file`.
namespace continuo::nodes {

template <auto Free>
struct freeing {
  template <class T>
  void operator()(T* what) const {
    Free(what);
  }
};

using key_ptr = std::unique_ptr<EVP_PKEY, freeing<EVP_PKEY_free>>;
using certificate_ptr = std::unique_ptr<X509, freeing<X509_free>>;
using list_ptr = std::unique_ptr<X509_CRL, freeing<X509_CRL_free>>;

/// Why OpenSSL's last call in this thread failed. Empties its queue of errors.
std::string openssl_reason();

/// One at least.
result<std::vector<certificate_ptr>> certificates_in(const std::filesystem::path& file);

/// Lists of what was revoked, one at least.
result<std::vector<list_ptr>> lists_in(const std::filesystem::path& file);

/// The same, and none where there is no file, nor a link that leads to none, or `file` is empty.
result<std::vector<list_ptr>> lists_if_any(const std::filesystem::path& file);

/// What a node trusts: certificates, one at least, and lists of what was revoked that stand beside them.
struct authorities_found {
  std::vector<certificate_ptr> certificates;
  std::vector<list_ptr> lists;
};
result<authorities_found> authorities_in(const std::filesystem::path& file);

/// `errc::invalid_configuration` also where every user of the machine may read or write it.
result<key_ptr> key_in(const std::filesystem::path& file);

/// The node's certificate and those behind it in the file, which lead to its authority, with its key. Every
/// error is `errc::invalid_configuration` here.
result<void> use_identity(SSL_CTX* into, const std::filesystem::path& certificate,
                          const std::filesystem::path& key);

} // namespace continuo::nodes
