#pragma once

#include <continuo/cluster.hpp>
#include <continuo/result.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace continuo::nodes {

/// What clients of this address must send; empty: nothing. `errc::invalid_configuration` where the file
/// cannot be read or holds no token of 16 visible characters at least, and where others can reach an address
/// without one.
result<std::string> read_token(const http_address& at);

/// What whoever runs a node should know of an address that asks for that token: sentences for its log.
std::vector<std::string> cautions(const http_address& at, const std::string& token);

/// Makes a token file that only its owner can read: a line of 256 random bits. What stands there already, a
/// link too, is left alone, and is `errc::invalid_configuration` unless it holds a token. Whether it was
/// made.
result<bool> make_token(const std::filesystem::path& file);

} // namespace continuo::nodes
