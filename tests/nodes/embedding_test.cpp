#define CAF_SUITE embedding

#include "tests/nodes/shop.hpp"

#include <caf/test/dsl.hpp>

#include <thread>

using namespace continuo;
using namespace continuo::tests;

CAF_TEST(an order goes all the way on an embedded node) {
  const temporary_directory directory;
  node here{node_config::embedded(directory.path())};
  host_shop(here);
  CAF_REQUIRE(here.start().has_value());
  CAF_CHECK_EQUAL(place(here, "o-1"), "completed: track-o-1");
  CAF_CHECK_EQUAL(place(here, "o-2", 100'001), "compensated: make_payment failed: amount over the limit");
  CAF_CHECK_EQUAL(place(here, "none-3"), "compensated: create_label failed: out of stock");
}

CAF_TEST(a node in memory needs no directory) {
  node here{node_config::in_memory()};
  host_shop(here);
  CAF_REQUIRE(here.start().has_value());
  CAF_CHECK_EQUAL(place(here, "o-1"), "completed: track-o-1");
}

CAF_TEST(what ended is still known after the next start) {
  const temporary_directory directory;
  {
    node here{node_config::embedded(directory.path())};
    host_shop(here);
    CAF_REQUIRE(here.start().has_value());
    CAF_CHECK_EQUAL(place(here, "o-1"), "completed: track-o-1");
  }
  node again{node_config::embedded(directory.path())};
  host_shop(again);
  CAF_REQUIRE(again.start().has_value());
  CAF_CHECK_EQUAL(line_of(wait_for(again.client().result_of<fulfilment>("o-1"))), "completed: track-o-1");
  CAF_CHECK(again.recovery().records >= 1);
}

CAF_TEST(a result that does not come in time is an error and the instance goes on) {
  gate held;
  node here{node_config::in_memory()};
  host_shop(here, &held);
  CAF_REQUIRE(here.start().has_value());
  const auto sent = here.client().publish(order_placed{"o-1", 100});
  CAF_CHECK_EQUAL(code_of(wait_for(sent.result_of<fulfilment>(std::chrono::milliseconds{20}))), "timed_out");
  held.open();
  CAF_CHECK_EQUAL(line_of(wait_for(sent.result_of<fulfilment>())), "completed: track-o-1");
}

CAF_TEST(a command sent by a client brings its reply) {
  node here{node_config::in_memory()};
  host_shop(here);
  CAF_REQUIRE(here.start().has_value());
  const auto paid = wait_for(here.client().send(make_payment{"o-1", 100}));
  CAF_REQUIRE(paid.has_value());
  CAF_CHECK_EQUAL(paid->order_id, "o-1");
  const auto refused = wait_for(here.client().send(make_payment{"o-2", 100'001}));
  CAF_REQUIRE(!refused.has_value());
  CAF_CHECK_EQUAL(refused.error().message, "declined: amount over the limit");
}

CAF_TEST(several nodes live in one process and know nothing of each other) {
  const temporary_directory one;
  const temporary_directory two;
  node first{node_config::embedded(one.path())};
  node second{node_config::embedded(two.path())};
  host_shop(first);
  host_shop(second);
  CAF_REQUIRE(first.start().has_value());
  CAF_REQUIRE(second.start().has_value());
  CAF_CHECK_EQUAL(place(first, "o-1"), "completed: track-o-1");
  CAF_CHECK_EQUAL(code_of(wait_for(second.client().show({"fulfilment", "o-1"}))), "not_found");
  first.stop();
  CAF_CHECK_EQUAL(place(second, "o-1"), "completed: track-o-1");
}

CAF_TEST(a node that stops lets its handlers end and goes on after the next start) {
  const temporary_directory directory;
  gate held;
  {
    node here{node_config::embedded(directory.path())};
    host_shop(here, &held);
    CAF_REQUIRE(here.start().has_value());
    for (int i = 0; i < 50; ++i) {
      CAF_REQUIRE(here.client().publish(order_placed{"o-" + std::to_string(i), 100}).get().has_value());
    }
    CAF_REQUIRE(held.wait_for_held(8)); // as many as run at a time
    std::thread opens{[&] { held.open(); }};
    here.stop();
    opens.join();
  }
  node again{node_config::embedded(directory.path())};
  host_shop(again);
  CAF_REQUIRE(again.start().has_value());
  for (int i = 0; i < 50; ++i) {
    const auto order = "o-" + std::to_string(i);
    CAF_CHECK_EQUAL(line_of(wait_for(again.client().result_of<fulfilment>(order))),
                    "completed: track-" + order);
  }
}

CAF_TEST(who waits when a node stops is told) {
  gate held;
  node here{node_config::in_memory()};
  host_shop(here, &held);
  CAF_REQUIRE(here.start().has_value());
  auto end = here.client().publish(order_placed{"o-1", 100}).result_of<fulfilment>();
  CAF_REQUIRE(held.wait_for_held(1));
  std::thread opens{[&] { held.open(); }};
  here.stop();
  opens.join();
  // It may have ended in the last moment; what it may not do is wait for ever.
  const auto outcome = line_of(wait_for(std::move(end)));
  CAF_CHECK(outcome == "completed: track-o-1" || outcome == "unavailable: the node has stopped");
  CAF_MESSAGE(outcome);
}

CAF_TEST(calls before start and after stop are refused as unavailable) {
  node here{node_config::in_memory()};
  host_shop(here);
  const auto client = here.client();
  const auto refuses = [&] {
    return code_of(client.publish(order_placed{"o-1", 100}).get()) == "unavailable" &&
           code_of(wait_for(client.publish(order_placed{"o-1", 100}).result_of<fulfilment>())) ==
               "unavailable" &&
           code_of(wait_for(client.send(make_payment{"o-1", 100}))) == "unavailable" &&
           code_of(wait_for(client.result_of<fulfilment>("o-1"))) == "unavailable" &&
           code_of(wait_for(client.show({"fulfilment", "o-1"}))) == "unavailable" &&
           code_of(wait_for(client.cancel({"fulfilment", "o-1"}))) == "unavailable" &&
           code_of(wait_for(client.list("fulfilment"))) == "unavailable" &&
           code_of(wait_for(client.dead_letters())) == "unavailable" &&
           code_of(wait_for(client.discard("x"))) == "unavailable";
  };
  CAF_CHECK(refuses());
  CAF_REQUIRE(here.start().has_value());
  CAF_CHECK(!refuses());
  here.stop();
  CAF_CHECK(refuses());
}

CAF_TEST(a client may outlive its node) {
  auto here = std::make_unique<node>(node_config::in_memory());
  host_shop(*here);
  CAF_REQUIRE(here->start().has_value());
  const auto client = here->client();
  here.reset();
  CAF_CHECK_EQUAL(code_of(client.publish(order_placed{"o-1", 100}).get()), "unavailable");
}

CAF_TEST(a node starts once and stops as often as it is told to) {
  node here{node_config::in_memory()};
  host_shop(here);
  CAF_REQUIRE(here.start().has_value());
  CAF_CHECK_EQUAL(code_of(here.start()), "conflict");
  here.stop();
  here.stop();
  CAF_CHECK_EQUAL(code_of(here.start()), "conflict");
}

CAF_TEST(a node that was never started stops as well) {
  node here{node_config::in_memory()};
  here.stop();
  const node other{node_config::in_memory()};
}

CAF_TEST(a data directory serves one node at a time) {
  const temporary_directory directory;
  node first{node_config::embedded(directory.path())};
  host_shop(first);
  CAF_REQUIRE(first.start().has_value());
  {
    node second{node_config::embedded(directory.path())};
    host_shop(second);
    const auto refused = second.start();
    CAF_REQUIRE_EQUAL(code_of(refused), "in_use");
    CAF_CHECK(refused.error().message.find(directory.path().string()) != std::string::npos);
    CAF_CHECK_EQUAL(code_of(second.client().publish(order_placed{"o-1", 100}).get()), "unavailable");
  }
  CAF_CHECK_EQUAL(place(first, "o-1"), "completed: track-o-1");
  first.stop();
  node third{node_config::embedded(directory.path())};
  host_shop(third);
  CAF_CHECK(third.start().has_value());
}

namespace {

struct archived {
  CONTINUO_FIELDS(archived)
};

struct archive_order {
  using reply = archived;
  std::string order_id;
  CONTINUO_FIELDS(archive_order, order_id)
};

} // namespace

CAF_TEST(handlers that block hold up nothing but their own service) {
  gate held;
  auto config = node_config::in_memory();
  config.threads = 1; // a handler that ran on a worker of the scheduler would hold up everything
  node here{config};
  host_shop(here);
  here.host(service{"archive"}
                .handle([&held](const archive_order&, command_context&) -> outcome<archived> {
                  held.pass();
                  return archived{};
                })
                .concurrency(2));
  CAF_REQUIRE(here.start().has_value());
  std::vector<std::future<result<archived>>> blocked;
  for (int i = 0; i < 10; ++i) {
    blocked.push_back(here.client().send(archive_order{"o-" + std::to_string(i)}));
  }
  CAF_REQUIRE(held.wait_for_held(2));
  for (int i = 0; i < 20; ++i) {
    const auto order = "o-" + std::to_string(i);
    CAF_CHECK_EQUAL(place(here, order), "completed: track-" + order);
  }
  held.open();
  for (auto& one : blocked) {
    CAF_CHECK_EQUAL(code_of(wait_for(std::move(one))), "ok");
  }
}
