// Clients that are many, slow, idle, or gone: what they cost the others.
#define CAF_SUITE http_clients

#include "nodes/http/request_reader.hpp"
#include "nodes/http/server.hpp"
#include "tests/nodes/http_connection.hpp"

#include <caf/test/dsl.hpp>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

/// A server that answers `/wait` when it is told to, and everything else at once with its path.
class subject {
public:
  explicit subject(const http::server_limits& limits = {}) {
    auto made = http::server::listen(
        {}, [this](auto&& asked, auto done) { take(std::move(asked), done); }, {}, limits);
    CAF_REQUIRE(made.has_value());
    server_ = std::move(*made);
  }

  std::uint16_t port() const { return server_->port(); }

  /// The request number `count` of those that wait, from 1. @pre it comes
  struct waiting {
    std::shared_ptr<const std::atomic<bool>> client_left;
    http::answer done;
  };
  waiting wait_for(std::size_t count) {
    std::unique_lock lock{mutex_};
    CAF_REQUIRE(one_more_.wait_for(lock, 20s, [&] { return waiting_.size() >= count; }));
    return waiting_[count - 1];
  }

private:
  void take(http::request&& asked, const http::answer& done) {
    if (asked.path != "/wait") {
      done({200, asked.path + asked.body, "text/plain"});
      return;
    }
    const std::lock_guard lock{mutex_};
    waiting_.push_back({asked.client_left, done});
    one_more_.notify_all();
  }

  std::mutex mutex_; // guards what follows
  std::condition_variable one_more_;
  std::vector<waiting> waiting_;
  std::unique_ptr<http::server> server_; // ends first
};

std::string get(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
}

/// Whether the request on that connection is answered with the status.
bool is_answered(const connection& on, const std::string& path, int status = 200) {
  on.say(get(path));
  return status_of(on.hear(20s, status == 200 ? path : "}}")) == status; // all of it
}

/// Whether the other side closes without a word.
bool is_closed(const connection& on) {
  return on.hear(20s).empty();
}

bool comes_true(const std::atomic<bool>& what) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (!what && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(1ms);
  }
  return what;
}

http::server_limits room_for(std::size_t connections) {
  http::server_limits limits;
  limits.connections = connections;
  limits.spare = 2;
  return limits;
}

} // namespace

CAF_TEST(the connection that is idle for longest makes room) {
  subject server{room_for(3)};
  const connection first{server.port()};
  CAF_CHECK(is_answered(first, "/1"));
  const connection silent{server.port()};
  const connection third{server.port()};
  CAF_CHECK(is_answered(third, "/3"));
  CAF_CHECK(is_answered(first, "/4")); // so `silent` is idle for longest, though it came later
  const connection fourth{server.port()};
  CAF_CHECK(is_closed(silent));
  CAF_CHECK(is_answered(fourth, "/5"));
  const connection fifth{server.port()};
  CAF_CHECK(is_closed(third));
  CAF_CHECK(is_answered(first, "/6"));
  CAF_CHECK(is_answered(fourth, "/7"));
  CAF_CHECK(is_answered(fifth, "/8"));
}

CAF_TEST(connections at work are not closed and who comes too many is told so) {
  subject server{room_for(2)};
  const connection first{server.port()};
  const connection second{server.port()};
  first.say(get("/wait"));
  second.say(get("/wait"));
  server.wait_for(2);
  const connection third{server.port()};
  CAF_CHECK(is_answered(third, "/a", 503));
  CAF_CHECK(is_closed(third));
  for (const std::size_t number : {1u, 2u}) {
    server.wait_for(number).done({200, "done"});
  }
  for (const auto* one : {&first, &second}) {
    CAF_CHECK_EQUAL(status_of(one->hear(20s, "done")), 200);
  }
  const connection later{server.port()};
  CAF_CHECK(is_answered(later, "/a"));
}

CAF_TEST(one path is answered whoever else is there) {
  subject server{room_for(1)};
  const connection first{server.port()};
  first.say(get("/wait"));
  server.wait_for(1);
  std::vector<std::unique_ptr<connection>> crowd;
  for (int i = 0; i < 50; ++i) {
    crowd.push_back(std::make_unique<connection>(server.port()));
    crowd.back()->say(i % 2 == 0 ? "" : "GET /healthz HTTP/1.1\r\nHost: loc"); // what it wants is not known
    const connection one{server.port()};
    CAF_CHECK(is_answered(one, "/healthz"));
  }
  server.wait_for(1).done({200, "done"});
  CAF_CHECK_EQUAL(status_of(first.hear(20s, "done")), 200);
}

