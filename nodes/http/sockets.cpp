#include "nodes/http/sockets.hpp"

#include <cerrno>
#include <sys/socket.h>
#include <unistd.h>

namespace continuo::http {

namespace {

using tcp = boost::asio::ip::tcp;
using boost::system::error_code;

error_code system_error(int number) {
  return {number, boost::system::system_category()};
}

template <class Socket>
void open_socket(Socket& socket, tcp protocol, error_code& failed) {
  const int file = ::socket(protocol.family(), protocol.type() | SOCK_CLOEXEC, protocol.protocol());
  if (file < 0) {
    failed = system_error(errno);
    return;
  }
  socket.assign(protocol, file, failed);
  if (failed) {
    ::close(file);
  }
}

} // namespace

void open_closed_on_exec(tcp::acceptor& acceptor, tcp protocol, error_code& failed) {
  open_socket(acceptor, protocol, failed);
}

void open_closed_on_exec(tcp::socket& socket, tcp protocol, error_code& failed) {
  open_socket(socket, protocol, failed);
}

tcp::socket accept_closed_on_exec(tcp::acceptor& from, error_code& failed) {
  tcp::socket taken{from.get_executor()};
  sockaddr_storage peer{};
  socklen_t size = sizeof(peer);
  const int file = ::accept4(from.native_handle(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC);
  if (file < 0) {
    const auto gone = errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
    failed = gone ? error_code{boost::asio::error::would_block} : system_error(errno);
    return taken;
  }
  taken.assign(peer.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), file, failed);
  if (failed) {
    ::close(file);
  }
  return taken;
}

} // namespace continuo::http
