#pragma once

#include <boost/asio/ip/tcp.hpp>

namespace continuo::http {

/// Sockets that a program which a handler starts does not inherit. Those that Asio makes would be, and to
/// set that afterwards would leave a moment in which another thread may start one.

/// Opens `acceptor` for that protocol. @pre it is closed
void open_closed_on_exec(boost::asio::ip::tcp::acceptor& acceptor, boost::asio::ip::tcp protocol,
                         boost::system::error_code& failed);

/// Opens `socket` for that protocol. @pre it is closed
void open_closed_on_exec(boost::asio::ip::tcp::socket& socket, boost::asio::ip::tcp protocol,
                         boost::system::error_code& failed);

/// Takes in a connection that waits. Where none does (any more) `failed` is `would_block`.
/// @pre the acceptor's socket does not block
boost::asio::ip::tcp::socket accept_closed_on_exec(boost::asio::ip::tcp::acceptor& from,
                                                   boost::system::error_code& failed);

} // namespace continuo::http
