// Any bytes from a client. Read whole and cut anywhere into pieces they are the same requests, within the
// limits; a server on a real connection answers all of them, and nothing else, and closes. The first two
// bytes say where to cut.

#include "nodes/http/request_reader.hpp"
#include "nodes/http/server.hpp"
#include "tests/fuzz/claim.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using namespace continuo;
using http::request_reader;

/// Small, so that inputs reach them.
http::server_limits small() {
  http::server_limits limits;
  limits.header_bytes = 400;
  limits.rest_bytes = 200;
  limits.body_bytes = 300;
  return limits;
}

/// Gives the sizes of the pieces, one after another.
class cutter {
public:
  explicit cutter(std::uint16_t seed) : state_(seed) {}

  std::size_t next() {
    state_ = state_ * 6'364'136'223'846'793'005u + 1'442'695'040'888'963'407u;
    const auto drawn = state_ >> 33;
    return 1 + drawn % ((drawn >> 16) % 4 == 0 ? 200 : 8);
  }

private:
  std::uint64_t state_;
};

struct reading {
  std::vector<std::string> requests;
  bool refused = false;
};

std::string text_of(const http::request& one) {
  auto text = one.method + ' ' + one.path + '\n';
  for (const auto& [name, value] : one.headers) {
    text += name + ':' + value + '\n';
  }
  return text + '\n' + one.body;
}

template <class Sizes>
reading read(std::string_view bytes, Sizes next_size) {
  reading made;
  request_reader reader{small()};
  while (!bytes.empty()) {
    const auto room = reader.room();
    claim(room > 0, "there is room as long as nothing was found");
    const auto size = std::min({next_size(), bytes.size(), room});
    reader.add(bytes.substr(0, size));
    bytes.remove_prefix(size);
    bool header = false;
    for (auto found = reader.go_on(); found != request_reader::found::nothing; found = reader.go_on()) {
      if (found == request_reader::found::nothing_good) {
        claim(reader.refusal().status >= 400 && reader.refusal().status < 500, "it is the client's fault");
        made.refused = true;
        return made;
      }
      claim(!header || found == request_reader::found::request, "a header is said once");
      header = found == request_reader::found::header;
      if (found == request_reader::found::request) {
        const auto one = reader.take();
        claim(one.body.size() <= small().body_bytes, "a body is within its limit");
        made.requests.push_back(text_of(one));
        reader.begin();
      }
    }
  }
  return made;
}

/// What one reading makes of the bytes the other one may only see later: a bad header is known as such by its
/// first bytes, or only when it is whole.
void compare(const reading& one, const reading& other) {
  const auto both = std::min(one.requests.size(), other.requests.size());
  claim(std::equal(one.requests.begin(), one.requests.begin() + static_cast<std::ptrdiff_t>(both),
                   other.requests.begin()),
        "the pieces make no difference to a request");
  claim(one.refused || one.requests.size() >= other.requests.size(), "no request is found in pieces alone");
  claim(other.refused || other.requests.size() >= one.requests.size(), "no request is lost in pieces");
  claim(!one.refused || other.requests.size() <= one.requests.size(), "nothing is read behind a refusal");
  claim(!other.refused || one.requests.size() <= other.requests.size(), "nothing is read behind a refusal");
}

/// One for the whole run.
class subject {
public:
  subject() {
    auto made = http::server::listen(
        {},
        [](http::request&& asked, const http::answer& done) {
          http::response said{200, asked.body, "text/plain"};
          if (asked.path == "/stream") {
            said.opened = [](const std::shared_ptr<http::stream>& to) {
              to->write("one");
              to->write("two");
            };
          }
          done(std::move(said));
        },
        [](const http::request& asked) {
          return asked.path == "/no" ? std::optional{http::error_response(401, "unauthorized", "no")}
                                     : std::nullopt;
        },
        small());
    claim(made.has_value(), "the server listens");
    server_ = std::move(*made);
  }

  /// All that it says to the bytes.
  std::string answers(std::string_view bytes, cutter cuts) const {
    const int file = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(server_->port());
    // Interrupted it goes on by itself, and has ended when it is called again.
    const auto connected = uninterrupted(
        [&] { return ::connect(file, reinterpret_cast<sockaddr*>(&address), sizeof(address)); });
    claim(connected == 0 || errno == EISCONN, "it accepts");
    const int yes = 1;
    ::setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    const linger at_once{1, 0}; // leave no port behind that waits
    ::setsockopt(file, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    for (int pieces = 0; !bytes.empty(); ++pieces) {
      const auto size = pieces < 4 ? std::min(cuts.next(), bytes.size()) : bytes.size();
      if (uninterrupted([&] { return ::send(file, bytes.data(), size, MSG_NOSIGNAL); }) <= 0) {
        break;
      }
      bytes.remove_prefix(size);
    }
    ::shutdown(file, SHUT_WR);
    std::string heard;
    std::array<char, 4'096> part;
    for (;;) {
      pollfd waits{file, POLLIN, 0};
      claim(uninterrupted([&] { return ::poll(&waits, 1, 8'000); }) > 0, "it answers or closes");
      const auto got = uninterrupted([&] { return ::recv(file, part.data(), part.size(), 0); });
      if (got <= 0) {
        break;
      }
      heard.append(part.data(), static_cast<std::size_t>(got));
    }
    ::close(file);
    return heard;
  }

private:
  std::unique_ptr<http::server> server_;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const subject& server = *new subject; // never ended: the fuzzer leaves by exit
  if (size < 2) {
    return 0;
  }
  const auto seed = static_cast<std::uint16_t>(data[0] | data[1] << 8);
  const std::string_view bytes{reinterpret_cast<const char*>(data) + 2, size - 2};
  const auto whole = read(bytes, [&] { return bytes.size(); });
  cutter cuts{seed};
  compare(whole, read(bytes, [&] { return cuts.next(); }));
  compare(whole, read(bytes, [] { return std::size_t{1}; }));
  const auto said = server.answers(bytes, cutter{seed});
  claim(said.empty() || said.starts_with("HTTP/1."), "it speaks HTTP");
  claim(said.find("\r\n\r\n") != std::string::npos || said.empty(), "a header is whole");
  claim(!said.starts_with("HTTP/1.1 5") && !said.starts_with("HTTP/1.0 5"),
        "what is wrong is the client's fault");
  return 0;
}
