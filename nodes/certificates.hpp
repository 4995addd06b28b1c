#pragma once

#include <continuo/cluster.hpp>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace continuo::nodes {

/// Whether the files can be used: they can be read, the key belongs to the certificate, which is that of the
/// node `name`, and an authority has signed it for the present time and has not revoked it. Checked at start:
/// later a wrong one would only show as peers that refuse each other. `errc::invalid_configuration` names the
/// file and what to do.
result<void> check_certificates(const tls_files& files, const std::string& name);

/// Which authority signs.
enum class authorities : std::uint8_t {
  as_they_are, ///< the one whose key is there; the first one is made
  add,         ///< a new one is made beside those that there are; nodes keep their certificates for now
  newest_only, ///< those whose key is not there are trusted no longer
};

/// What was done, for people.
struct certificates_made {
  struct one {
    std::string name;                            ///< of the node
    std::string done;                            ///< "made", "renewed" or "kept"
    std::string why;                             ///< it was renewed
    std::chrono::system_clock::time_point until; ///< it is good
  };
  std::vector<one> nodes;                                ///< in the order of their names
  std::chrono::system_clock::time_point authority_until; ///< of the one that signs
  bool made_authority = false;
  std::size_t trusted = 1; ///< authorities in `ca.pem`
};

struct certificates_revoked {
  std::size_t revoked = 0;
  std::size_t left = 0; ///< that another trusted authority has signed: they stay good until its trust ends
};

/// Makes a private authority (`ca.pem`, `ca.key`) in `folder`, which is created if missing, and for each name
/// a certificate that it has signed (`NAME.pem`, `NAME.key`): EC keys on P-256, readable by their owner
/// alone; an authority is good for ten years, a node's certificate for one. One that is there is kept, and
/// renewed for the same key where it is in the last third of its time or past it, has no name, was revoked,
/// or was signed by another authority than the one that signs now. What it takes the place of is
/// kept in `NAME.former.pem`, so that it can be revoked. Files are replaced whole: a node that reads them
/// meanwhile sees the old or the new. `errc::invalid_configuration` where the folder cannot be written, or an
/// authority is there without its key; `errc::conflict` where a certificate there is another node's, a key is
/// not that of its certificate, or, with `newest_only`, a certificate is missing or signed by an authority
/// that would be trusted no longer: all of that is looked at before anything is changed.
result<certificates_made>
make_certificates(const std::filesystem::path& folder, const std::vector<std::string>& names,
                  authorities which = authorities::as_they_are,
                  std::chrono::system_clock::time_point now = std::chrono::system_clock::now());

/// Revokes every certificate that `folder` has of the node, the former ones too: they stand in `revoked.pem`,
/// a list (CRL) that the authority signs, from then on. Removes the node's files, so that `make_certificates`
/// makes a new key. `errc::conflict` where `NAME.pem` is another node's. What another authority has signed
/// that is still trusted can only be revoked with the key of that one, and stays in `NAME.former.pem`.
/// `errc::invalid_configuration` where nothing can be revoked.
result<certificates_revoked> revoke_certificates(const std::filesystem::path& folder,
                                                 const std::string& name);

} // namespace continuo::nodes
