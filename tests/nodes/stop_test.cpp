// A node may be stopped and destroyed from anywhere, also by those whom its end waits for, and does not wait
// for ever for code that does not return.
#define CAF_SUITE stop

#include "tests/nodes/process.hpp"
#include "tests/nodes/shop.hpp"
#include "tests/support/places.hpp"

#include "journal/memory_store.hpp"
#include "nodes/runtime.hpp"

#include <caf/test/dsl.hpp>

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include <functional>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

struct greeted {
  CONTINUO_FIELDS(greeted)
};

struct greet {
  using reply = greeted;
  CONTINUO_FIELDS(greet)
};

struct met {
  std::string key;
  CONTINUO_FIELDS(met, key)
};

std::function<void()> in_saga;

class meeting : public saga<meeting> {
public:
  static void define(saga_definition<meeting>& saga) { saga.starts_on<met>(&met::key); }
  void on(const met&, saga_context& context) {
    in_saga();
    context.complete();
  }
  CONTINUO_FIELDS(meeting)
};

/// Calls a function with each line.
class calling_sink : public spdlog::sinks::base_sink<std::mutex> {
public:
  std::function<void(const std::string&)> call = [](const std::string&) {};

private:
  void sink_it_(const spdlog::details::log_msg& line) override {
    call(std::string{line.payload.data(), line.payload.size()});
  }
  void flush_() override {}
};

struct fixture {
  node_config config = node_config::in_memory();
  std::shared_ptr<calling_sink> sink = std::make_shared<calling_sink>();
  std::function<void()> in_handler = [] {};
  std::optional<node> here;

  fixture() {
    in_saga = [] {};
    config.logger = std::make_shared<spdlog::logger>("node", sink);
  }

  result<void> try_start() {
    here.emplace(config);
    here->host<meeting>();
    here->host(service{"greeter"}.handle([this](const greet&, command_context& context) -> outcome<greeted> {
      context.log().warn("greets");
      in_handler();
      return greeted{};
    }));
    return here->start();
  }

  void start() { CAF_REQUIRE(try_start().has_value()); }

  /// What a destroyed node consists of is gone when nobody but the test holds its logger.
  void wait_until_gone() {
    while (config.logger.use_count() > 1) { // bounded by the test's time
      std::this_thread::yield();
    }
  }
};

/// A code that waits until it is called, once, and says when it has been.
struct called {
  std::promise<void> promise;
  std::atomic<bool> was{false};

  bool first() { return !was.exchange(true); }
  void done() { promise.set_value(); }
  void wait() { CAF_REQUIRE(promise.get_future().wait_for(20s) == std::future_status::ready); }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(stop_tests, fixture)

CAF_TEST(a node is stopped in a handler) {
  called once;
  in_handler = [&] {
    here->stop();
    once.done();
  };
  start();
  const auto sent = here->client().send(greet{});
  once.wait();
  here->stop(); // from here it waits for the end
  CAF_CHECK_EQUAL(code_of(here->client().publish(met{"k"}).get()), "unavailable");
}

CAF_TEST(a node is stopped in a handler of a saga) {
  called once;
  in_saga = [&] {
    here->stop();
    once.done();
  };
  start();
  const auto published = here->client().publish(met{"k"});
  once.wait();
  here->stop();
  CAF_CHECK_EQUAL(code_of(here->client().publish(met{"k"}).get()), "unavailable");
}

CAF_TEST(a node is destroyed in a callback of its client) {
  called once;
  start();
  here->client().publish("met", encode(met{"k"}), {}, [&](const result<accepted>&) {
    here.reset();
    once.done();
  });
  once.wait();
  wait_until_gone();
}

CAF_TEST(a process that ends while its node is at its end waits for that) {
  const temporary_directory directory;
  for (int i = 0; i < 20; ++i) {
    process brief{places::programs() + "/brief_node", {(directory.path() / "data").string()}};
    CAF_CHECK_EQUAL(brief.wait().code.value_or(-1), 0);
  }
}

CAF_TEST(a node is stopped by its logger) {
  called once;
  start();
  sink->call = [&](const std::string&) {
    if (once.first()) {
      here->stop();
      once.done();
    }
  };
  const auto sent = here->client().send(greet{});
  once.wait();
  here->stop();
  CAF_CHECK_EQUAL(code_of(here->client().publish(met{"k"}).get()), "unavailable");
}

CAF_TEST(a node is destroyed when it is told that it must stop) {
  called once;
  const auto disk = std::make_shared<journal::memory_disk>();
  std::shared_ptr<detail::node_runtime> runtime;
  config.on_failure = [&](const error&) {
    runtime->stop();
    runtime.reset();
    once.done();
  };
  runtime = std::make_shared<detail::node_runtime>(config);
  runtime->means().store = std::make_shared<journal::memory_store>(disk);
  runtime->host(meeting::describe());
  CAF_REQUIRE(runtime->start().has_value());
  disk->fail_commit(1, errc::storage_failed, false);
  client{runtime}.publish(met{"k"});
  once.wait();
  config.on_failure = nullptr;
  wait_until_gone();
}

CAF_TEST(a node is stopped while it starts) {
  config.configure = [&](caf::actor_system_config&) { here->stop(); };
  const auto started = try_start();
  here->stop();
  CAF_CHECK_EQUAL(code_of(here->client().publish(met{"k"}).get()), "unavailable");
  CAF_CHECK_EQUAL(code_of(here->start()), "conflict");
}

CAF_TEST(many stop a node at once and each waits for its end) {
  gate held;
  in_handler = [&] { held.pass(); };
  start();
  const auto sent = here->client().send(greet{});
  CAF_REQUIRE(held.wait_for_held(1));
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([this] { here->stop(); });
  }
  held.open();
  for (auto& one : threads) {
    one.join();
  }
  CAF_CHECK_EQUAL(code_of(here->client().publish(met{"k"}).get()), "unavailable");
}

