#define CAF_SUITE logging

#include "tests/nodes/shop.hpp"

#include <caf/test/dsl.hpp>

#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/sinks/ringbuffer_sink.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <future>
#include <sstream>
#include <stdexcept>
#include <thread>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

class fragile : public saga<fragile> {
public:
  static void define(saga_definition<fragile>& saga) {
    saga.starts_on<order_placed>(&order_placed::order_id);
  }
  void on(const order_placed&, saga_context&) { throw std::runtime_error{"no paper"}; }
  CONTINUO_FIELDS(fragile)
};

/// Its handler waits, which it must not.
class waiting : public saga<waiting> {
public:
  static void define(saga_definition<waiting>& saga) {
    saga.starts_on<order_placed>(&order_placed::order_id);
  }
  void on(const order_placed&, saga_context& context) {
    door->pass();
    context.complete();
  }
  CONTINUO_FIELDS(waiting)

  static inline gate* door = nullptr;
};

struct shelf_state {
  CONTINUO_FIELDS(shelf_state)
};

struct make_payment_by_shelf {
  using reply = payment_completed;
  std::string order_id;
  CONTINUO_FIELDS(make_payment_by_shelf, order_id)
};

struct fixture {
  std::ostringstream text;
  std::shared_ptr<spdlog::logger> own =
      std::make_shared<spdlog::logger>("mine", std::make_shared<spdlog::sinks::ostream_sink_mt>(text));

  fixture() { own->set_pattern("%n %l %v"); }

  /// Lets one payment handler log a line of each level, and gives what the logger got.
  std::string what_comes(spdlog::level::level_enum level) {
    own->set_level(level);
    auto config = node_config::in_memory();
    config.logger = own;
    node here{config};
    here.host(service{"payment"}.handle(
        [](const make_payment& command, command_context& context) -> outcome<payment_completed> {
          context.log().debug("looking at {}", command.order_id);
          context.log().info("charging {} cents", command.cents);
          return payment_completed{command.order_id};
        }));
    CAF_REQUIRE(here.start().has_value());
    CAF_REQUIRE(wait_for(here.client().send(make_payment{"o-1", 42})).has_value());
    here.stop();
    return text.str();
  }
};

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) {
    ++found;
  }
  return found;
}