CAF_TEST(a client that leaves while it waits makes room at once) {
  subject server{room_for(1)};
  std::size_t number = 0;
  for (const bool breaks : {false, true}) {
    auto leaves = std::make_unique<connection>(server.port());
    leaves->say(get("/wait"));
    const auto seen = server.wait_for(++number);
    CAF_CHECK(!*seen.client_left);
    if (breaks) {
      leaves->break_off();
    }
    leaves.reset();
    CAF_CHECK(comes_true(*seen.client_left));
    const connection next{server.port()};
    CAF_CHECK(is_answered(next, "/a"));
    seen.done({200, "nobody"});
  }
}

CAF_TEST(a client that leaves is noticed behind requests that it sent ahead) {
  subject server;
  auto leaves = std::make_unique<connection>(server.port());
  leaves->say(get("/wait") + get("/a") + get("/b"));
  const auto seen = server.wait_for(1);
  leaves.reset();
  CAF_CHECK(comes_true(*seen.client_left));
}

CAF_TEST(a client that closes its own direction still gets the answers that come soon) {
  subject server;
  const connection one{server.port()};
  one.say(get("/wait") + get("/a") + get("/wait") + get("/b"));
  one.say_no_more();
  auto seen = server.wait_for(1);
  CAF_CHECK(comes_true(*seen.client_left));
  seen.done({200, "first"});
  server.wait_for(2).done({200, "second"});
  const auto heard = one.hear(20s);
  CAF_CHECK(heard.find("first") < heard.find("/a"));
  CAF_CHECK(heard.find("/a") < heard.find("second"));
  CAF_CHECK(heard.ends_with("/b"));
}

CAF_TEST(a client that closes its own direction is not waited for) {
  subject server;
  const connection one{server.port()};
  one.say(get("/wait"));
  one.say_no_more();
  CAF_CHECK(is_closed(one));
}

CAF_TEST(an idle connection is closed in the end) {
  http::server_limits limits;
  limits.idle = 1s;
  subject server{limits};
  const connection silent{server.port()};
  const connection second{server.port()};
  CAF_CHECK(is_answered(second, "/a"));
  CAF_CHECK(is_closed(silent));
  CAF_CHECK(is_closed(second));
}

CAF_TEST(bytes that dribble in renew no deadline) {
  http::server_limits limits;
  limits.to_send = 1s;
  subject server{limits};
  const std::string post = "POST /a HTTP/1.1\r\nHost: localhost\r\n";
  const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
  const std::pair<const char*, std::string> kinds[] = {
      {"a target", "GET /"},
      {"a header", post + "X: "},
      {"a body", post + "Content-Length: 1000\r\n\r\n"},
      {"a body that was waited for", post + "Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n"},
      {"a chunk", chunked + "400\r\n"},
      {"a chunk's extension", chunked + "1;a="},
      {"a trailer", chunked + "1\r\nx\r\n0\r\nX: "},
  };
  std::vector<std::pair<std::string, std::unique_ptr<connection>>> slow;
  for (const auto& [what, begin] : kinds) {
    slow.emplace_back(what, std::make_unique<connection>(server.port()));
    slow.back().second->say(begin);
  }
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (!slow.empty() && std::chrono::steady_clock::now() < deadline) {
    std::erase_if(slow, [](const auto& one) {
      one.second->say("x");
      return !one.second->hear(10ms).ends_with("<silence>");
    });
  }
  for (const auto& [what, open] : slow) {
    CAF_ERROR(what << " has been coming in for 20 s");
  }
}

