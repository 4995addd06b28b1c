// Code of the application is called in many places, and may throw anything in each: the node answers for it.
#define CAF_SUITE application

#include "tests/nodes/shop.hpp"

#include "messages/application.hpp"

#include <caf/test/dsl.hpp>

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include <functional>

using namespace continuo;
using namespace continuo::tests;

namespace {

/// Throws what its text says.
void throw_as(const std::string& text) {
  if (text == "exception") {
    throw std::runtime_error{"a mistake"};
  }
  if (text == "int") {
    throw 7;
  }
  if (text == "memory") {
    throw std::bad_alloc{};
  }
}

const std::vector<std::string> thrown{"exception", "int", "memory"};

/// A type with a plain Boost `serialize` that throws, when it is written or read.
struct moody {
  std::string text;
  template <class Archive>
  void serialize(Archive& archive, unsigned) {
    if (Archive::is_saving::value && text.starts_with("write ")) {
      throw_as(text.substr(6));
    }
    archive& text;
    if (Archive::is_loading::value && text.starts_with("read ")) {
      throw_as(text.substr(5));
    }
  }
};

struct asked {
  std::string key;
  moody mood;
  CONTINUO_FIELDS(asked, key, mood)
};

struct answered {
  moody mood;
  CONTINUO_FIELDS(answered, mood)
};

struct ask {
  using reply = answered;
  std::string key;
  CONTINUO_FIELDS(ask, key)
};

std::string key_of(const std::string& key) {
  throw_as(key);
  return key;
}

/// Does what its event says.
class talk : public saga<talk> {
public:
  static void define(saga_definition<talk>& saga) {
    saga.starts_on<asked>([](const asked& event) { return key_of(event.key); });
    saga.calls<ask>().nothing_to_undo();
  }
  void on(const asked& event, saga_context& context) {
    if (event.mood.text.starts_with("publish ") && event.mood.text != "publish a command") {
      context.publish(asked{event.mood.text.substr(8), {}});
    } else if (event.mood.text == "publish a command") {
      context.publish(make_payment{"o-1", 100});
    } else if (event.mood.text.starts_with("send ")) {
      context.send(ask{event.mood.text.substr(5)});
      return;
    } else if (event.mood.text.starts_with("keep ")) {
      mood.text = event.mood.text.substr(5);
    }
    context.complete();
  }
  void on(const answered&, saga_context& context) { context.complete(); }
  moody mood;
  CONTINUO_FIELDS(talk, mood)
};

struct nothing {
  CONTINUO_FIELDS(nothing)
};

keyed_service<nothing> answering() {
  return keyed_service<nothing>{"answering"}
      .handle([](const ask& command) { return key_of(command.key); },
              [](nothing&, const ask& command, keyed_context&) -> outcome<answered> {
                return answered{{command.key}};
              })
      .retry({.attempts = 1});
}

/// Keeps what is logged, and may throw instead.
class listening_sink : public spdlog::sinks::base_sink<std::mutex> {
public:
  std::string text() {
    const std::lock_guard lock{mutex_};
    return text_;
  }
  std::atomic<bool> throws{false};

private:
  void sink_it_(const spdlog::details::log_msg& line) override {
    if (throws) {
      throw 7;
    }
    text_ += std::string{line.payload.data(), line.payload.size()} + '\n';
  }
  void flush_() override {}

  std::string text_;
};

bool has(const std::string& text, const std::string& part) {
  if (text.find(part) == std::string::npos) {
    CAF_MESSAGE("not in: " << text);
    return false;
  }
  return true;
}

struct fixture {
  std::shared_ptr<listening_sink> sink = std::make_shared<listening_sink>();
  node_config config = node_config::in_memory();
  std::optional<node> here;

  fixture() {
    config.logger = std::make_shared<spdlog::logger>("node", sink);
    config.handler_attempts = 1;
  }

  void start() {
    here.emplace(config);
    host_shop(*here);
    here->host<talk>();
    here->host(answering());
    CAF_REQUIRE(here->start().has_value());
  }

