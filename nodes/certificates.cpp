#include "nodes/certificates.hpp"

#include "journal/files.hpp"
#include "messages/printable.hpp"
#include "nodes/pem.hpp"
#include "nodes/tls_session.hpp"

#include <fmt/format.h>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <iterator>
#include <memory>
#include <unistd.h>

namespace continuo::nodes {

namespace {

constexpr long day_s = 24L * 3'600;
constexpr long authority_days = 3'650;
constexpr long node_days = 365;
constexpr long list_days = 3'650;       // nobody renews a list, and nodes do not mind
constexpr long clocks_differ_s = 3'600; // a certificate is valid at once also where another clock is behind

using time_point = std::chrono::system_clock::time_point;
using file_ptr = std::unique_ptr<std::FILE, freeing<std::fclose>>;

constexpr const char* what_is_needed = "`continuo cluster init` makes what a cluster needs";

tl::unexpected<error> wrong(const std::filesystem::path& file, const std::string& what,
                            std::string_view to_do = what_is_needed) {
  return fail(errc::invalid_configuration, fmt::format("{}: {}; {}", file.string(), what, to_do));
}

constexpr const char* another_authority =
    "put the key of one back, or `continuo cluster init --new-authority` makes another one, which is trusted "
    "beside those that there are";

/// What was read, or what to do where it cannot be.
template <class T>
result<T> read_or_advice(result<T> read, const std::filesystem::path& file) {
  if (read || (read.error().code != errc::not_found && read.error().code != errc::corrupt)) {
    return read;
  }
  const auto is_missing = read.error().code == errc::not_found;
  const auto* to_do = is_missing ? what_is_needed
                      : file.filename() == "revoked.pem"
                          ? "put a copy of it back: without it nobody is revoked"
                      : file.filename() == "ca.key" ? another_authority
                      : file.extension() == ".key"
                          ? "put a copy of it back, or remove it and its certificate, and `continuo cluster "
                            "init` makes new ones"
                          : "put a copy of it back, or remove it, and `continuo "
                            "cluster init` makes a new one";
  return fail(errc::invalid_configuration, fmt::format("{}; {}", read.error().message, to_do));
}

result<std::vector<certificate_ptr>> read_certificates_in(const std::filesystem::path& file) {
  return read_or_advice(certificates_in(file), file);
}

result<certificate_ptr> read_certificate(const std::filesystem::path& file) {
  auto all = read_certificates_in(file);
  return all ? result<certificate_ptr>{std::move(all->front())} : tl::unexpected(all.error());
}

/// None where there is no such file.
result<std::vector<list_ptr>> read_lists(const std::filesystem::path& file) {
  return read_or_advice(lists_if_any(file), file);
}

result<key_ptr> read_key(const std::filesystem::path& file) {
  return read_or_advice(key_in(file), file);
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

/// Puts a file in the place of another one, or of none: whoever reads meanwhile sees one of them whole.
template <class Write>
result<void> replace_file(const std::filesystem::path& path, bool secret, Write write) {
  auto part = path;
  part += ".new";
  std::error_code trouble;
  std::filesystem::remove(part, trouble); // what a crash has left
  if (auto written = write_file(part, secret, write); !written) {
    return written;
  }
  std::filesystem::rename(part, path, trouble);
  if (trouble) {
    return fail(errc::invalid_configuration, fmt::format("{}: {}", path.string(), trouble.message()));
  }
  return {};
}

int write_certificates(std::FILE* to, const std::vector<const X509*>& all) {
  for (const auto* one : all) {
    if (PEM_write_X509(to, one) != 1) {
      return 0;
    }
  }
  return 1;
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
                                 EVP_PKEY* signing, time_point at) {
  const auto days = authority == nullptr ? authority_days : node_days;
  auto now = std::chrono::system_clock::to_time_t(at);
  certificate_ptr made{X509_new()};
  unsigned char random[16];
  const std::unique_ptr<BIGNUM, freeing<BN_free>> number{
      RAND_bytes(random, sizeof(random)) == 1 ? BN_bin2bn(random, sizeof(random), nullptr) : nullptr};
  if (!made || !number || X509_set_version(made.get(), 2) != 1 ||
      BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(made.get())) == nullptr ||
      X509_time_adj(X509_getm_notBefore(made.get()), -clocks_differ_s, &now) == nullptr ||
      X509_time_adj(X509_getm_notAfter(made.get()), days * day_s, &now) == nullptr ||
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
                add_extension(made.get(), issuer, NID_ext_key_usage, "serverAuth,clientAuth") &&
                add_extension(made.get(), issuer, NID_subject_alt_name, ("DNS:" + subject).c_str());
  if (!extended || X509_sign(made.get(), signing, EVP_sha256()) == 0) {
    return nullptr;
  }
  return made;
}

time_point time_of(const ASN1_TIME* at) {
  std::tm parts{};
  return ASN1_TIME_to_tm(at, &parts) == 1 ? std::chrono::system_clock::from_time_t(::timegm(&parts))
                                          : time_point{};
}

// -- an authority --------------------------------------------------------------------------------

struct authority {
  key_ptr key;
  certificate_ptr certificate;          ///< of that key
  std::vector<certificate_ptr> trusted; ///< as `ca.pem` has them, that one as well
  bool is_new = false;
};

bool is_same(const X509* one, const X509* other) {
  return X509_cmp(one, other) == 0;
}

result<void> write_trusted(const std::filesystem::path& folder, const authority& signer) {
  std::vector<const X509*> all;
  for (const auto& one : signer.trusted) {
    all.push_back(one.get());
  }
  return replace_file(folder / "ca.pem", false,
                      [&](std::FILE* file) { return write_certificates(file, all); });
}

result<void> write_key(const std::filesystem::path& path, EVP_PKEY* key) {
  return replace_file(path, true, [&](std::FILE* file) {
    return PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}

/// A new one, trusted beside those of `ca.pem`.
result<authority> add_authority(const std::filesystem::path& folder, time_point now) {
  authority made;
  unsigned char random[4];
  made.key.reset(RAND_bytes(random, sizeof(random)) == 1 ? EVP_EC_gen("P-256") : nullptr);
  // Two of one name could not be told apart by what they have signed.
  const auto name = fmt::format("Continuo cluster authority {:02x}{:02x}{:02x}{:02x}", random[0], random[1],
                                random[2], random[3]);
  made.certificate =
      made.key ? make_certificate(made.key.get(), name, nullptr, made.key.get(), now) : nullptr;
  if (!made.certificate) {
    return fail(errc::invalid_configuration,
                "the authority's certificate cannot be made: " + openssl_reason());
  }
  if (std::filesystem::exists(folder / "ca.pem")) {
    auto before = read_certificates_in(folder / "ca.pem");
    if (!before) {
      return tl::unexpected(before.error());
    }
    made.trusted = std::move(*before);
  }
  made.trusted.emplace_back(X509_dup(made.certificate.get()));
  made.is_new = true;
  // The key first: a certificate without one would be kept for ever.
  auto written = write_key(folder / "ca.key", made.key.get());
  written = !written ? written : write_trusted(folder, made);
  return written ? result<authority>{std::move(made)} : tl::unexpected(written.error());
}

result<authority> authority_in(const std::filesystem::path& folder, time_point now) {
  if (!std::filesystem::exists(folder / "ca.pem")) {
    return add_authority(folder, now);
  }
  auto trusted = read_certificates_in(folder / "ca.pem");
  if (!trusted) {
    return tl::unexpected(trusted.error());
  }
  if (std::error_code hidden; !std::filesystem::exists(folder / "ca.key", hidden) && !hidden) {
    return fail(
        errc::invalid_configuration,
        fmt::format("{}: it is not here, and signs new certificates: put it back for as long as this takes",
                    (folder / "ca.key").string()));
  }
  auto key = read_key(folder / "ca.key");
  if (!key) {
    return tl::unexpected(key.error());
  }
  for (const auto& one : *trusted) {
    if (X509_check_private_key(one.get(), key->get()) == 1) {
      certificate_ptr own{X509_dup(one.get())};
      return authority{std::move(*key), std::move(own), std::move(*trusted)};
    }
    ERR_clear_error();
  }
  return wrong(folder / "ca.key", "this is the key of no authority in ca.pem", another_authority);
}

/// Whether the authority has signed it, not only one of that name.
bool has_signed(const authority& signer, X509* certificate) {
  const auto is_issuer = X509_check_issued(signer.certificate.get(), certificate) == X509_V_OK &&
                         X509_verify(certificate, signer.key.get()) == 1;
  ERR_clear_error();
  return is_issuer;
}

bool is_revoked(const std::vector<list_ptr>& lists, X509* certificate) {
  return std::any_of(lists.begin(), lists.end(), [&](const list_ptr& list) {
    X509_REVOKED* found = nullptr;
    return X509_NAME_cmp(X509_CRL_get_issuer(list.get()), X509_get_issuer_name(certificate)) == 0 &&
           X509_CRL_get0_by_cert(list.get(), &found, certificate) == 1;
  });
}

/// Whose files would be those of the authority.
result<void> check_name(const std::string& name) {
  if (name != "ca" && name != "revoked") {
    return {};
  }
  return fail(errc::invalid_configuration,
              fmt::format("the node {} cannot have a certificate: {}.pem is a file of the authority. Give it "
                          "another name",
                          name, name));
}

// -- a node ----------------------------------------------------------------------------------------

/// Whether it is one of that node. One without any name may be: there were such.
bool is_for(X509* certificate, const std::string& name) {
  const auto names = names_in(certificate);
  return names.empty() ? X509_check_ca(certificate) != 1
                       : std::find(names.begin(), names.end(), name) != names.end();
}

tl::unexpected<error> is_of_another(const std::filesystem::path& path, X509* certificate,
                                    const std::string& name) {
  const auto names = names_in(certificate);
  return fail(
      errc::conflict,
      fmt::format("{} is no certificate of {}, but of {}: put its own back; where that node has another "
                  "name now, remove the file and the key beside it; nothing was changed",
                  path.string(), name, names.empty() ? "an authority" : printable(names.front())));
}

/// Why the certificate of a node has to be renewed; empty: it is good.
std::string reason_to_renew(X509* certificate, const std::string& name, const authority& signer,
                            const std::vector<list_ptr>& lists, time_point now) {
  const auto names = names_in(certificate);
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    return "it had not the node's name";
  }
  if (!has_signed(signer, certificate)) {
    return "another authority has signed it";
  }
  if (is_revoked(lists, certificate)) {
    return "it was revoked";
  }
  const auto from = time_of(X509_get0_notBefore(certificate));
  const auto until = time_of(X509_get0_notAfter(certificate));
  if (until <= now) {
    return "its time was over";
  }
  return until - now < (until - from) / 3 ? "it was in the last third of its time" : "";
}

result<void> keep_former(const std::filesystem::path& folder, const std::string& name,
                         const X509* certificate) {
  const auto path = folder / (name + ".former.pem");
  std::vector<certificate_ptr> before;
  if (std::filesystem::exists(path)) {
    auto read = read_certificates_in(path);
    if (!read) {
      return tl::unexpected(read.error());
    }
    before = std::move(*read);
  }
  std::vector<const X509*> all;
  for (const auto& one : before) {
    if (!is_same(one.get(), certificate)) {
      all.push_back(one.get());
    }
  }
  all.push_back(certificate);
  return replace_file(path, false, [&](std::FILE* file) { return write_certificates(file, all); });
}

/// Where the key is here. It may be where the node is, and only there.
result<void> check_key(const std::filesystem::path& key, const std::filesystem::path& of, X509* certificate) {
  if (::access(key.c_str(), R_OK) != 0) {
    return {}; // not here, or for its node alone
  }
  const auto read = read_key(key);
  if (!read) {
    return tl::unexpected(read.error());
  }
  if (X509_check_private_key(certificate, read->get()) != 1) {
    ERR_clear_error();
    return fail(errc::conflict,
                fmt::format("{} is not the key of {}: put that back, or remove both files, and "
                            "this makes new ones",
                            key.string(), of.string()));
  }
  return {};
}

/// That what is here of a node is the node's.
result<void> check_own(const std::filesystem::path& folder, const std::string& name) {
  const auto path = folder / (name + ".pem");
  if (!std::filesystem::exists(path)) {
    return {};
  }
  const auto certificate = read_certificate(path);
  if (!certificate) {
    return tl::unexpected(certificate.error());
  }
  return is_for(certificate->get(), name) ? check_key(folder / (name + ".key"), path, certificate->get())
                                          : is_of_another(path, certificate->get(), name);
}

result<certificates_made::one> make_node(const std::filesystem::path& folder, const std::string& name,
                                         const authority& signer, const std::vector<list_ptr>& lists,
                                         time_point now) {
  const auto path = folder / (name + ".pem");
  key_ptr key;
  certificates_made::one done{name, "made", {}, {}};
  if (std::filesystem::exists(path)) {
    const auto before = read_certificate(path);
    if (!before) {
      return tl::unexpected(before.error());
    }
    done.why = signer.is_new && signer.trusted.size() > 1
                   ? ""
                   : reason_to_renew(before->get(), name, signer, lists, now);
    if (done.why.empty()) {
      done.done = "kept";
      done.until = time_of(X509_get0_notAfter(before->get()));
      return done;
    }
    done.done = "renewed";
    key.reset(X509_get_pubkey(before->get())); // its other half may be where the node is
    if (auto kept = keep_former(folder, name, before->get()); !kept) {
      return tl::unexpected(kept.error());
    }
  } else {
    key.reset(EVP_EC_gen("P-256"));
    // The key first: a certificate without one would be kept for ever.
    if (auto written = key ? write_key(folder / (name + ".key"), key.get()) : result<void>{}; !written) {
      return tl::unexpected(written.error());
    }
  }
  const auto made =
      key ? make_certificate(key.get(), name, signer.certificate.get(), signer.key.get(), now) : nullptr;
  if (!made) {
    return fail(errc::invalid_configuration,
                fmt::format("the certificate of {} cannot be made: {}", name, openssl_reason()));
  }
  if (auto written =
          replace_file(path, false, [&](std::FILE* file) { return PEM_write_X509(file, made.get()); });
      !written) {
    return tl::unexpected(written.error());
  }
  done.until = time_of(X509_get0_notAfter(made.get()));
  return done;
}

/// No node may show what its peers trust no longer.
result<void> check_all_signed(const std::filesystem::path& folder, const std::vector<std::string>& names,
                              const authority& signer) {
  for (const auto& name : names) {
    const auto path = folder / (name + ".pem");
    if (!std::filesystem::exists(path)) {
      return fail(errc::conflict,
                  fmt::format("{} is not here, so nobody knows whether what the node shows is signed by the "
                              "newest authority: put it here, or run `continuo cluster init` without "
                              "--newest-authority, give the node what that makes, and then run this again; "
                              "nothing was changed",
                              path.string()));
    }
    const auto certificate = read_certificate(path);
    if (!certificate) {
      return tl::unexpected(certificate.error());
    }
    if (!has_signed(signer, certificate->get())) {
      return fail(errc::conflict,
                  fmt::format("{} is signed by another authority still, and its peers would refuse it: run "
                              "`continuo cluster init` without --newest-authority, give every machine its "
                              "new certificate, and then run this again; nothing was changed",
                              path.string()));
    }
  }
  return {};
}

bool add_to_list(X509_CRL* list, const X509* certificate, ASN1_TIME* now) {
  std::unique_ptr<X509_REVOKED, freeing<X509_REVOKED_free>> entry{X509_REVOKED_new()};
  if (!entry ||
      X509_REVOKED_set_serialNumber(entry.get(),
                                    const_cast<ASN1_INTEGER*>(X509_get0_serialNumber(certificate))) != 1 ||
      X509_REVOKED_set_revocationDate(entry.get(), now) != 1 ||
      X509_CRL_add0_revoked(list, entry.get()) != 1) {
    return false;
  }
  static_cast<void>(entry.release()); // the list's
  return true;
}

/// The authority's list with those of `before`, its last one, and the others.
list_ptr make_list(const authority& signer, X509_CRL* before, const std::vector<certificate_ptr>& revoked) {
  list_ptr made{X509_CRL_new()};
  const std::unique_ptr<ASN1_TIME, freeing<ASN1_TIME_free>> now{X509_gmtime_adj(nullptr, 0)};
  const std::unique_ptr<ASN1_TIME, freeing<ASN1_TIME_free>> next{X509_gmtime_adj(nullptr, list_days * day_s)};
  const std::unique_ptr<ASN1_TIME, freeing<ASN1_TIME_free>> begins{
      X509_gmtime_adj(nullptr, -clocks_differ_s)};
  if (!made || !now || !next || !begins || X509_CRL_set_version(made.get(), X509_CRL_VERSION_2) != 1 ||
      X509_CRL_set_issuer_name(made.get(), X509_get_subject_name(signer.certificate.get())) != 1 ||
      X509_CRL_set1_lastUpdate(made.get(), begins.get()) != 1 ||
      X509_CRL_set1_nextUpdate(made.get(), next.get()) != 1) {
    return nullptr;
  }
  auto* entries = before == nullptr ? nullptr : X509_CRL_get_REVOKED(before);
  for (int i = 0; entries != nullptr && i < sk_X509_REVOKED_num(entries); ++i) {
    std::unique_ptr<X509_REVOKED, freeing<X509_REVOKED_free>> copy{
        X509_REVOKED_dup(sk_X509_REVOKED_value(entries, i))};
    if (!copy || X509_CRL_add0_revoked(made.get(), copy.get()) != 1) {
      return nullptr;
    }
    static_cast<void>(copy.release());
  }
  for (const auto& one : revoked) {
    X509_REVOKED* found = nullptr;
    if ((before == nullptr || X509_CRL_get0_by_cert(before, &found, one.get()) != 1) &&
        !add_to_list(made.get(), one.get(), now.get())) {
      return nullptr;
    }
  }
  X509_CRL_sort(made.get());
  return X509_CRL_sign(made.get(), signer.key.get(), EVP_sha256()) != 0 ? std::move(made) : nullptr;
}

} // namespace

result<void> check_certificates(const tls_files& files, const std::string& name) {
  const auto certificate = read_certificate(files.certificate);
  if (!certificate) {
    return tl::unexpected(certificate.error());
  }
  const auto key = read_key(files.key);
  if (!key) {
    return tl::unexpected(key.error());
  }
  const auto trusted = read_certificates_in(files.authority);
  if (!trusted) {
    return tl::unexpected(trusted.error());
  }
  const auto lists = read_lists(files.revoked);
  if (!lists) {
    return tl::unexpected(lists.error());
  }
  if (X509_check_private_key(certificate->get(), key->get()) != 1) {
    ERR_clear_error();
    return fail(
        errc::invalid_configuration,
        fmt::format("{}: this key does not belong to {}: remove both, and `continuo cluster init` makes new "
                    "ones",
                    files.key.string(), files.certificate.string()));
  }
  const auto names = names_in(certificate->get());
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    return fail(errc::invalid_configuration,
                fmt::format("{}: the name {} is not in it (subjectAltName), and peers would refuse it: "
                            "`continuo cluster init` renews it",
                            files.certificate.string(), name));
  }
  if (is_revoked(*lists, certificate->get())) {
    return fail(
        errc::invalid_configuration,
        fmt::format("{}: it was revoked ({}): remove it and its key, and `continuo cluster init` makes "
                    "new ones",
                    files.certificate.string(), files.revoked.string()));
  }
  const std::unique_ptr<X509_STORE, freeing<X509_STORE_free>> store{X509_STORE_new()};
  const std::unique_ptr<X509_STORE_CTX, freeing<X509_STORE_CTX_free>> check{X509_STORE_CTX_new()};
  auto good = store && check;
  for (const auto& one : *trusted) {
    good = good && X509_STORE_add_cert(store.get(), one.get()) == 1;
  }
  if (!good || X509_STORE_CTX_init(check.get(), store.get(), certificate->get(), nullptr) != 1) {
    return wrong(files.authority, openssl_reason());
  }
  if (X509_verify_cert(check.get()) != 1) {
    const auto number = X509_STORE_CTX_get_error(check.get());
    ERR_clear_error();
    return fail(errc::invalid_configuration,
                fmt::format("{}: {} does not vouch for it: {}; `continuo cluster init` {}",
                            files.certificate.string(), files.authority.string(),
                            X509_verify_cert_error_string(number),
                            number == X509_V_ERR_CERT_HAS_EXPIRED ? "renews it"
                                                                  : "makes one of the authority whose key is "
                                                                    "there"));
  }
  return {};
}

result<certificates_made> make_certificates(const std::filesystem::path& folder,
                                            const std::vector<std::string>& names, authorities which,
                                            time_point now) {
  for (const auto& name : names) {
    if (auto good = check_name(name); !good) {
      return tl::unexpected(good.error());
    }
  }
  if (auto made = journal::make_directory(folder, 0755); !made) {
    return fail(errc::invalid_configuration, made.error().message);
  }
  for (const auto& name : names) { // before anything is changed
    if (auto own = check_own(folder, name); !own) {
      return tl::unexpected(own.error());
    }
  }
  auto signer = which == authorities::add ? add_authority(folder, now) : authority_in(folder, now);
  if (!signer) {
    return tl::unexpected(signer.error());
  }
  if (which == authorities::newest_only && !signer->is_new) {
    if (auto ready = check_all_signed(folder, names, *signer); !ready) {
      return tl::unexpected(ready.error());
    }
    std::erase_if(signer->trusted,
                  [&](const auto& one) { return !is_same(one.get(), signer->certificate.get()); });
    if (auto written = write_trusted(folder, *signer); !written) {
      return tl::unexpected(written.error());
    }
  }
  const auto lists = read_lists(folder / "revoked.pem");
  if (!lists) {
    return tl::unexpected(lists.error());
  }
  certificates_made done;
  for (const auto& name : names) {
    auto one = make_node(folder, name, *signer, *lists, now);
    if (!one) {
      return tl::unexpected(one.error());
    }
    done.nodes.push_back(std::move(*one));
  }
  done.authority_until = time_of(X509_get0_notAfter(signer->certificate.get()));
  done.made_authority = signer->is_new;
  done.trusted = signer->trusted.size();
  return done;
}

result<certificates_revoked> revoke_certificates(const std::filesystem::path& folder,
                                                 const std::string& name) {
  if (auto good = check_name(name); !good) {
    return tl::unexpected(good.error());
  }
  const auto own = folder / (name + ".pem");
  const auto former = folder / (name + ".former.pem");
  std::vector<certificate_ptr> revoked;
  for (const auto& path : {own, former}) {
    if (!std::filesystem::exists(path)) {
      continue;
    }
    auto read = read_certificates_in(path);
    if (!read) {
      return tl::unexpected(read.error());
    }
    if (path == own && !is_for(read->front().get(), name)) {
      return is_of_another(own, read->front().get(), name);
    }
    std::copy_if(std::make_move_iterator(read->begin()), std::make_move_iterator(read->end()),
                 std::back_inserter(revoked),
                 [&](const certificate_ptr& one) { return is_for(one.get(), name); });
  }
  if (revoked.empty()) {
    return wrong(own, "there is nothing to revoke");
  }
  const auto signer = authority_in(folder, std::chrono::system_clock::now());
  if (!signer) {
    return tl::unexpected(signer.error());
  }
  const auto first_left = std::stable_partition(revoked.begin(), revoked.end(), [&](const auto& one) {
    return has_signed(*signer, one.get()) ||
           std::none_of(signer->trusted.begin(), signer->trusted.end(),
                        [&](const auto& by) { return X509_check_issued(by.get(), one.get()) == X509_V_OK; });
  });
  std::vector<certificate_ptr> left{std::make_move_iterator(first_left),
                                    std::make_move_iterator(revoked.end())};
  revoked.erase(first_left, revoked.end());
  if (revoked.empty() && !std::filesystem::exists(own)) {
    return wrong(own,
                 "another authority has signed its certificates, and its key is not here: they cannot be "
                 "revoked. `continuo cluster init --newest-authority` ends the trust in that authority");
  }
  const auto path = folder / "revoked.pem";
  auto lists = read_lists(path);
  if (!lists) {
    return tl::unexpected(lists.error());
  }
  list_ptr before;
  std::erase_if(*lists, [&](list_ptr& one) {
    const auto is_its =
        X509_NAME_cmp(X509_CRL_get_issuer(one.get()), X509_get_subject_name(signer->certificate.get())) == 0;
    before = is_its ? std::move(one) : std::move(before);
    return is_its;
  });
  if (!revoked.empty()) {
    const auto made = make_list(*signer, before.get(), revoked);
    if (!made) {
      return wrong(path, "the list cannot be made: " + openssl_reason());
    }
    const auto written = replace_file(path, false, [&](std::FILE* file) {
      int good = PEM_write_X509_CRL(file, made.get());
      for (const auto& one : *lists) {
        good = good == 1 ? PEM_write_X509_CRL(file, one.get()) : 0;
      }
      return good;
    });
    if (!written) {
      return tl::unexpected(written.error());
    }
  }
  if (!left.empty()) {
    std::vector<const X509*> all;
    for (const auto& one : left) {
      all.push_back(one.get());
    }
    if (auto kept =
            replace_file(former, false, [&](std::FILE* file) { return write_certificates(file, all); });
        !kept) {
      return tl::unexpected(kept.error());
    }
  }
  std::error_code trouble;
  for (const auto& file : {own, left.empty() ? former : std::filesystem::path{}, folder / (name + ".key")}) {
    if (file.empty()) {
      continue;
    }
    std::filesystem::remove(file, trouble);
    if (trouble) {
      return fail(errc::invalid_configuration, fmt::format("{}: {}", file.string(), trouble.message()));
    }
  }
  return certificates_revoked{revoked.size(), left.size()};
}

} // namespace continuo::nodes
