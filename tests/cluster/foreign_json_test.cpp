// ctest: timeout=300
// Another node may run another program, so its JSON may have any shape. What cannot be used is left out of
// the answer; the node that asked goes on.
#define CAF_SUITE foreign_json

#include "nodes/http/api.hpp"
#include "tests/support/cluster_world.hpp"
#include "tests/support/orders.hpp"

#include <continuo/archive.hpp>

#include <caf/test/dsl.hpp>

#include <nlohmann/json.hpp>

#include <atomic>
#include <future>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

using json = nlohmann::ordered_json;

namespace {

/// Every way to put something else in the place of one of its parts, and to leave one out.
std::vector<json> changed(const json& whole) {
  std::vector<json> all{nullptr,
                        true,
                        -1,
                        1.5,
                        "text",
                        json::array(),
                        json::object(),
                        json::array({nullptr}),
                        json::array({"text"})};
  const auto change_at = [&](const auto& place) {
    auto without = whole;
    if (whole.is_object()) {
      without.erase(place);
      all.push_back(without);
    }
    for (auto& part : changed(whole[place])) {
      auto made = whole;
      made[place] = std::move(part);
      all.push_back(std::move(made));
    }
  };
  if (whole.is_object()) {
    for (const auto& [name, value] : whole.items()) {
      change_at(name);
    }
  } else if (whole.is_array()) {
    for (std::size_t i = 0; i < whole.size(); ++i) {
      change_at(i);
    }
  }
  return all;
}

http::request get(const std::string& target) {
  http::request asked;
  asked.method = "GET";
  CAF_REQUIRE_EQUAL(http::read_target(target, asked), "");
  asked.headers["host"] = "localhost";
  asked.headers["last-event-id"] = "payment:1:0"; // it has seen what payment calls life 1
  return asked;
}

/// A client that watches, and keeps what it is told.
class watching : public http::stream {
public:
  bool write(std::string piece) override {
    const std::lock_guard lock{mutex_};
    text_ += piece;
    return true;
  }
  bool is_open() const override { return open_; }
  void keep(std::shared_ptr<void> what) override { kept_ = std::move(what); }
  void close() { open_ = false; } // no more is asked for; what was asked for is looked at
  std::string text() {
    const std::lock_guard lock{mutex_};
    return text_;
  }

private:
  std::mutex mutex_;
  std::string text_;
  std::atomic<bool> open_{true};
  std::shared_ptr<void> kept_;
};

struct fixture {
  outside_world outside;
  cluster_world here{order_workflow(outside),
                     {{"ordering", {"fulfilment"}}, {"payment", {"payment"}}, {"warehouse", {"warehouse"}}}};
  http::response said{200, "{}"}; ///< by the other nodes, whatever they are asked
  std::optional<http::api> api;

  fixture() {
    here.start_all();
    here.run_for(1s);
    for (const auto* peer : {"payment", "warehouse"}) {
      here.node(peer).open_core()->answer_peer =
          [this](const std::string&, const std::function<void(std::string)>& done) { done(encode(said)); };
    }
    api.emplace(here.node("ordering").weak_from_this(), std::string{});
  }

  http::response ask(const std::string& target) {
    auto answered = std::make_shared<std::promise<http::response>>();
    auto answer = answered->get_future();
    api->answers()(get(target), [answered](http::response made) { answered->set_value(std::move(made)); });
    here.run_for(10ms);
    CAF_REQUIRE(answer.wait_for(20s) == std::future_status::ready);
    return answer.get();
  }

  /// Whether ordering can use what payment says.
  bool takes(const std::string& target, const std::string& body) {
    said.body = body;
    const auto answer = ask(target);
    const auto read = json::parse(answer.body, nullptr, false);
    CAF_REQUIRE_EQUAL(answer.status, 200u);
    CAF_REQUIRE(read.is_object() && read["unreachable"].is_array());
    for (const auto& one : read["unreachable"]) {
      if (one["node"] == "payment") {
        CAF_CHECK(!one["reason"].get<std::string>().empty());
        return false;
      }
    }
    return true;
  }

