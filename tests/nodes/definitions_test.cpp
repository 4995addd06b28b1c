#define CAF_SUITE definitions

#include "tests/nodes/shop.hpp"

#include <caf/test/dsl.hpp>

#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <sstream>

using namespace continuo;
using namespace continuo::tests;

namespace {

/// Says what `start` objects to, after having tried it on a node that hosts what `host` does.
template <class Host>
std::string objection(Host host) {
  node here{node_config::in_memory()};
  host(here);
  const auto started = here.start();
  return started ? "none" : started.error().message;
}

bool has(const std::string& text, const std::string& part) {
  if (text.find(part) == std::string::npos) {
    CAF_MESSAGE("not in: " << text);
    return false;
  }
  return true;
}

service empty_warehouse(const std::string& name = "warehouse") {
  return service{name}.handle(
      [](const create_label&, command_context&) -> outcome<label_created> { return label_created{}; });
}

namespace other {

// Another type under the name of the order workflow's.
struct payment_completed {
  std::int64_t amount = 0;
  CONTINUO_FIELDS(payment_completed, amount)
};

struct confirm {
  using reply = payment_completed;
  CONTINUO_FIELDS(confirm)
};

} // namespace other

class sleeper : public saga<sleeper> {
public:
  static void define(saga_definition<sleeper>&) {}
  CONTINUO_FIELDS(sleeper)
};

} // namespace

CAF_TEST(a complete workflow is not objected to) {
  CAF_CHECK_EQUAL(objection([](node& here) { host_shop(here); }), "none");
}

