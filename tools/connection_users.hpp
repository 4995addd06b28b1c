#pragma once

#include <boost/asio/ip/tcp.hpp>

#include <filesystem>
#include <optional>
#include <string>

namespace continuo::tools {

/// Who is at the other end of a connection within this machine and may not read a file, in words: to that
/// user what stands in the file must not be told, whatever the address promises. Counted are the owner of the
/// other socket and all who listen at its address; they may read by the file's owner, its group or its mode,
/// and as this process's own user or root. Nothing where all of them may, where the connection leads to
/// another machine, and where the kernel does not say. By /proc/net/tcp and tcp6 (proc(5)).
/// @param here this end
/// @param there the other one
std::optional<std::string> peer_without(const std::filesystem::path& file,
                                        const boost::asio::ip::tcp::endpoint& here,
                                        const boost::asio::ip::tcp::endpoint& there);

} // namespace continuo::tools
