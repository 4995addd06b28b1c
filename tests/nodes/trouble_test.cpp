// An actor of a node that ends otherwise than in order ends the node, with a reason.
#define CAF_SUITE trouble

#include "tests/nodes/reserved_port.hpp"
#include "tests/nodes/shop.hpp"

#include "journal/memory_store.hpp"
#include "messages/caf_types.hpp"
#include "nodes/certificates.hpp"
#include "nodes/dialer.hpp"
#include "nodes/runtime.hpp"
#include "nodes/tls.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/test/dsl.hpp>

#include <atomic>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

/// What no actor of a node knows.
constexpr int stray = 4'711;

/// A store whose calls throw when they are told to.
class throwing_store : public journal::memory_store {
public:
  enum class call { none, commit, get, scan };

  throwing_store() : journal::memory_store(std::make_shared<journal::memory_disk>()) {}

  result<void> commit(const journal::batch& changes) override {
    look(call::commit);
    return journal::memory_store::commit(changes);
  }
  result<std::optional<std::string>> get(std::string_view key) const override {
    look(call::get);
    return journal::memory_store::get(key);
  }
  result<void> scan(std::string_view prefix, const journal::visitor& visit,
                    std::string_view after) const override {
    look(call::scan);
    return journal::memory_store::scan(prefix, visit, after);
  }

  std::atomic<call> throws{call::none};

private:
  void look(call made) const {
    if (throws == made) {
      throw std::runtime_error{"thrown by the store"};
    }
  }
};

/// The end of a node, with its reason; `none` where it does not come in 20 s.
std::string failure_of(const std::shared_future<error>& failed) {
  return failed.wait_for(20s) == std::future_status::ready ? failed.get().message : "none";
}

/// One of two nodes, the other one of which is down: it has every kind of actor.
struct fixture {
  reserved_port here;
  reserved_port there;
  std::shared_ptr<throwing_store> store = std::make_shared<throwing_store>();
  std::shared_ptr<detail::node_runtime> runtime;

  std::shared_ptr<detail::node_runtime> make(const std::function<void(node_config&)>& change = {}) {
    node_config config;
    config.name = "here";
    config.threads = 1;
    config.cluster.emplace();
    config.cluster->name = "shop";
    config.cluster->nodes = {{"here", "127.0.0.1", here.number(), {"payment", "warehouse", "fulfilment"}},
                             {"there", "127.0.0.1", there.number(), {}}};
    if (change) {
      change(config);
    }
    runtime = std::make_shared<detail::node_runtime>(std::move(config));
    runtime->means().store = store;
    runtime->means().greet_peers = 0ms;
    runtime->host(shop_payment().describe());
    runtime->host(shop_warehouse().describe());
    runtime->host(fulfilment::describe());
    return runtime;
  }

  void start() { CAF_REQUIRE(make()->start().has_value()); }

  continuo::client client() const { return continuo::client{runtime}; }