  void try_all(const std::string& target, const json& good) {
    CAF_CHECK(takes(target, good.dump()));
    std::size_t refused = 0;
    const auto shapes = changed(good);
    for (const auto& shape : shapes) {
      refused += takes(target, shape.dump()) ? 0 : 1;
    }
    CAF_MESSAGE(target << ": " << shapes.size() << " shapes, " << refused << " refused");
    CAF_CHECK_GREATER(refused, 10u);
    for (const auto& text : {std::string{}, std::string{"{"}, std::string(100'000, '['),
                             R"({"services":)" + std::string(5'000, '[') + std::string(5'000, ']') + "}"}) {
      CAF_CHECK(!takes(target, text));
    }
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(foreign_json_tests, fixture)

CAF_TEST(services of another shape are left out) {
  try_all("/api/v1/services",
          json::parse(R"({"services":[{"name":"payment","kind":"stateless","nodes":["payment"],"state":"up",
            "breaker_open_on":["payment"],"waiting":1,"in_execution":2,"completed":3,"failed":4,"oldest_waiting":null}]})"));
}

CAF_TEST(instances of another shape are left out) {
  try_all("/api/v1/instances",
          json::parse(
              R"({"instances":[{"position":"6f2d31","type":"fulfilment","key":"o-1"}],"next_cursor":null})"));
}

CAF_TEST(dead letters of another shape are left out) {
  try_all("/api/v1/dead-letters",
          json::parse(R"({"dead_letters":[{"id":"1.2.3","reason":"lost"}],"next_cursor":null})"));
}

CAF_TEST(an error of another shape is an error all the same) {
  said.status = 503;
  for (const auto& shape : changed(json::parse(R"({"error":{"code":"unavailable","message":"not now"}})"))) {
    CAF_CHECK(!takes("/api/v1/services", shape.dump()));
  }
}

CAF_TEST(what a service says of an open command is left out where it has another shape) {
  here.handlers("payment").hang();
  here.client("ordering").publish(order_placed{"o-1", 100});
  here.run_for(1s);
  for (const auto& shape : changed(json::parse(R"({"attempts":3,"reason":"busy"})"))) {
    said.body = shape.dump();
    const auto answer = ask("/api/v1/instances/fulfilment/o-1");
    CAF_REQUIRE_EQUAL(answer.status, 200u);
    CAF_CHECK_EQUAL(json::parse(answer.body)["status"].get<std::string>(), "running");
  }
  said.body = R"({"attempts":3,"reason":"busy"})";
  const auto whole = json::parse(ask("/api/v1/instances/fulfilment/o-1").body);
  CAF_CHECK_EQUAL(whole["waiting_for"][0]["attempts"].get<int>(), 3);
}

CAF_TEST(a status that HTTP does not have is an error) {
  const auto id = to_string(message_id{here.node("payment").open_core()->store_id, 1, 0});
  for (const auto status : {0u, 99u, 199u, 600u, 1'000u, ~0u}) {
    said.status = status;
    CAF_CHECK_EQUAL(ask("/api/v1/commands/" + id).status, 503u);
  }
  said.status = 200;
  CAF_CHECK_EQUAL(ask("/api/v1/commands/" + id).status, 200u);
}

CAF_TEST(events of another shape are not passed on) {
  const auto good = json::parse(
      R"({"life":1,"last":1,"lost":false,"events":[{"number":1,"event":"instance","data":{"key":"o-1"}}]})");
  const auto seen_of = [this](const std::string& body) {
    said.body = body;
    const auto opened = ask("/api/v1/events").opened;
    CAF_REQUIRE(opened != nullptr);
    const auto client = std::make_shared<watching>();
    opened(client);
    client->close();
    here.run_for(10ms);
    for (int i = 0; i < 3; ++i) { // goes behind it through the threads of the interface
      ask("/api/v1/message-types");
    }
    return client->text();
  };
  CAF_CHECK(seen_of(good.dump()).find(R"(data: {"key":"o-1"})") != std::string::npos);
  for (const auto& shape : changed(good)) {
    const auto text = seen_of(shape.dump());
    CAF_CHECK(text.find("data: {\"key\":\"o-1\"}") == std::string::npos ||
              text.find("event: instance") != std::string::npos ||
              text.find("event: text") != std::string::npos);
  }
  auto broken = good;
  broken["events"][0]["event"] = "x\nevent: instance";
  CAF_CHECK(seen_of(broken.dump()).find("event: instance") == std::string::npos);
}

CAF_TEST_FIXTURE_SCOPE_END()
