#define CAF_SUITE services
// ctest: timeout=120

#include "actors/marker.hpp"
#include "config/cluster_file.hpp"
#include "tests/http_services/scripted_server.hpp"
#include "tests/nodes/shop.hpp"

#include <caf/test/dsl.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

using peer = scripted_server::peer;

constexpr retry_policy patient{
    .attempts = 1'000'000, .first = 10ms, .factor = 1, .cap = 10ms, .jitter = 0, .timeout = 10s};

service remote_payment(const std::string& url, retry_policy policy = patient) {
  return service{"payment"}
      .calls_http<make_payment>(url + "/make_payment")
      .calls_http<refund_payment>(url + "/refund_payment")
      .retry(policy);
}

void host_remote(node& here, service payment) {
  here.host(payment);
  here.host(shop_warehouse());
  here.host<fulfilment>();
}

/// A payment provider that remembers what it was asked.
class provider {
public:
  /// What it answers to the `n`th request, from 1.
  using behaviour = std::function<std::string(int n, const std::string& request)>;

  explicit provider(behaviour answers)
      : answers_(std::move(answers)), server_([this](peer& to) {
          for (auto request = to.request(); !request.empty(); request = to.request()) {
            int number = 0;
            {
              const std::lock_guard lock{mutex_};
              requests_.push_back(request);
              number = static_cast<int>(requests_.size());
            }
            const auto text = answers_(number, request);
            if (text.empty()) {
              return to.hang();
            }
            to.send(text);
          }
        }) {}

  std::string url() const { return server_.url(); }

  std::vector<std::string> requests() {
    const std::lock_guard lock{mutex_};
    return requests_;
  }

private:
  behaviour answers_;
  std::mutex mutex_;
  std::vector<std::string> requests_;
  scripted_server server_; // last: it uses the others
};

const std::string paid = answer("200 OK", R"({"order_id":"o-1"})");

std::string objection(node_config config, const service& payment) {
  node here{std::move(config)};
  host_remote(here, payment);
  const auto started = here.start();
  return started ? "none" : started.error().message;
}

