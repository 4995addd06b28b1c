// What has ended is deleted in time, with its history, and nothing else is.
#define CAF_SUITE expiry

#include "engine/expiry.hpp"
#include "engine/remembered_key.hpp"
#include "tests/support/orders.hpp"

#include <continuo/archive.hpp>

#include <caf/test/dsl.hpp>

#include <fmt/format.h>
#include <spdlog/logger.h>

#include <algorithm>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;
using engine::expiry_kind;

namespace {

struct counted {
  std::int64_t total = 0;
  CONTINUO_FIELDS(counted, total)
};

struct count_one {
  using reply = counted;
  std::string counter;
  bool last = false;
  CONTINUO_FIELDS(count_one, counter, last)
};

struct counter {
  std::int64_t total = 0;
  CONTINUO_FIELDS(counter, total)
};

keyed_service<counter> counters() {
  keyed_service<counter> made{"counters"};
  made.handle(&count_one::counter,
              [](counter& state, const count_one& command, keyed_context& context) -> outcome<counted> {
                if (command.last) {
                  context.end();
                }
                return counted{++state.total};
              });
  return made;
}

struct fixture {
  outside_world outside;
  keyed_service<counter> service = counters();
  std::function<void(detail::node_runtime&)> orders = order_workflow(outside);
  world here{[this](detail::node_runtime& node) {
    orders(node);
    node.host(service.describe());
  }};

  /// An order that ended some time ago, as it stands in the store; `owes`: somebody waits for it.
  journal::batch ended(const std::string& key, std::chrono::hours ago, bool owes) {
    engine::record stored;
    stored.self = {"fulfilment", key};
    stored.status = instance_status::completed;
    stored.revision = stored.history = ++revision_;
    stored.updated_at = here.now() - ago;
    if (owes) {
      engine::stored_message event;
      event.id = {7, stored.revision, 0};
      event.to = {"nowhere", "x"};
      stored.outbox.push_back(event);
    }
    engine::history_entry entry;
    entry.self = stored.self;
    entry.revision = stored.revision;
    using kind = journal::operation::kind;
    return {{kind::put, engine::record_key(stored.self), encode(stored)},
            {kind::put, engine::history_key(stored.self, stored.revision), encode(entry)},
            {kind::put, engine::expiry_key(expiry_kind::ended, stored.updated_at, stored.self), {}}};
  }

  void fill(int count, const std::string& prefix, std::chrono::hours ago, bool owes) {
    const auto disk = std::shared_ptr<journal::memory_disk>{&here.disk(), [](auto*) {}};
    journal::memory_store store{disk};
    for (int i = 0; i < count; ++i) {
      CAF_REQUIRE(store.commit(ended(fmt::format("{}-{}", prefix, i), ago, owes)).has_value());
    }
    CAF_REQUIRE(
        store.commit({{journal::operation::kind::put, std::string{journal::revision_key}, encode(revision_)}})
            .has_value());
  }

  template <class Event>
  void publish_once(const Event& event, std::string key) {
    const auto core = here.node().open_core();
    caf::anon_send(core->intake,
                   actors::publish{std::string{message_name<Event>()},
                                   encode(event),
                                   {},
                                   [](const result<accepted>& said) { CAF_CHECK(said.has_value()); },
                                   std::move(key)});
    here.settle();
  }

  /// How many keys begin with this.
  std::size_t count(std::string_view prefix) {
    const auto all = here.disk().snapshot();
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [&](const auto& one) { return one.first.starts_with(prefix); }));
  }

  std::size_t count(expiry_kind kind) { return count(engine::expiry_prefix(kind)); }

  std::uint64_t revision_ = 0;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(expiry_tests, fixture)