CAF_TEST(the limit of a header is the same for one that comes in pieces) {
  http::server_limits limits;
  limits.header_bytes = 400;
  const auto status_of_header = [&](std::size_t bytes, std::size_t piece) {
    http::request_reader reader{limits};
    const std::string begin = "GET / HTTP/1.1\r\nHost: localhost\r\nX: ";
    const auto header = begin + std::string(bytes - begin.size() - 4, 'x') + "\r\n\r\n";
    for (std::size_t at = 0; at < header.size(); at += piece) {
      reader.add(std::string_view{header}.substr(at, piece));
      const auto found = reader.go_on();
      if (found == http::request_reader::found::nothing_good) {
        return reader.refusal().status;
      }
      if (found == http::request_reader::found::header) {
        return 200u;
      }
    }
    return 0u;
  };
  for (const std::size_t piece : {1u, 10u, 16u, 100u, 1'000u}) { // the first line has 16 bytes
    CAF_CHECK_EQUAL(status_of_header(400, piece), 200u);
    CAF_CHECK_EQUAL(status_of_header(401, piece), 431u);
  }
}

CAF_TEST(what must be read whole has a bound) {
  subject server;
  const std::string chunked = "POST /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string much(200'000, 'x');
  for (const auto& bytes : {"GET /" + much, "GET /a HTTP/1.1\r\nX: " + much, chunked + "1;a=" + much,
                            chunked + "1\r\nx\r\n0\r\nX: " + much}) {
    const connection one{server.port()};
    one.say(bytes);
    CAF_CHECK_EQUAL(status_of(one.hear(20s, "\r\n\r\n")), 431);
  }
  const connection honest{server.port()};
  honest.say(chunked + "1;a=" + much.substr(0, 60'000) + "\r\nx\r\n0\r\nX: " + much.substr(0, 60'000) +
             "\r\n\r\n");
  CAF_CHECK_EQUAL(status_of(honest.hear(20s, "/ax")), 200);
}

CAF_TEST(all that clients send has a bound together) {
  http::server_limits limits;
  limits.held_bytes = 100'000;
  subject server{limits};
  const std::string half(20'000, 'x');
  const auto post = "POST /wait HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40000\r\n\r\n" + half;
  std::vector<std::unique_ptr<connection>> crowd;
  std::size_t refused = 0;
  for (int i = 0; i < 6; ++i) {
    crowd.push_back(std::make_unique<connection>(server.port()));
    crowd.back()->say(post);
  }
  // 120,000 bytes, of which 100,000 have room.
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (refused == 0 && std::chrono::steady_clock::now() < deadline) {
    for (const auto& one : crowd) {
      const auto heard = one->hear(10ms, "\r\n\r\n");
      if (status_of(heard) == 503 && heard.find("Retry-After") != std::string::npos) {
        ++refused;
      }
    }
  }
  CAF_CHECK(refused >= 1 && refused <= 3);
  crowd.clear();
  const connection later{server.port()};
  later.say("POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40000\r\n\r\n" + half + half);
  CAF_CHECK_EQUAL(status_of(later.hear(20s, "x")), 200);
}

CAF_TEST(the pieces in which requests come make no difference) {
  const std::string post = "POST /a?b=c HTTP/1.1\r\nHost: localhost\r\n";
  const std::string bytes =
      get("/first") + post + "Content-Length: 5\r\n\r\nwhole" + post +
      "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nwho\r\n2\r\nle\r\n0\r\nTrailer: t\r\n\r\n" + post +
      "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get("/last") + "nonsense\r\n\r\n";
  const auto read = [&](std::size_t first, std::size_t rest) {
    http::request_reader reader{{}};
    std::string seen;
    auto size = first;
    for (std::size_t at = 0; at < bytes.size(); at += std::exchange(size, rest)) {
      reader.add(std::string_view{bytes}.substr(at, size));
      for (auto found = reader.go_on(); found != http::request_reader::found::nothing;
           found = reader.go_on()) {
        if (found == http::request_reader::found::nothing_good) {
          return seen + std::to_string(reader.refusal().status);
        }
        if (found == http::request_reader::found::request) {
          const auto one = reader.take();
          seen += one.method + ' ' + one.path + ' ' + one.body + std::to_string(one.headers.size()) + '\n';
          reader.begin();
        }
      }
    }
    return seen;
  };
  const auto expected = read(bytes.size(), 1);
  CAF_CHECK_EQUAL(expected, "GET /first 1\nPOST /a whole2\nPOST /a whole2\nPOST /a 2\nGET /last 1\n400");
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    CAF_CHECK_EQUAL(read(cut, bytes.size()), expected);
  }
  for (const std::size_t size : {1u, 2u, 3u, 7u}) {
    CAF_CHECK_EQUAL(read(size, size), expected);
  }
}