/// Waits until it holds; false if that does not come in 20 s.
template <class Condition>
bool eventually(Condition holds) {
  for (const auto end = std::chrono::steady_clock::now() + 20s; std::chrono::steady_clock::now() < end;) {
    if (holds()) {
      return true;
    }
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

} // namespace

CAF_TEST(a command is a POST with who and what it is in its headers) {
  provider bank{[](int, const std::string&) { return paid; }};
  node here{node_config::in_memory()};
  host_remote(here, remote_payment(bank.url()));
  CAF_REQUIRE(here.start().has_value());
  CAF_CHECK_EQUAL(place(here, "o-1", 7), "completed: track-o-1");
  const auto requests = bank.requests();
  CAF_REQUIRE_EQUAL(requests.size(), 1u);
  const auto& request = requests[0];
  CAF_CHECK(request.starts_with("POST /make_payment HTTP/1.1\r\n"));
  CAF_CHECK_EQUAL(body_of(request), R"({"order_id":"o-1","cents":7})");
  CAF_CHECK_EQUAL(header_of(request, "Content-Type"), "application/json");
  CAF_CHECK_EQUAL(header_of(request, "Continuo-Message-Type"), "make_payment");
  CAF_CHECK_EQUAL(header_of(request, "Continuo-Attempt"), "1");
  CAF_CHECK_EQUAL(header_of(request, "Continuo-Instance"), "fulfilment/o-1");
  CAF_CHECK(parse_message_id(header_of(request, "Idempotency-Key")).has_value());
}

CAF_TEST(a key of any characters stands in a header) {
  provider bank{[](int, const std::string&) { return paid; }};
  node here{node_config::in_memory()};
  host_remote(here, remote_payment(bank.url()));
  CAF_REQUIRE(here.start().has_value());
  place(here, "o% ü");
  const auto requests = bank.requests();
  CAF_REQUIRE_EQUAL(requests.size(), 1u);
  CAF_CHECK_EQUAL(header_of(requests[0], "Continuo-Instance"), "fulfilment/o%25%20%C3%BC");
}

CAF_TEST(an answer that nobody asked for is taken for no other) {
  const auto refused = answer("422 No", R"({"reason":"meant for nobody"})");
  std::mutex mutex;
  std::condition_variable changed;
  bool is_over = false; // the first order: its connection is kept
  bool is_said = false;
  scripted_server bank{[&](scripted_server::peer& to) {
    for (auto request = to.request(); !request.empty(); request = to.request()) {
      to.send(paid);
      if (request.find("\"o-1\"") != std::string::npos) {
        std::unique_lock lock{mutex};
        changed.wait_for(lock, 20s, [&] { return is_over; });
        to.send(refused);
        is_said = true;
        changed.notify_all();
      }
    }
  }};
  node here{node_config::in_memory()};
  host_remote(here, remote_payment(bank.url()));
  CAF_REQUIRE(here.start().has_value());
  CAF_CHECK(place(here, "o-1").starts_with("completed"));
  {
    std::unique_lock lock{mutex};
    is_over = true;
    changed.notify_all();
    CAF_REQUIRE(changed.wait_for(lock, 20s, [&] { return is_said; }));
  }
  CAF_CHECK(place(here, "o-2").starts_with("completed"));
  here.stop();
}

CAF_TEST(an answer whose chunks have endless headers is none) {
  std::atomic<std::size_t> taken{0};
  scripted_server bank{[&](scripted_server::peer& to) {
    if (to.request().starts_with("POST /refund_payment")) { // nobody knows whether it was paid
      to.send(answer("200 OK", R"({"order_id":"o-1"})"));
      return;
    }
    bool goes_on = to.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=");
    const std::string more(65'536, 'x');
    while (goes_on && taken < 64u << 20) {
      goes_on = to.send(more);
      taken += more.size();
    }
  }};
  node here{node_config::in_memory()};
  host_remote(here, remote_payment(bank.url(), {.attempts = 2, .first = 1ms}));
  CAF_REQUIRE(here.start().has_value());
  CAF_CHECK(place(here, "o-1").starts_with("compensated"));
  here.stop();
  CAF_CHECK_LESS(taken, 32u << 20); // two attempts, and what the kernel keeps for each
}

CAF_TEST(a 422 with a reason declines) {
  provider bank{[](int, const std::string&) { return answer("422 No", R"({"reason":"card refused"})"); }};
  node here{node_config::in_memory()};
  host_remote(here, remote_payment(bank.url()));
  CAF_REQUIRE(here.start().has_value());
  CAF_CHECK_EQUAL(place(here, "o-1"), "compensated: make_payment failed: card refused");
  CAF_CHECK_EQUAL(bank.requests().size(), 1u);
}

CAF_TEST(what is no answer is tried again under the same key) {
  provider bank{[](int n, const std::string&) {
    return n == 1   ? answer("409 Conflict", R"({"error":"still running"})")
           : n == 2 ? answer("200 OK", R"({"order":"o-1"})")
           : n == 3 ? answer("302 Found", "", "Location: /elsewhere\r\n")
           : n == 4 ? answer("422 No", "no JSON")
                    : paid;
  }};
  node here{node_config::in_memory()};
  host_remote(here, remote_payment(bank.url()));
  CAF_REQUIRE(here.start().has_value());
  CAF_CHECK_EQUAL(place(here, "o-1"), "completed: track-o-1");
  const auto requests = bank.requests();
  CAF_REQUIRE_EQUAL(requests.size(), 5u);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    CAF_CHECK_EQUAL(header_of(requests[i], "Continuo-Attempt"), std::to_string(i + 1));
    CAF_CHECK_EQUAL(header_of(requests[i], "Idempotency-Key"), header_of(requests[0], "Idempotency-Key"));
    CAF_CHECK_EQUAL(body_of(requests[i]), body_of(requests[0]));
  }
}

CAF_TEST(the reason of the last attempt names the URL and the status and the body) {
  provider bank{[](int, const std::string& request) {
    return request.starts_with("POST /make") ? answer("503 Busy", "try later") : paid;
  }};
  node here{node_config::in_memory()};
  auto policy = patient;
  policy.attempts = 2;
  host_remote(here, remote_payment(bank.url(), policy));
  CAF_REQUIRE(here.start().has_value());
  CAF_CHECK_EQUAL(place(here, "o-1"),
                  "compensated: make_payment failed: 2 attempt(s) failed, the last one: POST " + bank.url() +
                      "/make_payment: 503: try later");
}

CAF_TEST(a call that takes too long is ended and tried again) {
  provider bank{[](int n, const std::string&) { return n == 1 ? std::string{} : paid; }};
  node here{node_config::in_memory()};
  auto policy = patient;
  policy.timeout = 300ms;
  host_remote(here, remote_payment(bank.url(), policy));
  CAF_REQUIRE(here.start().has_value());
  const auto begun = std::chrono::steady_clock::now();
  CAF_CHECK_EQUAL(place(here, "o-1"), "completed: track-o-1");
  CAF_CHECK(std::chrono::steady_clock::now() - begun >= 300ms);
  CAF_CHECK_EQUAL(bank.requests().size(), 2u);
}

CAF_TEST(no more calls run at a time than the service allows) {
  constexpr int limit = 3;
  constexpr int orders = 12;
  std::mutex mutex;
  std::condition_variable changed;
  int running = 0;
  int most = 0;
  provider bank{[&](int n, const std::string&) {
    std::unique_lock lock{mutex};
    most = std::max(most, ++running);
    changed.notify_all();
    // Until as many are here as may be, or everybody has been here.
    changed.wait_for(lock, 10s, [&] { return most >= limit || n > orders - limit; });
    --running;
    return paid;
  }};
  node here{node_config::in_memory()};
  host_remote(here, remote_payment(bank.url()).concurrency(limit));
  CAF_REQUIRE(here.start().has_value());
  std::vector<std::future<result<saga_result>>> ends;
  for (int i = 0; i < orders; ++i) {
    ends.push_back(here.client().publish(order_placed{"o-" + std::to_string(i), 1}).result_of<fulfilment>());
  }
  for (auto& end : ends) {
    CAF_CHECK(line_of(wait_for(std::move(end))).starts_with("completed"));
  }
  CAF_CHECK_EQUAL(most, limit);
}

CAF_TEST(a node that stops does not wait for a call that hangs and does not count it) {
  const temporary_directory directory;
  provider bank{[](int n, const std::string&) { return n == 1 ? std::string{} : paid; }};
  auto policy = patient;
  policy.timeout = 1h;
  policy.attempts = 1; // an attempt that counted would be the last one
  std::promise<void> printing;
  {
    node here{node_config::embedded(directory.path() / "data")};
    here.host(remote_payment(bank.url(), policy));
    // It runs when the call has been ended, so that the service still lives and could count it.
    here.host(
        service{"warehouse"}.handle([&](const create_label&, command_context&) -> outcome<label_created> {
          printing.set_value();
          std::this_thread::sleep_for(2s);
          return label_created{"late"};
        }));
    here.host<fulfilment>();
    CAF_REQUIRE(here.start().has_value());
    CAF_REQUIRE(here.client().publish(order_placed{"o-1", 1}).get().has_value());
    CAF_REQUIRE(eventually([&] { return bank.requests().size() == 1; }));
    CAF_REQUIRE(here.client().publish(order_placed{"o-2", 1}).get().has_value());
    CAF_REQUIRE(printing.get_future().wait_for(20s) == std::future_status::ready);
    const auto begun = std::chrono::steady_clock::now();
    here.stop();
    CAF_CHECK(std::chrono::steady_clock::now() - begun < 4s);
  }
  node here{node_config::embedded(directory.path() / "data")};
  host_remote(here, remote_payment(bank.url(), policy));
  CAF_REQUIRE(here.start().has_value());
  CAF_CHECK_EQUAL(place(here, "o-1"), "completed: track-o-1");
  const auto requests = bank.requests();
  CAF_REQUIRE_EQUAL(requests.size(), 3u);
  CAF_CHECK_EQUAL(header_of(requests[2], "Continuo-Attempt"), "1");
  CAF_CHECK_EQUAL(header_of(requests[2], "Idempotency-Key"), header_of(requests[0], "Idempotency-Key"));
}

CAF_TEST(a call that is under way leaves no note in the marker) {
  const temporary_directory directory;
  provider bank{[](int, const std::string&) { return std::string{}; }};
  node here{node_config::embedded(directory.path() / "data")};
  host_remote(here, remote_payment(bank.url()));
  CAF_REQUIRE(here.start().has_value());
  CAF_REQUIRE(here.client().publish(order_placed{"o-1", 1}).get().has_value());
  CAF_REQUIRE(eventually([&] { return bank.requests().size() == 1; }));
  // As the next life would find it after a kill; the copy, since opening clears it.
  const auto copy = directory.path() / "running";
  std::filesystem::copy_file(directory.path() / "data/running", copy);
  const auto left = actors::marker::open(copy.string());
  CAF_REQUIRE(left.has_value());
  const auto& found = (*left)->found();
  CAF_CHECK(std::none_of(found.begin(), found.end(),
                         [](const actors::suspect& one) { return one.instance.type == "payment"; }));
}

CAF_TEST(a suspect that an endpoint handles now does not hold up the start) {
  const temporary_directory directory;
  const auto data = directory.path() / "data";
  provider bank{[](int n, const std::string&) { return n <= 2 ? std::string{} : paid; }};
  auto policy = patient;
  policy.timeout = 6s;
  {
    node here{node_config::embedded(data)};
    host_remote(here, remote_payment(bank.url(), policy));
    CAF_REQUIRE(here.start().has_value());
    CAF_REQUIRE(here.client().publish(order_placed{"o-1", 1}).get().has_value());
    CAF_REQUIRE(eventually([&] { return bank.requests().size() == 1; }));
  }
  const auto key = header_of(bank.requests()[0], "Idempotency-Key");
  {
    // As a handler of the program would have left it, whose process ended.
    const auto running = actors::marker::open((data / "running").string());
    CAF_REQUIRE(running.has_value());
    const actors::marker::note note{running->get(), {"payment", key}, *parse_message_id(key)};
    std::filesystem::copy_file(data / "running", directory.path() / "left");
  }
  std::filesystem::rename(directory.path() / "left", data / "running");
  node here{node_config::embedded(data)};
  host_remote(here, remote_payment(bank.url(), policy));
  const auto begun = std::chrono::steady_clock::now();
  CAF_REQUIRE(here.start().has_value());
  CAF_CHECK(std::chrono::steady_clock::now() - begun < 5s);
  CAF_CHECK_EQUAL(here.recovery().suspects, 1u);
  CAF_CHECK_EQUAL(place(here, "o-1"), "completed: track-o-1"); // after the second call's time is up
}

// -- chosen by the configuration ------------------------------------------------------------------

CAF_TEST(an endpoint takes the place of the handlers) {
  provider bank{[](int n, const std::string&) { return n == 1 ? answer("500 Oh", "") : paid; }};
  auto config = node_config::in_memory();
  config.http_services["payment"] = {bank.url() + "/v1"};
  node here{std::move(config)};
  CAF_CHECK(!here.runs_here("payment"));
  CAF_CHECK(here.runs_here("warehouse"));
  host_remote(here, shop_payment());
  CAF_REQUIRE(here.start().has_value());
  CAF_CHECK_EQUAL(place(here, "o-1", 200'000), "completed: track-o-1"); // its own handler would decline
  CAF_REQUIRE_EQUAL(bank.requests().size(), 2u);
  CAF_CHECK(bank.requests()[0].starts_with("POST /v1/make_payment HTTP/1.1\r\n"));
}

CAF_TEST(the timeout and the attempts and the connections are those of the configuration) {
  provider bank{[](int, const std::string& request) {
    return request.starts_with("POST /make") ? std::string{} : paid;
  }};
  auto config = node_config::in_memory();
  config.http_services["payment"] = {bank.url(), 200ms, 1, 2};
  node here{std::move(config)};
  host_remote(here, remote_payment("http://127.0.0.1:1"));
  CAF_REQUIRE(here.start().has_value());
  CAF_CHECK_EQUAL(place(here, "o-1"),
                  "compensated: make_payment failed: 2 attempt(s) failed, the last one: POST " + bank.url() +
                      "/make_payment: no answer in time (200 ms)");
  CAF_CHECK_EQUAL(bank.requests().size(), 3u); // two attempts, and the refund
}

CAF_TEST(what cannot be called is refused at start with its place) {
  CAF_CHECK_EQUAL(
      objection(node_config::in_memory(), remote_payment("https://127.0.0.1:1"))
          .find("service payment: make_payment: \"https://127.0.0.1:1/make_payment\" is https, which is "
                "not supported"),
      0u);
  CAF_CHECK_EQUAL(objection(node_config::in_memory(), remote_payment("http://127.0.0.1:1").pure()),
                  "service payment is pure, but an HTTP endpoint handles its make_payment; "
                  "service payment is pure, but an HTTP endpoint handles its refund_payment");
  auto config = node_config::in_memory();
  config.http_services["paiment"] = {"http://127.0.0.1:1", {}, {}, {}, "shop.conf:7: services.paiment"};
  CAF_CHECK_EQUAL(
      objection(config, shop_payment()),
      "shop.conf:7: services.paiment: the program offers no stateless service \"paiment\"; name one "
      "that it hosts");
  config = node_config::in_memory();
  config.http_services["payment"] = {"http://127.0.0.1:1"};
  CAF_CHECK_EQUAL(
      objection(config, shop_payment().on([](const order_cancelled&, command_context&) {})),
      "node_config::http_services.payment: the service payment handles events, which are not sent to HTTP "
      "endpoints; give them to a service of their own");
}

CAF_TEST(the sections of a cluster file arrive at a node) {
  const auto file =
      config::parse_cluster_file("[cluster]\nname=\"shop\"\n[nodes.a]\naddress=\"127.0.0.1:1\"\n"
                                 "hosts=[\"payment\", \"warehouse\"]\n[services.payment]\n"
                                 "url=\"http://127.0.0.1:9001/v1\"\ntimeout=10s\nattempts=3\n"
                                 "connections=4\n[services.warehouse]\nurl=\"http://b\"\n",
                                 "/etc/shop.conf");
  CAF_REQUIRE(file.has_value());
  const auto config = config::node_config_of(*file, "a");
  CAF_REQUIRE(config.has_value());
  CAF_REQUIRE_EQUAL(config->http_services.size(), 2u);
  CAF_CHECK((config->http_services.at("payment") ==
             http_service{"http://127.0.0.1:9001/v1", 10s, 4, 3, "/etc/shop.conf:6: services.payment"}));
  CAF_CHECK((config->http_services.at("warehouse") ==
             http_service{"http://b", {}, {}, {}, "/etc/shop.conf:11: services.warehouse"}));
}
