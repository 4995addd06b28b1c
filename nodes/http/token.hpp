#pragma once

#include <continuo/cluster.hpp>
#include <continuo/result.hpp>

#include <string>

namespace continuo::nodes {

/// What clients of this address must send; empty: nothing. `errc::invalid_configuration` where the file
/// cannot be read or holds no token of 16 visible characters at least, and where others can reach an address
/// without one.
result<std::string> read_token(const http_address& at);

} // namespace continuo::nodes
