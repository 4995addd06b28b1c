#define CAF_SUITE guide_services

#include <continuo/node.hpp>

#include <caf/test/dsl.hpp>

#include <atomic>
#include <string>

// The chapter "Services" of docs/guide.md.
namespace guide_services {

using namespace std::chrono_literals;

struct label_created {
  std::string tracking;
  CONTINUO_FIELDS(label_created, tracking)
};

struct create_label {
  using reply = label_created;
  std::string order_id;
  CONTINUO_FIELDS(create_label, order_id)
};

struct label_printed {
  std::string tracking;
  CONTINUO_FIELDS(label_printed, tracking)
};

struct label_maker {
  std::string print(const std::string& order, const std::string& key) {
    ++printed;
    return "track-" + order + (key.empty() ? "?" : "");
  }
  std::atomic<int> printed{0};
} printer;

std::promise<std::string> mailed;

struct mail_account {
  void send(const std::string& tracking, const std::string&) { mailed.set_value(tracking); }
} mail;

// doc: stateless
continuo::service warehouse() {
  return continuo::service{"warehouse"}
      .handle([](const create_label& command,
                 continuo::command_context& context) -> continuo::outcome<label_created> {
        const auto tracking = printer.print(command.order_id, context.idempotency_key());
        context.publish(label_printed{tracking});
        return label_created{tracking};
      })
      .concurrency(16)
      .retry({.attempts = 5, .first = 100ms, .factor = 2, .cap = 1min, .jitter = 0.1, .timeout = 10s});
}
// doc: end

struct collected {
  std::string parcel;
  CONTINUO_FIELDS(collected, parcel)
};

struct collect_parcel {
  using reply = collected;
  std::string parcel;
  std::string customer;
  bool express = false;
  CONTINUO_FIELDS(collect_parcel, parcel, customer, express)
};

// doc: turns
continuo::service carrier() {
  return continuo::service{"carrier"}
      .handle([](const collect_parcel& command, continuo::command_context&) -> continuo::outcome<collected> {
        return collected{command.parcel};
      })
      .concurrency(16)
      .rate({.starts = 20, .per = 1s, .burst = 5})
      .per_key<collect_parcel>(&collect_parcel::customer)
      .priority<collect_parcel>([](const collect_parcel& command) {
        return command.express ? continuo::priority::high : continuo::priority::normal;
      })
      .breaker({.failures = 5, .wait = 30s});
}
// doc: end

// doc: http
continuo::service labels_elsewhere() {
  return continuo::service{"labels"}
      .calls_http<create_label>("http://127.0.0.1:9002/labels")
      .idempotent()
      .concurrency(16)
      .retry(
          {.attempts = 1'000'000, .first = 100ms, .factor = 2, .cap = 1min, .jitter = 0.1, .timeout = 10s});
}
// doc: end

// doc: events
continuo::service notices() {
  return continuo::service{"notices"}.on([](const label_printed& event, continuo::command_context& context) {
    mail.send(event.tracking, context.idempotency_key());
  });
}
// doc: end

struct price {
  std::int64_t cents = 0;
  CONTINUO_FIELDS(price, cents)
};

struct quote {
  using reply = price;
  std::int64_t pieces = 0;
  CONTINUO_FIELDS(quote, pieces)
};

// doc: pure
continuo::service prices() {
  return continuo::service{"prices"}
      .handle([](const quote& command, continuo::command_context&) -> continuo::outcome<price> {
        return price{command.pieces * 250};
      })
      .pure();
}
// doc: end

// doc: keyed
struct account {
  std::int64_t cents = 0;
  CONTINUO_FIELDS(account, cents)
};

struct balance {
  std::int64_t cents = 0;
  CONTINUO_FIELDS(balance, cents)
};

struct deposit {
  using reply = balance;
  std::string account_id;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(deposit, account_id, cents)
};

struct withdraw {
  using reply = balance;
  std::string account_id;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(withdraw, account_id, cents)
};

continuo::keyed_service<account> accounts() {
  return continuo::keyed_service<account>{"accounts"}
      .handle(
          &deposit::account_id,
          [](account& state, const deposit& command, continuo::keyed_context&) -> continuo::outcome<balance> {
            state.cents += command.cents;
            return balance{state.cents};
          })
      .handle(&withdraw::account_id,
              [](account& state, const withdraw& command,
                 continuo::keyed_context&) -> continuo::outcome<balance> {
                if (state.cents < command.cents) {
                  return continuo::decline("not enough money");
                }
                state.cents -= command.cents;
                return balance{state.cents};
              });
}
// doc: end

} // namespace guide_services

using namespace guide_services;

CAF_TEST(a stateless service answers a client and publishes with its reply) {
  continuo::node node{continuo::node_config::in_memory()};
  node.host(warehouse());
  node.host(notices());
  CAF_REQUIRE(node.start().has_value());
  const auto reply = node.client().send(create_label{"o-1"}).get();
  CAF_REQUIRE(reply.has_value());
  CAF_CHECK_EQUAL(reply->tracking, "track-o-1");
  CAF_CHECK_EQUAL(printer.printed.load(), 1);
  CAF_CHECK_EQUAL(mailed.get_future().get(), "track-o-1");
}

CAF_TEST(a pure service answers) {
  continuo::node node{continuo::node_config::in_memory()};
  node.host(prices());
  CAF_REQUIRE(node.start().has_value());
  const auto reply = node.client().send(quote{3}).get();
  CAF_REQUIRE(reply.has_value());
  CAF_CHECK_EQUAL(reply->cents, 750);
}

CAF_TEST(a keyed service keeps a state for each key) {
  continuo::node node{continuo::node_config::in_memory()};
  node.host(accounts());
  CAF_REQUIRE(node.start().has_value());
  // doc: send
  auto client = node.client();
  auto first = client.send(deposit{"anna", 100}).get();
  auto second = client.send(withdraw{"anna", 30}).get();
  auto third = client.send(withdraw{"berta", 1}).get(); // declined: no value, the error says why
  // doc: end
  CAF_REQUIRE(first.has_value());
  CAF_CHECK_EQUAL(first->cents, 100);
  CAF_REQUIRE(second.has_value());
  CAF_CHECK_EQUAL(second->cents, 70);
  CAF_REQUIRE(!third.has_value());
  CAF_CHECK_EQUAL(third.error().message, "declined: not enough money");
}

CAF_TEST(a service can be an endpoint) {
  continuo::node node{continuo::node_config::in_memory()};
  node.host(guide_services::labels_elsewhere());
  CAF_CHECK(node.start().has_value());
}
