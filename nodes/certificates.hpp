#pragma once

#include <continuo/cluster.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace continuo::nodes {

/// Whether the files can be used: they can be read, the key belongs to the certificate, and the authority has
/// signed it for the present time. Checked at start: later a wrong one would only show as peers that refuse
/// each other. `errc::invalid_configuration` names the file and what to do.
result<void> check_certificates(const tls_files& files);

/// Makes a private authority (`ca.pem`, `ca.key`) in `folder`, which is created if missing, and for each name
/// a certificate that it has signed (`NAME.pem`, `NAME.key`): EC keys on P-256, valid for ten years, keys
/// readable by their owner alone. What is there already is kept: a node added later gets its certificate from
/// the same authority. `errc::invalid_configuration` where the folder cannot be written, or an authority is
/// there without its key.
result<void> make_certificates(const std::filesystem::path& folder, const std::vector<std::string>& names);

} // namespace continuo::nodes
