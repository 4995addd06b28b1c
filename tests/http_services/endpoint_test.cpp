#define CAF_SUITE endpoint
// ctest: timeout=60

#include "nodes/http/endpoint.hpp"
#include "tests/http_services/scripted_server.hpp"

#include <caf/test/dsl.hpp>

#include <future>

using namespace continuo;
using namespace continuo::http;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

using peer = scripted_server::peer;

constexpr auto timeout = 400ms;

/// A call in one line: `200 body`, or the code and the sentence.
std::string line_of(const result<post_answer>& got) {
  return got ? std::to_string(got->status) + ' ' + got->body
             : std::string{to_string(got.error().code)} + ": " + got.error().message;
}

std::string call(endpoint& at, std::chrono::milliseconds limit = timeout) {
  return line_of(at.post({"/pay", R"({"cents":5})"}, limit));
}

struct behaviour {
  const char* name;
  scripted_server::script script; // behind the request
  std::string begin;              // of the line
  std::chrono::milliseconds least = 0ms;
};

const behaviour table[] = {
    {"an answer", [](peer& to) { to.send(answer("200 OK", "{}")); }, "200 {}"},
    {"a decline", [](peer& to) { to.send(answer("422 No", R"({"reason":"x"})")); }, R"(422 {"reason":"x"})"},
    {"no body", [](peer& to) { to.send("HTTP/1.1 204 No Content\r\n\r\n"); }, "204 "},
    {"a chunked body",
     [](peer& to) {
       to.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n");
       to.send("5\r\n\": 1}\r\n0\r\nTrailer: x\r\n\r\n");
     },
     R"(200 {"a": 1})"},
    {"a body that ends with the connection", [](peer& to) { to.send("HTTP/1.1 200 OK\r\n\r\n{}"); },
     "200 {}"},
    {"an answer of HTTP/1.0", [](peer& to) { to.send("HTTP/1.0 200 OK\r\n\r\n{}"); }, "200 {}"},
    {"an interim answer", [](peer& to) { to.send("HTTP/1.1 100 Continue\r\n\r\n" + answer("200 OK", "{}")); },
     "200 {}"},
    {"early hints",
     [](peer& to) {
       to.send("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
       to.send(answer("200 OK", "{}"));
     },
     "200 {}"},
    {"interim answers without end",
     [](peer& to) {
       while (to.send("HTTP/1.1 102 Processing\r\n\r\n")) {
       }
     },
     "handler_failed: more than 16 interim answers came"},
    {"interim answers that dribble in",
     [](peer& to) {
       std::string many;
       for (int i = 0; i < 20; ++i) {
         many += "HTTP/1.1 102 Processing\r\n\r\n";
       }
       to.drip(many, 20ms);
     },
     "timed_out: no answer in time", timeout},
    {"another protocol", [](peer& to) { to.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"); },
     "101 "},
    {"a redirect, which is not followed",
     [](peer& to) { to.send(answer("302 Found", "", "Location: http://127.0.0.1:1/\r\n")); }, "302 "},
    {"silence", [](peer& to) { to.hang(); }, "timed_out: no answer in time", timeout},
    {"a slow header", [](peer& to) { to.drip(answer("200 OK", "{}"), 50ms); }, "timed_out: no answer in time",
     timeout},
    {"a slow body",
     [](peer& to) {
       to.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
       to.drip(std::string(100, 'x'), 50ms);
     },
     "timed_out: no answer in time", timeout},
    {"a huge body that is announced",
     [](peer& to) { to.send("HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n{"); },
     "handler_failed: the answer is larger than 2 MiB"},
    {"a huge body that is not",
     [](peer& to) {
       to.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
       while (to.send("10000\r\n" + std::string(0x10000, 'x') + "\r\n")) {
       }
     },
     "handler_failed: the answer is larger than 2 MiB"},
    {"a body of exactly what is taken",
     [](peer& to) { to.send(answer("200 OK", std::string(answer_body_bytes_max, 'x'))); }, "200 xxx"},
    {"a huge header",
     [](peer& to) {
       to.send("HTTP/1.1 200 OK\r\n");
       while (to.send("X-More: " + std::string(100, 'x') + "\r\n")) {
       }
     },
     "handler_failed: the header of the answer is larger than 16 KiB"},
    {"a chunk's header without end",
     [](peer& to) {
       to.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=");
       while (to.send(std::string(1'000, 'x'))) {
       }
     },
     "handler_failed: the header of a chunk, or the trailers, of the answer are larger than 64 KiB"},
    {"a chunk's header that dribbles in",
     [](peer& to) {
       to.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=");
       to.drip(std::string(100, 'x'), 50ms);
     },
     "timed_out: no answer in time", timeout},
    {"trailers without end",
     [](peer& to) {
       to.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n");
       while (to.send("X-More: " + std::string(100, 'x') + "\r\n")) {
       }
     },
     "handler_failed: the header of a chunk, or the trailers, of the answer are larger than 64 KiB"},
    {"a trailer that dribbles in",
     [](peer& to) {
       to.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: ");
       to.drip(std::string(100, 'x'), 50ms);
     },
     "timed_out: no answer in time", timeout},
    {"no HTTP", [](peer& to) { to.send("220 mail.example ESMTP\r\n"); },
     "handler_failed: the answer is no HTTP"},
    {"a chunk that is none",
     [](peer& to) { to.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"); },
     "handler_failed: the answer is no HTTP"},
    {"two lengths",
     [](peer& to) { to.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"); },
     "handler_failed: the answer is no HTTP"},
    {"closed without an answer", [](peer&) {}, "handler_failed: the connection "},
    {"closed in the header", [](peer& to) { to.send("HTTP/1.1 200 OK\r\nCont"); },
     "handler_failed: the connection was closed in the middle"},
    {"closed in the body", [](peer& to) { to.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"); },
     "handler_failed: the connection was closed in the middle"},
};

/// Answers every request on a connection.
void keep_answering(peer& to) {
  while (!to.request().empty() && to.send(answer("200 OK", std::to_string(to.number())))) {
  }
}

} // namespace

CAF_TEST(every behaviour of a server gives an answer or a reason in time) {
  for (const auto& row : table) {
    scripted_server server{[&](peer& to) {
      if (!to.request().empty()) {
        row.script(to);
      }
    }};
    endpoint at{"127.0.0.1", server.port()};
    const auto begun = std::chrono::steady_clock::now();
    // Only what is to run out of time is given little of it.
    const auto line = call(at, row.least == 0ms ? 5s : timeout);
    const auto took = std::chrono::steady_clock::now() - begun;
    if (!line.starts_with(row.begin) || took < row.least || took > row.least + 5s) {
      CAF_ERROR(row.name << ": expected " << row.begin << ", found " << line.substr(0, 200) << " after "
                         << std::chrono::duration_cast<std::chrono::milliseconds>(took).count() << " ms");
    }
    CAF_CHECK_EQUAL(server.connections(), 1); // nothing is sent twice
  }
}

CAF_TEST(a request has its headers and its body) {
  std::promise<std::string> got;
  scripted_server server{[&](peer& to) {
    got.set_value(to.request());
    to.send(answer("200 OK", "{}"));
  }};
  endpoint at{"127.0.0.1", server.port()};
  CAF_CHECK_EQUAL(line_of(at.post({"/a?b=c", "{\"d\":1}", {{"Idempotency-Key", "k"}}}, 5s)), "200 {}");
  const auto request = got.get_future().get();
  CAF_CHECK(request.starts_with("POST /a?b=c HTTP/1.1\r\n"));
  CAF_CHECK_EQUAL(header_of(request, "Host"), "127.0.0.1:" + std::to_string(server.port()));
  CAF_CHECK_EQUAL(header_of(request, "Content-Type"), "application/json");
  CAF_CHECK_EQUAL(header_of(request, "Content-Length"), "7");
  CAF_CHECK_EQUAL(header_of(request, "Idempotency-Key"), "k");
  CAF_CHECK_EQUAL(body_of(request), "{\"d\":1}");
}

CAF_TEST(a connection is used again) {
  scripted_server server{keep_answering};
  endpoint at{"127.0.0.1", server.port()};
  for (int i = 0; i < 5; ++i) {
    CAF_CHECK_EQUAL(call(at, 5s), "200 1");
  }
  CAF_CHECK_EQUAL(server.connections(), 1);
}

CAF_TEST(a connection that the server does not keep is not used again) {
  scripted_server server{[](peer& to) {
    if (!to.request().empty()) {
      to.send(answer("200 OK", std::to_string(to.number()), "Connection: close\r\n"));
      to.hang();
    }
  }};
  endpoint at{"127.0.0.1", server.port()};
  CAF_CHECK_EQUAL(call(at, 5s), "200 1");
  CAF_CHECK_EQUAL(call(at, 5s), "200 2");
}

CAF_TEST(what comes behind an answer is no answer to the next request) {
  scripted_server server{[](peer& to) {
    if (!to.request().empty()) {
      to.send(answer("200 OK", std::to_string(to.number())) + answer("200 OK", "smuggled"));
      to.hang();
    }
  }};
  endpoint at{"127.0.0.1", server.port()};
  CAF_CHECK_EQUAL(call(at, 5s), "200 1");
  CAF_CHECK_EQUAL(call(at, 5s), "200 2");
}

CAF_TEST(a kept connection that was closed meanwhile is replaced) {
  scripted_server server{[](peer& to) {
    if (!to.request().empty()) {
      to.send(answer("200 OK", std::to_string(to.number())));
    }
  }};
  endpoint at{"127.0.0.1", server.port()};
  for (int i = 1; i <= 4; ++i) {
    CAF_CHECK_EQUAL(call(at, 5s), "200 " + std::to_string(i));
  }
}

CAF_TEST(a kept connection that breaks in the middle of an answer is not asked again) {
  scripted_server server{[](peer& to) {
    to.request();
    to.send(answer("200 OK", "{}"));
    to.request();
    to.send("HTTP/1.1 200");
  }};
  endpoint at{"127.0.0.1", server.port()};
  CAF_CHECK_EQUAL(call(at, 5s), "200 {}");
  CAF_CHECK_EQUAL(call(at, 5s), "handler_failed: the connection was closed in the middle of the answer");
  CAF_CHECK_EQUAL(server.connections(), 1);
}

CAF_TEST(a kept connection that is silent is not asked again) {
  scripted_server server{[](peer& to) {
    to.request();
    to.send(answer("200 OK", "{}"));
    to.hang();
  }};
  endpoint at{"127.0.0.1", server.port()};
  CAF_CHECK_EQUAL(call(at, 5s), "200 {}");
  CAF_CHECK_EQUAL(call(at), "timed_out: no answer in time");
  CAF_CHECK_EQUAL(server.connections(), 1);
}

CAF_TEST(a server that is not there is named as such) {
  std::uint16_t free_port = 0;
  {
    scripted_server server{keep_answering};
    free_port = server.port();
  }
  endpoint at{"127.0.0.1", free_port};
  CAF_CHECK_EQUAL(call(at), "handler_failed: it cannot be connected to: Connection refused");
  endpoint nowhere{"nowhere.invalid", 80};
  const auto line = call(nowhere, 10s);
  CAF_CHECK(line.starts_with("handler_failed: its name is not known: ") ||
            line.starts_with("timed_out: its name"));
}

CAF_TEST(a name is looked up) {
  scripted_server server{keep_answering};
  endpoint at{"localhost", server.port()};
  CAF_CHECK_EQUAL(call(at, 10s), "200 1");
}

CAF_TEST(calls run side by side and all of them end when the endpoint stops) {
  constexpr int calls = 8;
  std::atomic<int> arrived{0};
  std::promise<void> all_arrived;
  scripted_server server{[&](peer& to) {
    if (!to.request().empty() && ++arrived == calls) {
      all_arrived.set_value();
    }
    to.hang();
  }};
  endpoint at{"127.0.0.1", server.port()};
  std::vector<std::future<std::string>> lines;
  for (int i = 0; i < calls; ++i) {
    lines.push_back(std::async(std::launch::async, [&] { return call(at, 1h); }));
  }
  CAF_REQUIRE(all_arrived.get_future().wait_for(20s) == std::future_status::ready);
  const auto begun = std::chrono::steady_clock::now();
  at.stop();
  for (auto& line : lines) {
    CAF_CHECK_EQUAL(line.get(), "unavailable: the node stops");
  }
  CAF_CHECK(std::chrono::steady_clock::now() - begun < 2s);
  CAF_CHECK_EQUAL(call(at, 1h), "unavailable: the node stops");
}
