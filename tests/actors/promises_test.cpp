#define CAF_SUITE promises

#include "actors/protocol.hpp"
#include "tests/support/orders.hpp"

#include <continuo/archive.hpp>

#include <caf/send.hpp>
#include <caf/test/dsl.hpp>

#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <optional>
#include <set>
#include <sstream>

using namespace continuo;
using namespace continuo::tests;

namespace {

struct fixture {
  outside_world outside;
  world here{order_workflow(outside)};

  /// The durable record of an order, as it stands in the store at this moment.
  std::optional<engine::record> durable(const std::string& order) {
    const auto bytes = here.node().open_core()->store->get(engine::record_key({"fulfilment", order}));
    if (!bytes || !*bytes) {
      return std::nullopt;
    }
    return decode<engine::record>(**bytes).value();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(promises_tests, fixture)

CAF_TEST(case 13 - no handler with outside effects runs before its cause is durable) {
  CAF_REQUIRE(here.start().has_value());
  std::size_t looked = 0;
  outside.before = [&](const outside_world::effect& what, std::uint32_t) {
    const auto stored = durable(what.order);
    CAF_REQUIRE(stored.has_value());
    CAF_REQUIRE_EQUAL(stored->requests.size(), 1u);
    CAF_CHECK_EQUAL(stored->requests.front().type, what.kind == "charge" ? "make_payment" : "create_label");
    ++looked;
  };
  for (int i = 0; i < 20; ++i) {
    here.publish(order_placed{"o-" + std::to_string(i), 100});
  }
  CAF_CHECK_EQUAL(looked, 40u);
}

CAF_TEST(no client is answered before its event is durable) {
  CAF_REQUIRE(here.start().has_value());
  bool answered = false;
  here.client().publish("order_placed", encode(order_placed{"o-1", 1}), {}, [&](result<accepted> answer) {
    CAF_REQUIRE(answer.has_value());
    answered = true;
    // Either the accepted event itself is in the store, or all that it caused.
    const auto kept =
        here.node().open_core()->store->get(engine::record_key({"continuo.publish", to_string(answer->id)}));
    CAF_CHECK((kept.has_value() && kept->has_value()) || durable("o-1").has_value());
  });
  while (!answered) {
    CAF_REQUIRE(here.step());
  }
}

CAF_TEST(case 20 - who repeats a key is not answered before the first one is durable) {
  std::size_t answered = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    outside_world nobody;
    world one{order_workflow(nobody)};
    CAF_REQUIRE(one.start().has_value());
    std::optional<accepted> repeated;
    const auto publish = [&](auto answer) {
      caf::anon_send(
          one.node().open_core()->intake,
          actors::publish{"order_placed", encode(order_placed{"o-1", 1}), {}, std::move(answer), "k"});
    };
    publish([](const result<accepted>&) {});
    publish([&](const result<accepted>& answer) {
      if (answer) {
        repeated = *answer;
      }
    });
    one.run_shuffled(seed, seed % 12);
    one.crash();
    CAF_REQUIRE(one.start().has_value());
    one.run_for(std::chrono::seconds{1});
    if (repeated) {
      ++answered;
      CAF_REQUIRE_EQUAL(one.status_of("fulfilment", "o-1"), "completed");
    }
  }
  CAF_CHECK(answered > 0);
}

CAF_TEST(after a failed sync nothing is released) {
  here.disk().fail_commit(3, errc::storage_failed, false); // the start makes two
  CAF_REQUIRE(here.start().has_value());
  const auto sent = here.client().publish(order_placed{"o-1", 1});
  here.run();
  CAF_CHECK_EQUAL(outside.calls, 0u);
  CAF_CHECK(here.node().failed().wait_for(std::chrono::seconds{0}) == std::future_status::ready);
  CAF_CHECK(here.node().failed().get().code == errc::storage_failed);
  const auto late = here.client().publish(order_placed{"o-2", 1});
  here.run();
  CAF_REQUIRE(late.taken().wait_for(std::chrono::seconds{0}) == std::future_status::ready);
  CAF_CHECK(late.get().error().code == errc::unavailable);
  CAF_REQUIRE(sent.taken().wait_for(std::chrono::seconds{0}) == std::future_status::ready);
  CAF_CHECK(sent.get().error().code == errc::unavailable); // unknown: it was never told that it is accepted
}

CAF_TEST(promise 1 - an accepted order survives a crash at any moment) {
  for (int steps = 0; steps < 200; ++steps) {
    const auto order = "o-" + std::to_string(steps);
    CAF_REQUIRE(here.start().has_value());
    const auto sent = here.client().publish(order_placed{order, 100});
    for (int i = 0; i < steps; ++i) {
      here.step();
    }
    const auto is_accepted =
        sent.taken().wait_for(std::chrono::seconds{0}) == std::future_status::ready && sent.get().has_value();
    here.crash();
    CAF_REQUIRE(here.start().has_value());
    here.run_for(std::chrono::seconds{5});
    if (is_accepted) {
      CAF_CHECK_EQUAL(here.status_of("fulfilment", order), "completed");
    }
    CAF_CHECK(outside.count("charge", order) <= 1);
    CAF_CHECK(outside.count("label", order) <= 1);
    here.crash();
  }
}

CAF_TEST(case 9 - a command whose reply is durable does not run again whatever takes long) {
  std::size_t in_between = 0; // crashes at which a reply was durable and its request still open
  for (std::uint64_t seed = 1; seed <= 1'000; ++seed) {
    const auto order = "o-" + std::to_string(seed);
    CAF_REQUIRE(here.start().has_value());
    here.client().publish(order_placed{order, 100});
    here.run_shuffled(seed, seed % 40);
    here.stall_for(std::chrono::milliseconds{2}); // what nobody waits for is written on its own
    here.run_shuffled(seed, seed / 40 % 12);
    here.crash();
    std::set<std::string> replied;
    std::set<std::string> open;
    for (const auto& [key, bytes] : here.disk().snapshot()) {
      if (key.starts_with("r")) {
        const auto stored = decode<engine::record>(bytes).value();
        if (stored.kind == engine::record_kind::command && !stored.outbox.empty()) {
          replied.insert(stored.self.key);
        }
        for (const auto& sent : stored.requests) {
          open.insert(to_string(sent.id));
        }
      }
    }
    for (const auto& key : replied) {
      in_between += open.contains(key) ? 1 : 0;
    }
    outside.before = [&](const outside_world::effect& what, std::uint32_t) {
      if (replied.contains(what.key)) {
        CAF_ERROR("seed " << seed << ": " << what.kind << " runs again");
      }
    };
    CAF_REQUIRE(here.start().has_value());
    here.run_shuffled(seed + 1'000);
    here.run_for(std::chrono::seconds{5});
    outside.before = {};
    CAF_CHECK_EQUAL(here.status_of("fulfilment", order) == "running", false);
    here.crash();
  }
  CAF_MESSAGE(in_between << " crashes between a reply and its receipt");
  CAF_CHECK(in_between > 10u);
}

CAF_TEST(a timed out attempt is tried again and its late outcome taken) {
  // The handler runs while its time passes: a job of the coordinator cannot hang, so it moves the clock
  // itself.
  CAF_REQUIRE(here.start().has_value());
  outside.before = [](const outside_world::effect&, std::uint32_t attempt) {
    if (attempt < 2) {
      throw std::runtime_error{"busy"};
    }
  };
  here.publish(order_placed{"o-1", 100});
  CAF_CHECK_EQUAL(here.status_of("fulfilment", "o-1"), "running");
  here.run_for(std::chrono::milliseconds{200});
  here.run_for(std::chrono::milliseconds{200});
  CAF_CHECK_EQUAL(here.status_of("fulfilment", "o-1"), "completed");
}

CAF_TEST(case 19 - failed attempts are counted over crashes and a told failure is not redriven) {
  std::vector<std::uint32_t> attempts;
  outside.before = [&](const outside_world::effect& what, std::uint32_t attempt) {
    if (what.kind == "charge") {
      attempts.push_back(attempt);
      throw std::runtime_error{"down"};
    }
  };
  CAF_REQUIRE(here.start().has_value());
  here.publish(order_placed{"o-1", 100});
  here.crash();
  CAF_REQUIRE(here.start().has_value());
  here.run_for(std::chrono::seconds{2});
  CAF_CHECK_EQUAL(here.status_of("fulfilment", "o-1"), "compensated");
  CAF_CHECK(attempts == (std::vector<std::uint32_t>{1, 2, 3}));
  // The requester was told, so the dead letter cannot be redriven, only discarded.
  const auto letters = here.finish(here.client().dead_letters());
  CAF_REQUIRE_EQUAL(letters->size(), 1u);
  CAF_CHECK(!letters->front().may_redrive);
  const auto refused = here.finish(here.client().redrive(letters->front().id));
  CAF_CHECK(refused.error().code == errc::conflict);
  CAF_CHECK(here.finish(here.client().discard(letters->front().id)).has_value());
  CAF_CHECK_EQUAL(here.finish(here.client().dead_letters())->size(), 0u);
}

CAF_TEST(case 16 - a redriven command of a client is sent once with the same key) {
  bool down = true;
  std::vector<std::string> keys;
  outside.before = [&](const outside_world::effect& what, std::uint32_t) {
    keys.push_back(what.key);
    if (down) {
      throw std::runtime_error{"down"};
    }
  };
  CAF_REQUIRE(here.start().has_value());
  const auto sent = here.send(make_payment{"direct", 5});
  here.run_for(std::chrono::seconds{2});
  CAF_REQUIRE(sent.is_ready());
  CAF_CHECK(sent.get().error().code == errc::conflict);
  const auto letters = here.finish(here.client().dead_letters());
  CAF_REQUIRE_EQUAL(letters->size(), 1u);
  CAF_CHECK(letters->front().may_redrive);
  down = false;
  auto first = here.client().redrive(letters->front().id);
  auto second = here.client().redrive(letters->front().id);
  CAF_CHECK(here.finish(std::move(first)).has_value());
  CAF_CHECK(!here.finish(std::move(second)).has_value());
  here.run_for(std::chrono::seconds{2});
  CAF_CHECK_EQUAL(outside.count("charge", "direct"), 1u);
  for (const auto& key : keys) {
    CAF_CHECK_EQUAL(key, letters->front().id);
  }
  CAF_CHECK_EQUAL(here.finish(here.client().dead_letters())->size(), 0u);
}

CAF_TEST(case 28 - a query shows durable state only) {
  CAF_REQUIRE(here.start().has_value());
  here.publish(order_placed{"o-0", 1});
  const auto sent = here.client().publish(order_placed{"o-1", 1});
  for (int i = 0; i < 500; ++i) {
    const pending<instance_view> asked{here.client().show({"fulfilment", "o-1"})};
    while (!asked.is_ready() && here.step()) {
    }
    if (asked.is_ready() && asked.get()) {
      const auto stored = durable("o-1");
      CAF_REQUIRE(stored.has_value());
      CAF_CHECK(asked.get()->revision <= stored->revision);
    }
  }
}

CAF_TEST_FIXTURE_SCOPE_END()

// -- promise 8 ---------------------------------------------------------------------------

namespace {

/// A node of which each life may host something else, and what its last life logged.
struct changing_fixture {
  outside_world outside;
  bool hosts_saga = true;
  bool hosts_rival = false; // a second service for a command that has one
  std::shared_ptr<std::ostringstream> log = std::make_shared<std::ostringstream>();
  world here{[this](detail::node_runtime& node) {
    node.host(payment_service(outside).describe());
    node.host(warehouse_service(outside).describe());
    if (hosts_saga) {
      node.host(fulfilment::describe());
    }
    if (hosts_rival) {
      node.host(service{"rival"}
                    .handle([](const make_payment&, command_context&) -> outcome<payment_completed> {
                      return payment_completed{};
                    })
                    .describe());
    }
  }};

  /// Accepts two orders that cannot be paid for now, and goes down.
  void leave_two_orders() {
    outside.before = [](const outside_world::effect&, std::uint32_t) { throw std::runtime_error{"down"}; };
    CAF_REQUIRE(here.start().has_value());
    here.publish(order_placed{"o-1", 100});
    here.publish(order_placed{"o-2", 100});
    here.crash();
    outside.before = {};
  }

  result<void> start() {
    log->str("");
    here.config().logger =
        std::make_shared<spdlog::logger>("here", std::make_shared<spdlog::sinks::ostream_sink_mt>(*log));
    return here.start();
  }

  /// Starts on a disk that must not be started on: everything stays as it is. Gives the reason.
  error refusal() {
    const auto before = here.disk().snapshot();
    const auto started = start();
    here.run_for(std::chrono::minutes{1});
    here.crash();
    CAF_CHECK(here.disk().snapshot() == before);
    return started ? error{errc::conflict, "it started"} : started.error();
  }

  /// Nothing was lost on the way: both orders go on and end well.
  void both_complete() {
    CAF_REQUIRE(start().has_value());
    here.run_for(std::chrono::seconds{5});
    for (const std::string order : {"o-1", "o-2"}) {
      CAF_CHECK_EQUAL(here.status_of("fulfilment", order), "completed");
      CAF_CHECK_EQUAL(outside.count("charge", order), 1u);
    }
  }
};

bool has(const std::string& text, const std::string& part) {
  if (text.find(part) == std::string::npos) {
    CAF_MESSAGE("not in: " << text);
    return false;
  }
  return true;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(promise_8_tests, changing_fixture)

CAF_TEST(promise 8 - a record that cannot be read is refused with its place and nothing is overwritten) {
  leave_two_orders();
  const auto key = engine::record_key({"fulfilment", "o-1"});
  const auto whole = here.disk().snapshot().at(key);
  const auto put = [&](const std::string& bytes) {
    journal::memory_store store{std::shared_ptr<journal::memory_disk>{&here.disk(), [](auto*) {}}};
    CAF_REQUIRE(store.commit({{journal::operation::kind::put, key, bytes}}).has_value());
  };
  for (const auto& damaged : {whole.substr(0, whole.size() / 2), std::string{}, whole + "more"}) {
    put(damaged);
    const auto reason = refusal();
    CAF_CHECK(reason.code == errc::corrupt);
    CAF_CHECK(has(reason.message, "rfulfilment\\x00o-1"));
    CAF_CHECK_EQUAL(outside.calls, 2u); // of the first life: no handler has run since
  }
  put(whole);
  here.disk().damage(key); // as a failed checksum
  const auto reason = refusal();
  CAF_CHECK(reason.code == errc::corrupt);
  CAF_CHECK(has(reason.message, "rfulfilment\\x00o-1"));
  put(whole);
  both_complete();
}

CAF_TEST(promise 8 - records of a type that nothing hosts stay and are named) {
  leave_two_orders();
  hosts_saga = false;
  const auto before = here.disk().snapshot();
  CAF_REQUIRE(start().has_value());
  here.run_for(std::chrono::minutes{1});
  CAF_CHECK(has(log->str(), "2 record(s) of fulfilment wait: nothing here hosts it"));
  const auto refused = here.client().publish(order_placed{"o-3", 100});
  here.run();
  CAF_REQUIRE(refused.taken().wait_for(std::chrono::seconds{0}) == std::future_status::ready);
  CAF_CHECK(refused.get().error().code == errc::unknown_type);
  CAF_CHECK(has(refused.get().error().message, "order_placed"));
  here.crash();
  const auto after = here.disk().snapshot();
  for (const std::string order : {"o-1", "o-2"}) {
    const auto key = engine::record_key({"fulfilment", order});
    CAF_CHECK(after.at(key) == before.at(key));
  }
  hosts_saga = true;
  both_complete();
}

CAF_TEST(promise 8 - definitions that contradict each other are refused by name and nothing is touched) {
  leave_two_orders();
  hosts_rival = true;
  const auto reason = refusal();
  CAF_CHECK(reason.code == errc::invalid_definition);
  CAF_CHECK(has(reason.message, "make_payment"));
  CAF_CHECK(has(reason.message, "rival"));
  CAF_CHECK(has(reason.message, "payment"));
  hosts_rival = false;
  both_complete();
}

CAF_TEST(promise 8 - a message that no record could hold is refused and leaves nothing) {
  CAF_REQUIRE(start().has_value());
  here.run();
  const auto before = here.disk().snapshot();
  const std::string large(engine::record_bytes_max, 'x');
  const auto published = here.client().publish(order_placed{large, 100});
  const pending<payment_completed> sent{here.client().send(make_payment{large, 100})};
  here.run();
  CAF_REQUIRE(published.taken().wait_for(std::chrono::seconds{0}) == std::future_status::ready);
  CAF_CHECK(published.get().error().code == errc::malformed);
  CAF_CHECK(has(published.get().error().message, "bytes"));
  CAF_REQUIRE(sent.is_ready());
  CAF_CHECK(sent.get().error().code == errc::malformed);
  CAF_CHECK_EQUAL(here.node().figures().in_flight, 0);
  here.crash();
  CAF_CHECK(here.disk().snapshot() == before);
}

CAF_TEST_FIXTURE_SCOPE_END()