CAF_TEST(a sweep deletes all that is due and passes over what somebody waits for) {
  here.config().keep_ended = 1h;
  here.config().sweep_every = 60s;
  here.config().logger = std::make_shared<spdlog::logger>("quiet"); // nothing hosts what they owe to
  fill(1'500, "owes", 3h, true);                                    // due first
  fill(2'200, "over", 2h, false);
  fill(10, "young", 0h, false);
  CAF_REQUIRE(here.start().has_value());
  CAF_REQUIRE_EQUAL(count("rfulfilment"), 3'710u);
  here.run_for(70s);
  CAF_CHECK_EQUAL(count("rfulfilment"), 1'510u);
  CAF_CHECK_EQUAL(count(std::string("rfulfilment\0owes", 16)), 1'500u);
  CAF_CHECK_EQUAL(count("hfulfilment"), 1'510u);
  CAF_CHECK_EQUAL(count(expiry_kind::ended), 1'510u);
  std::size_t largest = 0;
  for (const auto& batch : here.disk().last_batches()) {
    largest = std::max(largest, batch.operations);
  }
  CAF_CHECK_LESS_OR_EQUAL(largest, 3u * 1'000 + 1); // a portion
}

CAF_TEST(what is to be kept for ever is) {
  here.config().keep_ended = std::chrono::hours::max();
  here.config().sweep_every = 60s;
  fill(10, "over", 100'000h, false);
  CAF_REQUIRE(here.start().has_value());
  here.send(count_one{"a"});
  here.run_for(24h * 400);
  CAF_CHECK_EQUAL(count("rfulfilment"), 10u);
  CAF_CHECK_EQUAL(count("hcounters"), 1u);
}

CAF_TEST(an instance is deleted with its history as long after its end as is configured) {
  here.config().keep_ended = 5h;
  CAF_REQUIRE(here.start().has_value());
  here.publish(order_placed{"o-1", 100});
  here.run_for(10s);
  CAF_REQUIRE_EQUAL(here.status_of("fulfilment", "o-1"), "completed");
  CAF_CHECK_EQUAL(count(expiry_kind::ended), 1u);
  here.run_for(4h);
  CAF_CHECK(!here.finish(here.client().history({"fulfilment", "o-1"}))->empty());
  here.run_for(3h);
  CAF_CHECK_EQUAL(here.status_of("fulfilment", "o-1"), "absent");
  CAF_CHECK_EQUAL(count("hfulfilment"), 0u);
  CAF_CHECK_EQUAL(count("e"), 0u);
}

CAF_TEST(an idempotency key is kept a day and as long as what it started) {
  here.config().keep_ended = 100h;
  CAF_REQUIRE(here.start().has_value());
  publish_once(order_placed{"o-1", 100}, "once");
  publish_once(order_cancelled{"nobody"}, "for nobody");
  CAF_CHECK_EQUAL(count(engine::key_prefix), 2u);
  CAF_CHECK_EQUAL(count(expiry_kind::client_key), 2u);
  here.run_for(23h);
  CAF_CHECK_EQUAL(count(engine::key_prefix), 2u);
  here.run_for(3h);
  CAF_CHECK_EQUAL(count(engine::key_prefix), 1u);
  CAF_CHECK_EQUAL(count(expiry_kind::client_key), 1u);
  here.run_for(70h);
  CAF_CHECK_EQUAL(count("konce"), 1u);
  here.run_for(60h);
  CAF_CHECK_EQUAL(count(engine::key_prefix), 0u);
  CAF_CHECK_EQUAL(count(expiry_kind::client_key), 0u);
}

CAF_TEST(the history of a key is trimmed by age) {
  here.config().keep_ended = 80h;
  CAF_REQUIRE(here.start().has_value());
  const auto entries = [&] { return here.finish(here.client().history({"counters", "a"}))->size(); };
  here.send(count_one{"a"});
  here.send(count_one{"a"});
  here.run_for(50h);
  here.send(count_one{"a"});
  here.run_for(29h);
  CAF_CHECK_EQUAL(entries(), 3u);
  here.run_for(15h);
  CAF_CHECK_EQUAL(entries(), 1u);
  CAF_CHECK_EQUAL(count(expiry_kind::history), 1u);
  here.run_for(60h);
  CAF_CHECK_EQUAL(entries(), 0u);
  CAF_CHECK(here.send(count_one{"a"}).get()->total == 4); // the state stays
  CAF_CHECK_EQUAL(entries(), 1u);
}

CAF_TEST(an ended key is deleted and may begin anew) {
  here.config().keep_ended = 5h;
  CAF_REQUIRE(here.start().has_value());
  here.send(count_one{"a"});
  CAF_CHECK(here.send(count_one{"a", true}).get()->total == 2);
  CAF_CHECK(here.send(count_one{"b", true}).get()->total == 1);
  CAF_CHECK_EQUAL(here.status_of("counters", "a"), "completed");
  here.run_for(1h);
  CAF_CHECK(here.send(count_one{"b"}).get()->total == 1);
  here.crash();
  CAF_REQUIRE(here.start().has_value());
  CAF_CHECK_EQUAL(here.finish(here.client().history({"counters", "a"}))->size(), 2u);
  here.run_for(20h);
  CAF_CHECK_EQUAL(here.status_of("counters", "a"), "absent");
  CAF_CHECK_EQUAL(here.status_of("counters", "b"), "running");
  CAF_CHECK_EQUAL(count(std::string("rcounters\0a", 11)), 0u);
  CAF_CHECK(here.send(count_one{"a"}).get()->total == 1);
  CAF_CHECK(here.send(count_one{"b"}).get()->total == 2);
}

CAF_TEST_FIXTURE_SCOPE_END()
