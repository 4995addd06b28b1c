#define CAF_SUITE outcome
// ctest: timeout=60

#include "config/http_url.hpp"
#include "nodes/http/outgoing.hpp"
#include "tests/support/orders.hpp"

#include <continuo/archive.hpp>

#include <caf/test/dsl.hpp>

using namespace continuo;
using namespace continuo::http;
using tests::payment_completed;

namespace {

const std::string url = "http://127.0.0.1:9001/make_payment";

/// What the answer means, in one line.
std::string line_of(unsigned status, const std::string& body) {
  const auto meant = outcome_of(url, message_type_of<payment_completed>(), {status, body});
  if (!meant) {
    return std::string{to_string(meant.error().code)} + ": " + meant.error().message;
  }
  return meant->declined ? "declined: " + meant->payload
                         : "reply: " + decode<payment_completed>(meant->payload)->order_id;
}

} // namespace

CAF_TEST(a good status with the reply is the reply) {
  CAF_CHECK_EQUAL(line_of(200, R"({"order_id":"o-1"})"), "reply: o-1");
  CAF_CHECK_EQUAL(line_of(201, R"( {"order_id" : "o-1"} )"), "reply: o-1");
}

CAF_TEST(a good status without the reply is a failure that shows the body) {
  for (const auto* body : {"", "{}", "[]", "null", "OK", R"({"order":"o-1"})",
                           R"({"order_id":"o-1","more":1})", R"({"order_id":5})", R"({"order_id":"o-1"}{)"}) {
    const auto line = line_of(200, body);
    CAF_CHECK(
        line.starts_with("handler_failed: POST " + url + ": 200, and the body is no payment_completed ("));
    CAF_CHECK(line.ends_with(*body == '\0' ? "): an empty body" : "): " + std::string{body}));
  }
}

CAF_TEST(a 422 with a reason is a decline) {
  CAF_CHECK_EQUAL(line_of(422, R"({"reason":"card refused"})"), "declined: card refused");
  CAF_CHECK_EQUAL(line_of(422, R"({"code":7,"reason":""})"), "declined: ");
  CAF_CHECK(line_of(422, R"({"reason":")" + std::string(100'000, 'x') + "\"}").size() < 5'000);
}

CAF_TEST(a 422 without a reason is a failure) {
  for (const auto* body : {"no", "{}", R"({"reason":5})", R"(["reason"])", R"({"reason":"x")"}) {
    CAF_CHECK_EQUAL(line_of(422, body),
                    "handler_failed: POST " + url + R"(: 422 without {"reason": "..."}: )" + body);
  }
}

CAF_TEST(any other status is a failure with the beginning of the body on one line) {
  for (const unsigned status : {101u, 301u, 400u, 404u, 409u, 500u, 503u, 599u}) {
    CAF_CHECK_EQUAL(line_of(status, "a\r\nb"),
                    "handler_failed: POST " + url + ": " + std::to_string(status) + ": a  b");
  }
  CAF_CHECK_EQUAL(line_of(500, std::string(1'000, 'x')),
                  "handler_failed: POST " + url + ": 500: " + std::string(200, 'x') + "...");
  CAF_CHECK_EQUAL(line_of(500, ""), "handler_failed: POST " + url + ": 500: an empty body");
}

CAF_TEST(the URL of a command is the one of its service with the type behind it) {
  CAF_CHECK_EQUAL(url_of("http://a:1", "make_payment"), "http://a:1/make_payment");
  CAF_CHECK_EQUAL(url_of("http://a:1/", "make_payment"), "http://a:1/make_payment");
  CAF_CHECK_EQUAL(url_of("http://a:1/v1", "list<a b>"), "http://a:1/v1/list%3Ca%20b%3E");
}

CAF_TEST(a URL is taken apart) {
  const auto is = [](std::string_view text, const char* host, std::uint16_t port, const char* target) {
    const auto found = config::read_http_url(text);
    return found && found->host == host && found->port == port && found->target == target;
  };
  CAF_CHECK(is("http://127.0.0.1:9001", "127.0.0.1", 9001, "/"));
  CAF_CHECK(is("http://127.0.0.1:9001/", "127.0.0.1", 9001, "/"));
  CAF_CHECK(is("http://pay.example", "pay.example", 80, "/"));
  CAF_CHECK(is("http://pay.example/a/b?c=%20d", "pay.example", 80, "/a/b?c=%20d"));
  CAF_CHECK(is("http://pay.example?c", "pay.example", 80, "/?c"));
  CAF_CHECK(is("http://[::1]:9001/a", "::1", 9001, "/a"));
  CAF_CHECK(is("http://[::1]", "::1", 80, "/"));
}

CAF_TEST(a URL that is none is refused with a way out) {
  const auto refuses = [](const char* text, const char* why) {
    const auto found = config::read_http_url(text);
    return !found && found.error().code == errc::invalid_configuration &&
           found.error().message.find(why) != std::string::npos &&
           found.error().message.find("; write \"http://HOST:PORT/PATH\"") != std::string::npos;
  };
  CAF_CHECK(refuses("https://pay.example", "is https, which is not supported: let a proxy"));
  CAF_CHECK(refuses("127.0.0.1:9001", "does not begin with http://"));
  CAF_CHECK(refuses("HTTP://a", "does not begin with http://"));
  CAF_CHECK(refuses("", "does not begin with http://"));
  CAF_CHECK(refuses("http://", "names no host"));
  CAF_CHECK(refuses("http:///a", "names no host"));
  CAF_CHECK(refuses("http://a:0", "has no port from 1 to 65535"));
  CAF_CHECK(refuses("http://a:65536", "has no port from 1 to 65535"));
  CAF_CHECK(refuses("http://a:x", "has no port from 1 to 65535"));
  CAF_CHECK(refuses("http://a:", "has no port from 1 to 65535"));
  CAF_CHECK(refuses("http://::1/", "is no address; IPv6 stands in brackets"));
  CAF_CHECK(refuses("http://me:secret@a/", "has a user name"));
  CAF_CHECK(refuses("http://a/#b", "has a fragment"));
  CAF_CHECK(refuses("http://a/b c", "has characters that a URL writes as %XX"));
  CAF_CHECK(refuses("http://a/\r\nHost: b", "has characters that a URL writes as %XX"));
  CAF_CHECK(refuses("http://a/\xc3\xa9", "has characters that a URL writes as %XX"));
}
