#define CAF_SUITE http_listeners

#include "nodes/certificates.hpp"
#include "nodes/http/token.hpp"
#include "nodes/probe.hpp"
#include "tests/nodes/http_connection.hpp"
#include "tests/nodes/reserved_port.hpp"
#include "tests/nodes/shop.hpp"

#include <continuo/node.hpp>

#include <caf/test/dsl.hpp>

#include <array>

#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <fstream>
#include <sstream>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

struct fixture {
  temporary_directory directory;
  reserved_port port;
  std::ostringstream said;

  node_config with(http_address at) {
    auto config = node_config::in_memory();
    config.logger =
        std::make_shared<spdlog::logger>("shop", std::make_shared<spdlog::sinks::ostream_sink_mt>(said));
    config.logger->set_pattern("%l %v");
    config.http = std::move(at);
    return config;
  }

  std::filesystem::path token() const {
    auto file = directory.path() / "token";
    CAF_REQUIRE(nodes::make_token(file).has_value());
    return file;
  }

  /// Why the node does not start.
  static error refusal_of(node_config config) {
    node here{std::move(config)};
    host_shop(here);
    const auto started = here.start();
    CAF_REQUIRE(!started);
    return started.error();
  }

  bool has_said(const std::string& text) const { return said.str().find(text) != std::string::npos; }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(http_listeners_tests, fixture)

CAF_TEST(a node that asks for no token says so once) {
  node here{with({"127.0.0.1", port.number()})};
  host_shop(here);
  CAF_REQUIRE(here.start().has_value());
  here.stop();
  const auto line = "warning HTTP at 127.0.0.1:" + std::to_string(port.number()) + " asks for no token";
  CAF_CHECK(has_said(line));
  CAF_CHECK_EQUAL(said.str().find(line), said.str().rfind(line));
  CAF_CHECK(has_said("http_address::token_file"));
}

CAF_TEST(a token that may be missing is asked for as soon as it is there) {
  http_address at{"127.0.0.1", port.number(), directory.path() / "token", true};
  const auto status = [&] {
    node here{with(at)};
    host_shop(here);
    CAF_REQUIRE(here.start().has_value());
    return status_of(ask(port.number(), "/api/v1/nodes"));
  };
  CAF_CHECK_EQUAL(status(), 200);
  CAF_CHECK(has_said("asks for no token"));
  token();
  said.str("");
  CAF_CHECK_EQUAL(status(), 401);
  CAF_CHECK(!has_said("asks for no token"));
  at.token_file = directory.path() / "none";
  at.token_may_be_missing = false;
  const auto refused = refusal_of(with(at));
  CAF_CHECK(refused.code == errc::invalid_configuration);
  CAF_CHECK(refused.message.find("none is missing") != std::string::npos);
}

CAF_TEST(with a token a node listens at any address and warns of plain text) {
  const auto file = token();
  for (const auto* host : {"0.0.0.0", "::"}) {
    if (host[0] == ':' && !nodes::try_to_listen("::", port.number())) {
      CAF_MESSAGE("no IPv6 here");
      continue;
    }
    CAF_MESSAGE("at " << host);
    said.str("");
    node here{with({host, port.number(), file})};
    host_shop(here);
    CAF_REQUIRE(here.start().has_value());
    for (const auto* address : {"127.0.0.1", "127.0.0.2"}) {
      CAF_CHECK(nodes::probe(address, port.number(), 5s).has_value());
    }
    CAF_CHECK_EQUAL(status_of(ask(port.number(), "/healthz")), 200);
    CAF_CHECK_EQUAL(status_of(ask(port.number(), "/api/v1/nodes")), 401);
    CAF_CHECK(has_said("is plain text"));
  }
}

CAF_TEST(an address to listen at is as open as one that others use) {
  http_address at{"127.0.0.1", port.number()};
  at.listen_host = "0.0.0.0";
  for (const auto may_be_missing : {false, true}) {
    at.token_file = may_be_missing ? file_path{directory.path() / "none"} : file_path{};
    at.token_may_be_missing = may_be_missing;
    const auto refused = refusal_of(with(at));
    CAF_CHECK(refused.code == errc::invalid_configuration);
    CAF_CHECK(refused.message.find("0.0.0.0 can be reached by others") != std::string::npos);
  }
  auto config = node_config::in_memory();
  config.name = "shop";
  config.cluster.emplace();
  config.cluster->name = "mall";
  cluster_node open{"shop", "127.0.0.1", port.number(), {"payment", "warehouse", "fulfilment"}};
  open.listen_host = "0.0.0.0";
  config.cluster->nodes = {open};
  const auto refused = refusal_of(std::move(config));
  CAF_CHECK(refused.code == errc::invalid_configuration);
  CAF_CHECK(refused.message.find("0.0.0.0, which others can reach, and TLS is off") != std::string::npos);
}

CAF_TEST(a node listens where it is told and says where it is reached) {
  const reserved_port peers;
  const reserved_port used;
  auto config = with({"127.0.0.1", used.number()});
  config.http->listen_port = port.number();
  config.name = "shop";
  config.cluster.emplace();
  config.cluster->name = "mall";
  cluster_node me{"shop", "127.0.0.1", used.number(), {"payment", "warehouse", "fulfilment"}, config.http};
  me.listen_port = peers.number();
  config.cluster->nodes = {me};
  node here{std::move(config)};
  host_shop(here);
  CAF_REQUIRE(here.start().has_value());
  CAF_CHECK_EQUAL(status_of(ask(port.number(), "/readyz")), 200);
  CAF_CHECK(nodes::probe("127.0.0.1", peers.number(), 5s).has_value());
  CAF_CHECK(!nodes::probe("127.0.0.1", used.number(), 5s));
}

CAF_TEST(a certificate that cannot be shown is refused at the start) {
  const auto folder = directory.path() / "certificates";
  CAF_REQUIRE(nodes::make_certificates(folder, {"a", "b"}).has_value());
  http_address at{"127.0.0.1", port.number()};
  for (const auto& [certificate, key, wrong] :
       {std::array{"a.pem", "b.key", "b.key"}, std::array{"none.pem", "a.key", "none.pem"},
        std::array{"a.pem", "none.key", "none.key"}, std::array{"a.key", "a.key", "a.key"}}) {
    at.tls = http_certificate{folder / certificate, folder / key};
    const auto refused = refusal_of(with(at));
    CAF_CHECK(refused.code == errc::invalid_configuration);
    CAF_CHECK(refused.message.find((folder / wrong).string()) != std::string::npos);
  }
  at.tls = http_certificate{folder / "a.pem", folder / "a.key"};
  node here{with(at)};
  host_shop(here);
  CAF_REQUIRE(here.start().has_value());
  CAF_CHECK_EQUAL(status_of(ask(port.number(), "/healthz")), 0); // it speaks TLS
}

CAF_TEST_FIXTURE_SCOPE_END()