CAF_TEST(a handler that does not return keeps nobody from stopping) {
  const temporary_directory directory;
  gate held;
  std::string said;
  sink->call = [&](const std::string& line) { said += line + '\n'; };
  in_handler = [&] { held.pass(); };
  config.data = directory.path() / "data";
  config.stop_within = 50ms;
  start();
  auto sent = here->client().send(greet{});
  CAF_REQUIRE(held.wait_for_held(1));
  here->stop();
  CAF_CHECK(said.find("1 handler(s) that have not returned in time: greet (") != std::string::npos);
  CAF_CHECK_EQUAL(code_of(wait_for(std::move(sent))), "unavailable");
  // Its directory is not given to another node, in which the handler would run beside it.
  CAF_CHECK_EQUAL(code_of(try_start()), "in_use");
  held.open();
  while (code_of(try_start()) == "in_use") { // bounded by the test's time
    std::this_thread::yield();
  }
  CAF_CHECK(here->client().publish(met{"k"}).get().has_value());
  here.reset();
  wait_until_gone();
}

CAF_TEST(a handler of a saga that does not return keeps nobody from stopping) {
  gate held;
  in_saga = [&] { held.pass(); };
  config.stop_within = 50ms;
  start();
  here->client().publish(met{"k"});
  CAF_REQUIRE(held.wait_for_held(1));
  here->stop();
  here.reset();
  held.open();
  wait_until_gone();
}

CAF_TEST(who stops a node once more waits once more) {
  const temporary_directory directory;
  gate held;
  in_saga = [&] { held.pass(); };
  config.data = directory.path() / "data";
  config.stop_within = 50ms;
  start();
  here->client().publish(met{"k"});
  CAF_REQUIRE(held.wait_for_held(1));
  here->stop(); // gives up
  held.open();
  here->stop();
  CAF_CHECK(try_start().has_value()); // its directory is free
  here.reset();                       // its handler passes the gate once more
}

CAF_TEST(the longest time is waited for a handler) {
  gate held;
  std::atomic<bool> returned{false};
  in_handler = [&] {
    held.pass();
    returned = true;
  };
  config.stop_within = std::chrono::milliseconds::max();
  start();
  const auto sent = here->client().send(greet{});
  CAF_REQUIRE(held.wait_for_held(1));
  auto stopping = std::async(std::launch::async, [&] {
    here->stop();
    return returned.load();
  });
  CAF_CHECK(stopping.wait_for(1500ms) == std::future_status::timeout);
  held.open();
  CAF_CHECK(stopping.get());
}

CAF_TEST(each callback is called once though the node stops) {
  constexpr int count = 500;
  std::atomic<int> calls{0};
  start();
  for (int i = 0; i < count; ++i) {
    here->client().publish("met", encode(met{std::to_string(i)}), {},
                           [&](const result<accepted>&) { ++calls; });
  }
  here->stop();
  here.reset();
  wait_until_gone();
  CAF_CHECK_EQUAL(calls.load(), count);
}

CAF_TEST(a callback may hold the last reference to its node) {
  auto owner = std::make_shared<node>(config);
  owner->host<meeting>();
  CAF_REQUIRE(owner->start().has_value());
  owner->client().publish("met", encode(met{"k"}), {}, [owner](const result<accepted>&) {});
  owner.reset();
  wait_until_gone();
}

CAF_TEST(a failure that is told to somebody who does not return keeps nobody from stopping) {
  gate held;
  const auto disk = std::make_shared<journal::memory_disk>();
  config.on_failure = [&](const error&) { held.pass(); };
  config.stop_within = 50ms;
  auto runtime = std::make_shared<detail::node_runtime>(config);
  runtime->means().store = std::make_shared<journal::memory_store>(disk);
  runtime->host(meeting::describe());
  CAF_REQUIRE(runtime->start().has_value());
  disk->fail_commit(1, errc::storage_failed, false);
  client{runtime}.publish(met{"k"});
  CAF_REQUIRE(held.wait_for_held(1));
  runtime->stop();
  runtime.reset();
  config.on_failure = nullptr;
  held.open();
  wait_until_gone();
}

CAF_TEST_FIXTURE_SCOPE_END()
