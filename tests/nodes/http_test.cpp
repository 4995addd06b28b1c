#define CAF_SUITE http

#include "nodes/http/server.hpp"
#include "tests/nodes/http_connection.hpp"
#include "tests/nodes/reserved_port.hpp"
#include "tests/nodes/shop.hpp"

#include <continuo/node.hpp>

#include <nlohmann/json.hpp>

#include <caf/test/dsl.hpp>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>
#include <unistd.h>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

json body_of(const std::string& answer) {
  const auto end = answer.find("\r\n\r\n");
  return end == std::string::npos ? json{} : json::parse(answer.substr(end + 4), nullptr, false);
}

/// A server that says back what it was asked.
std::unique_ptr<http::server> echo(const http::server_limits& limits = {}) {
  auto made = http::server::listen(
      {},
      [](http::request&& asked, const http::answer& done) {
        json seen{
            {"method", asked.method}, {"path", asked.path}, {"query", asked.query}, {"body", asked.body}};
        seen["test"] = asked.headers["x-test"];
        done({200, seen.dump()});
      },
      {}, limits);
  CAF_REQUIRE(made.has_value());
  return std::move(*made);
}

} // namespace

CAF_TEST(a request arrives whole and several one after another) {
  const auto server = echo();
  connection to{server->port()};
  to.say("POST /a%20b?x=2&y=%2Fz+w&empty HTTP/1.1\r\nHost: localhost\r\nX-Test: Yes\r\nContent-Length: "
         "3\r\n\r\nabc"
         "GET /second HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const auto both = to.hear();
  const auto second = both.find("HTTP/1.1", 1);
  CAF_REQUIRE(second != std::string::npos);
  const auto first = body_of(both.substr(0, second));
  CAF_CHECK_EQUAL(first["method"], "POST");
  CAF_CHECK_EQUAL(first["path"], "/a b");
  CAF_CHECK_EQUAL(first["query"]["x"], "2");
  CAF_CHECK_EQUAL(first["query"]["y"], "/z w");
  CAF_CHECK_EQUAL(first["query"]["empty"], "");
  CAF_CHECK_EQUAL(first["test"], "Yes");
  CAF_CHECK_EQUAL(first["body"], "abc");
  const auto last = body_of(both.substr(second));
  CAF_CHECK_EQUAL(last["path"], "/second");
}

CAF_TEST(what cannot be read is refused and never a 500) {
  http::server_limits limits;
  limits.header_bytes = 1'000;
  limits.body_bytes = 100;
  limits.to_send = 1s;
  const auto server = echo(limits);
  const auto request = [](const std::string& line, const std::string& more = {}) {
    return line + "\r\nHost: localhost\r\nConnection: close\r\n" + more + "\r\n";
  };
  const std::pair<std::string, int> table[] = {
      {"\r\n\r\n\r\n", 400},
      {"hello there\r\n\r\n", 400},
      {std::string(500, '\0'), 400},
      {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + std::string(200, 'x') + "\r\n\r\n", 400}, // TLS
      {request("GET HTTP/1.1"), 400},
      {request("GET /a HTTP/9.9"), 400},
      {request("GET /a HTTP/1.1", "no colon here\r\n"), 400},
      {request("GET /a HTTP/1.1", "Content-Length: -1\r\n"), 400},
      {request("GET /a HTTP/1.1", "Content-Length: x\r\n"), 400},
      {request("GET /a%zz HTTP/1.1"), 400},
      {request("GET /a% HTTP/1.1"), 400},
      {request("GET /a?x=%1 HTTP/1.1"), 400},
      {request("GET /a?x=1&x=2 HTTP/1.1"), 400},
      {request("GET a HTTP/1.1"), 400},
      {"GET /a HTTP/1.1\r\nConnection: close\r\n\r\n", 400}, // for which host?
      {request("POST /a HTTP/1.1", "Transfer-Encoding: chunked\r\n") + "zz\r\n", 400},
      {request("GET /a HTTP/1.1", "X: " + std::string(2'000, 'y') + "\r\n"), 431},
      {request("POST /a HTTP/1.1", "Content-Length: 101\r\n") + std::string(101, 'b'), 413},
      {request("POST /a HTTP/1.1", "Content-Length: 100\r\n") + std::string(100, 'b'), 200},
      {request("BREW /a HTTP/1.1"), 200}, // a method is the handler's to judge
  };
  for (const auto& [bytes, status] : table) {
    connection to{server->port()};
    to.say(bytes);
    const auto answer = to.hear(3s);
    CAF_CHECK_EQUAL(status_of(answer), status);
    CAF_CHECK(answer.find("<silence>") == std::string::npos);
    if (status_of(answer) != status) {
      CAF_MESSAGE(bytes << "\n-> " << answer);
    }
    CAF_CHECK(status == 200 || body_of(answer)["error"]["message"].is_string());
  }
}

CAF_TEST(an answer may come later from another thread or never) {
  std::mutex mutex;
  std::condition_variable one_more;
  std::vector<http::answer> waiting;
  http::server_limits limits;
  limits.to_answer = 1s;
  auto server = http::server::listen(
      {},
      [&](http::request&&, const http::answer& done) {
        const std::lock_guard lock{mutex};
        waiting.push_back(done);
        one_more.notify_all();
      },
      {}, limits);
  CAF_REQUIRE(server.has_value());
  const auto request = "GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  const auto wait_for = [&](std::size_t count) {
    std::unique_lock lock{mutex};
    return one_more.wait_for(lock, 5s, [&] { return waiting.size() == count; });
  };
  const connection answered{(*server)->port()};
  answered.say(request);
  CAF_REQUIRE(wait_for(1));
  std::thread{[&] {
    waiting[0]({200, "{}"});
    waiting[0]({200, "twice"}); // the second one is dropped
  }}.join();
  CAF_CHECK_EQUAL(status_of(answered.hear()), 200);
  const connection forgotten{(*server)->port()};
  forgotten.say(request);
  CAF_CHECK_EQUAL(status_of(forgotten.hear()), 503);
  const connection left{(*server)->port()};
  left.say(request);
  CAF_REQUIRE(wait_for(3));
  server->reset();
  waiting[2]({200, "{}"}); // nobody is there any more
}

CAF_TEST(a node that all its peers refuse is not ready) {
  const reserved_port peers[2];
  const reserved_port calls[2];
  std::vector<std::unique_ptr<node>> nodes;
  for (const std::size_t i : {0u, 1u}) {
    node_config config;
    config.name = i == 0 ? "here" : "there";
    config.http = http_address{"127.0.0.1", calls[i].number()};
    config.cluster.emplace();
    config.cluster->name = i == 0 ? "shop" : "mall";
    config.cluster->nodes = {{"here", "127.0.0.1", peers[0].number(), {"payment", "warehouse", "fulfilment"}},
                             {"there", "127.0.0.1", peers[1].number(), {}}};
    nodes.push_back(std::make_unique<node>(std::move(config)));
    host_shop(*nodes.back());
    CAF_REQUIRE(nodes.back()->start().has_value());
  }
  for (const auto& port : calls) {
    std::string said;
    for (int i = 0; i < 2'000 && status_of(said) != 503; ++i) { // it dials once in a while
      said = ask(port.number(), "/readyz");
    }
    CAF_CHECK_EQUAL(status_of(said), 503);
    CAF_CHECK(said.find("it belongs to the cluster") != std::string::npos);
    CAF_CHECK_EQUAL(status_of(ask(port.number(), "/healthz")), 200);
  }
}

CAF_TEST(a node says what it is and what it sees) {
  auto config = node_config::in_memory();
  config.name = "shop";
  const reserved_port held;
  const auto port = held.number();
  config.http = http_address{"127.0.0.1", port};
  node here{std::move(config)};
  host_shop(here);
  CAF_REQUIRE(here.start().has_value());
  CAF_CHECK_EQUAL(status_of(ask(port, "/healthz")), 200);
  CAF_CHECK_EQUAL(status_of(ask(port, "/readyz")), 200);
  const auto node = body_of(ask(port, "/api/v1/node"));
  CAF_CHECK_EQUAL(node["name"], "shop");
  CAF_CHECK_EQUAL(node["orphaned"], 0);
  CAF_CHECK(node["cluster"].is_null());
  CAF_CHECK(body_of(ask(port, "/api/v1/nodes"))["nodes"].empty());
  const auto services = body_of(ask(port, "/api/v1/services"))["services"];
  CAF_REQUIRE(services.is_array() && !services.empty());
  CAF_CHECK_EQUAL(services[0]["waiting"], 0);
  CAF_CHECK(services[0]["oldest_waiting"].is_null());
  CAF_CHECK_EQUAL(status_of(ask(port, "/api/v1/nothing")), 404);
  CAF_CHECK_EQUAL(status_of(ask(port, "/")), 404);
  CAF_CHECK_EQUAL(status_of(ask(port, "/readyz", "POST")), 405);
  CAF_CHECK_EQUAL(status_of(ask(port, "/nothing", "DELETE")), 404);
  here.stop();
  bool listens = true;
  try {
    ask(port, "/healthz");
  } catch (const std::runtime_error&) {
    listens = false;
  }
  CAF_CHECK(!listens);
}

CAF_TEST(a start that fails while somebody asks for it ends all the same) {
  auto folder = (std::filesystem::temp_directory_path() / "continuo-http-XXXXXX").string();
  CAF_REQUIRE(::mkdtemp(folder.data()) != nullptr);
  const auto data = folder + "/data";
  {
    node alone{node_config::embedded(data)};
    host_shop(alone);
    CAF_REQUIRE(alone.start().has_value());
    CAF_REQUIRE(alone.client().publish(order_placed{"o-1", 100}).get().has_value());
  }
  const reserved_port held;
  const reserved_port peers;
  std::atomic<bool> over{false};
  std::thread curious{[&] {
    while (!over) {
      try {
        ask(held.number(), "/readyz");
        ask(held.number(), "/api/v1/node");
      } catch (const std::runtime_error&) {
      } // nobody listens at this moment
    }
  }};
  for (int i = 0; i < 20; ++i) {
    auto config = node_config::embedded(data); // of a node that stood alone: it cannot be one of a cluster
    config.name = "shop";
    config.http = http_address{"127.0.0.1", held.number()};
    config.cluster.emplace();
    config.cluster->name = "mall";
    config.cluster->nodes = {
        {"shop", "127.0.0.1", peers.number(), {"payment", "warehouse", "fulfilment"}, std::nullopt}};
    node refused{std::move(config)};
    host_shop(refused);
    const auto started = refused.start();
    CAF_CHECK(!started && started.error().code == errc::invalid_configuration);
  }
  over = true;
  curious.join();
  std::filesystem::remove_all(folder);
}

CAF_TEST(an address must be free and of this machine alone) {
  const auto taken = echo();
  for (const auto& [address, code] :
       {std::pair{http_address{"127.0.0.1", taken->port()}, errc::address_in_use},
        std::pair{http_address{"0.0.0.0", 8'700}, errc::invalid_configuration},
        std::pair{http_address{"192.0.2.1", 8'700}, errc::invalid_configuration}}) {
    auto config = node_config::in_memory();
    config.http = address;
    node refused{std::move(config)};
    host_shop(refused);
    const auto started = refused.start();
    CAF_REQUIRE(!started);
    CAF_CHECK(started.error().code == code);
  }
}