/// Whether a line with this text comes.
bool comes(spdlog::sinks::ringbuffer_sink_mt& lines, const std::string& text) {
  const auto is_there = [&] {
    const auto said = lines.last_formatted();
    return std::any_of(said.begin(), said.end(),
                       [&](const std::string& line) { return line.find(text) != std::string::npos; });
  };
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (!is_there() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  return is_there();
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(logging_tests, fixture)

CAF_TEST(the logger of the application gets the lines of handlers with their instance) {
  const auto said = what_comes(spdlog::level::info);
  CAF_CHECK(said.find("mine info payment/") != std::string::npos);
  CAF_CHECK(said.find(": charging 42 cents") != std::string::npos);
  CAF_CHECK(said.find("looking at") == std::string::npos);
}

CAF_TEST(the level of the logger decides what comes) {
  CAF_CHECK(what_comes(spdlog::level::debug).find(": looking at o-1") != std::string::npos);
}

CAF_TEST(a healthy node says what it found and that it stops) {
  own->set_level(spdlog::level::info);
  const temporary_directory directory;
  auto config = node_config::embedded(directory.path() / "data");
  config.logger = own;
  gate held;
  {
    node first{config};
    host_shop(first, &held);
    CAF_REQUIRE(first.start().has_value());
    CAF_REQUIRE(first.client().publish(order_placed{"o-1", 100}).get().has_value());
    CAF_REQUIRE(held.wait_for_held(1));
    held.open();
  }
  const auto said = text.str();
  CAF_CHECK_EQUAL(count(said, "mine info ready after "), 1u);
  CAF_CHECK_EQUAL(count(said, ": 0 record(s) read, 0 instance(s) go on, 0 timer(s) armed; data in "), 1u);
  CAF_CHECK_EQUAL(count(said, "mine info the node stops: "), 1u);
  CAF_CHECK_EQUAL(count(said, "\n"), 2u);
  node again{config};
  host_shop(again);
  CAF_REQUIRE(again.start().has_value());
  CAF_CHECK_EQUAL(count(text.str(), ": 0 record(s) read"), 1u); // this time it has found some
  CAF_CHECK_EQUAL(count(text.str(), "mine info ready after "), 2u);
}

CAF_TEST(that an instance is stuck is said once) {
  own->set_level(spdlog::level::warn);
  const temporary_directory directory;
  auto config = node_config::embedded(directory.path() / "data");
  config.logger = own;
  const auto run = [&](const std::function<void(node&)>& what) {
    node here{config};
    here.host<fragile>();
    CAF_REQUIRE(here.start().has_value());
    what(here);
  };
  const auto is_stuck = [](const node& here) {
    const auto shown = wait_for(here.client().show({"fragile", "o-1"}));
    return shown && shown->status == instance_status::stuck;
  };
  run([&](node& here) {
    CAF_REQUIRE(here.client().publish(order_placed{"o-1", 100}).get().has_value());
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!is_stuck(here) && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
    CAF_CHECK(is_stuck(here)); // its receipt has been written as well, or is while it stops
  });
  run([&](node& here) { CAF_CHECK(is_stuck(here)); });
  CAF_CHECK_EQUAL(count(text.str(), "fragile/o-1 is stuck: "), 1u);
}

CAF_TEST(a handler that keeps a worker is named while it runs) {
  const auto lines = std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(100);
  gate door;
  waiting::door = &door;
  auto config = node_config::in_memory();
  config.logger = std::make_shared<spdlog::logger>("mine", lines);
  node here{config};
  here.host<waiting>();
  CAF_REQUIRE(here.start().has_value());
  CAF_REQUIRE(here.client().publish(order_placed{"o-1", 100}).get().has_value());
  CAF_REQUIRE(door.wait_for_held(1));
  CAF_CHECK(comes(*lines, "waiting/o-1: its handler of order_placed has run for 2 s"));
  door.open();
  here.stop();
}

CAF_TEST(a callback that keeps the node from taking anything in is named while it runs) {
  const auto lines = std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(100);
  gate door;
  auto config = node_config::in_memory();
  config.logger = std::make_shared<spdlog::logger>("mine", lines);
  node here{config};
  here.host<fragile>();
  CAF_REQUIRE(here.start().has_value());
  here.client().publish("order_placed", encode(order_placed{"o-1", 100}), {},
                        [&](const result<accepted>&) { door.pass(); });
  CAF_REQUIRE(door.wait_for_held(1));
  CAF_CHECK(comes(*lines, "a callback given to client::publish has run for 2 s"));
  door.open();
  here.stop();
}

CAF_TEST(what waits for a service that nothing hosts any more is told at a start) {
  own->set_level(spdlog::level::warn);
  const temporary_directory directory;
  auto config = node_config::embedded(directory.path() / "data");
  config.logger = own;
  {
    node here{config};
    here.host(service{"payment"}
                  .handle([](const make_payment&, command_context&) -> outcome<payment_completed> {
                    throw std::runtime_error{"no line to the bank"};
                  })
                  .retry({.attempts = 2, .first = 1h}));
    CAF_REQUIRE(here.start().has_value());
    std::promise<bool> taken;
    here.client().send("make_payment", encode(make_payment{"o-1", 42}),
                       [&](const result<accepted>& said) { taken.set_value(said.has_value()); }, {});
    CAF_REQUIRE(taken.get_future().get());
    here.stop();
  }
  node here{config};
  here.host<fragile>();
  CAF_REQUIRE(here.start().has_value());
  CAF_CHECK_EQUAL(count(text.str(), "1 message(s) were for payment, which no node hosts any more"), 1u);
  here.stop();
}

CAF_TEST(of attempts that fail the first is told with its reason) {
  own->set_level(spdlog::level::warn);
  auto config = node_config::in_memory();
  config.logger = own;
  node here{config};
  here.host(service{"payment"}
                .handle([](const make_payment&, command_context&) -> outcome<payment_completed> {
                  throw std::runtime_error{"no line to the bank"};
                })
                .retry({.attempts = 5, .first = 1ms}));
  here.host(keyed_service<shelf_state>{"shelf"}
                .handle(&make_payment_by_shelf::order_id,
                        [](shelf_state&, const make_payment_by_shelf&, keyed_context&)
                            -> outcome<payment_completed> { throw std::runtime_error{"no paper"}; })
                .retry({.attempts = 3, .first = 1ms}));
  CAF_REQUIRE(here.start().has_value());
  CAF_CHECK(!wait_for(here.client().send(make_payment{"o-1", 42})).has_value());
  CAF_CHECK(!wait_for(here.client().send(make_payment{"o-2", 42})).has_value());
  CAF_CHECK(!wait_for(here.client().send(make_payment_by_shelf{"o-3"})).has_value());
  here.stop();
  const auto said = text.str();
  CAF_CHECK_EQUAL(count(said, "mine warning payment: attempt 1 at make_payment ("), 1u);
  CAF_CHECK_EQUAL(count(said, "failed: no line to the bank; the next one follows in "), 1u);
  CAF_CHECK_EQUAL(count(said, "mine warning shelf: attempt 1 at make_payment_by_shelf ("), 1u);
  CAF_CHECK_EQUAL(count(said, "failed: no paper; the next one follows in "), 1u);
  CAF_CHECK_EQUAL(count(said, "attempt "), 2u);
}

CAF_TEST_FIXTURE_SCOPE_END()
