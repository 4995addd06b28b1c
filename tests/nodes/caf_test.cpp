#define CAF_SUITE caf_bridge

#include "tests/nodes/reserved_port.hpp"
#include "tests/nodes/shop.hpp"

#include <continuo/caf.hpp>

#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/test/dsl.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <atomic>
#include <memory>

using namespace continuo;
using namespace continuo::tests;

namespace {

constexpr std::chrono::seconds patience{20};

/// An actor system of the application, which ends after everything that a test makes on it.
struct application {
  caf::actor_system_config config;
  caf::actor_system system{config};
};

/// The application's own payment actor. It refuses large amounts, and fails where it is told to.
struct bank {
  std::atomic<int> failures{0}; ///< so many charges fail first
  std::atomic<int> charges{0};
};

caf::behavior bank_actor(caf::event_based_actor*, std::shared_ptr<bank> books) {
  return {
      [books](const make_payment& command) -> caf::result<payment_completed> {
        ++books->charges;
        if (books->failures.fetch_sub(1) > 0) {
          return to_caf_error({errc::unavailable, "the bank is closed"});
        }
        if (command.cents > 100'000) {
          return decline_error("amount over the limit");
        }
        return payment_completed{command.order_id};
      },
      [](const refund_payment& command) { return payment_refunded{command.order_id}; },
  };
}

using typed_bank = caf::typed_actor<caf::replies_to<make_payment>::with<payment_completed>,
                                    caf::replies_to<refund_payment>::with<payment_refunded>>;

typed_bank::behavior_type typed_bank_actor(typed_bank::pointer) {
  return {
      [](const make_payment& command) { return payment_completed{command.order_id}; },
      [](const refund_payment& command) { return payment_refunded{command.order_id}; },
  };
}

template <class Handle>
service mounted_payment(Handle actor, retry_policy policy = {}) {
  return service{"payment"}.mount<make_payment>(actor).template mount<refund_payment>(actor).retry(policy);
}

/// Asks `whom` and waits for the answer; an error comes as its code and sentence.
template <class Answer, class Request>
result<Answer> ask(application& app, const caf::actor& whom, const Request& request,
                   std::chrono::milliseconds timeout = patience) {
  caf::scoped_actor self{app.system};
  result<Answer> got = fail(errc::not_found, "nothing came");
  self->request(whom, timeout, request)
      .receive([&](const Answer& answer) { got = answer; },
               [&](const caf::error& reason) { got = tl::unexpected(from_caf_error(reason, app.system)); });
  return got;
}

} // namespace

// -- on the application's system ----------------------------------------------------

CAF_TEST(a node runs on the actor system of the application and leaves it running) {
  application app;
  {
    node here{node_config::in_memory().actor_system(app.system)};
    host_shop(here);
    CAF_REQUIRE(here.start().has_value());
    CAF_CHECK_EQUAL(place(here, "o-1"), "completed: track-o-1");
  }
  const auto books = std::make_shared<bank>();
  const auto own = app.system.spawn(bank_actor, books);
  CAF_CHECK_EQUAL(code_of(ask<payment_completed>(app, own, make_payment{"o-2", 100})), "ok");
}

// -- mounted actors -----------------------------------------------------------------