CAF_TEST(durations that make no sense are named with what they are and may be) {
  using namespace std::chrono_literals;
  const auto of = [](const std::function<void(node_config&)>& change) {
    auto config = node_config::in_memory();
    change(config);
    node here{config};
    host_shop(here);
    const auto started = here.start();
    return started ? "none" : std::string{to_string(started.error().code)} + ": " + started.error().message;
  };
  CAF_CHECK_EQUAL(of([](node_config& config) { config.keep_ended = -1h; }),
                  "invalid_configuration: node_config::keep_ended is -3600000 ms; it must be at least 0 ms");
  CAF_CHECK_EQUAL(of([](node_config& config) { config.sweep_every = 0ms; }),
                  "invalid_configuration: node_config::sweep_every is 0 ms; it must be at least 1 ms");
  CAF_CHECK(has(of([](node_config& config) { config.handler_delay = 2h; }),
                "node_config::handler_delay is 7200000 ms; it must be from 0 ms to 3600000 ms"));
  CAF_CHECK(has(
      of([](node_config& config) {
        config.cluster.emplace();
        config.cluster->name = "shop";
        config.cluster->nodes.push_back({"node", "127.0.0.1", 4'701, {"fulfilment", "payment", "warehouse"}});
        config.cluster->heartbeat = std::chrono::milliseconds::max();
      }),
      "cluster_config::heartbeat is 9223372036854775807 ms; it must be from 1000 ms to 3600000 ms"));
  CAF_CHECK_EQUAL(of([](node_config& config) {
                    config.keep_ended = std::chrono::hours::max();
                    config.sweep_every = std::chrono::milliseconds::max();
                  }),
                  "none");
}

CAF_TEST(a command that no service handles is named with its saga) {
  const auto said = objection([](node& here) {
    here.host(shop_payment());
    here.host<fulfilment>();
  });
  CAF_CHECK(has(said, "saga fulfilment calls create_label, which no service handles"));
}

CAF_TEST(an undo that no service handles is named) {
  const auto said = objection([](node& here) {
    here.host(shop_warehouse());
    here.host(
        service{"payment"}.handle([](const make_payment&, command_context&) -> outcome<payment_completed> {
          return payment_completed{};
        }));
    here.host<fulfilment>();
  });
  CAF_CHECK(has(said, "make_payment is undone by refund_payment, which no service handles"));
}

CAF_TEST(two services for one command are an error that names both) {
  const auto said = objection([](node& here) {
    here.host(empty_warehouse("east"));
    here.host(empty_warehouse("west"));
  });
  CAF_CHECK(has(said, "create_label"));
  CAF_CHECK(has(said, "east"));
  CAF_CHECK(has(said, "west"));
}

CAF_TEST(one service hosted twice is an error) {
  const auto said = objection([](node& here) {
    here.host(empty_warehouse());
    here.host(empty_warehouse());
  });
  CAF_CHECK(has(said, "warehouse"));
}

CAF_TEST(a name that is too long or cannot be shown is an error) {
  const auto said_of = [](const std::string& name) {
    return objection([&](node& here) { here.host(empty_warehouse(name)); });
  };
  CAF_CHECK_EQUAL(said_of(std::string(128, 'w')), "none");
  CAF_CHECK(has(said_of(std::string(129, 'w')), "must have at most 128 bytes"));
  CAF_CHECK(has(said_of("ware\x1b[2Jhouse"), R"("ware\x1b[2Jhouse" of a saga or service must have)"));
}

CAF_TEST(two types of one name are an error that names it) {
  const auto said = objection([](node& here) {
    host_shop(here);
    here.host(service{"confirmation"}.handle(
        [](const other::confirm&, command_context&) -> outcome<other::payment_completed> {
          return other::payment_completed{};
        }));
  });
  CAF_CHECK(has(said, "payment_completed"));
}

CAF_TEST(a retry policy that cannot be followed is an error) {
  const auto with = [](retry_policy policy) {
    return objection([&](node& here) { here.host(empty_warehouse().retry(policy)); });
  };
  CAF_CHECK(has(with({.attempts = 0}), "service warehouse: its retry policy allows no attempt"));
  CAF_CHECK(has(with({.factor = 0.5}), "factor below 1"));
  CAF_CHECK(has(with({.jitter = 2}), "jitter outside 0 to 1"));
  CAF_CHECK(has(with({.timeout = std::chrono::milliseconds{0}}), "timeout = 0 ms; it must be at least 1 ms"));
  CAF_CHECK(
      has(with({.cap = std::chrono::milliseconds::max()}),
          "service warehouse: its retry policy has cap = 9223372036854775807 ms; it must be from 0 to"));
  CAF_CHECK_EQUAL(with({.attempts = 1}), "none");
}

CAF_TEST(a service that could run nothing is an error) {
  CAF_CHECK(
      has(objection([](node& here) { here.host(empty_warehouse().concurrency(0)); }), "concurrency of 0"));
}

CAF_TEST(a saga that nothing starts is an error) {
  CAF_CHECK(
      has(objection([](node& here) { here.host<sleeper>(); }), "sleeper declares no event with starts_on"));
}

CAF_TEST(start names every mistake at once and can be given nothing afterwards) {
  node here{node_config::in_memory()};
  here.host(empty_warehouse("east").retry({.attempts = 0}));
  here.host(empty_warehouse("west"));
  here.host<sleeper>();
  here.host<fulfilment>();
  const auto started = here.start();
  CAF_REQUIRE_EQUAL(code_of(started), "invalid_definition");
  const auto& said = started.error().message;
  CAF_CHECK(has(said, "create_label"));              // two services
  CAF_CHECK(has(said, "allows no attempt"));         // the policy
  CAF_CHECK(has(said, "sleeper declares no event")); // never started
  CAF_CHECK(has(said, "calls make_payment, which no service handles"));
  CAF_CHECK_EQUAL(code_of(here.client().publish(order_placed{"o-1", 1}).get()), "unavailable");
}

CAF_TEST(what is hosted after the start is not hosted in part) {
  std::ostringstream text;
  auto config = node_config::in_memory();
  config.logger =
      std::make_shared<spdlog::logger>("n", std::make_shared<spdlog::sinks::ostream_sink_mt>(text));
  node here{config};
  here.host(shop_payment());
  CAF_REQUIRE(here.start().has_value());
  here.host(shop_warehouse());
  here.host<fulfilment>();
  CAF_CHECK_EQUAL(code_of(here.client().publish(order_placed{"o-1", 1}).get()), "unknown_type");
  CAF_CHECK_EQUAL(code_of(wait_for(here.client().send(create_label{"o-1"}))), "unknown_type");
  here.stop();
  CAF_CHECK(has(text.str(), "fulfilment is not hosted"));
  CAF_CHECK(has(text.str(), "warehouse is not hosted"));
}

CAF_TEST(a definition that is refused touches no data) {
  const temporary_directory directory;
  node here{node_config::embedded(directory.path() / "data")};
  here.host<sleeper>();
  CAF_CHECK_EQUAL(code_of(here.start()), "invalid_definition");
  CAF_CHECK(!std::filesystem::exists(directory.path() / "data"));
}

CAF_TEST(a name that no program offers is refused with its place before anything is made) {
  const temporary_directory directory;
  auto config = node_config::embedded(directory.path() / "all" / "here");
  config.name = "here";
  config.cluster.emplace();
  config.cluster->name = "shop";
  config.cluster->nodes = {{"here", "127.0.0.1", 4701, {"payment", "warehouse", "fulfilment", "mail"}}};
  config.cluster->nodes.front().where = "shop.conf:7: nodes.here.hosts";
  node here{std::move(config)};
  host_shop(here);
  const auto started = here.start();
  CAF_REQUIRE(!started.has_value());
  CAF_CHECK_EQUAL(exit_code(started.error().code), 2);
  CAF_CHECK(has(started.error().message, "shop.conf:7: nodes.here.hosts: this program offers no \"mail\""));
  CAF_CHECK(std::filesystem::is_empty(directory.path()));
}
