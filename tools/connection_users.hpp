#pragma once

#include <boost/asio/ip/tcp.hpp>

#include <filesystem>
#include <optional>
#include <string>

namespace continuo::tools {

/// Why a connection leads to somebody who must not be told what stands in a file, in words: the user whose
/// the other socket is may not read it. Nothing where that user may, by the file's owner or its group, and as
/// this process's own user or root; and where the connection leads to another machine. Of a connection to an
/// address of this machine whose other end the kernel does not name it is an objection.
///
/// The kernel is asked for that one connection (sock_diag(7)). While it is not accepted yet it has no owner
/// that can be relied on, and the listener's counts, who was there before: where he went, the connection
/// ended.
/// @param here this end
/// @param there the other one
std::optional<std::string> objection_to_peer(const std::filesystem::path& file,
                                             const boost::asio::ip::tcp::endpoint& here,
                                             const boost::asio::ip::tcp::endpoint& there);

} // namespace continuo::tools