CAF_TEST(a mounted actor is a service) {
  application app;
  const auto books = std::make_shared<bank>();
  node here{node_config::in_memory().actor_system(app.system)};
  here.host(mounted_payment(app.system.spawn(bank_actor, books)));
  here.host(shop_warehouse());
  here.host<fulfilment>();
  CAF_REQUIRE(here.start().has_value());
  CAF_CHECK_EQUAL(place(here, "o-1"), "completed: track-o-1");
  CAF_CHECK_EQUAL(place(here, "o-2", 100'001), "compensated: make_payment failed: amount over the limit");
  CAF_CHECK_EQUAL(place(here, "none-3"), "compensated: create_label failed: out of stock");
  CAF_CHECK_EQUAL(books->charges.load(), 3);
}

CAF_TEST(a typed actor can be mounted) {
  application app;
  node here{node_config::in_memory().actor_system(app.system)};
  here.host(mounted_payment(app.system.spawn(typed_bank_actor)));
  here.host(shop_warehouse());
  here.host<fulfilment>();
  CAF_REQUIRE(here.start().has_value());
  CAF_CHECK_EQUAL(place(here, "o-1"), "completed: track-o-1");
}

CAF_TEST(an error of a mounted actor is retried) {
  application app;
  const auto books = std::make_shared<bank>();
  books->failures = 2;
  node here{node_config::in_memory().actor_system(app.system)};
  here.host(mounted_payment(app.system.spawn(bank_actor, books), {.first = std::chrono::milliseconds{1}}));
  CAF_REQUIRE(here.start().has_value());
  CAF_CHECK_EQUAL(code_of(wait_for(here.client().send(make_payment{"o-1", 100}))), "ok");
  CAF_CHECK_EQUAL(books->charges.load(), 3);
}

CAF_TEST(errors of a mounted actor without end are a technical failure with their text) {
  application app;
  const auto books = std::make_shared<bank>();
  books->failures = 1'000;
  node here{node_config::in_memory().actor_system(app.system)};
  here.host(mounted_payment(app.system.spawn(bank_actor, books),
                            {.attempts = 2, .first = std::chrono::milliseconds{1}}));
  CAF_REQUIRE(here.start().has_value());
  const auto paid = wait_for(here.client().send(make_payment{"o-1", 100}));
  CAF_REQUIRE(!paid.has_value());
  CAF_CHECK(paid.error().message.find("unknown: ") == 0);
  CAF_CHECK(paid.error().message.find("the bank is closed") != std::string::npos);
  CAF_CHECK_EQUAL(books->charges.load(), 2);
}

CAF_TEST(a mounted actor that does not answer or answers something else has failed) {
  application app;
  // The first promises an answer and keeps it to itself, the second answers with another message.
  const auto silent = app.system.spawn([](caf::event_based_actor* self) -> caf::behavior {
    auto kept = std::make_shared<std::vector<caf::response_promise>>();
    return {[self, kept](const make_payment&) { kept->push_back(self->make_response_promise()); }};
  });
  const auto strange = app.system.spawn([](caf::event_based_actor*) -> caf::behavior {
    return {[](const refund_payment&) { return std::string{"what?"}; }};
  });
  const retry_policy once{.attempts = 1, .timeout = std::chrono::milliseconds{50}};
  node here{node_config::in_memory().actor_system(app.system)};
  here.host(service{"payment"}.mount<make_payment>(silent).mount<refund_payment>(strange).retry(once));
  CAF_REQUIRE(here.start().has_value());
  const auto paid = wait_for(here.client().send(make_payment{"o-1", 100}));
  CAF_REQUIRE(!paid.has_value());
  CAF_CHECK(paid.error().message.find("did not answer in time") != std::string::npos);
  const auto refunded = wait_for(here.client().send(refund_payment{"o-1"}));
  CAF_REQUIRE(!refunded.has_value());
  CAF_CHECK(refunded.error().message.find("the mounted actor: ") != std::string::npos);
  caf::anon_send_exit(silent, caf::exit_reason::kill); // its promises keep it alive
}

CAF_TEST(a mounted actor that has ended is a technical failure) {
  application app;
  const auto gone = app.system.spawn(bank_actor, std::make_shared<bank>());
  caf::anon_send_exit(gone, caf::exit_reason::user_shutdown);
  node here{node_config::in_memory().actor_system(app.system)};
  here.host(mounted_payment(gone, {.attempts = 2, .first = std::chrono::milliseconds{1}}));
  CAF_REQUIRE(here.start().has_value());
  CAF_CHECK_EQUAL(code_of(wait_for(here.client().send(make_payment{"o-1", 100}))), "conflict");
}

CAF_TEST(an actor mounted from another system is an error at start) {
  application app;
  node here{node_config::in_memory()};
  here.host(mounted_payment(app.system.spawn(bank_actor, std::make_shared<bank>())));
  const auto refused = here.start();
  CAF_REQUIRE_EQUAL(code_of(refused), "invalid_definition");
  CAF_CHECK(refused.error().message.find("another actor system") != std::string::npos);
}

CAF_TEST(no actor mounted is an error at start) {
  application app;
  node here{node_config::in_memory().actor_system(app.system)};
  here.host(service{"payment"}.mount<make_payment>(caf::actor{}));
  const auto refused = here.start();
  CAF_REQUIRE_EQUAL(code_of(refused), "invalid_definition");
  CAF_CHECK(refused.error().message.find("payment mounts no actor for make_payment") != std::string::npos);
}

// -- requests ---------------------------------------------------------------------------

CAF_TEST(an actor publishes and gets the result by requests) {
  application app;
  node here{node_config::in_memory()}; // on a system of its own
  host_shop(here);
  CAF_REQUIRE(here.start().has_value());
  const auto client = caf_client(app.system, here.client());
  const auto taken = ask<accepted>(app, client, publish_request::of(order_placed{"o-1", 100}));
  CAF_REQUIRE(taken.has_value());
  CAF_REQUIRE_EQUAL(taken->instances.size(), 1u);
  CAF_CHECK_EQUAL(to_string(taken->instances[0]), "fulfilment/o-1");
  CAF_CHECK_EQUAL(line_of(ask<saga_result>(app, client, result_request::of<fulfilment>("o-1"))),
                  "completed: track-o-1");
}

CAF_TEST(an actor sends a command by a request) {
  application app;
  node here{node_config::in_memory().actor_system(app.system)};
  host_shop(here);
  CAF_REQUIRE(here.start().has_value());
  const auto client = caf_client(app.system, here.client());
  const auto paid = ask<command_result>(app, client, send_request::of(make_payment{"o-1", 100}));
  CAF_REQUIRE(paid.has_value());
  const auto reply = paid->as<payment_completed>();
  CAF_CHECK_EQUAL(reply->order_id, "o-1");
  const auto refused = ask<command_result>(app, client, send_request::of(make_payment{"o-1", 100'001}));
  CAF_REQUIRE(refused.has_value());
  CAF_CHECK_EQUAL(refused->reason, "amount over the limit");
}

CAF_TEST(an event based actor goes on with the answer) {
  application app;
  node here{node_config::in_memory()};
  host_shop(here);
  CAF_REQUIRE(here.start().has_value());
  std::promise<result<saga_result>> promise;
  auto future = promise.get_future();
  app.system.spawn([&, client = caf_client(app.system, here.client())](caf::event_based_actor* self) {
    self->request(client, patience, publish_request::of(order_placed{"o-1", 100}))
        .then([&, self, client](const accepted& taken) {
          self->request(client, patience, result_request{taken.instances.at(0), std::nullopt})
              .then([&](const saga_result& end) { promise.set_value(end); },
                    [&](const caf::error& reason) {
                      promise.set_value(tl::unexpected(from_caf_error(reason, app.system)));
                    });
        });
  });
  CAF_CHECK_EQUAL(line_of(wait_for(std::move(future))), "completed: track-o-1");
}

CAF_TEST(what goes wrong comes to the actor as an error) {
  application app;
  gate held;
  node here{node_config::in_memory()};
  host_shop(here, &held);
  CAF_REQUIRE(here.start().has_value());
  const auto client = caf_client(app.system, here.client());
  CAF_CHECK_EQUAL(code_of(ask<accepted>(app, client, publish_request{"nobody.knows", "", {}})),
                  "unknown_type");
  CAF_CHECK_EQUAL(code_of(ask<command_result>(app, client, send_request{"nobody.knows", ""})),
                  "unknown_type");
  CAF_REQUIRE(ask<accepted>(app, client, publish_request::of(order_placed{"o-1", 100})).has_value());
  const auto soon = result_request::of<fulfilment>("o-1", std::chrono::milliseconds{20});
  CAF_CHECK_EQUAL(
      line_of(ask<saga_result>(app, client, soon)),
      "timed_out: fulfilment/o-1 has not ended yet, and may still: `show` says what it waits for");
  // CAF's own timeout, of the request, is the same to the asker.
  CAF_CHECK_EQUAL(code_of(ask<saga_result>(app, client, result_request::of<fulfilment>("o-1"),
                                           std::chrono::milliseconds{20})),
                  "timed_out");
  held.open();
  CAF_CHECK_EQUAL(line_of(ask<saga_result>(app, client, result_request::of<fulfilment>("o-1"))),
                  "completed: track-o-1");
  here.stop();
  CAF_CHECK_EQUAL(code_of(ask<accepted>(app, client, publish_request::of(order_placed{"o-2", 100}))),
                  "unavailable");
}

CAF_TEST(an error survives the way through an actor) {
  application app;
  const error reason{errc::overloaded, "try again later"};
  CAF_CHECK(from_caf_error(to_caf_error(reason), app.system) == reason);
  CAF_CHECK_EQUAL(declined_reason(decline_error("no stock")).value_or("none"), "no stock");
  CAF_CHECK(!declined_reason(to_caf_error(reason)).has_value());
}

CAF_TEST(a node of a cluster does not start on a system on which it could reach nobody) {
  const auto why = [](caf::actor_system& system) {
    auto config = node_config::in_memory().actor_system(system);
    config.name = "here";
    config.cluster.emplace();
    config.cluster->name = "shop";
    const reserved_port ports[2];
    config.cluster->nodes = {{"here", "127.0.0.1", ports[0].number(), {"payment", "warehouse", "fulfilment"}},
                             {"there", "127.0.0.1", ports[1].number(), {}}};
    node here{config};
    host_shop(here);
    const auto started = here.start();
    CAF_REQUIRE(!started);
    CAF_CHECK(started.error().code == errc::invalid_configuration);
    return started.error().message;
  };
  caf::actor_system_config plain;
  caf::actor_system without_network{plain};
  CAF_CHECK(why(without_network).find("has no network: a node of a cluster needs") != std::string::npos);
  caf::actor_system_config networked;
  networked.load<caf::io::middleman>();
  caf::actor_system with_network{networked};
  CAF_CHECK(why(with_network).find("does not know what nodes say to each other") != std::string::npos);
}