  ~fixture() {
    if (runtime) {
      runtime->stop();
    }
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(trouble_tests, fixture)

CAF_TEST(a message that an actor does not know ends the node) {
  std::size_t kinds = 0;
  for (std::size_t i = 0; i == 0 || i < kinds; ++i) {
    fixture one;
    one.start();
    const auto all = one.runtime->all_actors();
    kinds = all.size();
    const auto core = one.runtime->open_core();
    if (all[i] == core->gate || all[i] == core->links.at("there")) {
      continue; // other nodes have their handles: they drop what they do not know
    }
    caf::anon_send(all[i], stray);
    const auto why = failure_of(one.runtime->failed());
    CAF_CHECK(why.starts_with("an actor of the node failed: "));
    CAF_CHECK(why.find("knows no (4711)") != std::string::npos);
    if (why == "none") {
      CAF_MESSAGE("number " << i << " of " << kinds);
    }
  }
  CAF_CHECK_GREATER(kinds, 10u); // sweeper, intake, timers, starter, gate, link, 4 shards, services, journal
}

CAF_TEST(an error that an actor is sent ends the node) {
  std::size_t kinds = 0;
  for (std::size_t i = 0; i == 0 || i < kinds; ++i) {
    fixture one;
    one.start();
    const auto all = one.runtime->all_actors();
    kinds = all.size();
    const auto core = one.runtime->open_core();
    if (all[i] == core->gate || all[i] == core->links.at("there")) {
      continue; // as above
    }
    caf::anon_send(all[i], caf::make_error(caf::sec::runtime_error, "sent by a test"));
    const auto why = failure_of(one.runtime->failed());
    CAF_CHECK(why.find("sent by a test") != std::string::npos);
    if (why == "none") {
      CAF_MESSAGE("number " << i << " of " << kinds);
    }
  }
}

CAF_TEST(a journal that throws ends the node and who waits for it is told) {
  start();
  store->throws = throwing_store::call::commit;
  const auto taken = client().publish(order_placed{"o-1", 100});
  CAF_CHECK_EQUAL(failure_of(runtime->failed()),
                  "an actor of the node failed: continuo.journal: thrown by the store");
  CAF_REQUIRE(taken.taken().wait_for(20s) == std::future_status::ready);
  CAF_CHECK_EQUAL(code_of(taken.taken().get()), "unavailable");
}

CAF_TEST(an instance that throws ends the node) {
  start();
  store->throws = throwing_store::call::get;
  const auto seen = client().show({"fulfilment", "o-1"});
  const auto why = failure_of(runtime->failed());
  CAF_CHECK(why.ends_with("thrown by the store"));
}

CAF_TEST(a sweeper that throws ends the node) {
  make([](node_config& config) { config.sweep_every = 1ms; });
  CAF_REQUIRE(runtime->start().has_value());
  store->throws = throwing_store::call::scan;
  const auto why = failure_of(runtime->failed());
  CAF_CHECK(why.ends_with("thrown by the store"));
}

CAF_TEST(a dialer that throws ends the node) {
  for (const bool throws : {true, false}) {
    caf::actor_system_config config;
    config.add_message_types<caf::id_block::continuo>();
    caf::actor_system system{config};
    const auto failure = std::make_shared<std::promise<error>>(); // who sets it may be the last to use it
    std::promise<void> begun;
    std::promise<void> go_on;
    nodes::dialing attempt;
    attempt.knock = [&, may = go_on.get_future().share()]() -> result<void> {
      begun.set_value();
      may.wait();
      if (throws) {
        throw std::runtime_error{"thrown by the network"};
      }
      return {};
    };
    const auto nobody = system.spawn([](caf::event_based_actor*) { return caf::behavior{[](int) {}}; });
    attempt.broker = nobody; // it does not answer before what the dialer does not know
    attempt.failed = [failure](const error& why) { failure->set_value(why); };
    const auto dialer = system.spawn<caf::detached>(nodes::dialer_actor, std::move(attempt));
    begun.get_future().wait();
    if (!throws) {
      caf::anon_send(dialer, stray);
    }
    go_on.set_value();
    const auto why = failure_of(failure->get_future().share());
    CAF_CHECK(why.ends_with(throws ? "thrown by the network" : "knows no (4711)"));
    caf::anon_send_exit(dialer, caf::exit_reason::kill);
    caf::anon_send_exit(nobody, caf::exit_reason::kill);
  }
}

CAF_TEST(a broker for TLS that gets what it does not know ends the node) {
  const temporary_directory directory;
  CAF_REQUIRE(nodes::make_certificates(directory.path(), {"here"}).has_value());
  caf::actor_system_config config;
  config.load<caf::io::middleman>();
  caf::actor_system system{config};
  const auto failure = std::make_shared<std::promise<error>>();
  nodes::tls_transport::terms agreed;
  agreed.files = {directory.path() / "here.pem", directory.path() / "here.key", directory.path() / "ca.pem"};
  agreed.failed = [failure](const error& why) { failure->set_value(why); };
  const auto transport = nodes::tls_transport::start(system, std::move(agreed));
  CAF_REQUIRE(transport.has_value());
  caf::anon_send((*transport)->broker(), stray);
  const auto why = failure_of(failure->get_future().share());
  CAF_CHECK(why.find("knows no (4711)") != std::string::npos);
}

CAF_TEST_FIXTURE_SCOPE_END()
