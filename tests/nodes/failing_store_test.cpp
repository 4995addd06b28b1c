#define CAF_SUITE failing_store

#include "tests/nodes/shop.hpp"

#include "journal/memory_store.hpp"
#include "nodes/runtime.hpp"

#include <caf/test/dsl.hpp>

#include <atomic>

using namespace continuo;
using namespace continuo::tests;

namespace {

/// A node on a disk that fails when it is told to, with real threads.
struct fixture {
  std::shared_ptr<journal::memory_disk> disk = std::make_shared<journal::memory_disk>();
  gate held;
  std::atomic<int> reports{0};
  std::shared_ptr<detail::node_runtime> here;

  std::shared_ptr<detail::node_runtime> start(gate* holds) {
    node_config config;
    config.on_failure = [this](const error&) { ++reports; };
    auto runtime = std::make_shared<detail::node_runtime>(config);
    runtime->means().store = std::make_shared<journal::memory_store>(disk);
    runtime->host(shop_payment(holds).describe());
    runtime->host(shop_warehouse().describe());
    runtime->host(fulfilment::describe());
    CAF_REQUIRE(runtime->start().has_value());
    return runtime;
  }

  fixture() : here(start(&held)) {}

  ~fixture() {
    held.open();
    here->stop();
  }

  continuo::client client() const { return continuo::client{here}; }

  error wait_for_failure() {
    const auto failed = here->failed();
    CAF_REQUIRE(failed.wait_for(std::chrono::seconds{20}) == std::future_status::ready);
    return failed.get();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(failing_store_tests, fixture)

CAF_TEST(a node whose disk fails reports it once and refuses every call) {
  disk->fail_commit(1, errc::storage_failed, false);
  const auto taken = client().publish(order_placed{"o-1", 100});
  CAF_CHECK_EQUAL(to_string(wait_for_failure().code), "storage_failed");
  CAF_CHECK_EQUAL(code_of(client().publish(order_placed{"o-2", 100}).get()), "unavailable");
  CAF_CHECK_EQUAL(code_of(wait_for(client().send(make_payment{"o-3", 100}))), "unavailable");
  CAF_CHECK_EQUAL(code_of(wait_for(client().result_of<fulfilment>("o-1"))), "unavailable");
  CAF_CHECK_EQUAL(code_of(wait_for(client().show({"fulfilment", "o-1"}))), "unavailable");
  CAF_CHECK_EQUAL(code_of(client().list("fulfilment").get()), "unavailable");
  here->stop(); // the callback comes after the future; when the node has stopped it is over
  CAF_CHECK_EQUAL(reports.load(), 1);
}

CAF_TEST(a full disk is told apart from a broken one) {
  disk->fail_commit(1, errc::storage_full, false);
  const auto taken = client().publish(order_placed{"o-1", 100});
  CAF_CHECK_EQUAL(to_string(wait_for_failure().code), "storage_full");
}

CAF_TEST(a publish whose commit failed is answered with an error) {
  disk->fail_commit(1, errc::storage_failed, false);
  const auto taken = client().publish(order_placed{"o-1", 100});
  wait_for_failure();
  CAF_REQUIRE(taken.taken().wait_for(std::chrono::seconds{20}) == std::future_status::ready);
  CAF_CHECK_EQUAL(code_of(taken.taken().get()), "unavailable");
}

CAF_TEST(a command whose commit failed is answered with an error) {
  disk->fail_commit(1, errc::storage_failed, false);
  auto paid = client().send(make_payment{"o-1", 100});
  wait_for_failure();
  CAF_CHECK_EQUAL(wait_for(std::move(paid)).error().message.find("the node has failed"), 0u);
}

CAF_TEST(who waits for an end when the disk fails is told) {
  const auto taken = client().publish(order_placed{"o-1", 100});
  auto end = taken.result_of<fulfilment>();
  CAF_REQUIRE(held.wait_for_held(1));
  disk->fail_commit(1, errc::storage_failed, false);
  held.open();
  wait_for_failure();
  CAF_CHECK_EQUAL(code_of(wait_for(std::move(end))), "unavailable");
}

CAF_TEST(nothing is released once the disk has failed) {
  const auto taken = client().publish(order_placed{"o-1", 100});
  auto end = taken.result_of<fulfilment>();
  CAF_REQUIRE(held.wait_for_held(1)); // the payment runs, so all before it is durable
  disk->fail_commit(1, errc::storage_failed, false);
  const auto before = disk->snapshot();
  held.open();
  wait_for_failure();
  here->stop();
  CAF_CHECK_EQUAL(code_of(wait_for(std::move(end))), "unavailable");
  disk->crash();
  CAF_CHECK(disk->snapshot() == before);
}

CAF_TEST(what was accepted goes on after the next start whether the failed batch is there or not ) {
  for (const bool applied : {false, true}) {
    fixture lives;
    CAF_REQUIRE(lives.client().publish(order_placed{"o-1", 100}).get().has_value());
    CAF_REQUIRE(lives.held.wait_for_held(1));
    lives.disk->fail_commit(1, errc::storage_failed, applied);
    lives.held.open();
    lives.wait_for_failure();
    lives.here->stop();
    lives.disk->crash();
    const auto again = lives.start(nullptr);
    CAF_CHECK_EQUAL(line_of(wait_for(continuo::client{again}.result_of<fulfilment>("o-1"))),
                    "completed: track-o-1");
    again->stop();
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