  /// Publishes and says how its instance stands once it rests.
  std::string outcome_of(const asked& event) {
    CAF_REQUIRE(here->client().publish(event).get().has_value());
    while (true) { // bounded by the test's time
      const auto seen = wait_for(here->client().show({"talk", event.key}));
      if (seen && seen->status != instance_status::running) {
        return std::string{to_string(seen->status)} + ": " + seen->reason;
      }
      std::this_thread::yield();
    }
  }

  bool goes_on(const std::string& order) {
    return place(*here, order) == "completed: track-" + order &&
           here->failed().wait_for(std::chrono::seconds{0}) == std::future_status::timeout;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(application_tests, fixture)

struct wordless : std::exception {
  const char* what() const noexcept override { return nullptr; }
};

CAF_TEST(what is thrown becomes an error that says what was called) {
  const auto call = [](auto what) {
    return call_application(
        errc::conflict, [&]() -> int { throw what; }, "asking ", std::string{"Bob"}, ": ");
  };
  CAF_CHECK(call(std::runtime_error{"no"}).error() == (error{errc::conflict, "asking Bob: no"}));
  CAF_CHECK(call(error{errc::malformed, "bytes"}).error() == (error{errc::conflict, "asking Bob: bytes"}));
  CAF_CHECK(call(7).error().message == "asking Bob: it threw something that is no std::exception");
  CAF_CHECK(call(wordless{}).error().message == "asking Bob: it threw an exception without words");
  CAF_CHECK(!in_application());
  CAF_CHECK(call_application(errc::conflict, in_application).value());
  CAF_CHECK(!call_application(errc::conflict, [] { return result<int>{fail(errc::not_found, "")}; }));
}

CAF_TEST(a function that reads a key may throw) {
  start();
  for (const auto& what : thrown) {
    CAF_CHECK_EQUAL(code_of(here->client().publish(asked{what, {}}).get()), "malformed");
    CAF_CHECK_EQUAL(code_of(wait_for(here->client().send(ask{what}))), "malformed");
    CAF_CHECK(
        has(outcome_of({"p-" + what, {"publish " + what}}), "publish(asked): asked: its correlation key"));
    CAF_CHECK(has(outcome_of({"s-" + what, {"send " + what}}), "send(ask): ask: its correlation key"));
    CAF_CHECK(goes_on("o-" + what));
  }
}

CAF_TEST(a serialize may throw) {
  start();
  for (const auto& what : thrown) {
    CAF_CHECK_EQUAL(code_of(here->client().publish(asked{"k", {"write " + what}}).get()), "malformed");
    CAF_CHECK_EQUAL(code_of(here->client().publish(asked{"k", {"read " + what}}).get()), "malformed");
    CAF_CHECK(has(outcome_of({"w-" + what, {"keep write " + what}}), "the new state cannot be written"));
    CAF_CHECK_EQUAL(outcome_of({"r-" + what, {"keep read " + what}}), "completed: ");
    CAF_CHECK(wait_for(here->client().show({"talk", "r-" + what})).has_value()); // its state cannot be shown
    CAF_CHECK_EQUAL(code_of(wait_for(here->client().send(ask{"write " + what}))), "conflict");
    CAF_CHECK_EQUAL(code_of(wait_for(here->client().send(ask{"read " + what}))), "malformed");
    CAF_CHECK(goes_on("o-" + what));
  }
}

CAF_TEST(a callback of a client may throw) {
  start();
  const auto event = encode(order_placed{"o-1", 100});
  here->client().publish("order_placed", event, {}, [](const result<accepted>&) { throw_as("int"); });
  here->client().send(
      "make_payment", encode(make_payment{"o-2", 100}), [](const result<accepted>&) { throw_as("int"); },
      [](const result<command_result>&) { throw_as("exception"); });
  here->client().result_of({"fulfilment", "o-1"}, std::nullopt,
                           [](const result<saga_result>&) { throw_as("exception"); });
  CAF_CHECK_EQUAL(line_of(wait_for(here->client().result_of<fulfilment>("o-1"))), "completed: track-o-1");
  CAF_CHECK(goes_on("o-3"));
  here->stop();
  here->client().publish("order_placed", event, {}, [](const result<accepted>&) { throw_as("int"); });
  CAF_CHECK(has(sink->text(), "the callback of client::publish threw: it threw something that is no"));
  CAF_CHECK(has(sink->text(), "the callback of client::send threw: a mistake"));
  CAF_CHECK(has(sink->text(), "the callback of client::result_of threw: a mistake"));
}

CAF_TEST(a client may want no answer) {
  start();
  here->client().publish("order_placed", encode(order_placed{"o-1", 100}), {}, nullptr);
  here->client().send("make_payment", encode(make_payment{"o-2", 100}), nullptr, nullptr);
  here->client().result_of({"fulfilment", "o-1"}, std::nullopt, nullptr);
  CAF_CHECK(goes_on("o-3"));
  here->stop();
  here->client().publish("order_placed", "", {}, nullptr);
}

CAF_TEST(a logger may throw) {
  start();
  sink->throws = true;
  CAF_CHECK(has(outcome_of({"k", {"publish exception"}}), "stuck")); // which is logged
  CAF_CHECK(goes_on("o-1"));
}

CAF_TEST(who changes the configuration may throw) {
  for (const auto& what : thrown) {
    config.configure = [what](caf::actor_system_config&) { throw_as(what); };
    here.emplace(config);
    const auto started = here->start();
    CAF_REQUIRE(!started);
    CAF_CHECK(started.error().code == errc::invalid_configuration);
    CAF_CHECK(has(started.error().message, "node_config::configure threw: "));
  }
}

CAF_TEST(a key that is too long or cannot be shown is refused where it comes in) {
  start();
  const auto refused = [&](const std::string& key) {
    const auto taken = here->client().publish(order_placed{key, 100}).get();
    CAF_CHECK(taken || taken.error().code == errc::malformed);
    return taken ? std::string{"taken"} : taken.error().message;
  };
  CAF_CHECK(has(refused(std::string(513, 'k')),
                "order_placed: its correlation key has 513 bytes, and may have 512"));
  CAF_CHECK(has(refused("a\n\x1b[2Jb"), R"(its correlation key "a\n\x1b[2Jb" holds control characters)"));
  CAF_CHECK(has(refused("\xff"), "bytes that are no UTF-8"));
  CAF_CHECK(goes_on(std::string(512, 'k')));
  CAF_CHECK(goes_on("Ü-😀"));
}

CAF_TEST(what is no event is not published and what is no command is not sent) {
  start();
  const auto client = here->client();
  const auto published = [&](const auto& message) {
    const auto taken = client.publish(message).get();
    return taken ? std::string{"taken"}
                 : std::string{to_string(taken.error().code)} + ": " + taken.error().message;
  };
  CAF_CHECK_EQUAL(published(make_payment{"o-1", 100}),
                  "unknown_type: make_payment is a command, which has one handler: send it");
  CAF_CHECK(
      has(published(payment_completed{"o-1"}), "payment_completed is the reply to the command make_payment"));
  CAF_CHECK(has(published(fulfilment{}), "fulfilment is the state of a saga"));
  CAF_CHECK(has(published(nothing{}), "nothing is the state of the keyed service answering"));
  std::promise<result<command_result>> sent;
  client.send("order_placed", encode(order_placed{"o-1", 100}), {},
              [&](const result<command_result>& answer) { sent.set_value(answer); });
  CAF_CHECK(has(outcome_of({"k", {"publish a command"}}),
                "make_payment is a command, which has one handler: send it"));
  const auto refused = wait_for(sent.get_future());
  CAF_REQUIRE(!refused);
  CAF_CHECK_EQUAL(refused.error().message,
                  "order_placed is an event, which may have many subscribers: publish it");
  CAF_CHECK(goes_on("o-1"));
}

CAF_TEST_FIXTURE_SCOPE_END()
